"""macOS: the answers of its sysctls, laid out here as xnu lays them out, and read back."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_portable import AccessDenied, FakePsutil, Process, Uids, rows, shown, tcp

from pynetstat.collectors.macos import (
    counters,
    groups,
    pcblist,
    routes,
    rtsock,
    sockets,
    sysctl,
)
from pynetstat.collectors.macos.statistics import STATISTICS
from pynetstat.kernel.proc import NOT_ALL, Proc
from pynetstat.options import Options
from pynetstat.outcome import Outcome

NUMERIC = Options(numeric_hosts=True, numeric_ports=True, numeric_users=True, all=True)
Ask = Callable[[Any], bytes]


def sysctls(**answers: bytes | OSError) -> Ask:
    """A sysctl() that knows these names, with _ for their dots."""

    def ask(name: Any) -> bytes:
        key = name.replace(".", "_") if isinstance(name, str) else f"numbers{name[3]}"
        found = answers.get(key, FileNotFoundError(errno.ENOENT, "No such file or directory"))
        if isinstance(found, OSError):
            raise found
        return found

    return ask


# Sockets, as get_pcblist_n() and unp_pcblist_n() give them


def padded(record: bytes) -> bytes:
    return record + bytes(-len(record) % 8)


def generation(number: int = 9) -> bytes:
    """struct xinpgen"""
    return pack("<IIQQ", 24, 1, number, 0)


def inpcb(  # struct xinpcb_n
    here: str, port: int, there: str = "", peer: int = 0, v: int = 1, proto: int = 0, gen: int = 5
) -> bytes:
    addresses = address(there, v).rjust(16, b"\0") + address(here, v).rjust(16, b"\0")
    head = pack("<IIQ", 104, 0x10, 0) + pack(">HH", peer, port)
    return padded(head + pack("<QQIIBBBx", 0, gen, 0, 0, v, 64, proto) + addresses + bytes(24))


def address(text: str, version: int) -> bytes:
    family = socket.AF_INET if version == 1 else socket.AF_INET6
    return socket.inet_pton(family, text) if text else bytes(4 if version == 1 else 16)


def xsocket(  # struct xsocket_n; `uses` since macOS 13
    family: int,
    kind: int = 1,
    options: int = 0,
    state: int = 0,
    waiting: int = 0,
    uid: int = 501,
    pid: int = 77,
    uses: int | None = None,
) -> bytes:
    body = pack(
        "<QhxxIhhQiihhhhhH", 0, kind, options, 0, state, 0, 6, family, waiting, 0, 0, 0, 0, 0
    )
    body = body.ljust(56, b"\0") + pack("<Iii", uid, pid, 0)
    if uses is not None:
        body += pack("<QQi", 0, 0, uses) + bytes(8)
    return padded(pack("<II", len(body) + 8, 1) + body)


def buffers(received: int = 0, sent: int = 0) -> bytes:
    """struct xsockbuf_n twice, and xsockstat_n, of which nothing is wanted"""
    waiting = [pack("<IIII16x", 32, kind, size, 65536) for kind, size in ((2, received), (4, sent))]
    return b"".join(waiting) + pack("<II72x", 80, 8)


def tcpcb(state: int) -> bytes:
    """struct xtcpcb_n"""
    return padded(pack("<IIQI4iiI", 204, 0x20, 0, 0, 0, 0, 0, 0, state, 0).ljust(204, b"\0"))


def listed(*sockets: bytes, number: int = 9) -> bytes:
    return generation(number) + b"".join(sockets) + generation(number)


LISTEN, ESTABLISHED, TIME_WAIT = 1, 4, 10
LISTENER = inpcb("127.0.0.1", 8080) + xsocket(2, options=2, waiting=3) + buffers() + tcpcb(LISTEN)
DUAL = inpcb("::", 22, "::", v=3) + xsocket(30, options=2, pid=1) + buffers() + tcpcb(LISTEN)
MAPPED = (
    inpcb("10.0.0.5", 22, "10.0.0.9", 51000)
    + xsocket(30, uid=0)
    + buffers(31, 12)
    + tcpcb(ESTABLISHED)
)
WAITING = inpcb("::1", 631, "::1", 50000, v=2) + xsocket(30, pid=0) + buffers() + tcpcb(TIME_WAIT)
ZONED = inpcb("fe80:4::1", 5, "fe80:4::2", 6, v=2) + xsocket(30) + buffers() + tcpcb(ESTABLISHED)
TCP = listed(LISTENER, DUAL, MAPPED, WAITING, ZONED)


def test_tcp_sockets() -> None:
    """Queues, users, and every form of address, with no psutil at all."""
    options = NUMERIC.replace(tcp=True, extend=1, wide=True)
    result = shown(sockets.SOCKETS, options, ask=sysctls(net_inet_tcp_pcblist_n=TCP))
    assert rows(result) == [
        "tcp 3 0 127.0.0.1:8080 0.0.0.0:* LISTEN 501 -",
        "tcp6 0 0 :::22 :::* LISTEN 501 -",
        "tcp6 31 12 10.0.0.5:22 10.0.0.9:51000 ESTABLISHED 0 -",
        "tcp6 0 0 ::1:631 ::1:50000 TIME_WAIT 501 -",
        "tcp6 0 0 fe80::1:5 fe80::2:6 ESTABLISHED 501 -",
    ]
    assert result[1:] == ([], 0)


@pytest.mark.parametrize(
    ("choice", "ports"),
    [({"listening": True}, {"8080", "22"}), ({}, {"22", "631", "5"})],
)
def test_netstats_choice_of_rows(choice: dict[str, bool], ports: set[str]) -> None:
    options = NUMERIC.replace(tcp=True, all=False, **choice)
    result = shown(sockets.SOCKETS, options, ask=sysctls(net_inet_tcp_pcblist_n=TCP))
    assert {row.split()[3].rpartition(":")[2] for row in rows(result)} == ports
    assert ("LISTEN" in result.lines[2]) == bool(choice)


def test_programs_by_the_pid_of_the_kernel() -> None:
    fake = FakePsutil(processes=[Process(77, name="sshd"), Process(1, name="launchd")])
    options = NUMERIC.replace(tcp=True, programs=True)
    ask = sysctls(net_inet_tcp_pcblist_n=TCP)
    result = shown(sockets.SOCKETS, options, ask=ask, psutil=fake)
    programs = [row.split()[-1] for row in rows(result)]
    assert programs == ["77/sshd", "1/launchd", "77/sshd", "-", "77/sshd"]


def test_udp_and_raw_sockets() -> None:
    """A remote end makes udp established; the port of a raw socket is its protocol."""
    udp = listed(
        inpcb("0.0.0.0", 5353) + xsocket(2, 2) + buffers(),
        inpcb("10.0.0.5", 9, "10.0.0.9", 53) + xsocket(2, 2) + buffers(),
    )
    raw = listed(inpcb("0.0.0.0", 0, proto=1) + xsocket(2, 3) + buffers(7))
    ask = sysctls(net_inet_udp_pcblist_n=udp, net_inet_raw_pcblist_n=raw)
    result = shown(sockets.SOCKETS, NUMERIC.replace(udp=True, raw=True), ask=ask)
    assert rows(result) == [
        "udp 0 0 0.0.0.0:5353 0.0.0.0:*",
        "udp 0 0 10.0.0.5:9 10.0.0.9:53 ESTABLISHED",
        "raw 7 0 0.0.0.0:1 0.0.0.0:*",
    ]


@pytest.mark.parametrize("asked", ["sctp", "udplite"])
def test_a_protocol_that_macos_has_not(asked: str) -> None:
    options = Options(**{asked: True})
    result = shown(sockets.SOCKETS, options, ask=sysctls())
    assert result.notices == [f"netstat: no support for `AF INET ({asked})' on this system."]
    assert result.status == 1
    ask = sysctls(net_inet_tcp_pcblist_n=TCP, net_inet_udp_pcblist_n=listed(),
                  net_inet_raw_pcblist_n=listed())  # fmt: skip
    assert shown(sockets.SOCKETS, NUMERIC, ask=ask)[1:] == ([], 0)


def test_a_socket_that_is_not_whole_is_passed_over() -> None:
    """One without buffers (kind 0 stands there), and one younger than the list."""
    lost = inpcb("10.0.0.1", 1) + pack("<II72x", 80, 0) * 2 + tcpcb(ESTABLISHED)
    young = inpcb("10.0.0.1", 2, gen=10) + xsocket(2) + buffers() + tcpcb(ESTABLISHED)
    unknown = pack("<II40x", 48, 0x4000)
    found = pcblist.decode_internet(listed(lost, young, unknown, LISTENER), "tcp")
    assert [row.local_port for row in found] == [8080]


def test_a_state_that_nobody_knows() -> None:
    odd = inpcb("10.0.0.1", 1) + xsocket(2) + buffers() + tcpcb(11)
    assert pcblist.decode_internet(listed(odd), "tcp")[0].state == "UNKNOWN(11)"


def test_every_cut_is_noticed() -> None:
    """A list that ends too early is never a shorter list."""
    for end in range(len(TCP) - 23):
        with pytest.raises(ValueError):
            pcblist.decode_internet(TCP[:end], "tcp")


@given(st.binary(max_size=300))
def test_garbage_is_garbage(data: bytes) -> None:
    for read in (lambda: pcblist.decode_internet(data, "tcp"), lambda: pcblist.decode_local(data)):
        try:
            read()
        except ValueError:
            continue


def test_psutil_where_the_kernel_refuses() -> None:
    """First the whole system, then process by process, with netstat's notice."""
    options = NUMERIC.replace(tcp=True)
    ask = sysctls(net_inet_tcp_pcblist_n=PermissionError(errno.EPERM, "no"))
    fake = FakePsutil([tcp(("10.0.0.1", 80))])
    result = shown(sockets.SOCKETS, options, ask=ask, psutil=fake)
    assert rows(result) == ["tcp - - 10.0.0.1:80 0.0.0.0:* LISTEN"]
    assert not result.notices
    mine = Process(7, [tcp(("10.0.0.1", 81))], name="me", uids=Uids(501, 501, 501))
    fake = FakePsutil(AccessDenied("1"), [Process(1, AccessDenied("1")), mine])
    for broken in (ask, sysctls(net_inet_tcp_pcblist_n=TCP[:-30])):
        result = shown(sockets.SOCKETS, options, ask=broken, psutil=fake)
        assert rows(result) == ["tcp - - 10.0.0.1:81 0.0.0.0:* LISTEN"]
        assert (result.notices, result.status) == ([NOT_ALL], 0)


