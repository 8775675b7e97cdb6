"""Internet sockets: which rows, how they are written, what happens to lines no kernel prints."""

from __future__ import annotations

import gc
import socket
import weakref

import pytest
from conftest import TCP_HEADING, Tree, tcp_file, tcp_row
from runner import invoke

from pynetstat.cells import fit, host_texts
from pynetstat.cli import main
from pynetstat.collectors.linux.inet import state_name
from pynetstat.kernel.decode import addresses_from_hex, numbers_from_hex, ports_from_hex
from pynetstat.kernel.proc import Proc
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.plan import Plan
from pynetstat.run import Run
from pynetstat.table import Table


def run(*options: str) -> tuple[int, list[str], str]:
    result = invoke(main, list(options))
    return result.exit_code, result.stdout.splitlines(), result.stderr


def row(text: str, tail: str = "00000000:00000000 00:00000000 00000000  1000 0 500 1 0") -> str:
    return f"   0: {text} {tail}"


def test_the_article_s_command(proc_tree: Tree) -> None:
    root = proc_tree(
        tcp=[
            TCP_HEADING,
            row("0100007F:0CEA 00000000:0000 0A"),
            row("0100007F:0016 0100007F:D431 01", "0000000A:0000000B 02:000AFC7C 2  1000 5 500"),
        ],
        udp=[TCP_HEADING, row("00000000:0044 00000000:0000 07")],
        raw=[TCP_HEADING, row("00000000:0001 00000000:0000 07")],
    )
    code, lines, err = run("-naeoA", "inet", "--proc", str(root))
    assert (code, err) == (0, "")
    assert lines == [
        "Active Internet connections (servers and established)",
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State      "
        " User       Inode      Timer",
        "tcp        0      0 127.0.0.1:3306          0.0.0.0:*               LISTEN     "
        " 1000       500        off (0.00/0/0)",
        "tcp       11     10 127.0.0.1:22            127.0.0.1:54321         ESTABLISHED"
        " 1000       500        keepalive (7199.96/2/5)",
        "udp        0      0 0.0.0.0:68              0.0.0.0:*                          "
        " 1000       500        off (0.00/0/0)",
        "raw        0      0 0.0.0.0:1               0.0.0.0:*               7          "
        " 1000       500        off (0.00/0/0)",
    ]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ("-tan", ["1:*", "2:2000", "3:*"]),
        ("-tn", ["2:2000"]),
        ("-ltn", ["1:*", "3:*"]),
        ("-altn", ["1:*", "2:2000", "3:*"]),
    ],
)
def test_tcp_rows_are_chosen_by_the_remote_port(
    options: str, shown: list[str], proc_tree: Tree
) -> None:
    root = proc_tree(
        tcp=[
            TCP_HEADING,
            row("00000000:0001 00000000:0000 0A"),
            row("00000000:0002 00000000:07D0 0A"),
            row("00000000:0003 0100007F:0000 01"),
        ]
    )
    lines = run(options, "--proc", str(root), "--no-header")[1]
    ends = [line.split()[3:5] for line in lines]
    assert [f"{a.rpartition(':')[2]}:{b.rpartition(':')[2]}" for a, b in ends] == shown


@pytest.mark.parametrize(("options", "count"), [("-uan", 3), ("-un", 1), ("-lun", 2)])
def test_udp_rows_are_chosen_by_the_remote_address(
    options: str, count: int, proc_tree: Tree
) -> None:
    root = proc_tree(
        udp=[
            TCP_HEADING,
            row("00000000:0001 00000000:0000 07"),
            row("00000000:0002 00000000:0035 01"),
            row("00000000:0003 0100007F:0000 05"),
        ]
    )
    assert len(run(options, "--proc", str(root), "--no-header")[1]) == count


BOGUS = [
    "",
    "garbage",
    "   1: 0100007F:0CEA",
    "   1: 0100007F 0100007F:0001 01 00000000:00000000 00:00000000 00000000",
    "   1: 0100007F:0CEA 0100007F:0001 01 00000000:00000000 00:00000000",
    "\x1b[2J",
    "   1: 0100007F:0CEA 0100007F:00\x0001 01 00000000:00000000 00:00000000 00000000  1 0 5",
]


@pytest.mark.parametrize("line", BOGUS)
def test_a_line_no_kernel_prints_is_told_and_skipped(line: str, proc_tree: Tree) -> None:
    root = proc_tree(tcp=[TCP_HEADING, tcp_row(1), line, tcp_row(2)])
    code, lines, err = run("-tan", "--proc", str(root))
    assert (code, len(lines), err) == (0, 4, "warning, got bogus tcp line.\n")


def test_a_short_line_is_taken_as_netstat_takes_it(proc_tree: Tree) -> None:
    """Eleven fields are enough for tcp, ten for udp; what is missing is 0."""
    short = "  1: 0100007f:1 0100007f:2 1 a:b 0:0 0"
    root = proc_tree(tcp=[TCP_HEADING, short], udp=[TCP_HEADING, short.rpartition(" ")[0]])
    lines = run("-tuane", "--proc", str(root), "--no-header")[1]
    for line, proto in zip(lines, ("tcp", "udp")):
        assert line.split() == [
            proto, "11", "10", "127.0.0.1:1", "127.0.0.1:2", "ESTABLISHED", "0", "0",
        ]  # fmt: skip


def test_an_unended_last_line_and_an_empty_file_are_fine(proc_tree: Tree) -> None:
    root = proc_tree(tcp=f"{TCP_HEADING}\n{tcp_row(1)}", udp="")
    assert run("-tuan", "--proc", str(root))[::2] == (0, "")
    assert len(run("-tuan", "--proc", str(root))[1]) == 3


