"""Random /proc trees in the kernel's own formats, and what can go wrong with files.

`write(random, folder)` makes a tree, `names(random, folder)` files of names for it, `damage(random,
folder)` spoils some of its files. The same seed gives the same tree.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random

INTERFACES = (
    "lo",
    "eth0",
    "eth1",
    "eth0.20",
    "wlan0",
    "br-1a2b3c4d",
    "tun10",
    "a",
    "veth0123456789",
)
PROGRAMS = (
    b"/usr/sbin/sshd", b"nginx: worker process", b"./run me", b"-bash", b"/opt/a b/c d", b"",
    b"/usr/lib/systemd/systemd-resolved", b"python3", b"/", b"x" * 40, b"(sd-pam)",
    b"/usr/bin/\xc3\xa4",
)  # fmt: skip

TAIL = "   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
TCP = f"  sl  local_address rem_address{TAIL}"
TCP6 = (
    "  sl  local_address                         remote_address                        st tx_queue"
    " rx_queue tr tm->when retrnsmt   uid  timeout inode"
)
UDP = f" {TCP} ref pointer drops"
ROUTE = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
CACHE = f"{ROUTE[:-20]}Source\t\tMTU\tWindow\tIRTT\tTOS\tHHRef\tHHUptod\tSpecDst"
DEV = (
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop"
    " fifo colls carrier compressed\n"
)


def some(random: Random, most: int = 12) -> range:
    return range(random.choice((0, 1, random.randrange(2, most))))


def number(random: Random, bits: int = 32) -> int:
    """Small ones, all sizes, and the largest."""
    return random.choice(
        (
            0,
            1,
            random.randrange(100),
            random.getrandbits(random.randrange(1, bits)),
            (1 << bits) - 1,
        )
    )


def address(random: Random) -> str:
    """An IPv4 address as %08X prints it in native order; its first byte is not 0 unless all are."""
    known = ("00000000", "0100007F", "0101A8C0", "0A0200C0", "FFFFFFFF")
    some = f"{random.getrandbits(24):06X}{random.randrange(1, 224):02X}"
    return random.choice((*known, some))


def octets6(random: Random) -> bytes:
    text = random.choice(
        (
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:192.0.2.10",
            "fe80::1",
            "2001:db8::99",
            "::1.2.3.4",
        )
    )
    return random.choice((socket.inet_pton(socket.AF_INET6, text), random.randbytes(16)))


def address6(random: Random) -> str:
    """Four words of native order, as tcp6 has them."""
    packed = octets6(random)
    words = [packed[start : start + 4][::-1].hex().upper() for start in range(0, 16, 4)]
    return "".join(words)


def port(random: Random) -> str:
    return f"{random.choice((0, 22, 53, 80, 443, 8080, 65535, random.randrange(65536))):04X}"


def inode(random: Random) -> int:
    return random.choice((0, random.randrange(1000, 1040), random.getrandbits(32)))


def socket_row(random: Random, where: Callable[[Random], str], place: int, tcp: bool) -> str:
    state = random.randrange(1, 12) if tcp else random.choice((1, 7))
    timer = f"{random.randrange(5):02X}:{number(random):08X} {number(random, 8):08X}"
    more = f"{random.randrange(9)} 0000000000000000"
    more += " 20 4 30 10 -1" if tcp else f" {number(random, 16)}"
    return (
        f"{place:{4 if tcp else 5}d}: {where(random)}:{port(random)} {where(random)}:{port(random)}"
        f" {state:02X} {number(random):08X}:{number(random):08X} {timer} {number(random):5d}"
        f" {number(random, 8):8d} {inode(random)} {more}"
    )


def inet(random: Random, name: str) -> str:
    tcp = name.startswith("tcp")
    if name.endswith("6"):
        rows = [socket_row(random, address6, place, tcp) for place in some(random)]
        return "\n".join([TCP6, *rows, ""])
    width, heading = (149, TCP) if tcp else (127, UDP)
    rows = [socket_row(random, address, place, tcp).ljust(width) for place in some(random)]
    return "\n".join([heading.ljust(width), *rows, ""])


def unix(random: Random) -> str:
    lines = ["Num       RefCount Protocol Flags    Type St Inode Path"]
    paths = (
        "",
        " /run/a",
        " @/tmp/.X11-unix/X0",
        " @",
        " @a@b@@",
        " /with blank/b",
        " relative",
        "  x",
    )
    for _ in some(random):
        state, flags = random.choice(((1, 0x10000), (1, 0), (3, 0), (3, 0x10000), (2, 0), (4, 0)))
        lines.append(
            f"{random.getrandbits(32):016x}: {number(random, 8):08X} 00000000 {flags:08X}"
            f" {random.randrange(1, 6):04X} {state:02X} {inode(random):5d}{random.choice(paths)}"
        )
    return "\n".join([*lines, ""])


def sctp_address(random: Random) -> str:
    if random.random() < 0.7:
        return ".".join(str(random.randrange(1, 224)) for _ in range(4))
    return ":".join(f"{random.getrandbits(16):04x}" for _ in range(8))


def sctp(random: Random) -> dict[str, str]:
    eps = [" ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS"]
    assocs = [
        " ASSOC     SOCK   STY SST ST HBKT ASSOC-ID TX_QUEUE RX_QUEUE UID INODE LPORT RPORT LADDRS"
        " <-> RADDRS HBINT INS OUTS MAXRT T1X T2X RTXC wmema wmemq sndbuf rcvbuf"
    ]

    def several() -> str:
        return "".join(f"{sctp_address(random)} " for _ in range(random.randrange(1, 4)))

    for _ in some(random, 6):
        row = f"ffff8881f1866a68 ffff8884148dcc68 {random.randrange(3):<3d}"
        state, uid, node = random.randrange(12), number(random, 16), inode(random)
        eps.append(
            f"{row} {state:<3d} {8:<4d} {number(random, 16):<5d} {uid:5d} {node:5d} {several()}"
        )
        assocs.append(
            f"{row} {state:<3d} {4:<2d} {8:<4d} {1:4d} {number(random, 31):8d}"
            f" {number(random, 31):8d}"
            f" {uid:7d} {node:5d} {number(random, 16):<5d} {number(random, 16):5d} *{several()}<-> "
            f"*{several()}\t{30000:8d} {10:5d} {10:5d} {10:4d} {0:4d} {0:4d} {0:8d} {1:8d} {0:8d}"
            f" {212992:8d} {212992:8d}"
        )
    return {"sctp/eps": "\n".join([*eps, ""]), "sctp/assocs": "\n".join([*assocs, ""])}


def route(random: Random) -> str:
    lines = [ROUTE]
    for _ in some(random):
        flags = random.choice((1, 3, 5, 7, 0x205, 0x201, 0x13, 0x11, 0))
        mask = ("FFFFFFFF" * 2)[: 2 * random.randrange(5)].rjust(8, "0")
        device = "*" if flags & 0x200 else random.choice(INTERFACES)
        lines.append(
            f"{device}\t{address(random)}\t{address(random)}\t{flags:04X}\t{number(random, 8)}"
            f"\t{number(random)}\t{number(random, 31)}\t{mask}\t{number(random, 16)}"
            f"\t{number(random, 16)}\t{number(random, 16)}"
        )
    return "\n".join([line.ljust(127) for line in lines] + [""])


def route6(random: Random) -> str:
    return "".join(
        f"{octets6(random).hex()} {random.choice((0, 48, 64, 128)):02x} {'0' * 32} 00"
        f" {octets6(random).hex()} {number(random):08x} {number(random):08x} {number(random):08x}"
        f" {random.choice((1, 3, 5, 0x200200, 0x80200001, 0x1000003, 0x450003)):08x}"
        f" {random.choice(INTERFACES):>8}\n"
        for _ in some(random)
    )


def groups(random: Random) -> dict[str, str]:
    igmp, igmp6 = ["Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter"], []
    for place, name in enumerate(random.sample(INTERFACES, random.randrange(len(INTERFACES)))):
        igmp.append(f"{place}\t{name:<10}: {3:5d} {'V3':>7}")
        for _ in some(random, 4):
            igmp.append(f"\t\t\t\t{address(random)} {number(random, 16):5d} 0:00000000\t\t0")
            igmp6.append(
                f"{place:<4d} {name:<15} {octets6(random).hex()} {number(random, 16):5d} 0000000C 0"
            )
    return {"igmp": "\n".join([*igmp, ""]), "igmp6": "".join(f"{line}\n" for line in igmp6)}


def interfaces(random: Random, present: tuple[str, ...]) -> dict[str, str]:
    """Those that are there, in any order; a name of 15 characters is left out, see README."""
    lines, addresses = [], []
    for place, name in enumerate(random.sample(present, len(present))):
        rx = "{:7d} {:7d} {:4d} {:4d} {:4d} {:5d} {:10d} {:9d}"
        tx = "{:8d} {:7d} {:4d} {:4d} {:4d} {:5d} {:7d} {:10d}"
        numbers = [number(random, 64) for _ in range(16)]
        lines.append(f"{name:>6}: {rx.format(*numbers[:8])} {tx.format(*numbers[8:])}\n")
        for _ in some(random, 3):
            scope = random.choice((0x00, 0x10, 0x20, 0x40, 0x80, 0x05))
            addresses.append(f"{octets6(random).hex()} {place:02x} 40 {scope:02x} 80 {name:>8}\n")
    return {"dev": DEV + "".join(lines), "if_inet6": "".join(addresses)}


COUNTERS = {
    "Ip": "Forwarding DefaultTTL InReceives InHdrErrors ForwDatagrams InDiscards InDelivers"
    " OutRequests OutNoRoutes ReasmTimeout FragCreates",
    "Icmp": "InMsgs InErrors InCsumErrors InDestUnreachs InEchos OutMsgs OutErrors"
    " OutDestUnreachs OutEchoReps",
    "IcmpMsg": "InType3 InType8 OutType0",
    "Tcp": "RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens CurrEstab InSegs"
    " RetransSegs InErrs",
    "Udp": "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors",
    "UdpLite": "InDatagrams NoPorts InErrors",
}
MORE = {
    "TcpExt": "SyncookiesSent TW PAWSEstab DelayedACKs ListenOverflows TCPHPHits TCPTimeouts"
    " TCPSackRecovery",
    "IpExt": "InNoRoutes InOctets OutOctets InNoECTPkts",
}
SNMP6 = (
    "Ip6InReceives Ip6InNoRoutes Ip6OutRequests Ip6InOctets Icmp6InMsgs Icmp6OutMsgs Icmp6InType133"
    " Icmp6OutType143 Udp6InDatagrams Udp6NoPorts UdpLite6InErrors"
)
SCTP = "SctpCurrEstab SctpActiveEstabs SctpAborteds SctpInSCTPPacks SctpT3Retransmits"


def statistics(random: Random) -> dict[str, str]:
    def pairs(sections: dict[str, str]) -> str:
        chosen = [name for name in sections if random.random() < 0.9]
        return "".join(
            f"{name}: {sections[name]}\n{name}: "
            f"{' '.join(str(number(random, 63)) for _ in sections[name].split())}\n"
            for name in chosen
        )

    def keyed(names: str) -> str:
        return "".join(f"{name:<32}\t{number(random, 63)}\n" for name in names.split())

    files = {"snmp": pairs(COUNTERS), "netstat": pairs(MORE), "snmp6": keyed(SNMP6)}
    return {**files, "sctp/snmp": keyed(SCTP)}


def call(random: Random) -> str:
    return random.choice(("N0CALL-1", "K1ABC-15", "W1AW", "*", "F6FBB", "DL1BKE-10"))


def rare(random: Random) -> dict[str, str]:
    """Families whose kernels are not with us any more, and that netstat reads all the same."""
    some = random.randrange

    def queue() -> int:
        return number(random, 16)

    ax25 = "".join(
        f"ffff888003c2d400 ax0 {call(random)} {call(random)}{random.choice(('', ',WIDE1-1*'))}"
        f" {some(5)} {some(8)} {some(8)} 0 5 40 0 3 102 300 0 0 0 10 5 2 256"
        f" {random.choice(('* * *', f'{queue()} {queue()} {inode(random)}'))}\n"
        for _ in range(some(7))
    )
    nr = "user_addr dest_node src_node  dev    my  your  st  vs  vr  va    t1     t2     t4"
    nr += "      idle   n2  wnd Snd-Q Rcv-Q inode\n" + "".join(
        f"{call(random):<9} {call(random):<9} {call(random):<9} nr0  01/02 03/04"
        f"  {some(4)}   {some(8)}   {some(8)}   0 000/120 00/05 000/180 000/900 00/03   4"
        f" {queue():5d} {queue():5d} {inode(random)}\n"
        for _ in range(some(7))
    )
    x25 = "Address          Digits  Device\n" + "".join(
        f"{random.randrange(10**9, 10**15):<15d}  {some(16):<6d}  lapb{some(4)}\n"
        for _ in range(some(7))
    )
    ipx = "Local_Address               Remote_Address              Tx_Queue  Rx_Queue  State  Uid\n"
    ipx += "".join(
        f"{number(random):08X}:{number(random, 48):012X}:{port(random)}  "
        + random.choice(
            (
                "Not_Connected             ",
                f"{number(random):08X}:{number(random, 48):012X}:{port(random)}",
            )
        )
        + f"  {number(random, 31):08X}  {number(random, 31):08X}  0{random.choice('17')}     000\n"
        for _ in range(some(7))
    )
    ax25_route = "callsign  dev  mode digipeaters\n" + "".join(
        f"{call(random):<9} ax{some(3)}  {random.choice(('vc', 'dg', '*'))} {call(random)}\n"
        for _ in range(some(7))
    )
    ipx_route = "Network    Router_Net   Router_Node\n"
    files = {"ax25": ax25, "nr": nr, "x25_routes": x25, "ipx_route": ipx_route}
    return {**files, "ipx/socket": ipx, "ax25_route": ax25_route}


def masquerade(random: Random) -> str:
    heading = "Prc FromIP   FPrt ToIP     TPrt Masq Init-seq  Delta PDelta Expires (free=0,0,0)"
    lines = [heading]
    for _ in some(random, 8):
        protocol = random.choice(("TCP", "UDP", "ICMP"))
        deltas = f"{random.randrange(-9, 9):6d} {random.randrange(-9, 9):6d}"
        lines.append(
            f"{protocol:<4} {address(random)}:{port(random)} {address(random)}:{port(random)}"
            f" {port(random)} {number(random):08X} {deltas} {number(random, 31):7d}"
        )
    return "\n".join([line.ljust(127) for line in lines] + [""])


def settings(random: Random) -> dict[str, str]:
    """What the diagnosis asks beside: memory, limits, tracked connections."""
    inuse, orphans, pages = number(random, 16), number(random, 12), number(random, 20)
    sockstat = f"sockets: used {number(random, 16)}\nTCP: inuse {inuse} orphan {orphans} tw {inuse}"
    sockstat += f" alloc {inuse} mem {pages}\nUDP: inuse 1 mem {pages}\n"
    tracked = "entries  clashres found new invalid ignore delete chainlength insert insert_failed"
    tracked += (
        " drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n"
    )
    tracked += (" ".join(f"{number(random):08x}" for _ in range(17)) + "\n") * 2
    files = {"net/sockstat": sockstat, "net/stat/nf_conntrack": tracked}
    ipv4 = {
        "ip_local_port_range": f"{random.randrange(1, 60000)}\t60999\n",
        "ip_local_reserved_ports": random.choice(("\n", "80,8080-8090\n")),
        "tcp_mem": f"{number(random, 20)}\t383867\t575796\n",
        "tcp_max_orphans": f"{number(random, 16)}\n",
        "tcp_max_tw_buckets": f"{number(random, 16)}\n",
    }
    files |= {f"sys/net/ipv4/{name}": text for name, text in ipv4.items()}
    for name in ("nf_conntrack_count", "nf_conntrack_max"):
        files[f"sys/net/netfilter/{name}"] = f"{number(random, 18)}\n"
    return files


def write(random: Random, folder: Path, present: tuple[str, ...] = ("lo",)) -> None:
    """A tree: all of net's files, each left out now and then, and some processes."""
    files = {name: inet(random, name) for name in (
        "tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6")}  # fmt: skip
    files |= {"unix": unix(random), "route": route(random), "ipv6_route": route6(random)}
    files |= {"rt_cache": CACHE + "\n", "ip_masquerade": masquerade(random)}
    files |= sctp(random) | groups(random) | interfaces(random, present) | statistics(random)
    files |= rare(random)
    placed = {f"net/{name}": text for name, text in files.items()} | settings(random)
    for name, text in placed.items():
        if name in ("net/tcp", "net/unix", "net/dev") or random.random() < 0.95:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("latin-1"))
    for _ in some(random, 9):
        process(random, folder / str(random.randrange(1, 40000)))


