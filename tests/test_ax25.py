"""AX.25: what stands in the records, and what happens to rows that are none."""

from __future__ import annotations

import json

import pytest
from conftest import Tree
from runner import invoke

from pynetstat.cli import main

PROBLEM = "problem reading data from /proc/net/ax25"
HEADER = "Dest       Source     Device  State        Vr/Vs    Send-Q  Recv-Q"
NUMBERS = "0 0 10 0 3 0 300 0 0 0 10 5 2 256"  # from va to paclen


def run(*options: str) -> tuple[int, list[str], str]:
    result = invoke(main, list(options))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout.splitlines(), result.stderr


def records(*options: str) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads("".join(run(*options, "--json")[1]))
    return found


def test_a_socket_in_a_record(proc_tree: Tree) -> None:
    root = proc_tree(
        ax25=[
            f"ffff8880 ax0 N0CALL-1 K1ABC-15,WIDE1-1*,GM8BPQ 3 1 2 {NUMBERS} 11 22 12345",
            f"ffff8881 ??? N0CALL-1* * 0 0 0 {NUMBERS} * * *",
        ]
    )
    first, second = records("--ax25", "--proc", str(root))["ax25"]
    assert first == {
        "proto": "ax25",
        "state": "ESTABLISHED",
        "local_address": "N0CALL-1",
        "remote_address": "K1ABC-15",
        "digipeaters": ["WIDE1-1*", "GM8BPQ"],
        "dev": "ax0",
        "vr": 2,
        "vs": 1,
        "recv_q": 22,
        "send_q": 11,
        "inode": 12345,
    }
    assert [second[name] for name in ("recv_q", "send_q", "inode")] == [None] * 3


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "ffff8880",
        "ffff8880 ax0",
        "ffff8880 ax0 N0CALL-1 K1ABC-15 3 1",
        "ffff8880 ax0 N0CALL-1 K1ABC-15 x 1 2",
        f"ffff8880 ax0 N0CALL-1 K1ABC-15 3 1 2 {NUMBERS} 11 * 12345",
        f"ffff8880 ax0  N0CALL-1 K1ABC-15 3 1 2 {NUMBERS} 11 22 12345",
    ],
)
def test_a_row_that_cannot_be_read(bad: str, proc_tree: Tree) -> None:
    good = f"ffff8880 ax0 N0CALL-1 K1ABC-15 3 1 2 {NUMBERS} 11 22 12345"
    root = proc_tree(ax25=[good, bad, good])
    code, lines, err = run("--ax25", "--proc", str(root))
    row = "K1ABC-15   N0CALL-1   ax0     ESTABLISHED  002/001  11      22    "
    assert (code, lines, err) == (0, ["Active AX.25 sockets", HEADER, row, PROBLEM, row], "")


def test_numbers_beyond_all_sense(proc_tree: Tree) -> None:
    root = proc_tree(
        ax25=[
            f"ffff8880 ax0 N0CALL-1 K1ABC-15 9 1 2 {NUMBERS} 11 22 12345",
            f"ffff8880 ax0 N0CALL-1 K1ABC-15 {'9' * 5000} 1 2 {NUMBERS} 11 22 12345",
        ]
    )
    lines = run("--ax25", "--no-header", "--proc", str(root))[1]
    assert lines[0].split()[3] == "UNKNOWN(9)"
    assert lines[1] == PROBLEM


def test_a_call_sign_is_a_stranger_s_text(proc_tree: Tree) -> None:
    """Seven bits each, any of them, from the air."""
    root = proc_tree(ax25=[f"ffff8880 ax0 N0CALL-1 K\x1b[2J 3 1 2 {NUMBERS} 11 22 12345"])
    assert run("--ax25", "--no-header", "--proc", str(root))[1][0].startswith("K?[2J      N0CALL-1")


@pytest.mark.parametrize(
    ("options", "code", "err"),
    [
        ("--ax25", 1, "netstat: no support for `AF AX25' on this system.\n"),
        ("-4 --ax25", 1, "netstat: no support for `AF AX25' on this system.\n"),
        ("", 0, ""),
    ],
)
def test_a_missing_table(options: str, code: int, err: str, proc_tree: Tree) -> None:
    root = proc_tree(unix="heading\n")
    assert run(*options.split(), "--proc", str(root))[::2] == (code, err)


def test_a_directory_is_an_empty_table(proc_tree: Tree) -> None:
    root = proc_tree()
    (root / "net/ax25").mkdir()
    (root / "net/ax25_route").mkdir()
    heading = ["Active AX.25 sockets", HEADER]
    assert run("--ax25", "--proc", str(root)) == (0, heading, "")
    assert run("-r", "--ax25", "--proc", str(root))[::2] == (0, "")


def test_a_route_in_a_record(proc_tree: Tree) -> None:
    root = proc_tree(
        ax25_route=[
            "callsign  dev  mode digipeaters",
            "OH2BNS    bpqether0  dg IW0QNL-3 N0CALL-2",
            "default   ax0  *",
            "OH2BNS    ax0  17",
            "short",
        ]
    )
    found = records("-r", "--ax25", "--proc", str(root))["ax25_routes"]
    assert [list(route.values()) for route in found] == [
        ["OH2BNS", "bpqether0", "dg", ["IW0QNL-3", "N0CALL-2"], None],
        ["default", "ax0", None, [], None],
        ["OH2BNS", "ax0", None, [], 17],
    ]
    _, lines, err = run("-r", "--ax25", "--proc", str(root))
    assert lines[2:] == [
        "OH2BNS       bpqe       0",
        "default      ax0        0",
        "OH2BNS       ax0       17",
    ]
    assert err == "warning, got bogus ax25 route line.\n"


def test_no_routes(proc_tree: Tree) -> None:
    root = proc_tree()
    code, lines, err = run("-r", "--ax25", "--proc", str(root))
    assert (code, lines) == (1, ["AX.25 not configured in this system."])
    assert err == f"{root}/net/ax25_route: No such file or directory\n"
