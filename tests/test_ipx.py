"""IPX: queues and ports as netstat has them, and as they are."""

from __future__ import annotations

import json

import pytest
from conftest import Tree
from runner import invoke

from pynetstat.cli import main
from pynetstat.collectors.rare.ipx import end_text, network_text, node_text

HEADING = "Local_Address               Remote_Address              Tx_Queue  Rx_Queue  State  Uid"


def run(*options: str) -> tuple[int, list[str], str]:
    result = invoke(main, list(options))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout.splitlines(), result.stderr


@pytest.fixture
def root(proc_tree: Tree) -> str:
    folder = proc_tree()
    (folder / "net/ipx").mkdir()
    return str(folder)


def write(root: str, name: str, *lines: str) -> None:
    with open(f"{root}/net/ipx/{name}", "w") as file:
        file.write("".join(f"{line}\n" for line in ("heading", *lines)))


def test_records_have_it_right(root: str) -> None:
    write(
        root,
        "socket",
        "12345678:0001020304AB:0451  ABCDEF01:00C0DE000001:0452  0000000A  00989680  01     1000",
        "505FC343:7001               Not_Connected               0000003D  00000004  07     777",
        "505FC343:7001               Not_Connected               00000000  00000000  02     777",
    )
    found = json.loads("".join(run("--ipx", "-n", "--json", "--proc", root)[1]))["ipx"]
    assert found[0] == {
        "proto": "ipx",
        "state": "ESTAB",
        "local_address": "12345678:0001020304AB",
        "local_port": 0x451,
        "remote_address": "ABCDEF01:00C0DE000001",
        "remote_port": 0x452,
        "recv_q": 10_000_000,
        "send_q": 10,
        "uid": 1000,
        "user": None,
    }
    assert (found[1]["remote_address"], found[1]["remote_port"]) == (None, None)
    assert [socket["state"] for socket in found] == ["ESTAB", None, "UNK."]
    assert run("--ipx", "-n", "--no-header", "--proc", root)[1] == [
        "IPX       10 10000000 12345678:0001020304AB:5104 ABCDEF01:00C0DE000001:5204 ESTAB",
        "IPX       61      4 505FC343:0170              -                               ",
        "IPX        0      0 505FC343:0170              -                          UNK. ",
    ]


def test_users(root: str) -> None:
    write(root, "socket", "505FC343:7001  Not_Connected  0000003D  00000004  07  0")
    pwd = pytest.importorskip("pwd")
    name = pwd.getpwuid(0).pw_name
    assert run("--ipx", "-e", "--no-header", "--proc", root)[1][0].split()[-1] == name
    assert run("--ipx", "-en", "--no-header", "--proc", root)[1][0].split()[-1] == "0"


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "505FC343:7001 Not_Connected",
        "505FC343:7001 Not_Connected 1 2 x 0",
        "505FC343:xyz Not_Connected 1 2 07 0",
        "505FC343:7001 Not_Connected 1 2 07 99999999999999",
    ],
)
def test_a_row_that_is_none(bad: str, root: str) -> None:
    write(root, "socket", bad)
    expected = 0, [], "warning, got bogus ipx line.\n"
    assert run("--ipx", "--no-header", "--proc", root) == expected


@pytest.mark.parametrize(
    ("row", "which"),
    [
        ("505FC343 Not_Connected 1 2 07 0", "source"),
        ("Not_Connected 505FC343:7001 1 2 07 0", "source"),
        ("505FC343:7001 505FC343 1 2 07 0", "destination"),
    ],
)
def test_an_address_without_a_port_ends_it_all(row: str, which: str, root: str) -> None:
    write(root, "socket", row)
    code, _, err = run("--ipx", "--proc", root)
    assert code == 255
    assert err == f"netstat.c: Internal Error `ipx socket format error in {which} port'.\n"


def test_tables_that_are_not_there(root: str, proc_tree: Tree) -> None:
    expected = 1, [], "netstat: no support for `AF IPX' on this system.\n"
    assert run("--ipx", "--proc", root) == expected
    code, lines, err = run("-r", "--ipx", "--proc", root)
    files = "/proc/net/ipx/route or /proc/net/ipx_route"
    assert (code, lines) == (1, [f"IPX routing not in file {files} found."])
    assert err == "No such file or directory\n"


def test_a_file_of_old(proc_tree: Tree) -> None:
    """Where /proc/net/ipx is the table itself, netstat fails, whatever was asked for."""
    root = proc_tree(ipx=[HEADING], unix="heading\n")
    for options in (["--ipx"], []):
        code, _, err = run(*options, "-n", "--proc", str(root))
        assert (code, err) == (255, f"{root}/net/ipx/socket: Not a directory\n")


def test_routes(root: str) -> None:
    write(
        root,
        "route",
        "E040748B   346185C1     E2D5E960DDF8",
        "00000001   Directly     Connected",
        "",
        "E040748B   346185C1",
    )
    assert run("-r", "--ipx", "--no-header", "--proc", root) == (
        0,
        [
            "E040748B                  346185C1                  E2D5E960DDF8             ",
            "00000001                  0000000D                  C00000000000             ",
        ],
        "",
    )
    found = json.loads("".join(run("-r", "--ipx", "--json", "--proc", root)[1]))
    assert found["ipx_routes"] == [
        {"dst": "E040748B", "gateway": "346185C1:E2D5E960DDF8"},
        {"dst": "00000001", "gateway": None},
    ]


def test_how_addresses_are_written() -> None:
    assert [network_text(text) for text in ("ab12", "0", "FFFFFFFF", "xyz", "1" * 5000)] == [
        *("0000AB12", "", "", "", "")
    ]
    assert [node_text(text) for text in ("1", "000000000000", "Connected", "c0DE")] == [
        *("100000000000", "", "C00000000000", "C0DE00000000")
    ]
    assert end_text("0:1", 0x4001) == ":0140"
    assert end_text(None, None) == "-"
