"""The routing table of IPv4: records, text, and what becomes of files that are not right."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import etc
import pytest
from conftest import (
    Tree,
    beside,
    needs_ip,
    needs_ipv6,
    needs_namespaces,
    needs_netstat,
    needs_root,
    over,
)
from hypothesis import given
from hypothesis import strategies as st
from test_house import calls

from pynetstat.collectors.linux.routes import (
    INET,
    Route,
    detail_level,
    length,
    route_networks,
    route_table,
)
from pynetstat.kernel.proc import BLOCK, Proc
from pynetstat.listing import Stop
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.run import show
from pynetstat.table import Remark, Table

CAPTURES = Path(__file__).parent / "captures"
NUMERIC = {"numeric_hosts": True, "numeric_ports": True, "numeric_users": True}
HEADING = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT".ljust(127)
)


def row(device: str = "eth0", target: str = "0000000A", flags: str = "0001", more: str = "") -> str:
    return f"{device}\t{target}\t00000000\t{flags}\t0\t0\t0\t000000FF\t0\t0\t0{more}".ljust(127)


def printed(root: Path, **options: Any) -> tuple[int, str, list[str]]:
    """Exit status, standard output, and the notices."""
    notices: list[str] = []
    out = BytesIO()
    asked = Options(**{**NUMERIC, **options}, root=str(root))
    status = show(asked, out, notices.append)
    return status, out.getvalue().decode("latin-1"), notices


def collected(root: Path) -> list[Route]:
    tables = INET.collect(Proc(str(root)), Options(), Outcome())
    return [route for part in tables if isinstance(part, Table) for route in part]


# Records


def test_records_of_a_real_table() -> None:
    found = {route.dst: route for route in collected(CAPTURES / "routes/proc")}
    assert found["default"] == Route(
        family="inet",
        dst="default",
        gateway="10.66.0.1",
        dev="v0",
        type="unicast",
        metric=100,
        flags=("up", "gateway"),
        flags_str="UG",
        genmask="0.0.0.0",
        mss=0,
        window=0,
        irtt=0,
        ref=0,
        use=0,
    )
    assert found["10.71.0.0/16"][10:13] == (1300, 4096, 300)
    assert found["10.72.0.1/32"].flags == ("up", "gateway", "host")
    assert found["10.69.0.2/32"].gateway is None


def test_what_the_kernel_does_not_tell_apart_has_no_type() -> None:
    found = {route.dst: route for route in collected(CAPTURES / "routes/proc")}
    blackhole, unreachable = found["10.73.0.0/16"], found["10.74.0.0/16"]
    assert (blackhole.type, blackhole.dev, blackhole.flags_str) == (None, None, "U")
    assert (unreachable.type, unreachable.flags_str) == (None, "!")
    assert unreachable.flags == ("up", "reject")


def test_numbers_are_whole_in_records_and_signed_in_the_text() -> None:
    """ip says metric 4294967295, netstat says -1."""
    found = {route.dst: route for route in collected(CAPTURES / "routes/proc")}
    assert found["10.72.0.2/32"].metric == 4294967295
    text = printed(CAPTURES / "routes/proc", route=True, extend=1)[1]
    assert "10.72.0.2       0.0.0.0         255.255.255.255 UH    -1     0" in text


def test_a_route_is_down_without_its_flag(proc_tree: Tree) -> None:
    root = proc_tree(route=[HEADING, row("eth0", flags="0000"), row("eth1"), row("eth2")])
    assert [route.dev for route in collected(root)] == ["eth1", "eth2"]


@pytest.mark.parametrize(
    ("mask", "expected"),
    [("0.0.0.0", "0"), ("255.0.0.0", "8"), ("255.255.255.254", "31"), ("255.255.255.255", "32")],
)
def test_length_of_a_mask(mask: str, expected: str) -> None:
    assert length(mask) == expected


def test_a_mask_with_holes_is_no_length() -> None:
    assert route_networks(["10.0.0.0", "0.0.0.0"], ["255.0.255.0", "128.0.0.0"]) == [
        "10.0.0.0/255.0.255.0",
        "0.0.0.0/1",
    ]


# More rows than are read at a time


def test_a_table_of_several_blocks(proc_tree: Tree) -> None:
    count = BLOCK // 128 + 100
    rows = [row(f"e{number}") for number in range(count)]
    rows[-2] = "what is this"
    root = proc_tree(route=[HEADING, *rows])
    status, text, notices = printed(root, route=True)
    shown = [line.split()[-1] for line in text.splitlines()[2:]]
    assert shown == [f"e{number}" for number in range(count) if number != count - 2]
    assert (status, notices) == (0, [f"warning, got bogus route line {count - 1}."])


@pytest.mark.parametrize("extra", [{}, {"extend": 1}, {"extend": 2}, {"format": "jsonl"}], ids=str)
def test_no_python_call_per_route(proc_tree: Tree, tmp_path: Path, extra: dict[str, Any]) -> None:
    counted = []
    for count in (2000, 1000, 2000):  # the first to warm up
        rows = [row("eth0", f"{number:04X}000A", "0001") for number in range(count)]
        root = proc_tree(route=[HEADING, *rows])
        counted.append(calls(root, Options(route=True, **NUMERIC, **extra)))
    assert counted[1] == counted[2]


# Files that are not there, or not right


def test_no_table(tmp_path: Path) -> None:
    status, text, notices = printed(tmp_path, route=True)
    assert (status, text) == (1, "INET (IPv4) not configured in this system.\n")
    assert notices == [f"{tmp_path}/net/route: No such file or directory"]


def test_an_empty_table_has_a_header_and_a_status(proc_tree: Tree) -> None:
    status, text, notices = printed(proc_tree(route=""), route=True)
    assert (status, text.count("\n"), notices) == (1, 2, [])


def test_a_folder_in_the_place_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "net/route").mkdir(parents=True)
    status, text, notices = printed(tmp_path, route=True)
    assert (status, text.count("\n")) == (1, 2)
    assert notices == [f"{tmp_path}/net/route: Is a directory"]


def test_a_column_that_lacks_is_named() -> None:
    root = CAPTURES / "routes-lacking/proc"
    status, text, notices = printed(root, route=True, families=("inet", "inet6"))
    message = f"warning: {root}/net/route does not contain required field IRTT"
    assert (status, text.count("\n"), notices) == (1, 2, [message])


@pytest.mark.parametrize(
    "line",
    [
        "eth0\t0000000A",
        "eth0\t0000zz0A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0",
        "eth0\t000000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0",
        "eth0\t0000000A\t00000000\t0001\t0\t0\tx\t000000FF\t0\t0\t0",
        "sixteen-letters-\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0",
    ],
)
def test_a_bogus_line_is_said_and_skipped(proc_tree: Tree, line: str) -> None:
    root = proc_tree(route=[HEADING, row("eth0"), "", line, row("eth1")])
    status, text, notices = printed(root, route=True)
    assert [shown.split()[-1] for shown in text.splitlines()[2:]] == ["eth0", "eth1"]
    assert (status, notices) == (0, ["warning, got bogus route line 3."])


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=60), max_size=6))
def test_garbled_text_is_no_traceback(lines: list[str]) -> None:
    tables = INET.collect(
        over(route="\n".join([HEADING, row("eth7"), *lines])), Options(), Outcome()
    )
    found = [route for part in tables if isinstance(part, Table) for route in part]
    assert found[0].dev == "eth7"


# The text


def test_layouts_by_the_number_of_e() -> None:
    assert [detail_level(Options(extend=times)) for times in range(9)] == [
        2,
        1,
        3,
        0,
        1,
        2,
        3,
        0,
        1,
    ]


def test_names_of_interfaces_are_untrusted(proc_tree: Tree) -> None:
    """Nothing that moves a cursor, and a character cut in two is none."""
    escape, umlauts = "e\x1b[2J", "\xc3\xa4" * 7
    root = proc_tree(route=[HEADING, row(escape), row(umlauts)])
    assert printed(root, route=True)[1].splitlines()[2].endswith(" e?[2J")
    shown = [line[72:78] for line in printed(root, route=True, extend=2)[1].splitlines()[2:]]
    assert shown == ["e?[2J ", "\xc3\xa4" * 3]


def test_which_destinations_are_looked_up_as_what() -> None:
    found = route_table(
        [1, 5, 1, 1, 1],
        destination=["10.3.0.5"] * 3 + ["10.0.0.0", "0.0.0.0"],
        genmask=["255.255.255.255", "255.255.255.255", "255.255.0.0", "255.0.0.0", "128.0.0.0"],
        next_hop=["0.0.0.0"] * 5,
    )
    assert found["as_network"] == ["10.3.0.5", None, None, "10.0.0.0", None]
    assert found["as_host"] == [None, "10.3.0.5", "10.3.0.5", None, None]


def test_no_names_are_asked_for_in_numbers_or_in_records() -> None:
    assert INET.names(Options(numeric_hosts=True)) == {}
    assert INET.names(Options(symbolic=True)) == {}
    assert INET.names(Options(format="json")) == {}
    assert set(INET.names(Options())) == {"dst_host", "dst_network", "gateway_host"}


def test_title_and_header_in_every_round() -> None:
    root = CAPTURES / "routes/proc"
    once = printed(root, route=True)[1]
    twice = printed(root, route=True, continuous=True, rounds=2, interval=0.0)[1]
    assert twice == once * 2


# Families without routes


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("unix", "No routing for address family `unix'."),
        ("ec", "No routing for address family `ec'."),
        ("bluetooth", "Address family `bluetooth' not supported."),
    ],
)
def test_a_family_without_routes_ends_the_run(family: str, message: str) -> None:
    root = CAPTURES / "routes/proc"
    alone = printed(root, route=True, families=(family, "inet"))
    assert alone == (3, "", [message])
    status, text, notices = printed(root, route=True, families=("inet", family, "ash", "inet6"))
    assert (status, text, notices) == (3, printed(root, route=True)[1], [message])


def test_a_caller_of_the_api_gets_the_exception(tmp_path: Path) -> None:
    with pytest.raises(Stop) as caught:
        next(INET.collect(Proc(str(tmp_path)), Options(), Outcome()))
    assert caught.value.status == 1
    assert Remark(caught.value.remark).startswith("INET (IPv4)")


# Real networks, where the machine's netstat can be asked

NETWORK = """
mount --bind {names} /etc
ip link set lo up
ip link add d0 type dummy 2>/dev/null || ip link add d0 type bridge
ip link add v0 type veth peer name v1
ip link add br0 type bridge
ip link add verylongifname1 type veth peer name v2
for name in d0 v0 v1 br0 verylongifname1 v2; do
    ip link set $name addrgenmode none
    ip link set $name up