def process(random: Random, folder: Path) -> None:
    (folder / "fd").mkdir(parents=True, exist_ok=True)
    (folder / "cmdline").write_bytes(random.choice(PROGRAMS) + b"\0" + b"more\0")
    for descriptor in some(random, 8):
        kind = random.choice(
            ("socket:[%d]", "pipe:[%d]", "/dev/null%d", "socket:[%d]", "[0000]:%d")
        )
        link = folder / "fd" / str(descriptor)
        if not link.is_symlink():
            link.symlink_to(kind % random.randrange(1000, 1040))


def names(random: Random, folder: Path) -> None:
    """Files of names beside a tree: hosts, networks, services, protocols, passwd."""
    words = ("alpha", "b", "gamma.example.org", "a-very-long-name-of-a-host.example.com", "d1")
    hosts = (
        "127.0.0.1",
        "192.168.1.1",
        "192.0.2.10",
        "::1",
        "fe80::1",
        "::ffff:192.0.2.10",
        "2001:db8::99",
    )
    services = ("ssh", "www", "a-service-with-a-long-name", "x")
    texts = {
        "hosts": "".join(
            f"{host} {random.choice(words)}\n" for host in hosts if random.random() < 0.7
        ),
        "networks": f"loopback 127\nnet {random.randrange(1, 224)}.0.0.0\n",
        "services": "".join(
            f"{random.choice(services)} {number}/{protocol}\n"
            for number in (22, 53, 80, 443, 8080)
            for protocol in ("tcp", "udp")
            if random.random() < 0.6
        ),
        "protocols": "icmp 1\ntcp 6\nudp 17\n",
        "passwd": "root:x:0:0::/:/bin/sh\nuser-with-a-long-name:x:1:1::/:/bin/sh\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)


# Damage


def cut(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def drop(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data) + 1)
    return data[:start] + data[start + random.randrange(1, 40) :]


def double(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data) + 1)
    part = data[start : start + random.randrange(1, 400)]
    return data[:start] + part * random.choice((2, 2, 3, 60)) + data[start:]


