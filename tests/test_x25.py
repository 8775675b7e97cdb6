"""X.25: channels in hexadecimal, long addresses, and the table that has become a directory."""

from __future__ import annotations

import json

import pytest
from conftest import Tree
from runner import invoke

from pynetstat.cli import main

HEADING = "dest_addr  src_addr   dev   lci st vs vr va   t  t2 t21 t22 t23 Snd-Q Rcv-Q inode"
HEADER = "Dest         Source          Device  LCI  State        Vr/Vs  Send-Q  Recv-Q"
TAIL = "3  1  2  3   0   3 200 180 180    17    21 22468"


def run(*options: str) -> tuple[int, list[str], str]:
    result = invoke(main, list(options))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout.splitlines(), result.stderr


def test_a_channel_is_hexadecimal(proc_tree: Tree) -> None:
    """netstat takes it for decimal, which shows where it has letters: the row is then lost."""
    rows = [f"701001     999888     tun0  {lci} {TAIL}" for lci in ("010", "0AB")]
    root = proc_tree(x25=[HEADING, *rows])
    assert run("--x25", "--no-header", "--proc", str(root))[1] == [
        "701001          999888          tun0    10   ESTABLISHED  02/01  17      21    ",
        "701001          999888          tun0    AB   ESTABLISHED  02/01  17      21    ",
    ]
    found = json.loads("".join(run("--x25", "--json", "--proc", str(root))[1]))["x25"]
    assert [socket.pop("lci") for socket in found] == [0x10, 0xAB]
    assert found[0] == {
        "proto": "x25",
        "state": "ESTABLISHED",
        "local_address": "999888",
        "remote_address": "701001",
        "dev": "tun0",
        "vr": 2,
        "vs": 1,
        "recv_q": 21,
        "send_q": 17,
        "inode": 22468,
    }


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("123456789", "123456789"),
        ("1234567890", "123456789"),  # netstat's one lost digit
        ("123456789012", "123456789012"),
    ],
)
def test_addresses(source: str, shown: str, proc_tree: Tree) -> None:
    root = proc_tree(x25=[HEADING, f"123456789012345 {source:<10} lapb0 001 {TAIL}"])
    assert run("--x25", "--no-header", "--proc", str(root))[1][0].split()[:2] == [
        "123456789012345",
        shown,
    ]
    found = json.loads("".join(run("--x25", "--json", "--proc", str(root))[1]))["x25"]
    assert (found[0]["remote_address"], found[0]["local_address"]) == ("123456789012345", source)


@pytest.mark.parametrize(("option", "count"), [("--x25", 0), ("-l", 0), ("-a", 1)])
def test_sockets_without_a_call(option: str, count: int, proc_tree: Tree) -> None:
    root = proc_tree(x25=[HEADING, f"*          999999     ???   000 {TAIL}"])
    lines = run("--x25", option, "--no-header", "--proc", str(root))[1]
    assert len(lines) == count


@pytest.mark.parametrize("bad", ["", "1 2 lapb0 001", f"1 2 lapb0 XYZ {TAIL}"])
def test_a_row_that_is_none(bad: str, proc_tree: Tree) -> None:
    root = proc_tree(x25=[HEADING, bad])
    expected = 0, [], "warning, got bogus x25 line.\n"
    assert run("--x25", "--no-header", "--proc", str(root)) == expected


def test_a_directory_of_today(proc_tree: Tree) -> None:
    root = proc_tree()
    (root / "net/x25").mkdir()
    (root / "net/x25/socket").write_text(f"{HEADING}\n1 2 lapb0 001 {TAIL}\n")
    assert run("--x25", "--proc", str(root)) == (0, ["Active X.25 sockets", HEADER], "")


def test_no_table(proc_tree: Tree) -> None:
    root = str(proc_tree())
    expected = 1, [], "netstat: no support for `AF X25' on this system.\n"
    assert run("--x25", "--proc", root) == expected
    expected = 1, ["X.25 not configured in this system."], ""
    assert run("-r", "--x25", "--proc", root) == expected


def test_routes(proc_tree: Tree) -> None:
    root = proc_tree()
    (root / "net/x25").mkdir()
    (root / "net/x25/route").write_text(
        "Address          Digits  Device\n"
        "84589933132      7       x25ethernet0\n"
        "000000000000000  0       lapb0\n"
        "nonsense\n"
    )
    code, lines, err = run("-r", "--x25", "--no-header", "--proc", str(root))
    assert (code, err) == (0, "warning, got bogus x25 route line.\n")
    assert lines == ["8458993/7            x25etherne", "*                    lapb0"]
    found = json.loads("".join(run("-r", "--x25", "--json", "--proc", str(root))[1]))
    assert found["x25_routes"] == [
        {"dst": "8458993/7", "dev": "x25ethernet0"},
        {"dst": "default", "dev": "lapb0"},
    ]
