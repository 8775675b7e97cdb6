"""Multicast groups; test_routes asks the machine's netstat about those of a real network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Tree, over
from hypothesis import given
from hypothesis import strategies as st
from test_house import calls
from test_routes import CAPTURES, NUMERIC, printed

from pynetstat.collectors.linux.groups import GROUPS, Group
from pynetstat.kernel.proc import BLOCK, Proc
from pynetstat.listing import Column, header_of
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.table import Table

HEADING = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter"
HEADER = """\
IPv6/IPv4 Group Memberships
Interface       RefCnt Group
--------------- ------ ---------------------
"""
MISSING = "netstat: no support for `AF INET (igmp)' on this system."
SIX = "4    eth0            ff0200000000000000000000000000fb     3 0000000C 0"


def device(name: str, number: int = 1) -> str:
    return f"{number}\t{name:<10}: {1:5d} {'V3':>7}"


def group(address: str = "010000E0", users: int = 1) -> str:
    return f"\t\t\t\t{address} {users:5d} 0:00000000\t\t0"


def collected(root: Path, **options: Any) -> list[Group]:
    tables = GROUPS.collect(Proc(str(root)), Options(groups=True, **options), Outcome())
    return [row for part in tables if isinstance(part, Table) for row in part]


def test_records() -> None:
    found = collected(CAPTURES / "routes/proc")
    assert Group("v0", "inet", "239.1.2.3", 1) in found
    assert Group("verylongifname1", "inet6", "ff02::fb", 1) in found
    assert [row.family for row in found] == sorted(row.family for row in found)


@pytest.mark.parametrize(
    ("families", "expected"),
    [(("inet",), {"inet"}), (("inet6",), {"inet6"}), (("inet6", "inet"), {"inet", "inet6"})],
)
def test_families(families: tuple[str, ...], expected: set[str]) -> None:
    found = collected(CAPTURES / "routes/proc", families=families)
    assert {row.family for row in found} == expected


def test_the_same_in_every_round() -> None:
    """netstat reads the first table by the rules of the second from round 2 on."""
    root = CAPTURES / "groups/proc"
    once = printed(root, groups=True)
    twice = printed(root, groups=True, continuous=True, rounds=2, interval=0.0)
    assert twice == (0, once[1] * 2, once[2] * 2)


def test_bogus_lines_are_said_by_their_number() -> None:
    notices = printed(CAPTURES / "groups/proc", groups=True)[2]
    assert notices == [
        *(f"warning, got bogus igmp line {number}." for number in (5, 7, 8, 9)),
        *(f"warning, got bogus igmp6 line {number}." for number in (3, 4, 5)),
    ]


def test_whose_groups_is_not_guessed(proc_tree: Tree) -> None:
    root = proc_tree(igmp=[HEADING, device("eth0"), group(), "2", group("FB0000E0")])
    assert collected(root) == [
        Group("eth0", "inet", "224.0.0.1", 1),
        Group(None, "inet", "224.0.0.251", 1),
    ]
    assert printed(root, groups=True)[1].endswith("-               1      224.0.0.251\n")


def test_without_a_heading_the_first_line_counts(proc_tree: Tree) -> None:
    root = proc_tree(igmp=[device("eth0"), group()])
    assert collected(root) == [Group("eth0", "inet", "224.0.0.1", 1)]


def test_a_table_of_several_blocks(proc_tree: Tree) -> None:
    """A block may end between an interface and its groups, and the last line without an end."""
    count = BLOCK // 30 + 100
    lines = [HEADING, device("eth0"), *[group(users=number) for number in range(count)]]
    root = proc_tree(igmp="\n".join(lines), igmp6="\n".join([SIX] * (BLOCK // 60)))
    found = collected(root)
    assert [row.users for row in found[:count]] == list(range(count))
    assert {row.ifname for row in found} == {"eth0"}
    assert len(found) == count + BLOCK // 60


def test_no_python_call_per_group(proc_tree: Tree) -> None:
    counted = []
    for count in (2000, 1000, 2000):  # the first to warm up
        lines = [line for number in range(count) for line in (device(f"e{number}"), group())]
        root = proc_tree(igmp=[HEADING, *lines], igmp6=[SIX] * count)
        counted.append(calls(root, Options(groups=True, **NUMERIC)))
    assert counted[1] == counted[2]


# Files that are not there


def test_no_igmp_is_told_after_the_groups_of_ipv6(proc_tree: Tree) -> None:
    root = proc_tree(igmp6=[SIX])
    row = "eth0            3      ff02::fb\n"
    assert printed(root, groups=True) == (1, HEADER + row, [MISSING])


def test_no_igmp_is_nothing_to_speak_of_with_a_family_alone(proc_tree: Tree) -> None:
    root = proc_tree(igmp6=[SIX], tcp="", udp="", udplite="", raw="")
    status, text, notices = printed(root, groups=True, families=("inet",))
    assert (status, text[-len(HEADER) :], notices) == (0, HEADER, [])


def test_no_igmp6_is_nothing_to_speak_of(proc_tree: Tree) -> None:
    root = proc_tree(igmp=[HEADING])
    assert printed(root, groups=True) == (0, HEADER, [])


def test_another_error_ends_it_at_once(proc_tree: Tree) -> None:
    root = proc_tree(igmp6=[SIX])
    (root / "net/igmp").symlink_to("igmp")
    message = f"{root}/net/igmp: Too many levels of symbolic links"
    assert printed(root, groups=True) == (255, HEADER, [message])


def test_a_folder_in_the_place_of_the_table(proc_tree: Tree) -> None:
    """netstat never ends here."""
    root = proc_tree(igmp6=[SIX])
    (root / "net/igmp").mkdir()
    status, text, notices = printed(root, groups=True)
    assert (status, text.count("\n"), notices) == (1, 4, [f"{root}/net/igmp: Is a directory"])


def test_names_of_interfaces_are_untrusted(proc_tree: Tree) -> None:
    root = proc_tree(igmp=[HEADING, device("e\x1b[2J"), group()])
    assert printed(root, groups=True)[1] == f"{HEADER}e?[2J           1      224.0.0.1\n"


def test_no_names_are_asked_for_in_numbers_or_in_records() -> None:
    assert GROUPS.names(Options(numeric_hosts=True)) == {}
    assert GROUPS.names(Options(format="json")) == {}
    assert GROUPS.names(Options(symbolic=True)) == {"address_host": ("host", "address")}


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=40), max_size=6))
def test_garbled_text_is_no_traceback(lines: list[str]) -> None:
    proc = over(
        igmp="\n".join([HEADING, device("eth0"), group(), *lines]), igmp6="\n".join([SIX, *lines])
    )
    tables = GROUPS.collect(proc, Options(), Outcome())
    found = [row for part in tables if isinstance(part, Table) for row in part]
    assert found[0] == Group("eth0", "inet", "224.0.0.1", 1)
    assert Group("eth0", "inet6", "ff02::fb", 3) in found


def test_a_header_of_two_lines_beside_other_columns() -> None:
    """The rule stays below the columns that it is of."""
    columns = [Column("Host ", "", ""), *GROUPS.columns(Options()), Column(" NetNS", "", "")]
    assert header_of(columns).splitlines() == [
        "Host Interface       RefCnt Group NetNS",
        "     --------------- ------ ---------------------",
    ]
