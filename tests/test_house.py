"""The house keeps its shape: floors, lazy imports, no Python-level call per row."""

from __future__ import annotations

import ast
import gc
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from conftest import Tree, tcp_file

import pynetstat
from pynetstat import formats
from pynetstat.kernel.proc import Proc
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.plan import Plan
from pynetstat.run import Run

PACKAGE = Path(pynetstat.__file__).parent
TOP = PACKAGE.parent

# The rooms, and the rooms that each may import. A room is a module or a folder; collectors has
# one for each system. Whatever is not named here is no room.
BASE = ("text", "tuples", "settings", "options", "table", "listing")
MAY: dict[str, tuple[str, ...]] = {
    "text": (),
    "tuples": (),
    "settings": (),
    "keywords": (),
    "results": ("tuples",),
    "fleet.ansible": (),  # what Ansible runs on other hosts stands alone
    "options": ("settings",),
    "table": ("text",),
    "listing": ("tuples", "options", "table"),
    "cells": ("options", "listing"),
    "kernel": BASE,
    "collectors.linux": (*BASE, "cells", "kernel"),
    "collectors.rare": (*BASE, "cells", "kernel", "collectors.linux"),
    # Systems without /proc have the records and columns of Linux, and each what psutil gives
    "collectors.portable": (*BASE, "cells", "kernel", "collectors.linux"),
    "collectors.macos": (*BASE, "cells", "kernel", "collectors.linux", "collectors.portable"),
    "collectors.windows": (*BASE, "cells", "kernel", "collectors.linux", "collectors.portable"),
    "collectors": ("listing",),
    "formats": (*BASE, "cells", "kernel"),
    "stages": (*BASE, "kernel"),
    "outcome": ("kernel",),
    "plan": (*BASE, "kernel", "collectors", "stages"),
    "run": (*BASE, "kernel", "formats", "stages", "outcome", "plan"),
}
ABOVE = {
    "diagnosis": (*MAY,),
    "overtime": (*MAY, "diagnosis"),
    "__init__": (*MAY, "diagnosis", "overtime"),
    "fleet": (*MAY, "diagnosis", "__init__"),
    "cli": (*MAY, "diagnosis", "overtime", "__init__", "fleet"),
    "__main__": ("cli",),
}


def room(module: str) -> str:
    """`collectors.macos.routes` is in collectors.macos, `stages.sort` in stages."""
    first, *more = module.split(".")
    if first == "fleet" and more[:1] == ["ansible"]:
        return "fleet.ansible"
    return (
        f"collectors.{more[0]}"
        if first == "collectors" and more and more[0] != "__init__"
        else first
    )


def imports(path: Path) -> Iterator[str]:
    """The modules of the package that a module imports, but for types alone."""
    tree = ast.parse(path.read_text("utf-8"))
    typed = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and getattr(test.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(test)
    }
    here = list(path.relative_to(PACKAGE).with_suffix("").parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and id(node) not in typed:
            base = [*here[: len(here) - node.level], *(node.module or "").split(".")]
            name = ".".join(part for part in base if part)
            if name in ("", "collectors"):
                found = [f"{name}.{alias.name}".strip(".") for alias in node.names]
                yield from ("__init__" if one.startswith("__version") else one for one in found)
            else:
                yield name


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    own = room(module)
    allowed = {own, *(MAY | ABOVE)[own]}
    for name in imports(path):
        assert room(name) in allowed, f"{module} imports {name}"


# What the catalogues and the public API call by the same name in each of their modules.
INTERFACE = {
    "collect", "columns", "heading", "names", "collect_routes", "route_columns", "route_heading",
    "render", "main", "diagnose",
}  # fmt: skip


def test_a_function_name_is_used_in_one_module_only() -> None:
    users: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name not in INTERFACE:
                users.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    several = {name: modules for name, modules in users.items() if len(modules) > 1}
    assert not {name for name in several if not name.startswith("__")}, several


@pytest.mark.parametrize(
    ("library", "users"),
    [
        ("click", {"cli/command.py", "cli/types.py"}),
        ("psutil", {"cli/types.py", "collectors/portable"}),
        ("tabulate", {"cli/values.py", "formats/tabular.py"}),
    ],
)
def test_a_library_has_its_place(library: str, users: set[str]) -> None:
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in getattr(node, "names", [])]
            module = getattr(node, "module", None) or ""
            if (isinstance(node, ast.Import) and library in names) or module.split(".")[
                0
            ] == library:
                found.add(str(path.relative_to(PACKAGE)))
    assert all(any(name.startswith(user) for user in users) for name in found), found


