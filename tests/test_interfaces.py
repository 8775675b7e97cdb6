"""Interfaces: what the files say, what the kernel says, and the text of both."""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from conftest import Tree, beside, needs_ip, needs_namespaces, needs_netstat, needs_root

from pynetstat.collectors.linux import interfaces
from pynetstat.collectors.linux.interfaces import INTERFACES, Interface
from pynetstat.collectors.linux.longform import hardware_line, size
from pynetstat.formats import classic
from pynetstat.kernel import ioctl
from pynetstat.kernel.ioctl import Link
from pynetstat.kernel.proc import Proc
from pynetstat.listing import Stop
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.run import show
from pynetstat.table import Remark, Table

CAPTURES = Path(__file__).parent / "captures"


def rendered(tables: Sequence[Table | Remark], **options: Any) -> str:
    text = classic.render([(INTERFACES, tables)], Options(interfaces=True, **options))
    return b"".join(text).decode("latin-1")


def printed(root: Path, **options: Any) -> str:
    asked = Options(interfaces=True, **options)
    tables = list(INTERFACES.collect(Proc(str(root)), asked, Outcome()))
    return rendered(tables, **options)


def collected(root: Path) -> dict[str, Interface]:
    tables = INTERFACES.collect(Proc(str(root)), Options(), Outcome())
    rows = [row for table in tables if isinstance(table, Table) for row in table]
    return {row.ifname: row for row in rows}


# What a /proc of another place says


def test_records_of_another_place_have_what_is_written_there() -> None:
    found = collected(CAPTURES / "interfaces/proc")
    assert found["eth1"].stats == {
        "rx": {
            "bytes": 1048575,
            "packets": 700,
            "errors": 1,
            "dropped": 2,
            "fifo_errors": 3,
            "frame_errors": 4,
            "compressed": 5,
            "multicast": 6,
        },
        "tx": {
            "bytes": 1048576,
            "packets": 800,
            "errors": 7,
            "dropped": 8,
            "fifo_errors": 9,
            "collisions": 10,
            "carrier_errors": 11,
            "compressed": 12,
        },
    }
    assert found["eth1"][1:6] == (None, None, None, None, None)
    assert [address["local"] for address in found["eth0"].addr_info or ()] == [
        "fe80::a8bb:ccff:fedd:eeff",
        "2001:db8::1",
        "fec0::1",
        "::10.0.0.1",
        "10.0.0.1",
        "fe80::a8bb:ccff:fedd:ee00",
    ]


def test_a_name_of_fifteen_characters_has_its_counters() -> None:
    """netstat's Debian build shows zeros; Docker's bridges all have such names."""
    stats = collected(CAPTURES / "interfaces/proc")["br-0a1b2c3d4e5f"].stats
    assert stats is not None
    assert (stats["rx"]["packets"], stats["tx"]["packets"]) == (50, 60)


def test_the_short_form_of_another_place() -> None:
    lines = printed(CAPTURES / "interfaces/proc").splitlines()
    header = "Iface             MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg"
    assert lines[:2] == ["Kernel Interface table", header]
    names = ["br-0a1b2c3d4e5f", "eth0", "eth1", "eth10", "eth0.100", "lo", "tun0"]
    assert [line.split()[0] for line in lines[2:]] == names
    eth1 = "eth1                -      700      1      2 3           800      7      8      9 -"
    assert lines[4] == eth1


