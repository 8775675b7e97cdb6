"""A command line is read in the same way with click and without it."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import pytest
from conftest import Tree, tcp_file
from hypothesis import given
from hypothesis import strategies as st
from runner import invoke

from pynetstat.cli import action, main
from pynetstat.settings import FAMILY_OPTIONS, SETTINGS, Setting

Outcome = tuple[Any, str, str]  # the fields or the exit status, stdout, stderr


def without_click(words: list[str]) -> Outcome:
    """What the console script makes of them."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    found: Any
    try:
        found = action.fields_of_words(words, "pynetstat")
    except SystemExit as end:
        found = end.code
    finally:
        out, err = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = before
    out.flush()
    return found, out.buffer.getvalue().decode(), err.getvalue()


def with_click(words: list[str]) -> Outcome:
    """What the click command makes of them."""
    taken: list[dict[str, Any]] = []
    callback = main.callback
    main.callback = lambda **fields: taken.append(fields)
    try:
        result = invoke(main, words)
    finally:
        main.callback = callback
    return taken[0] if taken else result.exit_code, result.stdout, result.stderr


WRONG = ["", "x", "-1", "0", "1e9", "nan", "\x1b[31m", "json,", "simple"]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.long)
def test_every_option_is_read_alike(setting: Setting) -> None:
    names = [f"--{setting.long}", f"--{setting.long[:-1]}"]
    names += [f"-{setting.letter}"] if setting.letter else []
    for name in names:
        for value in (setting.example, *WRONG):
            for words in ([name], [name, value], [f"{name}={value}"], [name, "-t", name, value]):
                assert without_click(words) == with_click(words), words


letters = "".join(setting.letter for setting in SETTINGS) + "dq?A"
values = [*WRONG, "inet", "inet,unix", "tcp", "3", *(one.example for one in SETTINGS)]
longs = [f"--{one.long}" for one in SETTINGS] + [f"--{name}" for name in FAMILY_OPTIONS]
words = st.one_of(
    st.sampled_from([*longs, *values, "-", "--", "--x", "--num", "--no-such"]),
    st.text(letters, min_size=1, max_size=6).map("-{}".format),
    st.tuples(st.sampled_from(longs), st.sampled_from(values)).map("=".join),
)


@given(st.lists(words, max_size=6))
def test_any_command_line_is_read_alike(line: list[str]) -> None:
    assert without_click(line) == with_click(line)


LINES = ("-tan", "-tan --json", "--version", "--help", "-q", "--top x", "-tn --port nosuch")


@pytest.mark.unmeasured
@pytest.mark.parametrize("line", LINES)
def test_the_program_runs_without_click(line: str, proc_tree: Tree) -> None:
    """Wherever click cannot be imported, all but completion works as ever."""
    root = str(proc_tree(tcp=tcp_file(3), tcp6=tcp_file(0)))
    script = "import sys; sys.modules['click'] = None; import pynetstat.__main__ as p; p.main()"
    options = [*line.split(), "--proc", root]
    done = subprocess.run([sys.executable, "-c", script, *options], capture_output=True, text=True)
    result = invoke(main, options)
    first = [line for line in result.stdout.splitlines() if "generated_at" not in line]
    assert done.returncode == result.exit_code
    assert [row for row in done.stdout.splitlines() if "generated_at" not in row] == first
    assert done.stderr == result.stderr