def test_psutil_where_it_is_named() -> None:
    options = NUMERIC.replace(tcp=True, source="psutil")
    ask = sysctls(net_inet_tcp_pcblist_n=TCP, net_local_stream_pcblist_n=listed())
    assert rows(shown(sockets.SOCKETS, options, ask=ask, psutil=FakePsutil())) == []
    assert rows(shown(sockets.UNIX_SOCKETS, options, ask=ask, psutil=FakePsutil())) == []


# Unix sockets


def unpcb(path: str, inode: int = 0, peer: str = "") -> bytes:
    """struct xunpcb_n"""
    names = b"".join(sockaddr_un(name).ljust(256, b"\0") for name in (path, peer))
    head = pack("<IIQQQQQ28x", 588, 0x200, 0, 0, inode, 0, 0)
    return padded(head[:76] + names)


def sockaddr_un(path: str) -> bytes:
    return bytes([len(path.encode()) + 2, 1]) + path.encode() if path else b""


STREAM = listed(
    unpcb("/var/run/syslog") + xsocket(1, 1, options=2, uses=2) + buffers(),
    unpcb("/var/run/é", 5) + xsocket(1, 1, state=2, uses=1, pid=0) + buffers(),
    unpcb("") + xsocket(1, 1, state=4) + buffers(),
)
DGRAM = listed(
    unpcb("") + xsocket(1, 2, state=1) + buffers(), unpcb("/d") + xsocket(1, 2) + buffers()
)
LOCAL = sysctls(net_local_stream_pcblist_n=STREAM, net_local_dgram_pcblist_n=DGRAM)