def test_the_long_form_of_another_place() -> None:
    blocks = printed(CAPTURES / "interfaces/proc", extend=1).split("\n\n")
    assert blocks[1].splitlines() == [
        "eth0: flags=-  mtu -",
        "        inet6 fe80::a8bb:ccff:fedd:eeff  prefixlen 64  scopeid 0x20<link>",
        "        inet6 2001:db8::1  prefixlen 64  scopeid 0x0<global>",
        "        inet6 fec0::1  prefixlen 64  scopeid 0x40<site>",
        "        inet6 ::10.0.0.1  prefixlen 96  scopeid 0x80<compat,global>",
        "        inet6 10.0.0.1  prefixlen 96  scopeid 0x0<global>",
        "        inet6 fe80::a8bb:ccff:fedd:ee00  prefixlen 128  scopeid 0x5",
        "        RX packets 18446744073709551615  bytes 1152921504606846976 (1024.0 PiB)",
        "        RX errors 123456789  dropped 7654321  overruns 12345678  frame 6",
        "        TX packets 99999999  bytes 1152921504606846977 (1.0 EiB)",
        "        TX errors 1234567  dropped 1234568 overruns 1234569  carrier 15  collisions 14",
    ]


@pytest.mark.parametrize("name", ["dev-old", "dev-oldest"])
def test_old_kernels_count_less(name: str) -> None:
    root = CAPTURES / name / "proc"
    stats = collected(root)["eth0"].stats
    assert stats is not None
    assert stats["rx"]["packets"] == 71234
    assert stats["rx"]["bytes"] == (8123456 if name == "dev-old" else None)
    assert stats["rx"]["multicast"] is stats["tx"]["compressed"] is None
    assert list(stats["tx"].values())[1:7] == [23456, 5, 6, 7, 8, 9]
    eth0 = "eth0                -    71234      1      2 3         23456      5      6      7 -"
    assert eth0 in printed(root).splitlines()


def test_a_label_of_an_old_kernel_is_a_name() -> None:
    assert list(collected(CAPTURES / "dev-oldest/proc")) == ["eth0", "eth0:1", "lo"]


HEADING = "Inter-|   Receive\n face |bytes compressed multicast|bytes compressed\n"


@pytest.mark.parametrize(
    ("line", "name", "received"),
    [
        ("eth0:1 2 3", "eth0", [1, 2, 3, 0]),
        ("eth0: 1 2x 3", "eth0", [1, 2, 0, 0]),
        ("eth0: 99999999999999999999 -1", "eth0", [2**64 - 1, 2**64 - 1, 0, 0]),
        ("\teth0 7", "eth0", [7, 0, 0, 0]),
        ("sixteen-letters-: 7", "sixteen-letters", [7, 0, 0, 0]),
        ("eth0:", "eth0", [0, 0, 0, 0]),
        ("eth0: 1 1 1\neth0: 5", "eth0", [5, 1, 1, 0]),
        ("eth0:" + " 1" * 16 + "\neth1: 1", "eth0", [1, 1, 1, 1]),
    ],
)
def test_garbled_lines(proc_tree: Tree, line: str, name: str, received: list[int]) -> None:
    stats = collected(proc_tree(dev=f"{HEADING}{line}\n"))[name].stats
    assert stats is not None
    assert list(stats["rx"].values())[:4] == received


def test_lines_without_a_name_are_passed_over(proc_tree: Tree) -> None:
    assert list(collected(proc_tree(dev=f"{HEADING}\n   \n: 1 2\n lo: 1"))) == ["lo"]
    assert collected(proc_tree(dev="")) == {}


def test_a_last_line_without_its_end_counts(proc_tree: Tree) -> None:
    numbers = " 1" * 16
    root = proc_tree(dev=f"{HEADING}eth0:{numbers}\neth1:{numbers}")
    assert list(collected(root)) == ["eth0", "eth1"]


def test_control_characters_of_a_name_are_not_printed(proc_tree: Tree) -> None:
    root = proc_tree(dev=f"{HEADING}e\x1b[2Jth: 1\n")
    assert printed(root).splitlines()[2].startswith("e?[2Jth  ")
    assert printed(root, extend=1).splitlines()[1] == "e?[2Jth: flags=-  mtu -"


def test_beyond_a_garbled_line_there_are_no_addresses(proc_tree: Tree) -> None:
    good = "fe800000000000000000000000000001 02 40 20 80 lo"
    root = proc_tree(dev=f"{HEADING}lo: 1\n", if_inet6=[good, "garbage", good])
    assert len(collected(root)["lo"].addr_info or ()) == 1