done
ip addr add 10.66.0.10/24 dev v0
ip addr add 10.67.0.1/16 dev br0
ip addr add 10.68.0.1/24 dev d0
ip addr add 10.69.0.1 peer 10.69.0.2 dev v1
ip addr add fd66::10/64 dev v0 nodad
ip addr add fe80::66:1/64 dev v0 nodad
ip addr add fd67::1/48 dev br0 nodad
ip addr add 239.1.2.3/32 dev v0 autojoin
ip addr add ff05::101/128 dev v0 autojoin nodad
ip addr add ff02::fb/128 dev verylongifname1 autojoin nodad
ip route add default via 10.66.0.1 metric 100
ip route add 10.70.0.0/16 via 10.66.0.1
ip route add 10.71.0.0/16 dev br0 mtu 1300 advmss 1260 window 4096 rtt 300ms
ip route add 10.72.0.1 via 10.66.0.1 metric 7
ip route add 10.72.0.2 dev verylongifname1 metric 4294967295
ip route add blackhole 10.73.0.0/16
ip route add unreachable 10.74.0.0/16
ip route add prohibit 10.75.0.0/16 metric 9
ip route add throw 10.76.0.0/16
ip route add unreachable 10.76.1.1
ip route add 10.77.0.0/16 nexthop via 10.66.0.1 weight 1 nexthop via 10.67.0.2 weight 2
ip route add 10.78.0.0/15 via 10.66.0.1 mtu lock 1200 proto static
ip route add 10.80.0.0/16 via 10.99.0.1 dev v0 onlink
ip -6 route add default via fd66::1 metric 50
ip -6 route add fd70::/32 via fd66::1
ip -6 route add fd71::1 dev br0 mtu 1300
ip -6 route add blackhole fd72::/32
ip -6 route add unreachable fd73::/32
ip -6 route add prohibit fd73:1::/32 metric 4294967295
ip -6 route add fd74::/32 nexthop via fd66::1 nexthop via fd67::2
ip -6 route add fd75::/32 via fe80::1 dev v0 expires 3000
ip -6 route add fd76::/48 from fd66::/64 via fd66::1 2>/dev/null || true
ip -6 route add ::ffff:10.0.0.0/104 dev br0
"""
CASES = [
    "-r", "-rn", "-re", "-rne", "-ree", "-rnee", "-rneee", "-r6", "-rn6", "-r46n", "-rC", "-rFC6",
    "-g", "-gn", "-gn4", "-gn6", "-rn4x",
]  # fmt: skip


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    files: dict[str, str | bytes | None] = {
        "hosts": "10.66.0.1 gateway.example\nfd66::1 gateway6\n224.0.0.1 all\n",
        "networks": "lan 10.66.0\nsixteen-letters- 10.70.0.0\n",
    }
    names = etc.write(tmp_path_factory.mktemp("names"), files)
    return beside(NETWORK.format(names=names), CASES)


@needs_root
@needs_netstat
@needs_namespaces
@needs_ip
@pytest.mark.parametrize("case", CASES)
def test_a_real_network(live: dict[str, list[Any]], case: str) -> None:
    """Routes of every kind, and groups, beside the machine's own netstat."""
    reference, ours = live[case]
    assert ours == reference
    assert ours[1]


@needs_root
@needs_netstat
@needs_namespaces
@needs_ip
@needs_ipv6
def test_the_real_network_has_what_it_should(live: dict[str, list[Any]]) -> None:
    assert "default         gateway.example 0.0.0.0         UG    100" in live["-re"][1][1]
    assert "lan             0.0.0.0         255.255.255.0" in live["-r"][1][1]
    assert "fd75::/32                      fe80::1                    UGe " in live["-rn6"][1][1]
    assert "v0              1      239.1.2.3\n" in live["-gn"][1][1]
