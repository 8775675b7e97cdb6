"""Every text that net-tools 2.10 wrote over a capture, byte for byte."""

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from pynetstat.cli import main

CAPTURES = Path(__file__).parent / "captures"
EXPECTED = sorted(CAPTURES.glob("*/netstat *.txt"))


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: f"{path.parent.name}: {path.stem}")
def test_prints_what_netstat_prints(expected: Path) -> None:
    """net-tools 2.10 wrote each text from the /proc tree beside it."""
    command = shlex.split(expected.stem)[1:]
    result = CliRunner().invoke(main, [*command, "--proc", str(expected.parent / "proc")])
    assert result.stdout_bytes == expected.read_bytes(), result.stderr