def test_a_place_without_a_table_is_no_place(proc_tree: Tree) -> None:
    root = proc_tree()
    said: list[str] = []
    assert show(Options(interfaces=True, root=str(root)), BytesIO(), said.append) == 1
    assert said == [
        f"Warning: cannot open {root}/net/dev (No such file or directory). Limited output.",
        "missing interface information: No such file or directory",
    ]


SORTED = """
1 9 10 100 Eth3 a aa0 ab br-1 br-3 br-12 br_0 eth eth0 eth0:1 eth0:2 eth0:10 eth001 eth01 eth1
eth2 eth10 eth0.20 eth0.100 eth0:a ethx lo veth2 veth10a veth1a wlan0
"""


def test_names_are_sorted_by_their_numbers() -> None:
    names = SORTED.split()
    assert interfaces.ordered(sorted(names)) == names
    assert interfaces.ordered(reversed(names)) == names


# What the kernel says


class Kernel:
    """Answers as the kernel would for made-up interfaces: {name: {request: bytes}}."""

    def __init__(self, answers: Mapping[str, Mapping[int, bytes]], refusal: int = errno.ENODEV):
        self.answers, self.refusal = answers, refusal

    def ask(self, request: int, names: Sequence[str]) -> list[bytes | OSError]:
        refused = OSError(self.refusal, "")
        found = [self.answers.get(name, {}).get(request) for name in names]
        return [refused if answer is None else answer.ljust(24, b"\0") for answer in found]


def answers(
    flags: int, mtu: int, kind: int = 1, mac: str = "aabbccddeeff", queue: int | None = 1000
) -> dict[int, bytes]:
    found = {
        ioctl.SIOCGIFFLAGS: struct.pack("H", flags),
        ioctl.SIOCGIFMTU: struct.pack("i", mtu),
        ioctl.SIOCGIFHWADDR: struct.pack("H", kind) + bytes.fromhex(mac),
    }
    if queue is not None:
        found[ioctl.SIOCGIFTXQLEN] = struct.pack("i", queue)
    return found


def address(text: str) -> bytes:
    return bytes([2, 0, 0, 0, *map(int, text.split("."))])


def mapped(*parts: int) -> dict[int, bytes]:
    return {ioctl.SIOCGIFMAP: struct.pack("LLHBBB", *parts)}


def inet(*texts: str) -> dict[int, bytes]:
    requests = ("ADDR", "NETMASK", "BRDADDR", "DSTADDR")
    numbers = (getattr(ioctl, f"SIOCGIF{request}") for request in requests)
    return {number: address(text) for number, text in zip(numbers, texts)}


