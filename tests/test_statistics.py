"""Statistics: what the files say, and what is said when they cannot be read."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from conftest import TESTS, Tree, beside, needs_namespaces, needs_netstat, needs_root

from pynetstat.collectors.linux.statistics import STATISTICS, Counter
from pynetstat.formats import classic
from pynetstat.kernel.decode import LARGEST, counters
from pynetstat.kernel.proc import Proc
from pynetstat.listing import Stop
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.run import show
from pynetstat.table import Table

CAPTURES = Path(__file__).parent / "captures"


def collected(root: Path, *, said: list[str] | None = None, **options: Any) -> list[Counter]:
    outcome = Outcome((said if said is not None else []).append)
    tables = STATISTICS.collect(Proc(str(root), outcome.error), Options(**options), outcome)
    return [row for table in tables if isinstance(table, Table) for row in table]


def printed(root: Path, **options: Any) -> str:
    asked = Options(statistics=True, root=str(root), **options)
    tables = STATISTICS.collect(Proc(str(root)), asked, Outcome())
    return b"".join(classic.render([(STATISTICS, tables)], asked)).decode("latin-1")


def test_records_are_the_kernels_names_in_the_order_of_the_file() -> None:
    rows = collected(CAPTURES / "stats-early/proc")
    assert rows[:2] == [Counter("Ip", "Forwarding", 2), Counter("Ip", "DefaultTTL", 64)]
    assert Counter("TcpExt", "TWKilled", 0) in rows
    assert list(dict.fromkeys(row.section for row in rows)) == [
        "Ip",
        "Icmp",
        "Tcp",
        "Udp",
        "TcpExt",
    ]


def test_ipv6_records_have_the_section_that_the_name_begins_with() -> None:
    rows = collected(CAPTURES / "stats-late/proc", families=("inet6",))
    sections = list(dict.fromkeys(row.section for row in rows))
    assert sections == ["Ip6", "Icmp6", "Udp6", "UdpLite6", "Tcp"]
    assert all(row.name.startswith(row.section) for row in rows if row.section != "Tcp")


def test_a_negative_value_stays_so_in_records_and_wraps_in_the_text(proc_tree: Tree) -> None:
    root = proc_tree(snmp=["Tcp: MaxConn InSegs", "Tcp: -1 -2"])
    assert collected(root) == [Counter("Tcp", "MaxConn", -1), Counter("Tcp", "InSegs", -2)]
    assert printed(root) == "Tcp:\n    18446744073709551614 segments received\n"


def test_sections_that_were_not_asked_for_give_no_records(proc_tree: Tree) -> None:
    root = proc_tree(snmp=["Ip: InReceives", "Ip: 1", "Udp: NoPorts", "Udp: 2", "New: X", "New: 0"])
    assert collected(root, udp=True) == [Counter("Udp", "NoPorts", 2), Counter("New", "X", 0)]
    assert printed(root, udplite=True) == "New:\n"
    assert collected(root, groups=True) == collected(root)


def test_blank_lines_and_long_names_of_snmp6_are_mended(proc_tree: Tree) -> None:
    name = "Ip6" + "X" * 3000
    root = proc_tree(snmp="", snmp6=["Ip6InReceives 5", "", "   ", f"{name} 6", "Ip6InDelivers 7"])
    text = printed(root, families=("inet6",))
    lines = ["Ip6:", "    5 total packets received", f"    {name}: 6"]
    assert text.splitlines() == [*lines, "    7 incoming packets delivered"]


def test_an_empty_section_has_its_heading_and_no_record(proc_tree: Tree) -> None:
    root = proc_tree(snmp="")
    (root / "net/sctp").mkdir()
    (root / "net/sctp/snmp").write_text("")
    assert printed(root) == "Sctp:\n"
    assert collected(root) == []


def test_what_cannot_be_opened_is_said_and_is_no_failure(proc_tree: Tree) -> None:
    root = proc_tree(netstat=["TcpExt: TW", "TcpExt: 1"])
    said: list[str] = []
    assert collected(root, said=said) == []
    assert said == [f"cannot open {root}/net/snmp: No such file or directory"]
    (root / "net/snmp6").write_text("Ip6InReceives 1\n")
    said.clear()
    assert collected(root, said=said, families=("inet6",)) == [Counter("Ip6", "Ip6InReceives", 1)]
    assert said == [f"cannot open {root}/net/snmp: No such file or directory"]
    assert show(Options(statistics=True, root=str(root)), BytesIO()) == 0


def test_a_header_without_a_colon_ends_its_file_alone(proc_tree: Tree) -> None:
    lines = ["Ip: InReceives", "Ip: 1", "Ip InDelivers", "Ip 2", "Udp: NoPorts", "Udp: 3"]
    root = proc_tree(snmp=lines, netstat=["TcpExt: TW", "TcpExt: 4"])
    said: list[str] = []
    rows = collected(root, said=said)
    assert rows == [Counter("Ip", "InReceives", 1), Counter("TcpExt", "TW", 4)]
    assert said == [f"Problem while parsing {root}/net/snmp"]


def test_a_directory_in_place_of_a_file_is_said(proc_tree: Tree) -> None:
    root = proc_tree(netstat=["TcpExt: TW", "TcpExt: 4"])
    (root / "net/snmp").mkdir()
    said: list[str] = []
    assert collected(root, said=said) == [Counter("TcpExt", "TW", 4)]
    assert said == [f"{root}/net/snmp: Is a directory"]


@pytest.mark.parametrize("families", [("inet", "inet6"), ("inet", "inet"), ("unix",)])
def test_other_families_are_refused(families: tuple[str, ...]) -> None:
    with pytest.raises(Stop) as caught:
        list(STATISTICS.collect(Proc(), Options(families=families), Outcome()))
    complaint = "netstat: No statistics support for specified address family: "
    assert caught.value.remark == complaint + ",".join(families)
    assert (caught.value.status, caught.value.message) == (1, "")


def test_control_characters_of_a_made_up_name_are_not_printed(proc_tree: Tree) -> None:
    root = proc_tree(snmp="\x1b[2J: \x1b[31m\n\x1b[2J: 1\n")
    assert printed(root) == "?[2J:\n    ?[31m: 1\n"


def test_tables_of_several_sections_are_printed_by_their_names() -> None:
    """As a sorted or a joined table is."""
    rows = [("Ip", "InReceives", 1), ("Ip", "InDelivers", None), ("Udp", "Odd", 2)]
    section, name, value = zip(*rows)
    table = Table(Counter, 3, section=section, name=name, value=value)
    text = b"".join(classic.render([(STATISTICS, [table])], Options())).decode()
    lines = ["Ip:", "    1 total packets received", "    - incoming packets delivered"]
    assert text.splitlines() == [*lines, "Udp:", "    Odd: 2"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        (" 1\t2\n3", [1, 2, 3]),
        ("+5 -6 7x 8", [5, -6, 7]),
        ("x 1", []),
        ("18446744073709551615 18446744073709551616", [LARGEST, LARGEST]),
        ("1" * 5000 + " " + "0" * 5000 + "2", [LARGEST, 2]),
        ("-" + "9" * 30, [LARGEST]),
    ],
)
def test_counters_are_read_as_c_reads_them(text: str, values: list[int]) -> None:
    assert counters(text) == values


LIVE = ("-s", "-s6", "-st", "-su", "-sw", "-sS", "-sU", "-s6t", "-s6w", "-s46", "-scn")
# Datagrams to a port that nobody has: UDP and ICMP count them.
TRAFFIC = f"""
{sys.executable} {TESTS}/loopback.py
{sys.executable} -c '
import socket
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    try:
        socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", (host, 9))
    except OSError:
        pass
'
"""


@pytest.fixture(scope="module")
def live() -> dict[str, list[Any]]:
    return beside(TRAFFIC, LIVE)


@needs_root
@needs_netstat
@needs_namespaces
@pytest.mark.parametrize("case", LIVE)
def test_the_counters_of_this_kernel(live: dict[str, list[Any]], case: str) -> None:
    if case not in live:
        pytest.skip("the counters never stood still")
    reference, ours = live[case]
    assert ours == reference
