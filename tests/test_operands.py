"""Operands are ignored, as netstat ignores them; at a terminal a line says so."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from pynetstat.cli.operands import notice

CAPTURE = str(Path(__file__).parent / "captures/article/proc")
COMMAND = [sys.executable, "-m", "pynetstat", "-tan", "--proc", CAPTURE]


@pytest.mark.parametrize(
    ("words", "said", "text"),
    [
        (["80"], (), "`80` is ignored, as netstat does; did you mean --port 80?"),
        ([":80"], (), "`:80` is ignored, as netstat does; did you mean --port 80?"),
        (["5"], ("continuous",), "`5` is ignored, as netstat does; did you mean --interval 5?"),
        (["tcp"], (), "`tcp` is ignored, as netstat does; did you mean --tcp?"),
        (["help"], (), "`help` is ignored, as netstat does; did you mean --help?"),
        (["ip6"], (), "`ip6` is ignored, as netstat does; did you mean -A ip6?"),
        (["99999", "x"], (), "`99999`, `x` are ignored, as netstat does"),
    ],
)
def test_what_was_meant(words: list[str], said: tuple[str, ...], text: str) -> None:
    assert notice(words, said) == text


def test_it_is_said_at_a_terminal_alone() -> None:
    plain = subprocess.run(COMMAND, capture_output=True)
    done = subprocess.run([*COMMAND, "80"], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, plain.stdout, plain.stderr)
    leader, terminal = pty.openpty()
    done = subprocess.run([*COMMAND, "80"], stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    said = os.read(leader, 4096).decode()
    os.close(leader)
    assert (done.returncode, done.stdout) == (0, plain.stdout)
    assert "pynetstat: `80` is ignored, as netstat does; did you mean --port 80?" in said