MADE_UP = {
    "eth0": {
        **answers(0x1043, 1500),
        **inet("10.0.0.1", "255.255.255.0", "10.0.0.255", "10.0.0.1"),
        **mapped(0xC0000000, 0xC0020000, 0xFFF, 19, 3, 0),
    },
    "eth0:1": {**answers(0x1043, 1500), **inet("10.7.0.1", "255.255.0.0", "0.0.0.0", "10.7.0.1")},
    "ppp0": {
        **answers(0x10D1, 1492, 512, "", 3),
        **inet("192.0.2.1", "255.255.255.255", "0.0.0.0", "192.0.2.254"),
    },
    "sl0": {
        **answers(0xFFFF, 576, 256, "", None),
        **inet("10.0.0.1"),
        **mapped(0, 0, 0, 255, 0, 0),
        ioctl.SIOCGOUTFILL: struct.pack("L", 5),
        ioctl.SIOCGKEEPALIVE: struct.pack("L", 6),
    },
    "tun0": answers(0x1090, 1500, 65534, "", 500),
    "z0": answers(0, 1500, queue=0),
    "z1": {**answers(0x2000, 1500, queue=0), **mapped(0, 0, 0, 0, 0, 2)},
}
SHORT = """\
eth0             1500 18446744073709551615 123456789 7654321 12345678 99999999 1234567 1234568 \
1234569 BMRU
eth0:1           1500      - no statistics available -                        BMRU
ppp0             1492      - no statistics available -                        MOPRU
sl0               576      - no statistics available -                        ABDLMdPNOPsmRU
tun0             1500        0      0      0 0             0      0      0      0 MOP
z0               1500      - no statistics available -                        [NO FLAGS]
z1               1500      - no statistics available -                        
"""
LONG = """\
eth0:1: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500
        inet 10.7.0.1  netmask 255.255.0.0  broadcast 0.0.0.0
        ether aa:bb:cc:dd:ee:ff  txqueuelen 1000  (Ethernet)

ppp0: flags=4305<UP,POINTOPOINT,RUNNING,NOARP,MULTICAST>  mtu 1492
        inet 192.0.2.1  netmask 255.255.255.255  destination 192.0.2.254
        ppp  txqueuelen 3  (Point-to-Point Protocol)

sl0: flags=-1<UP,BROADCAST,DEBUG,LOOPBACK,POINTOPOINT,NOTRAILERS,RUNNING,NOARP,PROMISC,ALLMULTI,\
SLAVE,MASTER,MULTICAST,DYNAMIC>  mtu 576  outfill 5  keepalive 6
        inet 10.0.0.1  netmask [NONE SET]  broadcast [NONE SET]  destination [NONE SET]
        slip  (Serial Line IP)
        media unknownautoselect
        device interrupt 255  

tun0: flags=4240<POINTOPOINT,NOARP,MULTICAST>  mtu 1500
        unspec 00-00-00-00-00-00-00-00-00-00-00-00-00-00-00-00  txqueuelen 500  (UNSPEC)
        RX packets 0  bytes 0 (0.0 B)
        RX errors 0  dropped 0  overruns 0  frame 0
        TX packets 0  bytes 0 (0.0 B)
        TX errors 0  dropped 0 overruns 0  carrier 0  collisions 0

z0: flags=0<  mtu 1500
        ether aa:bb:cc:dd:ee:ff  txqueuelen 0  (Ethernet)

z1: flags=8192  mtu 1500
        ether aa:bb:cc:dd:ee:ff  txqueuelen 0  (Ethernet)
        media 10baseT

"""


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Sequence[Table]:
    """The tables of interfaces that no machine has, of which two have counters."""
    return asked(monkeypatch, Kernel(MADE_UP), list(MADE_UP), all=True)


def asked(
    monkeypatch: pytest.MonkeyPatch, kernel: Kernel, names: Sequence[str], **options: Any
) -> list[Table]:
    monkeypatch.setattr(ioctl, "ask", kernel.ask)
    root = CAPTURES / "interfaces/proc"
    places, found = interfaces.read_counters((root / "net/dev").read_text())
    return list(
        interfaces.present(Proc(str(root)), Options(**options), Outcome(), names, found, places)
    )


def test_the_short_form(made_up: Sequence[Table]) -> None:
    assert rendered(made_up).split("\n", 2)[2] == SHORT


def test_the_long_form(made_up: Sequence[Table]) -> None:
    text = rendered(made_up, extend=1)
    assert text[text.index("eth0:1") :] == LONG
    eth0 = text[: text.index("eth0:1")].splitlines()
    assert eth0[1] == "eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500"
    last = "        device interrupt 19  base 0xfff  memory 0xc0000000-c0020000    dma 0x3"
    assert eth0[-2:] == [last, ""]