def test_the_top_level_is_what_the_owner_wants() -> None:
    done = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True)
    if done.returncode or not done.stdout:
        pytest.skip("not a checkout")
    top = {line.split("/")[0] for line in done.stdout.splitlines()}
    visible = {name for name in top if not name.startswith(".")}
    assert visible == {"pynetstat", "tests", "pyproject.toml", "README.md", "LICENSE"}


@pytest.mark.unmeasured
def test_tan_imports_nothing_heavy(proc_tree: Tree) -> None:
    root = proc_tree(tcp=tcp_file(3), tcp6=tcp_file(0))
    script = (
        "import sys, pynetstat.__main__ as program\n"
        f"sys.argv = ['pynetstat', '-tan', '--proc', {str(root)!r}]\n"
        "try: program.start()\n"
        "except SystemExit: pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.count("\n") == 5, done.stderr
    loaded = set(done.stderr.split())
    heavy = {"psutil", "tabulate", "json", "importlib.metadata", "concurrent.futures", "ipaddress"}
    heavy |= {
        "click",
        "typing",
        "csv",
        "ctypes",
        "pynetstat.stages.owners",
        "pynetstat.stages.names",
    }
    assert not loaded & heavy


def calls(root: Path, options: Options) -> Counter[str]:
    """Python-level calls of one run, by function; C is not counted."""
    counted: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            counted[frame.f_code.co_qualname if sys.version_info >= (3, 11) else
                    frame.f_code.co_name] += 1  # fmt: skip

    plan, outcome = Plan(options), Outcome()
    run = Run(plan, Proc(str(root)), outcome)
    render = formats.find_renderer(options)
    gc.disable()  # others may have hooked into it
    sys.setprofile(count)
    try:
        for _ in render(run.gather(), plan.options, outcome.incomplete):
            pass
    finally:
        sys.setprofile(None)
        gc.enable()
    return counted


SHAPES = {
    "-tan": Options(tcp=True, all=True, numeric_hosts=True, numeric_ports=True),
    "-tn": Options(tcp=True, numeric_hosts=True, numeric_ports=True),
    "-ltn": Options(tcp=True, listening=True, numeric_hosts=True, numeric_ports=True),
    "-taWn": Options(tcp=True, all=True, wide=True, numeric_hosts=True, numeric_ports=True),
    "-tanp": Options(tcp=True, all=True, numeric_hosts=True, numeric_ports=True, programs=True),
    "--json": Options(tcp=True, all=True, numeric_hosts=True, numeric_ports=True, format="jsonl"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_no_python_call_per_row(name: str, tmp_path: Path) -> None:
    """1,000 rows and 2,000 rows take the same number of Python-level calls."""
    for rows in (1000, 2000):
        net = tmp_path / str(rows) / "net"
        net.mkdir(parents=True)
        (net / "tcp").write_text(tcp_file(rows))
        (net / "tcp6").write_text(tcp_file(0))
    calls(tmp_path / "2000", SHAPES[name])  # imports and memories are warm now
    first = calls(tmp_path / "1000", SHAPES[name])
    second = calls(tmp_path / "2000", SHAPES[name])
    assert second == first


def test_the_runner_of_click_has_one_place() -> None:
    """Its versions give stderr in different ways: runner.py knows them."""
    using = [
        path.name
        for path in Path(__file__).parent.glob("*.py")
        if "click." + "testing" in path.read_text("utf-8")
    ]
    assert using == ["runner.py"]
