"""The routing table of IPv6."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Tree, over
from hypothesis import given
from hypothesis import strategies as st
from test_house import calls
from test_routes import CAPTURES, NUMERIC, printed

from pynetstat.collectors.linux.routes import Route
from pynetstat.collectors.linux.routes6 import INET6
from pynetstat.kernel.proc import BLOCK, Proc
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.table import Table

ANY, GATEWAY = "0" * 32, "fe80" + "0" * 27 + "1"


def row(target: str = "20010db8" + "0" * 24, flags: str = "00000001", device: str = "eth0") -> str:
    return f"{target} 20 {ANY} 00 {GATEWAY} 00000400 00000001 00000000 {flags} {device:>8}"


def collected(root: Path) -> list[Route]:
    tables = INET6.collect(Proc(str(root)), Options(), Outcome())
    return [route for part in tables if isinstance(part, Table) for route in part]


def test_records_of_a_real_table() -> None:
    rows = collected(CAPTURES / "routes/proc")
    found = {(route.dst, route.dev): route for route in rows}
    assert found["default", "v0"] == Route(
        family="inet6",
        dst="default",
        gateway="fd66::1",
        dev="v0",
        type="unicast",
        metric=50,
        flags=("up", "gateway"),
        flags_str="UG",
        ref=1,
        use=0,
    )
    assert found["::ffff:10.0.0.0/104", "br0"].gateway is None
    assert found["fd75::/32", "v0"].flags == ("up", "gateway", "expires")
    assert found["fd76::/48", "v0"].source == "fd66::/64"
    assert found["default", "lo"].metric == 0xFFFFFFFF


@pytest.mark.parametrize(
    ("target", "flags", "expected"),
    [
        ("20010db8" + "0" * 24, "00000003", "unicast"),
        ("20010db8" + "0" * 24, "00200200", None),
        ("20010db8" + "0" * 24, "80200001", "local"),
        ("20010db8" + "0" * 24, "00100001", "anycast"),
        ("ff" + "0" * 30, "00000001", "multicast"),
    ],
)
def test_types(proc_tree: Tree, target: str, flags: str, expected: str | None) -> None:
    (route,) = collected(proc_tree(ipv6_route=[row(target, flags)]))
    assert route.type == expected


def test_what_lies_in_the_cache_is_not_in_the_table(proc_tree: Tree) -> None:
    root = proc_tree(ipv6_route=[row(device="eth0"), row(flags="01000003", device="eth1")])
    assert [route.dev for route in collected(root)] == ["eth0"]


@pytest.mark.parametrize(
    "line",
    ["", row()[:-9], row().replace(" 20 ", " 2g "), "2001:db8::1 " + row()[33:], row()[1:]],
    ids=["blank", "short", "length", "address", "31 digits"],
)
def test_a_malformed_line_repeats_nothing(proc_tree: Tree, line: str) -> None:
    """netstat prints the row before it again, or half of it."""
    root = proc_tree(ipv6_route=[row(device="eth0"), line, row(device="eth1")])
    status, text, notices = printed(root, route=True, families=("inet6",))
    assert [shown.split()[-1] for shown in text.splitlines()[2:]] == ["eth0", "eth1"]
    assert (status, notices) == (0, ["warning, got bogus ipv6_route line 1."] if line else [])


def test_a_table_of_several_blocks(proc_tree: Tree) -> None:
    count = BLOCK // 150 + 100
    root = proc_tree(ipv6_route=[row(device=f"e{number}") for number in range(count)])
    assert [route.dev for route in collected(root)] == [f"e{number}" for number in range(count)]


@pytest.mark.parametrize("extra", [{}, {"format": "jsonl"}], ids=str)
def test_no_python_call_per_route(proc_tree: Tree, extra: dict[str, Any]) -> None:
    counted = []
    for count in (2000, 1000, 2000):  # the first to warm up
        rows = [row("20010db8" + f"{number:08x}" + "0" * 16) for number in range(count)]
        root = proc_tree(ipv6_route=rows)
        options = Options(route=True, families=("inet6",), **NUMERIC, **extra)
        counted.append(calls(root, options))
    assert counted[1] == counted[2]


def test_no_table(tmp_path: Path) -> None:
    status, text, notices = printed(tmp_path, route=True, families=("inet6", "inet"))
    assert (status, text) == (1, "INET6 (IPv6) not configured in this system.\n")
    assert notices == [f"{tmp_path}/net/ipv6_route: No such file or directory"]


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=60), max_size=6))
def test_garbled_text_is_no_traceback(lines: list[str]) -> None:
    proc = over(ipv6_route="\n".join([row(device="eth7"), *lines]))
    tables = INET6.collect(proc, Options(), Outcome())
    found = [route for part in tables if isinstance(part, Table) for route in part]
    assert found[0].dev == "eth7"