def test_the_records(made_up: Sequence[Table]) -> None:
    found = {row.ifname: row for table in made_up for row in table}
    eth0, ppp0 = found["eth0"], found["ppp0"]
    assert (eth0.mtu, eth0.flags_str, eth0.address) == (1500, "BMRU", "aa:bb:cc:dd:ee:ff")
    assert eth0.flags == ["UP", "BROADCAST", "RUNNING", "MULTICAST"]
    names = ("family", "local", "prefixlen", "scope", "broadcast", "address", "label")
    assert (eth0.addr_info or [])[:2] == [
        dict(zip(names, ("inet", "10.0.0.1", 24, None, "10.0.0.255", None, None))),
        dict(zip(names, ("inet6", "fe80::a8bb:ccff:fedd:eeff", 64, "link", None, None, None))),
    ]
    peer = dict(zip(names, ("inet", "192.0.2.1", 32, None, None, "192.0.2.254", None)))
    assert (ppp0.address, ppp0.addr_info, ppp0.stats) == (None, [peer], None)
    assert (found["z0"].flags, found["z0"].flags_str, found["z0"].addr_info) == ([], "", [])


def test_only_those_that_are_up(monkeypatch: pytest.MonkeyPatch) -> None:
    [table] = asked(monkeypatch, Kernel(MADE_UP), list(MADE_UP))
    assert table["ifname"] == ["eth0", "eth0:1", "ppp0", "sl0"]


@pytest.mark.parametrize(
    ("number", "said", "last"),
    [
        (errno.ENODEV, "Device not found", "No such device"),
        (errno.EPERM, "Operation not permitted", "Operation not permitted"),
    ],
)
def test_one_that_vanished_ends_the_list(
    monkeypatch: pytest.MonkeyPatch, number: int, said: str, last: str
) -> None:
    monkeypatch.setattr(ioctl, "ask", Kernel(MADE_UP, number).ask)
    heard: list[str] = []
    proc = Proc(str(CAPTURES / "interfaces/proc"))
    names = ["eth0", "gone\x1b", "ppp0"]
    rows = interfaces.present(proc, Options(), Outcome(heard.append), names, {}, interfaces.MODERN)
    assert next(rows)["ifname"] == ["eth0"]
    with pytest.raises(Stop) as caught:
        next(rows)
    assert heard == [f"gone?: error fetching interface information: {said}"]
    assert caught.value.message == f"missing interface information: {last}"
    assert caught.value.status == 1


@pytest.mark.parametrize(
    ("kind", "mac", "line"),
    [
        (1, "0200000000ff", "ether 02:00:00:00:00:ff  txqueuelen 9  (Ethernet)"),
        (772, "", "loop  txqueuelen 9  (Local Loopback)"),
        (768, "0a000001", "tunnel   txqueuelen 9  (IPIP Tunnel)"),
        (776, "0a000001", "sit  txqueuelen 9  (IPv6-in-IPv4)"),
        (
            32,
            "0102030405060708",
            "unspec 01-02-03-04-05-06-07-08-00-00-00-00-00-00-00-00  txqueuelen 9  (UNSPEC)",
        ),
        (27, "0102030405060aff", "eui64 01:02:03:04:05:06:0A:FF  txqueuelen 9  (Generic EUI-64)"),
        (3, "9ca6404040406a", "ax25 NS-5  txqueuelen 9  (AMPR AX.25)"),
        (0, "", "netrom   txqueuelen 9  (AMPR NET/ROM)"),
        (7, "ab", "arcnet AB  txqueuelen 9  (ARCnet)"),
        (270, "0102030405", "rose 0102030405  txqueuelen 9  (AMPR ROSE)"),
        (271, "6162", "x25 ab  txqueuelen 9  (generic X.25)"),
        (
            774,
            "02ab00000001",
            "fddi 02-AB-00-00-00-01  txqueuelen 9  (Fiber Distributed Data Interface)",
        ),
        (513, "", "hdlc  txqueuelen 9  ((Cisco)-HDLC)"),
        (783, "01020304", "irda 04:03:02:01  txqueuelen 9  (IrLAP)"),
    ],
)
def test_kinds_ofioctl(kind: int, mac: str, line: str) -> None:
    link = Link(kind, bytes.fromhex(mac).ljust(8, b"\0"), queue=9)
    assert hardware_line(link) == f"        {line}"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0.0 B"),
        (1024, "1024.0 B"),
        (1025, "1.0 KiB"),
        (1048575, "1023.9 KiB"),
        (1048576, "1024.0 KiB"),
        (1 << 60, "1024.0 PiB"),
        ((1 << 60) + 1, "1.0 EiB"),
        ((1 << 64) - 1, "16.0 EiB"),
        ("-", "-"),
    ],
)
def test_sizes_are_cut_and_their_units_begin_late(count: int | str, text: str) -> None:
    assert size(count) == text


