"""Bluetooth: refused as Debian's netstat refuses it, or listed where the kernel shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Tree
from runner import invoke

from pynetstat.cli import main
from pynetstat.collectors.rare import bluetooth

NOT_SUPPORTED = (
    "netstat: feature `AF BLUETOOTH' not supported.\n"
    "Please recompile `net-tools' with newer kernel source or full configuration.\n"
)
HERE, THERE, NOBODY = "00:1A:7D:DA:71:13", "F8:E9:4E:8B:12:34", "00:00:00:00:00:00"
L2CAP = (
    f"{HERE} (0) {THERE} (1) 1 25 0x0040 0x00c1 895 672 2 0\n"
    f"{HERE} {NOBODY} 4 1 0x0000 0x0000 672 0 0 0\n"
)
RFCOMM = f"{HERE} {THERE} 1 3\n{NOBODY} {NOBODY} 4 1\n{HERE} {THERE} 12 1\n"
L2CAP_HEADER = (
    "Proto  Destination       Source            State         PSM DCID   SCID      IMTU    OMTU"
    " Security"
)
RFCOMM_HEADER = "Proto  Destination       Source            State     Channel"


def run(*options: str) -> tuple[int, list[str], str]:
    result = invoke(main, list(options))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout.splitlines(), result.stderr


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bluetooth, "FOLDER", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("options", ["-2", "-f", "--rfcomm", "-A bluetooth", "-a2"])
def test_not_supported(options: str, folder: Path) -> None:
    assert run(*options.split()) == (1, [], NOT_SUPPORTED)


def test_another_proc_is_another_machine(folder: Path, proc_tree: Tree) -> None:
    (folder / "l2cap").write_text(L2CAP)
    assert run("-2", "--proc", str(proc_tree())) == (1, [], NOT_SUPPORTED)


def test_both_tables(folder: Path) -> None:
    """With the ends the wrong way round, as netstat has them."""
    (folder / "l2cap").write_text(L2CAP)
    (folder / "rfcomm").write_text(RFCOMM)
    assert run("-a", "-A", "bluetooth") == (
        0,
        [
            "Active Bluetooth connections (servers and established)",
            L2CAP_HEADER,
            f"l2cap  {HERE} {THERE} CONNECTED      25 0x0040 0x00c1     895     672 MEDIUM ",
            f"l2cap  {HERE} {'*':<17} LISTEN          1 0x0000 0x0000     672       0 SDP    ",
            RFCOMM_HEADER,
            f"rfcomm {HERE} {THERE} CONNECTED       3",
            f"rfcomm {'*':<17} {'*':<17} LISTEN          1",
            f"rfcomm {HERE} {THERE} UNKNOWN         1",
        ],
        "",
    )


@pytest.mark.parametrize(
    ("options", "states"),
    [("-f", ["CONNECTED", "UNKNOWN"]), ("-fl", ["LISTEN"]), ("-fla", None)],
)
def test_what_listens(options: str, states: list[str] | None, folder: Path) -> None:
    (folder / "rfcomm").write_text(RFCOMM)
    code, lines, _ = run(options, "--no-header")
    assert code == 0
    assert [line.split()[3] for line in lines] == (states or ["CONNECTED", "LISTEN", "UNKNOWN"])


def test_records_have_the_ends_right(folder: Path) -> None:
    (folder / "l2cap").write_text(L2CAP)
    (folder / "rfcomm").write_text(RFCOMM)
    found = json.loads("".join(run("-2f", "--json")[1]))["bluetooth"]
    assert found[0] == {
        "proto": "l2cap",
        "state": "CONNECTED",
        "local_address": HERE,
        "remote_address": THERE,
        "psm": 25,
        "dcid": 0xC1,
        "scid": 0x40,
        "imtu": 895,
        "omtu": 672,
        "security": "MEDIUM",
        "channel": None,
    }
    assert (found[1]["proto"], found[1]["channel"], found[1]["psm"]) == ("rfcomm", 3, None)


def test_one_of_two(folder: Path) -> None:
    (folder / "rfcomm").write_text("")
    heading = ["Active Bluetooth connections (w/o servers)", RFCOMM_HEADER]
    err = "netstat: no support for `BTPROTO L2CAP' on this system.\n"
    assert run("--bluetooth") == (1, heading, err)
    assert run("-f") == (0, heading, "")


@pytest.mark.parametrize("bad", ["", "nonsense", f"{HERE} {THERE} 1", f"{HERE} {THERE} x 3"])
def test_a_row_that_is_none(bad: str, folder: Path) -> None:
    (folder / "rfcomm").write_text(f"{bad}\n{RFCOMM}")
    (folder / "l2cap").write_text(f"{bad}\n")
    code, lines, err = run("-2f", "--no-header")
    assert (code, len(lines)) == (0, 2)
    assert err == "warning, got bogus l2cap line.\nwarning, got bogus rfcomm line.\n"


def test_sorted(folder: Path) -> None:
    (folder / "rfcomm").write_text(RFCOMM)
    lines = run("-fa", "--no-header", "--sort", "channel")[1]
    assert [line.split()[-1] for line in lines] == ["1", "1", "3"]
