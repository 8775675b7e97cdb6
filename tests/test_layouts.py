"""--as windows, macos and bsd, and --lsof: layouts of other programs."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import record
from conftest import Tree, needs_namespaces
from conftest import pynetstat as run_command
from runner import invoke

from pynetstat.cli import main
from pynetstat.formats.layouts.bsd import short_network
from pynetstat.options import Misuse, Options
from pynetstat.plan import Plan
from pynetstat.stages.filters.lsof import selection

SCENE = """
import os, socket, subprocess, sys, time
import loopback
loopback.set_up()
kept = []
def listen(family, host, port, backlog=5):
    made = socket.socket(family)
    made.bind((host, port))
    made.listen(backlog)
    kept.append(made)
    return made
server = listen(socket.AF_INET, "127.0.0.1", 8080)
dual = listen(socket.AF_INET6, "::", 8443)
listen(socket.AF_INET, "0.0.0.0", 22)
only = socket.socket(socket.AF_INET6)
only.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
only.bind(("::1", 8444)); only.listen(); kept.append(only)
for to in (("127.0.0.1", 8080), ("127.0.0.1", 8443), ("::1", 8443)):
    kept.append(socket.create_connection(to))
kept += [server.accept()[0], dual.accept()[0], dual.accept()[0]]
bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); bound.bind(("127.0.0.1", 5300))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); six.bind(("::1", 5301))
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); peer.connect(("127.0.0.1", 5300))
kept += [bound, six, peer]
closing = socket.create_connection(("127.0.0.1", 8080)); other = server.accept()[0]
closing.shutdown(socket.SHUT_WR); kept += [closing, other]
child = os.fork()
if child == 0:
    open("/proc/self/comm", "w").write("a b:c")
    time.sleep(600); os._exit(0)
