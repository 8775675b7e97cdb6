"""Windows: the answers of iphlpapi.dll, laid out here as its headers do, and read back."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from functools import partial
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_portable import FakePsutil, Nic, Place, Shown, shown

from pynetstat.collectors.portable import held_text, packed_text
from pynetstat.collectors.windows import adapters as adapter_lists
from pynetstat.collectors.windows import groups, interfaces, iphlpapi, routes
from pynetstat.collectors.windows.sockets import user_words
from pynetstat.collectors.windows.statistics import STATISTICS
from pynetstat.kernel.proc import Proc
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.stages.filters.terms import same_windows_program, same_windows_user

NUMERIC = Options(numeric_hosts=True, numeric_ports=True, numeric_users=True, all=True)


def sockaddr(text: str, scope: int = 0) -> bytes:
    """SOCKADDR_INET: what stands behind an IPv4 address is garbage"""
    if ":" in text:
        return pack("<HHI16sI", 23, 0, 0, socket.inet_pton(socket.AF_INET6, text), scope)
    return pack("<HH4s", 2, 0, socket.inet_aton(text)) + b"\xee" * 20


# The list of adapters

START = 0x1_0000


def adapter_list(adapters: Sequence[dict[str, Any]], pointer: int) -> bytes:
    """IP_ADAPTER_ADDRESSES one after the other, each followed by its name and its groups; all
    pointers are as if the list stood at START."""
    word = "<Q" if pointer == 8 else "<I"
    size = 448 if pointer == 8 else 376
    data = b""
    for number, adapter in enumerate(adapters):
        here = START + len(data)
        name = adapter["name"].encode("utf-16-le") + b"\0\0"
        name += bytes(-len(name) % 8)
        groups = adapter.get("groups", ())
        first = here + size + len(name) if groups else 0
        rest = name + b""
        for place, text in enumerate(groups):
            at = here + size + len(rest)
            node = 8 + 2 * pointer + 8
            target = sockaddr(text)
            following = at + node + len(target) if place + 1 < len(groups) else 0
            rest += bytes(8) + pack(word, following) + pack(word, at + node)
            rest += pack("<ii", len(target), 0) + target
        rest += bytes(-len(rest) % 8)
        owned = here + size + len(rest) if "owned" in adapter else 0
        for place, (text, length) in enumerate(adapter.get("owned", ())):
            at = here + size + len(rest)
            node = 64 if pointer == 8 else 48  # IP_ADAPTER_UNICAST_ADDRESS
            target = sockaddr(text)
            following = at + node + len(target) if place + 1 < len(adapter["owned"]) else 0
            body = bytes(8) + pack(word, following) + pack(word, at + node)
            body = (body + pack("<i", len(target))).ljust(56 if pointer == 8 else 44, b"\0")
            rest += (body + bytes([length])).ljust(node, b"\0") + target
        last = number + 1 == len(adapters)
        pointers = [0] * 9
        pointers[0] = 0 if last else here + size + len(rest)
        pointers[2] = owned
        pointers[4], pointers[8] = first, here + size if adapter["name"] else 0
        body = pack("<II", size, adapter["index"]) + b"".join(pack(word, each) for each in pointers)
        body += bytes(8) + pack(
            "<6I", 0, 0, 1500, adapter.get("kind", 6), 1, adapter.get("index6", adapter["index"])
        )
        body += bytes(64 + pointer + 16 + 2 * pointer) + pack(
            "<II", *adapter.get("metrics", (0, 0))
        )
        data += body.ljust(size, b"\0") + rest
    return data


ADAPTERS: list[dict[str, Any]] = [
    {"index": 4, "name": "vEthernet (Default Switch)", "metrics": (25, 35),
     "groups": ["224.0.0.1", "ff02::1", "239.255.255.250"],
     "owned": [("10.1.2.3", 8), ("fe80::1", 64), ("2001:db8::5", 128)]},
    {"index": 1, "name": "Loopback Pseudo-Interface 1", "metrics": (75, 75), "kind": 24},
    {"index": 0, "index6": 9, "name": "以太网", "groups": ["ff02::1:ff00:1"]},
    {"index": 12, "name": ""},
]  # fmt: skip


@pytest.mark.parametrize("pointer", [8, 4])
def test_adapters(pointer: int) -> None:
    """Names of any characters, metrics and groups, with pointers of either size."""
    found = adapter_lists.adapters(adapter_list(ADAPTERS, pointer), START, pointer)
    names = ["vEthernet (Default Switch)", "Loopback Pseudo-Interface 1", held_text("以太网"), ""]
    assert [adapter.name for adapter in found] == names
    assert [(one.interface, one.interface6) for one in found] == [(4, 4), (1, 1), (0, 9), (12, 12)]
    assert [(one.metric, one.metric6) for one in found] == [(25, 35), (75, 75), (0, 0), (0, 0)]
    assert [adapter.kind for adapter in found] == [6, 24, 6, 6]
    lengths = {packed_text(packed): bits for packed, bits in found[0].lengths.items()}
    assert lengths == {"fe80::1": 64, "2001:db8::5": 128} and not found[1].lengths
    groups = [[packed_text(packed) for _, packed in adapter.groups] for adapter in found]
    assert groups == [["224.0.0.1", "ff02::1", "239.255.255.250"], [], ["ff02::1:ff00:1"], []]


@pytest.mark.parametrize("pointer", [8, 4])
def test_a_list_of_adapters_that_leads_nowhere(pointer: int) -> None:
    data = adapter_list(ADAPTERS, pointer)
    with pytest.raises(ValueError):
        adapter_lists.adapters(data[: len(data) // 2], START, pointer)
    with pytest.raises(ValueError):
        adapter_lists.adapters(data, START + len(data), pointer)
    with pytest.raises(ValueError):
        adapter_lists.adapters(b"", START, pointer)


@given(st.binary(max_size=500), st.integers(0, 600))
def test_garbage_is_no_list(data: bytes, start: int) -> None:
    with contextlib.suppress(ValueError):
        adapter_lists.adapters(data, start, 8)


@pytest.mark.parametrize("answer", ["adapters", "refused"])
def test_what_psutil_does_not_tell_of_interfaces(answer: str) -> None:
    """Flags by the kind of the adapter, and the prefix lengths of IPv6."""

    def ask() -> tuple[bytes, int, int]:
        if answer == "refused":
            raise OSError("Windows error 5")
        return adapter_list(ADAPTERS, 8), START, 8

    name = "vEthernet (Default Switch)"
    fake = FakePsutil(
        states={name: Nic(True, 2, 1000, 1500, "")},
        addresses={name: [Place(socket.AF_INET6, "fe80::1%4", None, None, None)]},
    )
    result = shown(interfaces.INTERFACES, Options(interfaces=True), ask=ask, psutil=fake)
    told = answer == "adapters"
    assert result.lines[-1].endswith(" BMRU" if told else " RU")
    *_, table = interfaces.collect(Proc("/nowhere"), Options(), Outcome(), ask, fake)
    assert [place["prefixlen"] for place in next(iter(table)).addr_info] == [64 if told else None]


@pytest.mark.parametrize(
    ("user", "word"),
    [
        ("NT AUTHORITY\\NETWORK SERVICE", "NETWORK_SE"),
        ("DESKTOP\\me", "me"),
        (None, "-"),
        (held_text("PC\\Владимир Ленин"), held_text("Владимир_Л")),
    ],
)
def test_a_user_is_one_word(user: str | None, word: str) -> None:
    assert user_words([user]) == [word]


def test_windows_minds_no_case() -> None:
    assert same_windows_program("SVCHOST", "svchost.exe")
    assert same_windows_program("svchost.EXE", "svchost.exe")
    assert not same_windows_program("host", "svchost.exe")
    assert same_windows_user("ME", "DESKTOP-ABC\\me")
    assert same_windows_user("desktop-abc\\ME", "DESKTOP-ABC\\me")
    assert not same_windows_user("e", "DESKTOP-ABC\\me")


# Routes


def forward_row(
    target: str, prefix: int, hop: str, interface: int = 4, metric: int = 0, protocol: int = 3
) -> bytes:
    """MIB_IPFORWARD_ROW2"""
    row = pack("<QI", 6 << 48, interface) + sockaddr(target) + bytes([prefix]) + b"\xee" * 3
    row += sockaddr(hop) + bytes([0]) + b"\xee" * 3
    return row + pack("<IIII4BII", 0xFFFFFFFF, 0xFFFFFFFF, metric, protocol, 0, 1, 0, 1, 0, 0)


def forward_table(*rows: bytes) -> bytes:
    return pack("<II", len(rows), 0) + b"".join(rows)


TABLE = forward_table(
    forward_row("0.0.0.0", 0, "192.0.2.1", metric=10),
    forward_row("192.0.2.0", 24, "0.0.0.0", metric=256, protocol=2),
    forward_row("192.0.2.5", 32, "0.0.0.0", metric=256, protocol=2),
    forward_row("198.51.100.7", 32, "192.0.2.9", protocol=4),
    forward_row("127.0.0.0", 8, "0.0.0.0", interface=1, metric=256, protocol=2),
    forward_row("2001:db8::", 32, "fe80::1", metric=256),
    forward_row("::1", 128, "::", interface=1, metric=256, protocol=2),
    forward_row("fe80::", 64, "::", metric=256, protocol=2),
)


def test_rows_of_the_table() -> None:
    found = routes.forward_rows(TABLE)
    assert len(TABLE) == 8 + 8 * 104
    assert [(packed_text(row.destination), row.prefix) for row in found][:3] == [
        ("0.0.0.0", 0),
        ("192.0.2.0", 24),
        ("192.0.2.5", 32),
    ]
    assert [row.gateway and packed_text(row.gateway) for row in found] == [
        "192.0.2.1", None, None, "192.0.2.9", None, "fe80::1", None, None,
    ]  # fmt: skip
    assert [row.metric for row in found] == [10, 256, 256, 0, 256, 256, 256, 256]


def test_a_route_of_another_family_is_passed_over() -> None:
    odd = bytearray(forward_row("10.0.0.0", 8, "0.0.0.0"))
    odd[12] = 99
    assert routes.forward_rows(forward_table(bytes(odd))) == []


def test_a_table_that_is_cut_short() -> None:
    for end in range(len(TABLE)):
        with pytest.raises(ValueError):
            routes.forward_rows(TABLE[:end])
    assert routes.forward_rows(forward_table()) == []


def listed(listing: Any, data: bytes | OSError = TABLE, **options: Any) -> Shown:
    def ask() -> bytes:
        if isinstance(data, OSError):
            raise data
        return data

    given = {"numeric_hosts": True, "route": True, **options}
    adapters = given.pop("adapters", partial(adapter_bytes, ADAPTERS))
    return shown(listing, Options(**given), ask=ask, adapters=adapters, name=str)


def adapter_bytes(adapters: Sequence[dict[str, Any]]) -> tuple[bytes, int, int]:
    return adapter_list(adapters, 8), START, 8


def refusing() -> tuple[bytes, int, int]:
    raise OSError("Windows error 5")


TITLE = "Kernel IP routing table"


def test_routes() -> None:
    """Neither MSS, window nor round trip is told."""
    assert listed(routes.INET).lines == [
        TITLE,
        "Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface",
        "0.0.0.0         192.0.2.1       0.0.0.0         UG        - -          - "
        "vEthernet (Default Switch)",
        "192.0.2.0       0.0.0.0         255.255.255.0   U         - -          - "
        "vEthernet (Default Switch)",
        "192.0.2.5       0.0.0.0         255.255.255.255 UH        - -          - "
        "vEthernet (Default Switch)",
        "198.51.100.7    192.0.2.9       255.255.255.255 UGHD      - -          - "
        "vEthernet (Default Switch)",
        "127.0.0.0       0.0.0.0         255.0.0.0       U         - -          - "
        "Loopback Pseudo-Interface 1",
    ]


def test_the_metric_is_that_of_route_and_interface() -> None:
    """References and uses are counted by nobody."""
    lines = listed(routes.INET, extend=1).lines
    assert lines[1:4] == [
        "Destination     Gateway         Genmask         Flags Metric Ref    Use Iface",
        "0.0.0.0         192.0.2.1       0.0.0.0         UG    35     -        - "
        "vEthernet (Default Switch)",
        "192.0.2.0       0.0.0.0         255.255.255.0   U     281    -        - "
        "vEthernet (Default Switch)",
    ]
    lines = listed(routes.INET, extend=2).lines
    assert lines[2] == (
        "0.0.0.0         192.0.2.1       0.0.0.0         UG    35     -        - vEther   -     -"
        "      -"
    )


def test_routes_of_ipv6() -> None:
    assert listed(routes.INET6).lines == [
        "Kernel IPv6 routing table",
        "Destination                    Next Hop                   Flag Met Ref  Use If",
        "2001:db8::/32                  fe80::1                    UG   291 -      - "
        "vEthernet (Default Switch)",
        "::1/128                        ::                         UH   331 -      - "
        "Loopback Pseudo-Interface 1",
        "fe80::/64                      ::                         U    291 -      - "
        "vEthernet (Default Switch)",
    ]


@pytest.mark.parametrize("adapters", [refusing, lambda: (b"\0", 0, 8)])
def test_routes_without_the_names_of_adapters(adapters: Any) -> None:
    """The number has to do, and the metric of the route alone."""
    lines = listed(routes.INET, extend=1, adapters=adapters).lines
    assert lines[2] == "0.0.0.0         192.0.2.1       0.0.0.0         UG    10     -        - 4"


def test_routes_that_cannot_be_read() -> None:
    for broken, said in (
        (OSError("Windows error 50"), "Windows error 50"),
        (TABLE[:-1], "the table of routes is cut short"),
    ):
        result = listed(routes.INET6, broken)
        assert result.lines == ["INET6 (IPv6) not configured in this system."]
        assert result.notices == [f"GetIpForwardTable2: {said}"]
        assert result.status == 1


# Groups


def test_groups() -> None:
    def listed_groups(ask: Any, **options: Any) -> Shown:
        given = Options(groups=True, numeric_hosts=True, **options)
        return shown(groups.GROUPS, given, ask=ask)

    heading = [
        "IPv6/IPv4 Group Memberships",
        "Interface       RefCnt Group",
        "--------------- ------ ---------------------",
    ]
    switch = "vEthernet (Default Switch) -      "
    assert listed_groups(partial(adapter_bytes, ADAPTERS)).lines == [
        *heading,
        f"{switch}224.0.0.1",
        f"{switch}239.255.255.250",
        f"{switch}ff02::1",
        held_text("以太网") + "       -      ff02::1:ff00:1",
    ]
    broken = listed_groups(refusing, families=("inet",))
    assert (broken.lines, broken.status) == (heading, 1)
    assert broken.notices == ["GetAdaptersAddresses: Windows error 5"]


# Statistics


def icmp(version: int = 4) -> bytes:
    """MIB_ICMP_EX"""
    types = [0] * 256
    types[3 if version == 4 else 135] = 4
    return pack("<2I256I", 7, 1, *types) + pack("<2I256I", 9, 2, *types)


IP = pack("<23I", *range(1, 24))
TCP4, TCP6 = pack("<15I", 1, 2, 3, 4, *range(10, 21)), pack("<15I", 1, 2, 3, 4, *[100] * 11)
UDP = pack("<5I", 10, 20, 30, 40, 50)
BIG = 1 << 40
TCP2 = pack("<9I4x2Q4I", 1, 2, 3, 4, *range(10, 15), BIG, BIG + 1, 17, 18, 19, 20)
UDP2 = pack("<QIIQII", BIG, 20, 30, BIG + 1, 50, 0)
ANSWERS = {
    ("GetIpStatisticsEx", 2): IP,
    ("GetIpStatisticsEx", 23): IP,
    ("GetIcmpStatisticsEx", 2): icmp(),
    ("GetIcmpStatisticsEx", 23): icmp(6),
    ("GetTcpStatisticsEx", 2): TCP4,
    ("GetTcpStatisticsEx", 23): TCP6,
    ("GetUdpStatisticsEx", 2): UDP,
    ("GetUdpStatisticsEx", 23): UDP,
}


def statistics(*families: str, **more: Any) -> Shown:
    def ask(name: str, size: int, family: int) -> bytes | None:
        found = {**ANSWERS, **more.get("answers", {})}.get((name, family))
        if isinstance(found, OSError):
            raise found
        return found if found is None else found[:size]

    options = Options(statistics=True, families=families, tcp=more.get("tcp", False))
    return shown(STATISTICS, options, ask=ask)


def test_statistics() -> None:
    """tcp is counted apart for each family; here it is one."""
    assert statistics().lines == [
        "Ip:",
        "    Forwarding: 1",
        "    3 total packets received",
        "    4 with invalid headers",
        "    5 with invalid addresses",
        "    6 forwarded",
        "    7 with unknown protocol",
        "    8 incoming packets discarded",
        "    9 incoming packets delivered",
        "    10 requests sent out",
        "    12 outgoing packets dropped",
        "    13 dropped because of missing route",
        "    14 fragments dropped after timeout",
        "    15 reassemblies required",
        "    16 packets reassembled ok",
        "    17 packet reassemblies failed",
        "    18 outgoing packets fragmented ok",
        "    19 outgoing packets failed fragmentation",
        "    20 fragments created",
        "Icmp:",
        "    7 ICMP messages received",
        "    1 input ICMP message failed",
        "    ICMP input histogram:",
        "        destination unreachable: 4",
        "    9 ICMP messages sent",
        "    2 ICMP messages failed",
        "    ICMP output histogram:",
        "        destination unreachable: 4",
        "IcmpMsg:",
        "        InType3: 4",
        "        OutType3: 4",
        "Tcp:",
        "    110 active connection openings",
        "    111 passive connection openings",
        "    112 failed connection attempts",
        "    113 connection resets received",
        "    114 connections established",
        "    115 segments received",
        "    116 segments sent out",
        "    117 segments retransmitted",
        "    118 bad segments received",
        "    119 resets sent",
        "Udp:",
        "    10 packets received",
        "    20 packets to unknown port received",
        "    30 packet receive errors",
        "    40 packets sent",
    ]


def test_statistics_of_ipv6() -> None:
    assert statistics("inet6").lines == [
        "Ip6:",
        "    3 total packets received",
        "    4 with invalid headers",
        "    5 with invalid addresses",
        "    7 with unknown protocol",
        "    8 incoming packets discarded",
        "    9 incoming packets delivered",
        "    6 forwarded",
        "    10 requests sent out",
        "    12 outgoing packets dropped",
        "    13 dropped because of missing route",
        "    14 fragments dropped after timeout",
        "    15 reassemblies required",
        "    16 packets reassembled ok",
        "    17 packet reassemblies failed",
        "    18 outgoing packets fragmented ok",
        "    19 outgoing packets failed fragmentation",
        "    20 fragments created",
        "Icmp6:",
        "    7 ICMP messages received",
        "    1 input ICMP message failed",
        "    9 ICMP messages sent",
        "    Icmp6OutErrors: 2",
        "    ICMP input histogram:",
        "        neighbour solicits: 4",
        "        ICMP output histogram:",
        "        neighbor solicits: 4",
        "        Icmp6InType135: 4",
        "        Icmp6OutType135: 4",
        "Udp6:",
        "    10 packets received",
        "    20 packets to unknown port received",
        "    30 packet receive errors",
        "    40 packets sent",
        *statistics(tcp=True).lines[-11:],
    ]


def test_counters_of_64_bits_where_windows_has_them() -> None:
    wide = {("GetTcpStatisticsEx2", family): TCP2 for family in (2, 23)}
    wide |= {("GetUdpStatisticsEx2", 2): UDP2}
    lines = statistics(answers=wide).lines
    assert f"    {2 * BIG} segments received" in lines
    assert f"    {2 * BIG + 2} segments sent out" in lines
    assert "    38 resets sent" in lines
    assert f"    {BIG} packets received" in lines and f"    {BIG + 1} packets sent" in lines


def test_statistics_that_cannot_be_read() -> None:
    broken = {
        ("GetIpStatisticsEx", 2): OSError("Windows error 50"),
        ("GetUdpStatisticsEx", 2): b"\0" * 8,
    }
    result = statistics(answers=broken)
    assert result.lines[0] == "Icmp:" and "Udp:" not in result.lines
    assert result.notices == [
        "Ip: Windows error 50",
        "Udp: fewer counters than Windows has",
    ]
    assert result.status == 1


# The calls


def test_an_error_of_windows_is_an_exception() -> None:
    iphlpapi.checked(0)
    with pytest.raises(OSError, match="Windows error 50"):
        iphlpapi.checked(50)