def flip(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randrange(1, 8)):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def insert(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data) + 1)
    words = (
        b"\0", b"\n", b"\n\n", b"\r", b" ", b"\t", b":", b"-1", b"9" * 30, b"9" * 5000,
        b"F" * 40, b"\xff", b"0x", b"%s%n", b"\x1b[2J", b"A" * 9000, b"1" * 20, b"\xc2\x9b", b"+",
        b"18446744073709551616",
    )  # fmt: skip
    return data[:start] + random.choice(words) + data[start:]


def shuffle(random: Random, data: bytes) -> bytes:
    words = data.split(b" ")
    if len(words) > 2:
        first, second = random.sample(range(len(words)), 2)
        words[first], words[second] = words[second], words[first]
    return b" ".join(words)


def noise(random: Random, data: bytes) -> bytes:
    return random.randbytes(random.randrange(600))


DAMAGES = (cut, drop, double, flip, insert, shuffle, noise, insert, flip)


def spoil(random: Random, data: bytes) -> bytes:
    """Bytes with one, or some, of these damages."""
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        data = random.choice(DAMAGES)(random, data)
    return data


def damage(random: Random, folder: Path) -> None:
    """Spoils files of a tree: their bytes, or all of a file."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    for path in random.sample(paths, min(len(paths), random.choice((1, 3, 9, len(paths))))):
        if random.random() < 0.85:
            path.write_bytes(spoil(random, path.read_bytes()))
            continue
        path.unlink()
        random.choice((nothing, empty, directory, looped, fifo, zeros, closed, sparse))(path)


# What strangers call their programs, sockets and interfaces
HOSTILE = (
    b"\x1b[2J\x1b[1;31m", b"\x1b]0;t\x07", b"\xc2\x9b31m", b"\x9b31m", b"\x7f\x08",
    b"\xff\xfe\xc3(", b"\xe2\x80\xae\xd8\x9c", b"\xe2\xa0\x80", b"e" + b"\xcc\x81" * 40, b"a;=1",
    b"=cmd|' /C calc'!A1",
    b"..\xc2\xa0include::/etc/passwd", b"<script>", b"a\\|b", b"|", b"\\", b"![x](//e)", b"{{x}}",
    b"%s%n",
    b"\xed\xa0\x80", b"\xf3\xa0\x81\x81", b"$(id)", b"`", b"'\"", b"\r", b"\v", b"\xe6\x97\xa5" * 9,
)  # fmt: skip


def hostile(random: Random, folder: Path) -> None:
    """Such names in the tables, and processes of such names that hold the sockets."""
    tables = [path for path in (folder / "net").rglob("*") if path.is_file()]
    for path in tables:
        text = path.read_bytes()
        for name in INTERFACES[1:]:
            text = text.replace(name.encode(), random.choice(HOSTILE)[:15])
        if path.name == "unix":
            lines = text.split(b"\n")
            text = b"\n".join(
                line + b" " * (b"/" not in line) + random.choice(HOSTILE) for line in lines
            )
        path.write_bytes(text)
    inodes = re.findall(rb"(?m)^ *\d+: (?:\S+ +){8}(\d{1,18}) ", b"".join(
        path.read_bytes() for path in tables if path.name in ("tcp", "tcp6", "udp", "raw")
    ))  # fmt: skip
    for pid, inode in enumerate(inodes[:20], 8_000_000):
        held = folder / str(pid) / "fd"
        held.mkdir(parents=True)
        (held / "3").symlink_to(f"socket:[{int(inode)}]")
        name = random.choice(HOSTILE) + b"/" * random.randrange(2) + random.choice(HOSTILE)
        (folder / str(pid) / "cmdline").write_bytes(name + b"\0")


def nothing(path: Path) -> None:
    pass


def empty(path: Path) -> None:
    path.touch()


def directory(path: Path) -> None:
    path.mkdir()


def looped(path: Path) -> None:
    path.symlink_to(path.name)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def closed(path: Path) -> None:
    path.touch(0)


def sparse(path: Path) -> None:
    """Some megabytes of nothing."""
    with path.open("wb") as file:
        file.truncate(3 << 20)