def test_the_title_stands_once() -> None:
    root = CAPTURES / "dev-old/proc"
    for extend, titles, headers in ((0, 1, 3), (1, 1, 0)):
        options = Options(interfaces=True, extend=extend, continuous=True, rounds=3, interval=0)
        out = BytesIO()
        assert show(options.replace(root=str(root)), out) == 0
        assert out.getvalue().count(b"Kernel Interface table") == titles
        assert out.getvalue().count(b"Iface") == headers
        assert out.getvalue().count(b"eth0") == 3


# Beside the real netstat

CASES = ("-i", "-ia", "-ie", "-iae", "-ieea", "-in")
# Real interfaces of each kind that can be had; what a kernel or a user may not make is left out.
NETWORK = """
sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
ip link set lo up
ip link add eth0 type veth peer name eth10
ip link add br0 type bridge
ip link add fifteen-chars-x type bridge
ip link add d0 type dummy 2>/dev/null && ip link set d0 up
ip link add link eth0 name eth0.20 type vlan id 20 2>/dev/null && ip link set eth0.20 up
ip tuntap add tun0 mode tun 2>/dev/null && ip addr add 10.8.0.1 peer 10.8.0.2 dev tun0
ip link set tun0 up 2>/dev/null
for number in $(seq 100); do
    echo "addr add 10.1.$number.1/24 brd + dev br0 label br0:$number"
done | ip -batch -
ip addr add 10.2.0.1/16 dev br0 label br0:long-name
ip addr add 10.3.0.1/32 dev eth0
ip -6 addr add fd00::1/64 dev eth0 nodad
ip link set br0 up
ip link set eth0 up promisc on
ip link set eth10 mtu 1400 txqueuelen 0
"""


@pytest.fixture(scope="module")
def live() -> dict[str, list[Any]]:
    return beside(NETWORK, CASES)


@needs_root
@needs_netstat
@needs_namespaces
@needs_ip
@pytest.mark.parametrize("case", CASES)
def test_real_interfaces(live: dict[str, list[Any]], case: str) -> None:
    if case not in live:
        pytest.skip("the counters never stood still")
    reference, ours = live[case]
    assert ours == reference
    assert "br0:100" in str(ours)


# The kernel's own interfaces, but names, counters and IPv6 addresses of a capture; without the
# bridge whose counters netstat does not find.
MOUNTED = """
ip link set lo up
ip link add eth0 type veth peer name eth1
for name in eth10 eth0.100 {more}; do ip link add $name type bridge; done
ip link set eth0 up
ip addr add 10.0.0.1/24 brd + dev eth0 label eth0:1
mount -t tmpfs none /proc && cp -a {capture}/. /proc
sed -i /br-/d /proc/net/dev
"""


@needs_root
@needs_netstat
@needs_namespaces
@needs_ip
@pytest.mark.parametrize(
    ("name", "more", "status"),
    [("interfaces", "tun0", 0), ("interfaces", "", 1), ("dev-old", "", 0), ("dev-oldest", "", 0)],
    ids=str,
)
def test_captured_counters_of_real_interfaces(name: str, more: str, status: int) -> None:
    """Where tun0 is not there, the list ends at it."""
    setup = MOUNTED.format(capture=CAPTURES / name / "proc", more=more)
    answers = beside(setup, CASES)
    assert set(answers) == set(CASES)
    for case, (reference, ours) in answers.items():
        assert ours == reference, case
        assert ours[0] == status
