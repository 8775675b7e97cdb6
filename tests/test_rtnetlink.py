"""Routes, addresses and counters in records, beside what `ip` says of the same network."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest
from conftest import needs_ip, needs_namespaces, needs_root, within
from hypothesis import given
from hypothesis import strategies as st

from pynetstat.collectors.linux import vsock
from pynetstat.kernel import rtnetlink, sockdiag
from pynetstat.kernel.netlink import ATTRIBUTE

pytestmark = [needs_root, needs_ip, needs_namespaces]

# No detection of duplicate addresses: it ends after a second, and a route comes with that.
NETWORK = """
sysctl -qw net.ipv6.conf.default.accept_dad=0
ip link set lo up
ip link add na type veth peer name nb
ip addr add 192.0.2.1/24 dev na
ip addr add 198.51.100.1/24 brd + dev nb
ip addr add 203.0.113.1 peer 203.0.113.9/32 dev na
ip addr add 192.0.2.3/24 dev na label na:1
ip link set na up
ip link set nb up
ip -6 addr add 2001:db8::1/64 dev na nodad
ip -6 addr add 2001:db8::6 peer 2001:db8::7/128 dev na nodad
ip nexthop add id 20 blackhole
ip nexthop add id 21 via 192.0.2.254 dev na
ip nexthop add id 22 via 198.51.100.254 dev nb
ip nexthop add id 30 group 21,3/22
ip route add 203.0.113.128/25 nhid 20
ip route add 10.80.0.0/16 nhid 30
ip route add 10.81.0.0/16 nhid 21
ip route add default nexthop via 192.0.2.254 dev na nexthop via 198.51.100.254 dev nb weight 3
ip route add blackhole 10.60.0.0/16
ip route add unreachable 10.61.0.0/16
ip route add throw 10.62.0.0/16
ip route add prohibit 10.63.0.0/16 metric 7
ip route add 10.70.0.0/16 via inet6 fe80::9 dev na
ip route add 10.72.0.0/16 via 192.0.2.254 dev na mtu 1400 advmss 1300 window 5000 rtt 100ms
ip route add 10.73.0.0/16 via 192.0.2.254 dev na table 100 proto static src 192.0.2.1
ip route add 10.74.0.0/16 via 192.0.2.200 dev na onlink
ip -6 route add default via fe80::2 dev na table 100
ip -6 route add 2001:db8:5::/48 nexthop via fe80::5 dev na nexthop via fe80::6 dev nb
ip -6 route add unreachable 2001:db8:6::/48
ip -6 route add 2001:db8:7::/48 from 2001:db8:8::/48 dev na
"""


def in_network(*commands: str) -> list[str]:
    return within(*commands, setup=NETWORK)


@pytest.mark.parametrize("version", ["4", "6"])
def test_every_kind_of_route_as_ip_has_it(version: str) -> None:
    """Field by field, where ip names one; what ip leaves out has its default."""
    theirs, ours = map(
        json.loads,
        in_network(
            f"ip -j -{version} route show table all", f"pynetstat -r{version} --table all --json"
        ),
    )
    assert len(theirs) == len(ours["routes"]) > 10
    assert ours["incomplete"] == []
    for route in theirs:
        assert [
            one for one in ours["routes"] if as_ip_has_it(one).items() >= plain(route).items()
        ], route


def plain(route: dict[str, Any]) -> dict[str, Any]:
    """ip's route with its defaults; of a host it leaves the length of the prefix out."""
    route = {"table": "main", "type": "unicast", "metric": 0, **route}
    if "from" in route:
        route["source"] = route.pop("from")
    if "metrics" in route:
        (route["metrics"],) = route["metrics"]
    return route


def as_ip_has_it(route: dict[str, Any]) -> dict[str, Any]:
    host = "/128" if ":" in route["dst"] else "/32"
    flags = [name for name in ("onlink", "linkdown", "dead") if name in route["flags"]]
    hops = [
        {name: part for name, part in hop.items() if part is not None}
        for hop in route["nexthops"] or ()
    ]
    return {**route, "dst": route["dst"].removesuffix(host), "flags": flags, "nexthops": hops}


def test_the_first_of_several_hops_stands_in_the_route() -> None:
    (text,) = in_network("pynetstat -rn --json")
    (default,) = [one for one in json.loads(text)["routes"] if one["dst"] == "default"]
    assert (default["gateway"], default["dev"]) == ("192.0.2.254", "na")
    assert [hop["weight"] for hop in default["nexthops"]] == [1, 3]


