"""The option table, and what is derived from it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from conftest import pynetstat as run_command
from runner import invoke

import pynetstat
from pynetstat import settings
from pynetstat.cli import main, manpage
from pynetstat.cli.reading import selinux
from pynetstat.keywords import Keywords
from pynetstat.options import MODES, PROTOCOLS, Options
from pynetstat.settings import COMMAND, DEFAULTS, FAMILIES, SETTINGS, SHARED, Setting

KINDS: dict[str, Any] = {
    "flag": bool,
    "count": int,
    "families": tuple[str, ...],
    "states": tuple[str, ...],
    "fields": tuple[str, ...],
    "rules": tuple[str, ...],
    "limits": tuple[str, ...],
    "hosts": tuple[str, ...],
    "integer": int | None,
    "seconds": float,
    "text": str | None,
    "program": str | None,
    "term": str | None,
    "selection": str | None,
    "choice": str,
    "format": str,
    "directory": str,
}
every = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.long)
TAKING = [setting for setting in SETTINGS if setting.takes]
taking = pytest.mark.parametrize("setting", TAKING, ids=lambda setting: setting.long)


def read(*words: str) -> dict[str, Any]:
    return main.make_context("pynetstat", list(words)).params


def said(setting: Setting) -> list[str]:
    return [f"--{setting.long}", *[setting.example][: setting.takes]]


@every
def test_help_and_the_man_page_have_it(setting: Setting) -> None:
    assert setting.section and setting.help.endswith((".", "..."))
    listed = "".join(invoke(main, ["--help"]).stdout.split())
    assert "".join(f"{setting.usage} {setting.help}".split()) in listed
    assert (
        f".B {manpage.roff(setting.usage)}\n{manpage.roff(setting.help)}"
        in [*manpage.page()][4 + [*manpage_entries()].index(setting)]
    )


def manpage_entries() -> list[Any]:
    """The settings and the section headings, in the order of the page."""
    entries: list[Any] = []
    for setting in SETTINGS:
        if not entries or setting.section != entries[-1].section:
            entries.append(setting.section)
        entries.append(setting)
    return entries


def test_the_command_has_exactly_these_options() -> None:
    table = [[f"-{one.letter}"] * bool(one.letter) + [f"--{one.long}"] for one in SETTINGS]
    assert [param.opts for param in main.params] == table
    names = [name for names in table for name in names]
    assert len(names) == len(set(names))


@every
def test_it_changes_something(setting: Setting) -> None:
    if setting.kind == "immediate":
        assert invoke(main, said(setting)).stdout
        return
    if setting.long == "context" and not selinux():
        pytest.skip("SELinux is not enabled here")
    if setting.long == "proc":
        assert read("--proc", "/tmp")["root"] == "/tmp"
        return
    before, after = read(), read(*said(setting))
    field = "families" if setting.kind == "family" else setting.field
    assert {name for name in before if before[name] != after[name]} == {field}
    if setting.letter and not setting.takes:
        assert read(f"-{setting.letter}") == after


@taking
def test_its_example_is_converted(setting: Setting) -> None:
    value = read(*said(setting))[setting.field]
    hint = typing.get_args(KINDS[setting.kind])
    if setting.many:
        assert value == tuple(FAMILIES.get(word, word) for word in setting.example.split(","))
    else:
        assert isinstance(value, hint[0] if hint else KINDS[setting.kind])
        assert str(value) == setting.example


def completions(words: list[str], half: str) -> list[str]:
    shell = ShellComplete(main, {}, "pynetstat", "_PYNETSTAT_COMPLETE")
    return [item.value for item in shell.get_completions(words, half)]


@every
def test_the_shell_completes_its_name(setting: Setting) -> None:
    assert f"--{setting.long}" in completions([], f"--{setting.long[:-1]}")
    if setting.kind in ("flag", "count", "integer", "text") and setting.long != "context":
        assert f"--{setting.long}" not in completions(said(setting), f"--{setting.long[:-1]}")


@taking
def test_the_shell_completes_its_value(setting: Setting) -> None:
    if setting.kind in ("text", "integer", "seconds", "selection", "hosts"):
        assert completions([f"--{setting.long}"], "") == []
        return
    example = {"program": Path(sys.executable).name, "fields": "proto,local_port", "count-by": ""}
    whole = example.get(setting.kind, setting.example)
    half = whole[:-3] if setting.kind != "program" else "p"
    offered = completions([f"--{setting.long}"], half)
    if setting.kind == "program":
        assert any(word.startswith("py") for word in offered)
    elif setting.kind == "term":
        assert "CLOSE_WAIT" in completions([f"--{setting.long}"], "close_w")
    elif setting.kind == "directory":
        assert offered == [half]
    else:
        assert whole in offered


def test_fields_are_completed_for_what_is_listed() -> None:
    assert completions(["-r", "--sort"], "gat") == ["gateway"]
    assert completions(["-x", "--columns"], "pat") == ["path"]
    assert completions(["-x", "--columns", "pat", "-q", "--sort"], "ino") == ["inode"]


def test_options_are_those_of_the_table() -> None:
    hints = typing.get_type_hints(Options)
    decided = ("dump", "condition", "internals", "foreign", "tcp_states", "recorded")  # by Plan
    for name in (*decided, "answering", "dump_timers", "dump_users"):
        del hints[name]
    kinds = {one.field: KINDS[one.kind] for one in SETTINGS if one.field in DEFAULTS}
    assert hints == kinds
    assert {name: getattr(Options(), name) for name in DEFAULTS} == DEFAULTS
    assert {*MODES, *PROTOCOLS} <= {*DEFAULTS}


def test_the_api_s_keywords_are_those_of_the_table() -> None:
    shared = [one.field for one in SETTINGS if one.reach == SHARED and one.kind != "family"]
    hints = typing.get_type_hints(Options)
    words = {tuple[str, ...]: str | Sequence[str]}
    expected = {name: words.get(hints[name], hints[name]) for name in shared}
    expected["port"] = int | str | Sequence[int | str] | None
    assert typing.get_type_hints(Keywords) == {**expected, "proc": str}
    assert [one for one in Keywords.__annotations__ if one != "proc"] == shared


def test_help_lists_every_keyword() -> None:
    text = " ".join((pynetstat.__doc__ or "").split())
    for one in SETTINGS:
        if one.reach == SHARED and one.kind != "family":
            name = "proc" if one.field == "root" else one.field
            assert re.search(rf" {name} \([\w, ]+\): {re.escape(one.help)}", text), name


def test_a_type_checker_knows_the_keywords(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not here")
    script = tmp_path / "script.py"
    script.write_text(
        "import pynetstat\n"
        "print(pynetstat.sockets(tcp=True, port=[80, 443], state='listening')[0].local_port)\n"
        "pynetstat.sockets(tpc=True)\n"
        "pynetstat.routes(families=6)\n"
        "pynetstat.unix_sockets(format='csv')\n"
        "from pynetstat import InetSocket, Records\n"
        "found: Records[InetSocket] = pynetstat.sockets(proc='/proc')\n"
        "names: set[InetSocket] = set(found); found[0].to_dict()['proto']; found.to_dicts()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(script)],
        capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    lines = [line.partition("script.py:")[2] for line in done.stdout.splitlines()]
    assert {line[0] for line in lines if line and ": error:" in line} == {"3", "4", "5"}, done
    assert 'Unexpected keyword argument "tpc"' in lines[0]


def test_netstat_s_own_options_have_each_a_place() -> None:
    places = sorted(one.netstat for one in SETTINGS if one.netstat)
    assert places == [*range(1, 33)]


def test_the_table_is_plain_data() -> None:
    source = Path(settings.__file__).read_text("utf-8")
    imported = [
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert imported == ["__future__", "typing"]  # the second for type checkers alone
    with pytest.raises(AttributeError):
        SETTINGS[0].help = "another"


def test_the_states_have_one_list() -> None:
    from pynetstat.collectors.macos import pcblist
    from pynetstat.diagnosis.glossary import WORDS
    from pynetstat.kernel.states import FILTER_WORDS
    from pynetstat.stages.filters.terms import states_called

    assert {*pcblist.STATES} == {*FILTER_WORDS}  # macOS has an order of its own
    assert {*FILTER_WORDS} <= {entry.name for entry in WORDS}
    for name, word in FILTER_WORDS.items():
        assert states_called(name) == states_called(word) == {word}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--top 0", "`0' is too small; --top takes 1 or more"),
        ("--top x", "`x' is no whole number; --top takes one such as 10"),
        ("--pid 1.5", "`1.5' is no whole number; --pid takes one such as 812"),
        ("--pid=", "`' is no whole number; --pid takes one such as 812"),
        ("--interval soon", "`soon' is no number of seconds; --interval takes one such as 0.5"),
        ("--interval nan", "`nan' is no time to wait for; --interval takes 0 to 100000000 seconds"),
        ("--interval 1e9", "`1e9' is no time to wait for; --interval takes 0 to 100000000 seconds"),
        ("--source netlnik", "no source `netlnik'; did you mean `netlink'?"),
        ("--source x", "no source `x'; there are: auto, proc, netlink, psutil"),
        ("--source \x1b[31m\x9b", "no source `?[31m?'; there are: auto, proc, netlink, psutil"),
        ("--format jsn", "no format `jsn'; did you mean `json'?"),
        ("--port=", "--port is empty; it takes a value such as `53,8000-8080'"),
        ("--columns ,", "--columns is empty; it takes a value such as `proto,local_port'"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(words: str, message: str) -> None:
    done = run_command(*words.split())
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"pynetstat: {message}\n"


def test_the_first_wrong_value_is_named_and_the_last_of_one_option_counts() -> None:
    assert b"`a'" in run_command("--pid", "a", "--top", "b").stderr
    assert b"`b'" in run_command("--top", "b", "--pid", "a").stderr
    assert read("--pid", "a", "--pid", "1")["pid"] == 1


def test_words_add_up_and_families_are_named_as_netstat_does() -> None:
    assert read("--sort", "a,b", "--sort", "c")["sort"] == ("a", "b", "c")
    assert read("-4x", "--ip", "-A", "appletalk,ip6")["families"] == (
        "inet", "unix", "inet", "ddp", "inet6",
    )  # fmt: skip
    assert not {one.field for one in SETTINGS if one.reach == COMMAND} & {*DEFAULTS}
