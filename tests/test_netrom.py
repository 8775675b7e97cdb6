"""NET/ROM: what stands in the records, and routes whose neighbour is gone."""

from __future__ import annotations

import json

import pytest
from conftest import Tree
from runner import invoke

from pynetstat.cli import main

HEADING = "user_addr dest_node src_node  dev    my  your  st  vs  vr  va    t1     t2     t4"
TIMERS = "0/120  0/05   0/180   0/900  0/03   4"
NODES = "callsign  mnemonic w n qual obs neigh qual obs neigh qual obs neigh"
NEIGHBOURS = [
    "addr  callsign  dev  qual lock count failed",
    "00002 F6FBB     scc10   149    0  1  2",
]


def run(*options: str) -> tuple[int, list[str], str]:
    result = invoke(main, list(options))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout.splitlines(), result.stderr


def test_a_socket_in_a_record(proc_tree: Tree) -> None:
    row = f"N0CALL-1  K1ABC-15  W1AW      nr0  0A/B2 03/04  3   1   2   0 {TIMERS}    11    22 4567"
    root = proc_tree(nr=[HEADING, row])
    found = json.loads("".join(run("--netrom", "--json", "--proc", str(root))[1]))["netrom"]
    assert found == [
        {
            "proto": "netrom",
            "state": "ESTABLISHED",
            "user_address": "N0CALL-1",
            "local_address": "W1AW",
            "remote_address": "K1ABC-15",
            "dev": "nr0",
            "vr": 2,
            "vs": 1,
            "recv_q": 22,
            "send_q": 11,
            "inode": 4567,
        }
    ]


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "N0CALL-1  K1ABC-15",
        "N0CALL-1  K1ABC-15  W1AW      nr0  01/02 03/04  3   1   2",
        f"N0CALL-1  K1ABC-15  W1AW      nr0  01/02 03/04  3   1   2   0 {TIMERS}    11",
        f"N0CALL-1  K1ABC-15  W1AW      nr0  01/02 03/04  x   1   2   0 {TIMERS}    11    22 4567",
    ],
)
def test_a_row_that_cannot_be_read(bad: str, proc_tree: Tree) -> None:
    root = proc_tree(nr=[HEADING, bad])
    expected = 0, ["Problem reading data from /proc/net/nr"], ""
    assert run("--netrom", "--no-header", "--proc", str(root)) == expected


def test_a_state_beyond_the_known(proc_tree: Tree) -> None:
    row = f"N0CALL-1  K1ABC-15  W1AW      nr0  01/02 03/04  4   1   2   0 {TIMERS}    11    22 4567"
    root = proc_tree(nr=[HEADING, row])
    assert "UNKNOWN(4)" in run("--netrom", "--proc", str(root))[1][2].split()


def test_a_missing_table(proc_tree: Tree) -> None:
    expected = 1, [], "netstat: no support for `AF NETROM' on this system.\n"
    assert run("--netrom", "--proc", str(proc_tree())) == expected


def test_routes_without_a_way(proc_tree: Tree) -> None:
    """netstat prints half of such a row, and the next one on the same line."""
    root = proc_tree(
        nr_nodes=[
            NODES,
            "N0CALL-1  AB       1 2  157   2 00002    8   3 00001",
            "N0CALL-2  AB       2 2  157   2 00002    8   3 00001",
            "N0CALL-3  *        3 2  157   2 00002    8   3 00001",
            "N0CALL-4  *        0 0",
        ],
        nr_neigh=NEIGHBOURS,
    )
    assert run("-r", "--netrom", "--no-header", "--proc", str(root)) == (
        0,
        [
            "N0CALL-1     AB        157      F6FBB      scc1",
            "N0CALL-2     AB          8      -          -   ",
            "N0CALL-3     *           -      -          -   ",
            "N0CALL-4     *           -      -          -   ",
        ],
        "",
    )
    found = json.loads("".join(run("-r", "--netrom", "--json", "--proc", str(root))[1]))
    assert [list(route.values()) for route in found["netrom_routes"]] == [
        ["N0CALL-1", "AB", 157, "F6FBB", "scc10"],
        ["N0CALL-2", "AB", 8, None, None],
        ["N0CALL-3", "*", None, None, None],
        ["N0CALL-4", "*", None, None, None],
    ]


def test_a_node_that_is_none(proc_tree: Tree) -> None:
    root = proc_tree(nr_nodes=[NODES, "", "N0CALL-1"], nr_neigh=[*NEIGHBOURS, "nonsense"])
    code, lines, err = run("-r", "--netrom", "--no-header", "--proc", str(root))
    assert (code, lines) == (0, [])
    assert err == "warning, got bogus netrom node line.\n" * 2


@pytest.mark.parametrize(
    ("there", "missing"), [((), ("nr_nodes", "nr_neigh")), (("nr_nodes",), ("nr_neigh",))]
)
def test_no_routes(there: tuple[str, ...], missing: tuple[str, ...], proc_tree: Tree) -> None:
    root = proc_tree(**{name: [NODES] for name in there})
    code, lines, err = run("-r", "--netrom", "--proc", str(root))
    assert (code, lines) == (1, ["NET/ROM not configured in this system."])
    assert err.splitlines() == [f"{root}/net/{name}: No such file or directory" for name in missing]
