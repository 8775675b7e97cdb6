"""Every text that net-tools 2.10 wrote over a capture, byte for byte."""

import shlex
import sys
from pathlib import Path

import pytest
from conftest import HAS_IP, can_unshare
from record import inside
from runner import invoke

from pynetstat.cli import main

CAPTURES = Path(__file__).parent / "captures"
EXPECTED = sorted(CAPTURES.glob("*/netstat *.txt"))


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: f"{path.parent.name}: {path.stem}")
def test_prints_what_netstat_prints(expected: Path) -> None:
    """net-tools 2.10 wrote each text from the /proc tree beside it."""
    command = shlex.split(expected.stem)[1:]
    capture = expected.parent
    if (capture / "etc").exists() or (capture / "setup").exists():
        if not can_unshare():
            pytest.skip("no private namespaces here, for the capture's own names and interfaces")
        if (capture / "setup").exists() and not HAS_IP:
            pytest.skip("no ip (iproute2) here, for the capture's own interfaces")
        done = inside(capture, [sys.executable, "-m", "pynetstat", *command])
        assert done.stdout == expected.read_bytes(), done.stderr
        return
    result = invoke(main, [*command, "--proc", str(capture / "proc")])
    assert result.stdout_bytes == expected.read_bytes(), result.stderr