time.sleep(0.2)
try:
    for line in sys.stdin:
        done = subprocess.run(line.split(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        sys.stdout.write(f"{len(done.stdout)} {done.returncode}\\n"); sys.stdout.flush()
        sys.stdout.buffer.write(done.stdout); sys.stdout.flush()
finally:
    os.kill(child, 9)
"""
HERE = Path(__file__).parent


def played(*commands: str) -> list[tuple[str, int]]:
    """stdout and status of each command, among the sockets of the scene."""
    done = subprocess.run(
        [*record.unshare("--net"), sys.executable, "-c", SCENE],
        input="".join(f"{command}\n" for command in commands).encode(),
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": f"{HERE}:{HERE.parent}", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        timeout=120,
    )
    rest, found = done.stdout, []
    for _ in commands:
        head, _, rest = rest.partition(b"\n")
        length, status = map(int, head.split())
        found.append((rest[:length].decode(), status))
        rest = rest[length:]
    return found


def ours(words: str) -> str:
    return f"{sys.executable} -m pynetstat {words}"


LSOF = [
    ("", ""),
    ("TCP", ""),
    ("UDP", ""),
    ("4", ""),
    ("6", ""),
    ("4TCP:8080", ""),
    (":8080", ""),
    ("TCP:8080,8443", ""),
    ("TCP:8000-8100", ""),
    ("@127.0.0.1", ""),
    ("TCP@127.0.0.1:8080", ""),
    ("@127.0.0.1:5300", ""),
    ("@[::1]:8444", ""),
    ("TCP", "-sTCP:LISTEN"),
    ("TCP", "-sTCP:^LISTEN"),
    ("TCP", "-sTCP:ESTABLISHED,CLOSE_WAIT"),
    ("", "-sTCP:LISTEN"),
    ("TCP:9", ""),
]


@needs_namespaces
@pytest.mark.skipif(shutil.which("lsof") is None, reason="no lsof here (Debian: lsof)")
def test_as_the_lsof_of_the_machine_prints_it() -> None:
    theirs = [f"lsof -nP -i{words} {states}" for words, states in LSOF]
    mine = [ours(f"-n --lsof {words} {states}") for words, states in LSOF]
    found = played(*theirs, *mine)
    for (words, _), (wanted, _), (got, _) in zip(LSOF, found, found[len(LSOF) :]):
        assert got == wanted, words
    assert found[0][0].count("\n") > 25
    assert "a\\x20b:c" in found[0][0]
    numbers = re.compile(r" \d{5,} ")  # ports, not inodes
    named = played("lsof -n -iTCP:22", ours("--lsof TCP:22 --numeric-hosts"))
    assert numbers.sub(" ", named[0][0]).split()[9:] and named[1][0].count("*:ssh (LISTEN)") == 2


@needs_namespaces
def test_windows() -> None:
    plain, pids, programs = played(
        ours("--as windows -an"), ours("--as windows -ano"), ours("--as windows -anb")
    )
    lines = plain[0].split("\n")
    assert lines[:4] == [
        "",
        "Active Connections",
        "",
        "  Proto  Local Address          Foreign Address        State",
    ]
    assert "  TCP    127.0.0.1:8080         0.0.0.0:0              LISTENING" in lines
    assert "  TCP    [::]:8443              [::]:0                 LISTENING" in lines
    assert "  UDP    127.0.0.1:5300         *:*                    " in lines
    assert "  UDP    [::1]:5301             *:*                    " in lines
    kinds = [(line.split()[0], "[" in line) for line in lines[4:-1]]
    assert kinds == sorted(kinds)  # TCP of IPv4 and IPv6, then UDP
    words = {line.split()[-1] for line in lines if line.startswith("  TCP")}
    assert words == {"LISTENING", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_2"}
    rows = pids[0].split("\n")
    assert rows[3].endswith("State           PID")
    assert all(line.split()[-1].isdigit() for line in rows[4:-1])
    assert [line.rpartition(" ")[0].rstrip() for line in rows[4:-1]] == [
        line.rstrip() for line in lines[4:-1]
    ]
    assert len(re.findall(r"(?m)^ \[.+\]$", programs[0])) == len(lines[4:-1])


@needs_namespaces
@pytest.mark.parametrize("system", ["macos", "bsd"])
def test_bsd(system: str) -> None:
    gap = " " if system == "bsd" else "  "
    every, connected, listeners, tcp6, unix = (
        text.split("\n")
        for text, _ in played(
            ours(f"--as {system} -an -f inet"),
            ours(f"--as {system} -n -p tcp"),
            ours(f"--as {system} -Lan"),
            ours(f"--as {system} -an -f inet6 -p tcp"),
            ours(f"--as {system} -an -f unix"),
        )
    )
    assert every[0] == "Active Internet connections (including servers)"
    assert every[1] == (
        f"Proto Recv-Q Send-Q{gap}Local Address          Foreign Address        (state)    "
    )
    assert (
        f"tcp4       0      0{gap}127.0.0.1.8080         *.*                    LISTEN     "
        in every
    )
    assert (
        f"udp4       0      0{gap}127.0.0.1.5300         *.*                               "
        in every
    )
    assert not any("tcp6" in line for line in every)
    assert connected[0] == "Active Internet connections"
    assert not any("LISTEN" in line or "udp" in line for line in connected)
    assert any("FIN_WAIT_2" in line for line in connected)
    assert listeners[0] == "Current listen queue sizes (qlen/incqlen/maxqlen)"
    assert f"{'0/-/5':<14} {'127.0.0.1.8080':<22}" in listeners
    assert any(line.startswith("tcp46") and " *.8443 " in line for line in tcp6)
    assert any(line.startswith("tcp6 ") and " ::1.8444 " in line for line in tcp6)
    assert unix[0].endswith("domain sockets") or unix == [""]


ROUTES = """Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
"""


@needs_namespaces
def test_routes_and_interfaces() -> None:
    setup = "ip link add en0 type veth peer name en1 && ip link set en0 up && ip link set lo up"
    setup += " && ip addr add 192.0.2.2/24 dev en0 && ip route add default via 192.0.2.1"
    if shutil.which("ip") is None:
        pytest.skip("no ip here (Debian: iproute2)")
    words = [
        "--as macos -rn",
        "--as windows -r",
        "--as bsd -in",
        "--as bsd -I en0 -b",
        "--as windows -e",
    ]
    script = setup + "".join(f" && {ours(one)} && echo ===" for one in words)
    command = [*record.unshare("--net"), "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True)
    mac, windows, interfaces, one, ethernet, _ = re.split(r"(?m)^===\n", done.stdout)
    assert mac.startswith(ROUTES)
    assert "default            192.0.2.1          UGS                   en0       \n" in mac
    assert "192.0.2            link#" in mac
    assert (
        "Network Destination        Netmask          Gateway       Interface  Metric\n" in windows
    )
    assert (
        "          0.0.0.0          0.0.0.0        192.0.2.1        192.0.2.2      0\n" in windows
    )
    assert (
        "        192.0.2.0    255.255.255.0          On-link        192.0.2.2      0\n" in windows
    )
    assert re.search(r"(?m)^  1\.{27}lo$", windows)
    assert interfaces.startswith("Name  Mtu   Network       Address            Ipkts Ierrs")
    assert re.search(
        r"(?m)^en0   1500  192.0.2       192.0.2.2  +\d+     - +\d+     -     -$", interfaces
    )
    assert re.search(r"(?m)^en1\*  ?1500  <Link#\d+>", interfaces)
    assert {line.split()[0] for line in one.splitlines()[1:]} == {"en0"}
    assert "Ibytes" in one
    assert re.search(r"(?m)^Bytes +\d+ +\d+$", ethernet)


@pytest.mark.parametrize(
    ("network", "text"),
    [
        ("default", "default"),
        ("127.0.0.0/8", "127"),
        ("169.254.0.0/16", "169.254"),
        ("192.168.1.0/24", "192.168.1"),
        ("224.0.0.0/4", "224/4"),
        ("10.1.0.0/16", "10.1/16"),
        ("192.168.1.254/32", "192.168.1.254/32"),
        ("fe80::/64", "fe80::/64"),
    ],
)
def test_networks_as_bsd_shortens_them(network: str, text: str) -> None:
    assert short_network(network) == text


@pytest.mark.parametrize("layout", ["windows", "macos"])
def test_jc_reads_the_layout(layout: str) -> None:
    """jc parses what the netstat of Windows and of macOS prints."""
    jc = pytest.importorskip("jc", reason="jc is not here")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = invoke(main, ["--as", layout, "-an"]).stdout
    rows = [
        row for row in jc.parse("netstat", text, quiet=True) if row.get("local_port_num") == port
    ]
    assert [row["local_address"] for row in rows] == ["127.0.0.1"]
    assert [row["state"] for row in rows] == ["LISTENING" if layout == "windows" else "LISTEN"]


SNMP = """Ip: Forwarding InReceives InDelivers
Ip: 1 70 60
Icmp: InMsgs InErrors OutMsgs InEchos
Icmp: 5 0 6 4
Tcp: ActiveOpens PassiveOpens InSegs OutSegs RetransSegs
Tcp: 11 12 13 14 15
Udp: InDatagrams NoPorts InErrors OutDatagrams
Udp: 21 22 23 24
"""
SNMP6 = "Ip6InReceives 31\nIp6OutForwDatagrams 32\nUdp6NoPorts 33\n"


@pytest.fixture
def counted(proc_tree: Tree) -> str:
    return str(proc_tree(snmp=SNMP, snmp6=SNMP6, netstat="TcpExt: ListenOverflows\nTcpExt: 9\n"))


def test_statistics_as_windows_words_them(counted: str) -> None:
    lines = invoke(main, ["--as", "windows", "-s", "--proc", counted]).stdout.splitlines()
    titles = [line for line in lines if line.endswith(("Statistics", "IPv4", "IPv6"))]
    assert titles == [
        "IPv4 Statistics", "IPv6 Statistics", "ICMPv4 Statistics",
        "TCP Statistics for IPv4 and IPv6", "UDP Statistics for IPv4", "UDP Statistics for IPv6",
    ]  # fmt: skip
    for line in (
        "  Packets Received                   = 70",
        "  Received Header Errors             = -",  # which this kernel does not count
        "  Datagrams Forwarded                = 32",
        "                            Received    Sent",
        "  Messages                  5           6",
        "  Echos                     4           -",
        "  Segments Retransmitted              = 15",
        "  Datagrams Sent        = 24",
        "  No Ports              = 33",
    ):
        assert line in lines, line
    done = invoke(main, ["--as", "windows", "-s", "-p", "tcp", "--proc", counted])
    assert done.stdout.splitlines()[1:4] == [
        "TCP Statistics for IPv4 and IPv6", "", "  Active Opens                        = 11",
    ]  # fmt: skip


@pytest.mark.parametrize("layout", ["macos", "bsd"])
def test_statistics_as_bsd_words_them(counted: str, layout: str) -> None:
    done = invoke(main, ["--as", layout, "-s", "--proc", counted])
    assert done.stdout == (
        "tcp:\n\t14 packets sent\n\t\t15 data packets retransmitted\n\t13 packets received\n"
        "\t11 connection requests\n\t12 connection accepts\n\t9 listen queue overflows\n"
        "udp:\n\t21 datagrams received\n\t\t22 dropped due to no socket\n\t24 datagrams output\n"
        "ip:\n\t70 total packets received\n\t\t60 packets for this host\n"
        "icmp:\n\t5 input messages\n\t\t4 echo\n\t6 output messages\n"
        "ip6:\n\t31 total packets received\n\t\t32 packets forwarded\n"
    )


def test_groups_as_bsd_lists_them(proc_tree: Tree) -> None:
    igmp = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
    igmp += "2\teth0      :     1      V3\n\t\t\t\tFB0000E0     1 0:00000000\t\t0\n"
    igmp6 = "2    eth0            ff0200000000000000000000000000fb     1 0000000C 0\n"
    root = str(proc_tree(igmp=igmp, igmp6=igmp6))
    assert invoke(main, ["--as", "macos", "-g", "--proc", root]).stdout == (
        "IPv4 Multicast Memberships\n"
        "Group               \tLink-layer Address  \tNetif\n"
        "224.0.0.251         \t-                   \teth0\n\n"
        "IPv6 Multicast Memberships\n"
        "Group               \tLink-layer Address  \tNetif\n"
        "ff02::fb%eth0       \t-                   \teth0\n\n"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"layout": "windows", "format": "json"},
        {"layout": "macos", "columns": ("proto",)},
        {"layout": "windows", "groups": True},
        {"layout": "bsd", "masquerade": True},
        {"lsof": "", "statistics": True},
        {"lsof": "", "route": True},
        {"lsof": "", "layout": "bsd"},
        {"lsof": "SPX"},
        {"lsof": "TCP:80 443"},
        {"lsof": "TCP -sTCP:OPEN"},
        {"lsof": "TCP -sUDP:IDLE"},
        {"layout": "solaris"},
    ],
)
def test_what_a_layout_has_not(options: dict[str, Any]) -> None:
    with pytest.raises(Misuse):
        Plan(Options(**options))


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("--as windows -t", 3, "Windows has no -t"),
        ("--as macos -o", 3, "macOS has no -o"),
        ("--as windows -an tcp", 3, "did you mean -p tcp?"),
        ("--as windows -p", 3, "it takes a protocol"),
        ("-sTCP:LISTEN", 3, "it goes with --lsof"),
        ("--as beos", 2, "no as `beos'"),
    ],
)
def test_what_is_said(words: str, status: int, said: str) -> None:
    done = run_command(*words.split())
    assert (done.returncode, done.stdout) == (status, b"")
    assert said in done.stderr.decode()


def test_a_selection_belongs_to_one_end() -> None:
    chosen = selection("4TCP@192.0.2.7:80,8000-8080 -sTCP:^LISTEN")
    assert selection("-sTCP:LISTEN").protocols == ("tcp",)
    assert (chosen.protocols, chosen.families) == (("tcp",), ("inet",))
    assert "LISTEN" not in chosen.states and "ESTABLISHED" in chosen.states
    assert chosen.filter.startswith('(src "192.0.2.7" and (sport = "80" or (sport >= 8000')
