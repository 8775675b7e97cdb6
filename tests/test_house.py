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

# Imports go down, never up, never sideways; a name with * stands for a folder's modules.
FLOORS = [
    {"text", "settings", "keywords"},
    {"options"},
    {"table"},
    {"listing"},
    {"cells", "kernel.*"},
    {"collectors.*", "formats.*", "stages.*"},
    {"outcome", "plan"},
    {"run"},
    {"diagnosis.*"},
    {"__init__"},
    {"cli.*"},
    {"__main__"},
]


def floor(module: str) -> int:
    for number, names in enumerate(FLOORS):
        if module in names or f"{module.split('.')[0]}.*" in names:
            return number
    raise AssertionError(f"{module} has no place in the house")


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
            yield from [name] if name else [alias.name for alias in node.names]


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for name in imports(path):
        if name in ("__version__", "collectors", "formats"):
            continue
        same_house = name.split(".")[0] == module.split(".")[0]
        assert floor(name) < floor(module) or same_house, (module, name)


@pytest.mark.parametrize(
    ("library", "users"),
    [
        ("click", {"cli/__init__.py", "cli/types.py"}),
        ("psutil", {"cli/types.py", "collectors/portable"}),
        ("tabulate", {"cli/types.py", "formats/tabular.py"}),
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
        "import sys, pynetstat.cli as cli\n"
        f"try: cli.main(['-tan', '--proc', {str(root)!r}], standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.count("\n") == 5, done.stderr
    loaded = set(done.stderr.split())
    heavy = {"psutil", "tabulate", "json", "importlib.metadata", "concurrent.futures", "ipaddress"}
    heavy |= {"csv", "ctypes", "pynetstat.stages.owners", "pynetstat.stages.names"}
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
    render = formats.find(options)
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