def test_an_endless_line_is_cut_as_netstat_cuts_it(proc_tree: Tree) -> None:
    long = tcp_row(1) + "x" * 20000
    root = proc_tree(tcp=[TCP_HEADING, long, tcp_row(2)])
    _, lines, err = run("-tan", "--proc", str(root))
    assert len(lines) == 4
    assert err in ("", "warning, got bogus tcp line.\n" * 2)


def test_many_blocks_are_one_listing(proc_tree: Tree) -> None:
    root = proc_tree(tcp=tcp_file(9000), tcp6=tcp_file(0))
    code, lines, err = run("-tan", "--proc", str(root))
    assert (code, err, len(lines)) == (0, "", 9002)
    remote = [line.split()[4].rpartition(":")[2] for line in lines[2:]]
    assert remote == ["*", *map(str, range(1, 9000))]


def test_missing_tables(proc_tree: Tree) -> None:
    root = str(proc_tree(udp=tcp_file(1)))
    message = "netstat: no support for `AF INET (tcp)' on this system.\n"
    assert run("-tn", "--proc", root)[::2] == (1, message)
    assert run("-tun", "--proc", root)[::2] == (1, message)  # udp is not reached
    assert run("-t6n", "--proc", root)[::2] == (0, "")
    assert run("-4vn", "--proc", root)[::2] == (0, "")
    code, lines, err = run("-vn", "--proc", root)
    assert code == 0 and err.count("no support for") == 10
    assert lines[1].startswith("Proto") and lines[2].startswith("udp")


def test_what_is_no_file_is_told(proc_tree: Tree) -> None:
    root = proc_tree(udp=tcp_file(1))
    (root / "net" / "tcp").mkdir()
    code, lines, err = run("-tuan", "--proc", str(root))
    assert (code, err) == (1, f"{root}/net/tcp: Is a directory\n")
    assert lines[2].startswith("udp")  # the next listing is shown all the same
    (root / "net" / "file").write_text("")
    assert run("-t", "--proc", str(root / "net" / "file"))[::2] == (
        255,
        f"{root}/net/file/net/tcp: Not a directory\n",
    )


@pytest.mark.parametrize(
    ("host", "port", "cut", "wide"),
    [
        ("123.123.123.123", "54321", "123.123.123.123:54321", None),
        ("2001:db8:1234:5678:9abc:def0:1234:5678", "2003", "2001:db8:1234:5678:2003", None),
        ("abcdefghijklmnopqrst.example.com", "www", "abcdefghijklmnopqrs:www", None),
        ("twelve-chars", "seventeen-chars-x", "twelv:seventeen-chars-x", None),
        ("twelve-chars", "nineteen-chars-xyzw", "twel:nineteen-chars-xyz", None),
        ("h3", "nineteen-chars-xyzw", "h3:nineteen-chars-xyzw", None),
        ("h3", "a-very-long-service-name-of-30x", "h3:a-very-long-servic", None),
        ("h" * 127, "80", "h" * 20 + ":80", "h" * 127),
    ],
)
def test_the_cut(host: str, port: str, cut: str, wide: str | None) -> None:
    assert fit([host], [port], wide=False) == [cut]
    assert fit([host], [port], wide=True) == [wide or f"{host}:{port}"]


def test_addresses() -> None:
    assert addresses_from_hex(["0100007F", "B80D0120000000000000000001000000", "0" * 32]) == [
        "127.0.0.1", "2001:db8::1", "::",
    ]  # fmt: skip
    assert host_texts(["::", "::ffff:10.0.0.8", "::1.2.3.4"], [None] * 3, numeric=False) == {
        "::": "[::]", "::ffff:10.0.0.8": "10.0.0.8", "::1.2.3.4": "::1.2.3.4",
    }  # fmt: skip
    assert host_texts(["::ffff:10.0.0.8"], ["a.example"], numeric=False)["::ffff:10.0.0.8"] == (
        "a.example"
    )
    assert host_texts(["::"], [None], numeric=True) == {"::": "::"}


def test_numbers_of_any_width() -> None:
    assert numbers_from_hex(["0000000A", "FFFFFFFF"]) == [10, 0xFFFFFFFF]
    assert numbers_from_hex(["A", "ffffffffffffffff"]) == [10, -1]
    assert numbers_from_hex([]) == [] and ports_from_hex([]) == []
    assert ports_from_hex(["1F90", "1"]) == [8080, 1] and ports_from_hex(["FFFF1F90"]) == [8080]
    assert state_name(1) == "ESTABLISHED" and state_name(12) == "UNKNOWN(12)"


@pytest.mark.parametrize("source", ["auto", "proc"])
def test_a_table_is_freed_while_the_collector_of_garbage_is_off(source: str) -> None:
    """The command turns it off: a table that is a part of itself would stay to the end."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        with socket.create_server(("127.0.0.1", 0)):
            plan = Plan(Options(tcp=True, all=True, format="jsonl", source=source))
            steps = Run(plan, Proc(), Outcome())
            kept = []
            for _, tables in steps.gather():
                for table in tables:
                    assert isinstance(table, Table)
                    assert len(table["state"]) == len(table)  # the other fields stay unread
                    kept.append(weakref.ref(table))
                del table
            assert len(kept) > 1
            assert [one() for one in kept] == [None] * len(kept)
    finally:
        if collecting:
            gc.enable()