def test_the_columns_of_netstat_are_those_of_proc() -> None:
    """flags, uses and metrics of each route are the same as without netlink."""
    names = ["dst", "gateway", "dev", "metric", "flags_str", "mss", "window", "irtt", "use"]
    for version in "46":
        names = [
            "dst",
            "gateway",
            "dev",
            "metric",
            "flags_str",
            "mss",
            "window",
            "irtt",
            "use",
            "genmask",
        ]
        proc, kernel = (
            json.loads(text)["routes"]
            for text in in_network(
                f"pynetstat -r{version} --json --source proc", f"pynetstat -r{version} --json"
            )
        )
        rows = [[one[name] for name in names] for one in proc]
        found = [[one[name] for name in names] for one in kernel]
        # The last of the rows is what the kernel returns where there is no route.
        missing = [row for row in found if row not in rows]
        assert not missing and len(found) > 10
        assert all(one["table"] is None for one in proc)
        assert version == "6" or len(rows) == len(found)


def test_a_route_that_may_be_a_blackhole_has_no_type_in_proc() -> None:
    (text,) = in_network("pynetstat -rn --json --source proc")
    kinds = {one["dst"]: one["type"] for one in json.loads(text)["routes"]}
    assert kinds["203.0.113.128/25"] is None
    assert kinds["10.81.0.0/16"] == "unicast"


def test_a_table_by_number_and_in_text() -> None:
    four, six, local = in_network(
        "pynetstat -rn --table 100", "pynetstat -r6n --table 100", "pynetstat -rn --table local"
    )
    assert four.splitlines()[2:] == [
        "10.73.0.0       192.0.2.254     255.255.0.0     UG        0 0          0 na"
    ]
    assert [line.split()[:3] for line in six.splitlines()[2:]] == [["::/0", "fe80::2", "UG"]]
    assert "127.0.0.0" in local


def test_all_addresses_of_an_interface_as_ip_has_them() -> None:
    theirs, ours = map(json.loads, in_network("ip -j addr", "pynetstat -ia --json"))
    found = {one["ifname"]: one for one in ours["interfaces"]}
    names = ["family", "local", "prefixlen", "scope", "broadcast", "address", "label"]
    for interface in theirs:
        expected = [{name: info.get(name) for name in names} for info in interface["addr_info"]]
        assert found[interface["ifname"]]["addr_info"] == expected
    assert len(found["na"]["addr_info"]) == 6
    assert [info["local"] for info in found["na:1"]["addr_info"]] == ["192.0.2.3"]


def test_counters_of_an_interface_as_ip_has_them() -> None:
    ping = "ping -c 3 -q 127.0.0.1\n" if os.path.exists("/bin/ping") else ""
    setup = f"ip link set lo up\n{ping}"
    theirs, ours = map(json.loads, within("ip -j -s -s link", "pynetstat -ia --json", setup=setup))
    (lo,) = [one["stats64"] for one in theirs if one["ifname"] == "lo"]
    (stats,) = [one["stats"] for one in ours["interfaces"] if one["ifname"] == "lo"]
    for side in ("rx", "tx"):
        expected = {name: value for name, value in lo[side].items() if name != "carrier_changes"}
        assert stats[side].items() >= expected.items()


def test_rules_that_lead_elsewhere() -> None:
    setup = NETWORK + "ip rule add from 192.0.2.0/24 table 100\nip rule add from all table 51820"
    program = (
        "from pynetstat.kernel.rtnetlink import rules; from socket import AF_INET;"
        "print([(rule.table, rule.plain) for rule in rules(AF_INET)])"
    )
    (text,) = within(f'{sys.executable} -c "{program}"', setup=setup)
    found = [(255, True), (51820, True), (100, False), (254, True), (253, True)]
    assert text.strip() == str(found)


ROUTE = rtnetlink.ROUTE_HEADER.pack(2, 24, 0, 0, 254, 3, 0, 1, 0)
HOPS = rtnetlink.HOP_HEADER.pack(16, 0, 0, 1) + ATTRIBUTE.pack(8, 5) + bytes(4)
ROUTE += ATTRIBUTE.pack(8, 1) + bytes(4) + ATTRIBUTE.pack(4 + len(HOPS), 9) + HOPS
DECODERS = [
    rtnetlink.decode_kernel_route,
    rtnetlink.rule,
    rtnetlink.interface_address,
    rtnetlink.interface_link,
    sockdiag.unix_detail,
    vsock.row,
]


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda one: one.__name__)
@given(body=st.binary(max_size=200) | st.binary(max_size=60).map(ROUTE.__add__))
def test_what_no_kernel_sends_is_an_error(decoder: Any, body: bytes) -> None:
    try:
        decoder(body)
    except OSError as error:
        assert "netlink:" in str(error)


@pytest.mark.parametrize("damage", range(1, len(ROUTE)))
def test_a_route_that_is_cut_off(damage: int) -> None:
    assert rtnetlink.decode_kernel_route(ROUTE)
    try:
        rtnetlink.decode_kernel_route(ROUTE[:-damage])
    except OSError as error:
        assert "netlink:" in str(error)