def test_unix_sockets() -> None:
    result = shown(sockets.UNIX_SOCKETS, NUMERIC, ask=LOCAL)
    assert rows(result) == [
        "unix 2 [ ACC ] STREAM LISTENING - /var/run/syslog",
        "unix 1 [ ] STREAM CONNECTED 5 /var/run/Ã©",  # bytes, until they are printed
        "unix - [ ] STREAM CONNECTING -",  # before macOS 13 nobody says how many hold it
        "unix - [ ] DGRAM FREE -",
        "unix - [ ] DGRAM - /d",
    ]
    assert [
        row[-1:] for row in rows(shown(sockets.UNIX_SOCKETS, Options(listening=True), ask=LOCAL))
    ] == ["g"]
    assert len(rows(shown(sockets.UNIX_SOCKETS, Options(), ask=LOCAL))) == 4


def test_unix_programs() -> None:
    fake = FakePsutil(processes=[Process(77, name="syslogd")])
    result = shown(sockets.UNIX_SOCKETS, NUMERIC.replace(programs=True), ask=LOCAL, psutil=fake)
    assert "77/syslogd" in rows(result)[0] and "77" not in rows(result)[1]


def test_unix_sockets_before_macos_13() -> None:
    """There is no such list yet: psutil."""
    fake = FakePsutil([])
    assert rows(shown(sockets.UNIX_SOCKETS, NUMERIC, ask=sysctls(), psutil=fake)) == []
    assert fake.kinds == ["unix"]


