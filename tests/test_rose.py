"""ROSE: addresses of ten digits, channels in hexadecimal, routes over several neighbours."""

from __future__ import annotations

import json

import pytest
from conftest import Tree
from runner import invoke

from pynetstat.cli import main

HEADING = "dest_addr  dest_call src_addr   src_call  dev   lci neigh st vs vr va   t  t1  t2  t3"
TAIL = "1  2  3   0 200 180   5   5   0/000    92    46 15420"
NODES = "address    mask n neigh neigh neigh"
NEIGHBOURS = [
    "addr  callsign  dev  count use mode restart  t0  tf digipeaters",
    "00001 DL1BKE-10 ax0      4   4  DCE      no   0   0",
    "00002 IW0QNL-3  scc10      8   6  DTE     yes   0   0",
]


def run(*options: str) -> tuple[int, list[str], str]:
    result = invoke(main, list(options))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout.splitlines(), result.stderr


def test_an_address_of_ten_digits(proc_tree: Tree) -> None:
    """In netstat's memory it would wipe out the destination."""
    row = f"2028595581 N0CALL-2  4997752171 LA1ABC-9  rose0 001 00004  1  {TAIL}"
    root = proc_tree(rose=[HEADING, row])
    assert run("--rose", "--no-header", "--proc", str(root)) == (
        0,
        ["2028595581  N0CALL-2   4997752171  LA1ABC-9  rose0   1     4   CONN SENT"],
        "",
    )


def test_a_channel_with_letters_is_in_the_record_alone(proc_tree: Tree) -> None:
    row = f"2028595581 N0CALL-2  4997752171 LA1ABC-9  rose0 0AB 00004  7  {TAIL}"
    root = proc_tree(rose=[HEADING, row])
    expected = 0, ["Problem reading data from /proc/net/rose"], ""
    assert run("--rose", "--no-header", "--proc", str(root)) == expected
    found = json.loads("".join(run("--rose", "--json", "--proc", str(root))[1]))["rose"]
    assert found == [
        {
            "proto": "rose",
            "state": "UNKNOWN(7)",
            "local_address": "4997752171",
            "local_call": "LA1ABC-9",
            "remote_address": "2028595581",
            "remote_call": "N0CALL-2",
            "dev": "rose0",
            "lci": 0xAB,
            "neighbour": 4,
            "vr": 2,
            "vs": 1,
            "recv_q": 46,
            "send_q": 92,
            "inode": 15420,
        }
    ]


def test_a_row_without_its_tail(proc_tree: Tree) -> None:
    root = proc_tree(rose=[HEADING, "* * 123456789 N0CALL-2 ??? 010 00007 0"])
    found = json.loads("".join(run("--rose", "--json", "--proc", str(root))[1]))["rose"]
    assert (found[0]["lci"], found[0]["recv_q"], found[0]["inode"]) == (16, None, None)
    line = run("--rose", "--no-header", "--proc", str(root))[1]
    assert line == ["*           *          123456789   N0CALL-2  ???    10     7   LISTENING"]


@pytest.mark.parametrize("bad", ["", "* *", f"* * * * rose0 XYZ 00004 1 {TAIL}", "* * * * ??? 1 2"])
@pytest.mark.parametrize("option", ["--no-header", "--json"])
def test_a_row_that_cannot_be_read(bad: str, option: str, proc_tree: Tree) -> None:
    root = proc_tree(rose=[HEADING, bad])
    code, lines, _ = run("--rose", option, "--proc", str(root))
    assert code == 0
    if option == "--json":
        assert json.loads("".join(lines))["rose"] == []
    else:
        assert lines == ["Problem reading data from /proc/net/rose"]


def test_routes(proc_tree: Tree) -> None:
    nodes = [NODES, "1489263393 0007 2 00002 00099", "2080175524 0010 1 loopback", "short"]
    root = proc_tree(rose_nodes=nodes, rose_neigh=NEIGHBOURS)
    assert run("-r", "--rose", "--no-header", "--proc", str(root)) == (
        0,
        ["1489263393   00002  IW0QNL-3     scc1000099  ", "2080175524   00000  "],
        "warning, got bogus rose node line.\n",
    )
    found = json.loads("".join(run("-r", "--rose", "--json", "--proc", str(root))[1]))
    unknown = {"call": None, "dev": None}
    assert found["rose_routes"] == [
        {
            "dst": "1489263393",
            "mask": 7,
            "neighbours": [
                {"number": 2, "call": "IW0QNL-3", "dev": "scc10"},
                {"number": 99, **unknown},
            ],
        },
        {"dst": "2080175524", "mask": 10, "neighbours": [{"number": 0, **unknown}]},
    ]


def test_routes_without_the_neighbours(proc_tree: Tree) -> None:
    """netstat crashes."""
    root = proc_tree(rose_nodes=[NODES, "1489263393 0007 1 00002"])
    code, lines, err = run("-r", "--rose", "--no-header", "--proc", str(root))
    assert (code, lines) == (1, ["1489263393   00002  "])
    assert err == f"{root}/net/rose_neigh: No such file or directory\n"


def test_no_tables(proc_tree: Tree) -> None:
    root = proc_tree()
    expected = 1, [], "netstat: no support for `AF ROSE' on this system.\n"
    assert run("--rose", "--proc", str(root)) == expected
    reason = f"{root}/net/rose_nodes: No such file or directory\n"
    expected = 1, [], f"{reason}ROSE not configured in this system.\n"
    assert run("-r", "--rose", "--proc", str(root)) == expected