# Statistics


def words(count: int, size: str = "I", /, **given: int) -> bytes:
    """A structure of counters: `at12=5` is the one at byte 12; the others are 0."""
    step = 4 if size == "I" else 8
    places = {int(name.removeprefix("at")) // step: number for name, number in given.items()}
    return pack(f"<{count}{size}", *(places.get(at, 0) for at in range(count)))


TCPSTAT = words(60, at0=10, at4=20, at12=3, at16=4, at60=5000, at72=10, at100=6000, at112=1,
                at116=2, at120=3, at124=4)  # fmt: skip
UDPSTAT = words(20, at0=700, at4=1, at8=2, at12=3, at16=4, at20=5, at24=6, at36=690)
IPSTAT = words(40, **{f"at{place}": 1 << (place // 4) for place in range(0, 104, 4)})
ICMPSTAT = words(100, at12=5, at44=2, at176=1, at180=2, at184=3, at188=4, at196=7, at208=8)
IP6STAT = words(30, "Q", **{f"at{place}": 1 << (place // 8) for place in range(0, 184, 8)})
ICMP6STAT = words(530, "Q", at1104=3, at2072=1, at2080=2, at2088=3, at2096=4, at3192=9)
STATS = {
    "net_inet_tcp_stats": TCPSTAT,
    "net_inet_udp_stats": UDPSTAT,
    "net_inet_ip_stats": IPSTAT,
    "net_inet_icmp_stats": ICMPSTAT,
    "net_inet6_ip6_stats": IP6STAT,
    "net_inet6_icmp6_stats": ICMP6STAT,
    "net_inet_tcp_pcblist_n": TCP,
}


def statistics(*families: str, root: bool = True, **answers: bytes | OSError) -> Any:
    options = Options(statistics=True, families=families)
    ask = sysctls(**{**STATS, **answers})
    return shown(STATISTICS, options, ask=ask, root=root)


def test_statistics() -> None:
    assert statistics().lines == [
        "Ip:",
        f"    {1 << 0} total packets received",
        f"    {sum(1 << bit for bit in (1, 2, 3, 4, 5, 23, 25))} with invalid headers",
        f"    {1 << 11} with invalid addresses",
        f"    {1 << 9} forwarded",
        f"    {1 << 13} with unknown protocol",
        f"    {1 << 14} incoming packets delivered",
        f"    {1 << 15} requests sent out",
        f"    {1 << 16} outgoing packets dropped",
        f"    {1 << 22} dropped because of missing route",
        f"    {1 << 6} reassemblies required",
        f"    {1 << 17} packets reassembled ok",
        f"    {(1 << 7) + (1 << 8)} packet reassemblies failed",
        f"    {1 << 18} outgoing packets fragmented ok",
        f"    {1 << 20} outgoing packets failed fragmentation",
        f"    {1 << 19} fragments created",
        "Icmp:",
        "    25 ICMP messages received",
        "    10 input ICMP message failed",
        "    ICMP input histogram:",
        "        destination unreachable: 8",
        "        echo replies: 7",
        "    7 ICMP messages sent",
        "    ICMP output histogram:",
        "        echo requests: 2",
        "        echo replies: 5",
        "IcmpMsg:",
        "        InType0: 7",
        "        InType3: 8",
        "        OutType0: 5",
        "        OutType8: 2",
        "Tcp:",
        "    10 active connection openings",
        "    20 passive connection openings",
        "    4 failed connection attempts",
        "    3 connection resets received",
        "    2 connections established",
        "    6000 segments received",
        "    4990 segments sent out",
        "    10 segments retransmitted",
        "    10 bad segments received",
        "Udp:",
        "    694 packets received",
        "    9 packets to unknown port received",
        "    6 packet receive errors",
        "    690 packets sent",
        "    6 receive buffer errors",
    ]


def test_statistics_of_ipv6() -> None:
    lines = statistics("inet6").lines
    assert lines[:4] == [
        "Ip6:",
        "    1 total packets received",
        f"    {(1 << 2) + (1 << 18) + (1 << 21)} with invalid headers",
        f"    {(1 << 8) + (1 << 22)} with invalid addresses",
    ]
    assert f"    {1 << 10} incoming packets delivered" in lines
    assert lines[lines.index("Icmp6:") + 1 :][:9] == [
        "    19 ICMP messages received",
        "    10 input ICMP message failed",
        "    3 ICMP messages sent",
        "    ICMP input histogram:",
        "        neighbour solicits: 9",
        "        ICMP output histogram:",
        "        neighbor solicits: 3",
        "        Icmp6InType135: 9",
        "        Icmp6OutType135: 3",
    ]
    assert lines[-10] == "Tcp:"


def test_statistics_of_a_protocol() -> None:
    """No more is asked than is shown."""
    options = Options(statistics=True, udp=True)
    ask = sysctls(net_inet_udp_stats=UDPSTAT, net_inet_icmp_stats=ICMPSTAT)
    result = shown(STATISTICS, options, ask=ask, root=True)
    assert [line for line in result.lines if line.endswith(":")] == ["IcmpMsg:", "Udp:"]
    assert result.notices == []


def test_zeros_shown_to_a_user_are_no_counters() -> None:
    zeros = bytes(len(TCPSTAT))
    result = statistics(root=False, net_inet_tcp_stats=zeros)
    assert "Tcp:" not in result.lines and "Udp:" in result.lines
    assert result.notices == ["(The counters of tcp are shown to root alone.)"]
    assert "    0 segments received" in statistics(root=True, net_inet_tcp_stats=zeros).lines
    assert "    10 active connection openings" in statistics(root=False).lines


def test_statistics_without_the_list_of_sockets() -> None:
    result = statistics(net_inet_tcp_pcblist_n=PermissionError(errno.EPERM, "no"))
    assert not any("connections established" in line for line in result.lines)
    assert result[1:] == ([], 0)


def test_statistics_that_cannot_be_read() -> None:
    """The others are shown, and the status says that some are missing."""
    refused = PermissionError(errno.EPERM, "Operation not permitted")
    result = statistics(net_inet_ip_stats=refused, net_inet_udp_stats=b"\0" * 39)
    assert result.lines[0] == "Icmp:" and "Udp:" not in result.lines
    assert result.notices == [
        "Ip: Operation not permitted",
        "Udp: fewer counters than this system has had so far",
    ]
    assert result.status == 1


def test_statistics_of_two_families() -> None:
    result = statistics("inet", "inet6")
    refusal = "netstat: No statistics support for specified address family: inet,inet6"
    assert (result.lines, result.status) == ([refusal], 1)


@pytest.mark.parametrize("read", [counters.macos_udp, counters.macos_ip, counters.macos_icmp,
    counters.macos_ip6, counters.icmp6, lambda data: counters.macos_tcp(data, 0)])  # fmt: skip
def test_a_structure_that_is_too_short(read: Any) -> None:
    with pytest.raises(ValueError):
        read(b"\0" * 36)


# Routes and groups, as the routing socket gives them

DST, GATEWAY, NETMASK, IFP, IFA = 0x1, 0x2, 0x4, 0x10, 0x20
U, G, H, REJECT, DYNAMIC = 0x1, 0x2, 0x4, 0x8, 0x10
BLACKHOLE, PRCLONING, WASCLONED, OWN = 0x1000, 0x10000, 0x20000, 0x200000


def inet4(text: str) -> bytes:
    """struct sockaddr_in"""
    return pack("<BBH4s8x", 16, 2, 0, socket.inet_aton(text))


def inet6(text: str, zone: int = 0) -> bytes:
    """struct sockaddr_in6; the zone of a link-local address stands in its bytes 2 and 3"""
    packed = socket.inet_pton(socket.AF_INET6, text)
    packed = packed[:2] + zone.to_bytes(2, "big") + packed[4:] if zone else packed
    return pack("<BBHI16sI", 28, 30, 0, 0, packed, 0)


def on_link(index: int, name: str = "") -> bytes:
    """struct sockaddr_dl"""
    data = name.encode()
    return pack("<BBHBBBB", 20, 18, index, 6, len(data), 0, 0) + data.ljust(12, b"\0")


def mask(*octets: int, offset: int = 4) -> bytes:
    """A netmask ends with its last byte; its family is garbage."""
    data = bytes(offset - 2) + bytes(octets) if octets else b""
    body = bytes([offset + len(octets) if octets else 0, 0xFF]) + data if octets else bytes(4)
    return body + bytes(-len(body) % 4)


def message(*parts: bytes, bits: int, index: int = 5, flags: int = U, **more: int) -> bytes:
    """struct rt_msghdr2 and the addresses after it"""
    references, parent, uses = more.get("references", 0), more.get("parent", 0), more.get("uses", 0)
    kind, version = more.get("kind", 0x14), more.get("version", 5)
    body = b"".join(parts)
    head = pack("<HBBHxx3i", 92 + len(body), version, kind, index, flags, bits, references)
    return head + pack("<iiii", parent, 0, uses, 0) + pack("<14I", 0, 1500, *[9] * 12) + body


FULL = DST | GATEWAY | NETMASK
ROUTES = b"".join(
    [
        message(inet4("0.0.0.0"), inet4("10.0.2.2"), mask(), bits=FULL, flags=U | G, uses=7),
        message(inet4("10.0.2.0"), on_link(5), mask(255, 255, 255), bits=FULL, references=2),
        message(inet4("10.0.2.3"), on_link(5), bits=DST | GATEWAY, flags=U | H),
        message(inet4("127.0.0.0"), inet4("127.0.0.1"), mask(255), bits=FULL, index=1),
        message(inet4("224.0.0.0"), on_link(5), mask(0xF0), bits=FULL),
        message(inet4("192.0.2.0"), inet4("127.0.0.1"), mask(255, 255, 255), bits=FULL,
                flags=U | G | REJECT, index=1),
        message(inet4("192.0.2.9"), inet4("10.0.2.9"), bits=DST | GATEWAY,
                flags=U | G | H | DYNAMIC),
        message(inet4("10.0.2.77"), on_link(5), bits=DST | GATEWAY, flags=U | H | WASCLONED,
                parent=PRCLONING),
        message(on_link(5), inet4("10.0.2.2"), bits=DST | GATEWAY),
        message(inet4("10.9.9.9"), inet4("10.0.2.2"), bits=DST | GATEWAY, kind=0x4),
        message(inet4("10.9.9.9"), inet4("10.0.2.2"), bits=DST | GATEWAY, version=4),
    ]
)  # fmt: skip
ROUTES6 = b"".join(
    [
        message(inet6("::"), inet6("fe80::2", 5), mask(), bits=FULL, flags=U | G, references=3),
        message(inet6("fe80::", 5), on_link(5), mask(*[255] * 8, offset=8), bits=FULL),
        message(inet6("::1"), inet6("::1"), bits=DST | GATEWAY, flags=U | H | OWN, index=1),
        message(inet6("ff02::", 5), on_link(5), mask(255, 255, 255, 255, offset=8), bits=FULL),
        message(inet6("2001:db8::"), inet6("::1"), mask(255, 255, 255, 255, offset=8), bits=FULL,
                flags=U | BLACKHOLE, index=9),
    ]
)  # fmt: skip


def names(number: int) -> str:
    return {1: "lo0", 5: "en0"}.get(number, str(number))


def listed_routes(listing: Any, data: bytes | OSError, extend: int = 0, **options: Any) -> Any:
    options = {"numeric_hosts": True, "route": True, "extend": extend, **options}
    ask = sysctls(numbers2=data, numbers30=data)
    return shown(listing, Options(**options), ask=ask, name=names)


def test_routes() -> None:
    """Without those that the kernel made for single hosts; of any length of mask."""
    assert listed_routes(routes.INET, ROUTES).lines == [
        "Kernel IP routing table",
        "Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface",
        "0.0.0.0         10.0.2.2        0.0.0.0         UG        0 0          0 en0",
        "10.0.2.0        0.0.0.0         255.255.255.0   U         0 0          0 en0",
        "10.0.2.3        0.0.0.0         255.255.255.255 UH        0 0          0 en0",
        "127.0.0.0       0.0.0.0         255.0.0.0       U         0 0          0 lo0",
        "224.0.0.0       0.0.0.0         240.0.0.0       U         0 0          0 en0",
        "192.0.2.0       -               255.255.255.0   !         - -          - -",
        "192.0.2.9       10.0.2.9        255.255.255.255 UGHD      0 0          0 en0",
    ]
    lines = listed_routes(routes.INET, ROUTES, extend=1).lines
    assert lines[2:4] == [
        "0.0.0.0         10.0.2.2        0.0.0.0         UG    0      0        7 en0",
        "10.0.2.0        0.0.0.0         255.255.255.0   U     0      2        0 en0",
    ]


def test_routes_of_ipv6() -> None:
    assert listed_routes(routes.INET6, ROUTES6).lines == [
        "Kernel IPv6 routing table",
        "Destination                    Next Hop                   Flag Met Ref  Use If",
        "::/0                           fe80::2                    UG   0   3      0 en0",
        "fe80::/64                      ::                         U    0   0      0 en0",
        "::1/128                        ::                         UH   0   0      0 lo0",
        "ff02::/32                      ::                         U    0   0      0 en0",
        "2001:db8::/32                  ::                         U!   0   0      0 9",
    ]


def test_a_route_for_one_interface_is_marked() -> None:
    """Of two default routes the one with Apple's I is for sockets bound to that interface."""
    parts = (inet4("0.0.0.0"), inet4("10.0.2.2"), mask())
    both = (0, rtsock.IFSCOPE)
    data = b"".join(message(*parts, bits=7, flags=U | G | flags) for flags in both)
    lines = listed_routes(routes.INET, data).lines[2:]
    assert [line.split()[3] for line in lines] == ["UG", "UGI"]


def test_the_records_of_routes() -> None:
    ask = sysctls(numbers2=ROUTES)
    options = Options(format="records")
    tables = routes.collect(Proc(), options, Outcome(), "", ask, names)
    found: list[Any] = [row for table in tables for row in table]
    assert (found[0].dst, found[0].gateway, found[0].dev) == ("default", "10.0.2.2", "en0")
    assert (found[1].dst, found[1].gateway, found[1].flags) == ("10.0.2.0/24", None, ("up",))
    assert found[0].metric == found[0].mss == 0 and found[0].use == 7


def test_routes_that_cannot_be_read() -> None:
    """netstat's own words where it has no table."""
    for broken, said in (
        (PermissionError(errno.EPERM, "no"), "Operation not permitted"),
        (ROUTES[:-5], "a message of the routing socket is cut short"),
    ):
        result = listed_routes(routes.INET, broken)
        assert result.lines == ["INET (IPv4) not configured in this system."]
        assert result.notices == [f"NET_RT_DUMP2: {said}"]
        assert result.status == 1
    assert listed_routes(routes.INET, b"").lines[0] == "Kernel IP routing table"


def test_every_cut_of_a_message_is_noticed() -> None:
    for end in range(len(ROUTES6)):
        whole = sum(1 for _ in whole_messages(ROUTES6, end))
        try:
            assert len(rtsock.decode_routes_list(ROUTES6[:end])) == whole
        except ValueError:
            continue
        assert end in (0, *whole_messages(ROUTES6, end))


def whole_messages(data: bytes, end: int) -> list[int]:
    """Where the messages end that lie before this end."""
    ends, at = [], 0
    while at < end:
        at += int.from_bytes(data[at : at + 2], "little")
        ends += [at] if at <= end else []
    return ends


def test_an_end_before_the_end() -> None:
    """A message of length 0 ends the list; an address may not reach beyond its message."""
    assert len(rtsock.decode_routes_list(ROUTES6 + bytes(8) + ROUTES6)) == 5
    with pytest.raises(ValueError):
        rtsock.decode_routes_list(message(inet4("10.0.0.0")[:8], bits=DST))
    with pytest.raises(ValueError):
        rtsock.decode_routes_list(message(bits=DST))


@given(st.binary(max_size=200))
def test_garbage_is_no_route(data: bytes) -> None:
    for read in (rtsock.decode_routes_list, rtsock.decode_groups_list):
        with contextlib.suppress(ValueError):
            read(data)


CAPTURES = Path(__file__).parent / "captures" / "macos"


@pytest.mark.parametrize(
    ("name", "total", "listing", "count"),
    [
        ("darwin23.6-v4.bin", 55, routes.INET, 13),
        ("darwin23.6-v6.bin", 232, routes.INET6, 41),
    ],
)
def test_the_routes_of_a_mac(name: str, total: int, listing: Any, count: int) -> None:
    """A dump of macOS 14.5 is read without a byte left over."""
    data = (CAPTURES / name).read_bytes()
    found = list(rtsock.messages(data, 0x14))
    assert len(found) == len(rtsock.decode_routes_list(data)) == total
    assert b"".join(found) == data
    for each in found:
        bits = int.from_bytes(each[12:16], "little")
        lengths = [len(part) for part in rtsock.sockaddrs(each, 92, bits).values()]
        assert 92 + sum((length + 3) & ~3 or 4 for length in lengths) == len(each)
    assert len(rows(listed_routes(listing, data))) == count


def group_message(*parts: bytes, bits: int, index: int = 5, references: int = 1) -> bytes:
    """struct ifma_msghdr2 and the addresses after it"""
    body = b"".join(parts)
    head = pack("<HBBiiHxxi", 20 + len(body), 5, 0x13, bits, 0, index, references)
    return head + body


GROUPS = b"".join(
    [
        message(bits=0, kind=0x12),  # the interface itself
        group_message(on_link(5, "en0"), inet4("224.0.0.1"), bits=IFP | IFA, references=3),
        group_message(inet6("ff02::fb", 5), bits=IFA, index=1),
        group_message(on_link(5, "en0"), on_link(5), bits=IFP | IFA),  # of the hardware
    ]
)


def test_groups() -> None:
    def shown_groups(data: bytes | OSError, **options: Any) -> Any:
        ask = sysctls(numbers0=data)
        options = {"groups": True, "numeric_hosts": True, **options}
        return shown(groups.GROUPS, Options(**options), ask=ask, name=names)

    heading = [
        "IPv6/IPv4 Group Memberships",
        "Interface       RefCnt Group",
        "--------------- ------ ---------------------",
    ]
    rows = ["en0             3      224.0.0.1", "lo0             1      ff02::fb"]
    assert shown_groups(GROUPS).lines == heading + rows
    assert shown_groups(GROUPS, families=("inet6",)).lines == heading + rows[1:]
    broken = shown_groups(GROUPS[:-3])
    assert broken.lines == heading
    assert broken.notices == ["NET_RT_IFLIST2: a message of the routing socket is cut short"]
    assert broken.status == 1


# The call


def test_a_table_that_grows_while_we_ask() -> None:
    """ENOMEM: it has outgrown what was asked for; then once more."""
    lengths = iter([10, 20000, 20000, 60000, 50000, 50001])

    def ask(buffer: Any, size: sysctl.Size) -> int:
        length = next(lengths)
        if buffer is not None:
            if length > len(buffer):
                return errno.ENOMEM
            buffer[:3] = b"abc"
        size.value = length
        return 0

    answer = sysctl.grown(ask)
    assert len(answer) == 50001 and answer[:3] == b"abc"


@pytest.mark.parametrize(("code", "tries"), [(errno.ENOENT, 1), (errno.ENOMEM, sysctl.TRIES)])
def test_a_call_that_fails(code: int, tries: int) -> None:
    asked: list[Any] = []

    def ask(buffer: Any, size: sysctl.Size) -> int:
        asked.append(buffer)
        return code

    with pytest.raises(OSError) as error:
        sysctl.grown(ask)
    assert error.value.errno == code and len(asked) == tries
