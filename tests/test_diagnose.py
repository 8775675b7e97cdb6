"""Every rule of --diagnose over a fault that is really there, and silence where there is none.

What no namespace can do is shown over a tree that the test writes.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import HAS_IP, HAS_IPV6, as_another, needs_namespaces, needs_root, tcp_file, tcp_row
from conftest import pynetstat as pynetstat_command
from faults import BUSY, FAULTS, HEALTHY, Fault, Scene, outcome, stage, told

import pynetstat
from pynetstat import collectors, diagnosis
from pynetstat.diagnosis import explain, place, program
from pynetstat.diagnosis.glossary import WORDS
from pynetstat.diagnosis.host import Host
from pynetstat.diagnosis.rule import Finding, Limits, Rule
from pynetstat.options import Options
from pynetstat.outcome import Outcome

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the rules read /proc")

TOP = Path(__file__).parents[1]
SCHEMA = json.loads((TOP / "pynetstat" / "schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


Plays = Callable[[str], dict[str, Any]]
STAGES: dict[str, Fault | Scene] = {**FAULTS, "a busy host": Scene(BUSY % 1000), **HEALTHY}
# What others on this machine do to its processors shows in every namespace.
OPTIONS = ("--json", "--ignore", "softnet-drops")


def needed(play: Fault | Scene) -> str:
    """What this play needs and this machine lacks."""
    if play.needs_ip() and not HAS_IP:
        return "ip (iproute2) is not here"
    if not HAS_IPV6 and ("AF_INET6" in play.code or "ip -6" in play.setup):
        return "this machine has no IPv6"
    return ""


@pytest.fixture(scope="session")
def plays(request: pytest.FixtureRequest) -> Iterator[Plays]:
    """The outcome of a play. Several run at once, since most of the time they wait; those alone
    that were chosen."""
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    chosen = {call.params.get("name") for call in calls if call}

    def perform(play: Fault | Scene) -> dict[str, Any]:
        return outcome(stage(play, *OPTIONS))

    with ThreadPoolExecutor(8) as threads:
        begun = {name: threads.submit(perform, play) for name, play in STAGES.items()
                 if name in chosen and not needed(play)}  # fmt: skip
        yield lambda name: begun[name].result()
        for play in begun.values():
            play.cancel()


@pytest.mark.timing
@needs_root
@needs_namespaces
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str, plays: Plays) -> None:
    fault = FAULTS[name]
    if missing := needed(fault):
        pytest.skip(missing)
    answer = plays(name)
    document = json.loads(answer["out"])
    VALIDATOR.validate(document)
    assert answer["err"] == "" and document["not_checked"] == []
    findings = document["findings"]
    found = [one for one in findings if one["rule"] == fault.rule and fault.says in one["summary"]]
    assert found, findings
    finding = found[0]
    assert finding["severity"] in fault.severities
    assert finding["means"] and finding["advice"] and finding["evidence"] and finding["commands"]
    assert {one["rule"] for one in findings}.isdisjoint(fault.absent), findings
    status = {"critical": 2, "warning": 1, "information": 0}
    worst = findings[0]["severity"]
    (result,) = document["result"]
    assert answer["status"] == result["status"] == status[worst] >= status[finding["severity"]]
    assert findings[0]["summary"] in result["summary"] or worst == "information"
    if fault.named:
        assert any(row["pid"] == answer["pid"] for row in finding["evidence"])
        assert f"guilty (pid {answer['pid']})" in finding["summary"] or worst == "information"


@pytest.mark.timing
@needs_root
@needs_namespaces
@pytest.mark.parametrize("name", ["a busy host", *HEALTHY])
def test_where_nothing_is_wrong_there_is_silence(name: str, plays: Plays) -> None:
    if missing := needed(STAGES[name]):
        pytest.skip(missing)
    answer = plays(name)
    assert (answer["err"], told(answer), answer["status"]) == ("", [], 0)
    assert json.loads(answer["out"])["result"][0]["summary"] == "OK: nothing wrong was found"


# What no namespace can do, over a tree; what it says at the second look is written meanwhile.

SNMP = """\
Ip: Forwarding DefaultTTL InReceives OutNoRoutes
Ip: 1 64 1000 0
Tcp: ActiveOpens PassiveOpens AttemptFails EstabResets InSegs OutSegs RetransSegs OutRsts
Tcp: 10 10 0 0 1000 1000 1 0
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
Udp: 100 0 0 100 0 0
"""
NETSTAT = """\
TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPMemoryPressures TCPAbortOnMemory \
TCPTimeWaitOverflow IPReversePathFilter TCPBacklogDrop
TcpExt: 0 0 0 0 0 0 0 0
"""
DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop \
fifo colls carrier compressed
  eth0: 1000000   10000    0    0    0     0          0         0  1000000   10000    0    0    0 \
    0       0          0
"""
ROUTE = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""
UDP = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout"
    " inode ref pointer drops"
)
HEALTHY = {
    "net/tcp": tcp_file(20).replace(" 01 ", " 06 ", 2),
    "net/tcp6": tcp_file(0),
    "net/udp": f"{UDP}\n",
    "net/udp6": f"{UDP}\n",
    "net/snmp": SNMP,
    "net/snmp6": "Udp6InDatagrams 7\nUdp6RcvbufErrors 0\n",
    "net/netstat": NETSTAT,
    "net/dev": DEV,
    "net/route": ROUTE,
    "net/sockstat": "TCP: inuse 5 orphan 3 tw 2 alloc 9 mem 7\nUDP: inuse 1 mem 1\n",
    "net/softnet_stat": "0000ffff 00000000 00000000\n0000ffff 00000000 00000000\n",
    "net/stat/nf_conntrack": "entries searched drop early_drop\n00000003 0 00000000 00000000\n",
    "sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
    "sys/net/ipv4/ip_local_reserved_ports": "\n",
    "sys/net/ipv4/tcp_max_tw_buckets": "131072\n",
    "sys/net/ipv4/tcp_max_orphans": "4096\n",
    "sys/net/ipv4/tcp_mem": "100\t200\t300\n",
    "sys/net/ipv4/udp_mem": "100\t200\t300\n",
    "sys/net/netfilter/nf_conntrack_count": "3\n",
    "sys/net/netfilter/nf_conntrack_max": "1000\n",
}
# What only the kernel tells: whether an interface is up, and tcp_info
NOT_OURS = {"interface-down", "route-over-down-interface", "loss-of-one"}

Look = Callable[..., list[Finding]]


def write(root: Path, files: Mapping[str, str | bytes | None]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """What is found on a healthy machine but for these files; `later` are those that change."""

    def findings(
        files: Mapping[str, Any] = {}, later: Mapping[str, Any] = {}, **options: Any
    ) -> list[Finding]:
        write(tmp_path, {**HEALTHY, **files})
        monkeypatch.setattr(place, "sleep", lambda seconds: write(tmp_path, later))
        return pynetstat.diagnose(root=str(tmp_path), **options)

    return findings


def test_a_healthy_machine_is_silent(look: Look) -> None:
    assert judged(look()) == []
    assert {one.rule for one in look() if one.severity == "skipped"} == NOT_OURS


def judged(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.rule, one.severity) for one in found if one.severity != "skipped"]


def rows(number: int, state: int, old: str = "", new: str = "") -> str:
    """/proc/net/tcp with so many sockets in this state, one thing in each written over."""
    lines = [tcp_row(n, remote=f"0100007F:{n:04X}", state=state) for n in range(number)]
    return tcp_file(0) + "".join(f"{line.replace(old, new)}\n" for line in lines)


def served(table: str) -> str:
    """The same with a program that listens at the port of these connections."""
    return table + tcp_row(9999, remote="00000000:0000", state=10) + "\n"


ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
10.0.0.1         0x1         0x0         00:00:00:00:00:00     *        eth0
"""
QUEUES = "00000000:00000000 00:00000000 00000000"
SEEN: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "errors of an interface": (
        {}, {"net/dev": DEV.replace("10000    0", "12000  500", 1)}, "interface-errors", "warning",
    ),
    "errors of an interface, both ways": (
        {}, {"net/dev": DEV.replace("10000    0", "12000  500")}, "interface-errors", "warning",
    ),
    "packets that an interface drops": (
        {}, {"net/dev": DEV.replace("10000    0    0", "12000    0  900", 1)},
        "interface-errors", "warning",
    ),
    "old errors of an interface": (
        {"net/dev": DEV.replace("10000    0", "10000  500", 1)}, {},
        "interface-errors", "information",
    ),
    "a table of five connections": (
        {"sys/net/netfilter/nf_conntrack_count": "5\n",
         "sys/net/netfilter/nf_conntrack_max": "5\n"}, {}, "conntrack-full", "critical",
    ),
    "connections without an entry": (
        {}, {"net/stat/nf_conntrack": HEALTHY["net/stat/nf_conntrack"].replace(
            "00000000 ", "0000001f ")}, "conntrack-full", "critical",
    ),
    "memory that is short": (
        {"net/sockstat": HEALTHY["net/sockstat"].replace("mem 7", "mem 250")}, {},
        "memory-pressure", "warning",
    ),
    "memory that is gone": (
        {"net/sockstat": HEALTHY["net/sockstat"].replace("mem 1\n", "mem 301\n")}, {},
        "memory-pressure", "critical",
    ),
    "memory that is short in a namespace": (
        {"sys/net/ipv4/tcp_mem": None, "sys/net/ipv4/udp_mem": None},
        {"net/netstat": NETSTAT.replace(" 0 0 0 0 0\n", " 2 1 0 0 0\n")},
        "memory-pressure", "critical",
    ),
    "orphans near their limit": (
        {"net/sockstat": HEALTHY["net/sockstat"].replace("orphan 3", "orphan 3900")}, {},
        "orphans", "critical",
    ),
    "closed connections near their limit": (
        {"net/tcp": rows(1100, 6), "sys/net/ipv4/tcp_max_tw_buckets": "1200\n"}, {},
        "time-wait-flood", "warning",
    ),
    "half of the ports to one destination": (
        {"net/tcp": tcp_file(0) + "".join(
            tcp_row(n, f"0100007F:{32768 + n:04X}", "0200007F:0050", 6) + "\n"
            for n in range(15000))}, {}, "time-wait-flood", "warning",
    ),
    "bursts": (
        {}, {"net/netstat": NETSTAT.replace(": 0 0", ": 0 50")}, "listen-overflow", "warning",
    ),
    "cookies": (
        {}, {"net/netstat": NETSTAT.replace(": 0 0", ": 90 0")}, "syn-flood", "critical",
    ),
    "a queue of a listener of which no limit is known": (
        {"net/tcp": rows(1, 10, QUEUES, QUEUES.replace(":00000000 ", ":00000081 ", 1))}, {},
        "listen-overflow", "warning",
    ),
    "datagrams lost by nobody any more": (
        {}, {"net/snmp": SNMP.replace("Udp: 100 0 0 100 0", "Udp: 200 0 0 100 60")},
        "udp-drops", "warning",
    ),
    "data sent again, and again": (
        {}, {"net/snmp": SNMP.replace("1000 1000 1 0", "2000 2000 101 0")},
        "retransmissions", "warning",
    ),
    "a program that never read, by the byte": (
        {"net/tcp": served(rows(9, 1, QUEUES, QUEUES.replace(":00000000 ", ":00000011 ", 1)))},
        {}, "unread-data", "warning",
    ),
    "packets for which no processor had time": (
        {}, {"net/softnet_stat": "0000ffff 00000010 00000000\n"}, "softnet-drops", "warning",
    ),
    "segments without room": (
        {}, {"net/netstat": NETSTAT.replace(" 0 0 0\n", " 0 0 12\n")}, "buffer-drops", "warning",
    ),
    "packets at the wrong interface": (
        {}, {"net/netstat": NETSTAT.replace(" 0 0 0\n", " 0 7 0\n")}, "wrong-interface", "warning",
    ),
    "no room for closed connections": (
        {"net/tcp": rows(1100, 6)}, {"net/netstat": NETSTAT.replace(" 0 0 0\n", " 3 0 0\n")},
        "time-wait-flood", "warning",
    ),
    "datagrams that cannot be sent": (
        {}, {"net/snmp": SNMP.replace("100 0 0 100 0 0", "100 0 0 100 0 20")},
        "udp-drops", "warning",
    ),
    "a silent gateway": ({"net/arp": ARP}, {}, "gateway-silent", "critical"),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_what_is_seen_over_a_tree(name: str, look: Look) -> None:
    files, later, rule, severity = SEEN[name]
    missing = {path: content for path, content in files.items() if content is None}
    look()  # the files that are missing below are there
    found = look({**files, **missing}, later)
    assert judged(found) == [(rule, severity)]
    assert all(len({*map(tuple, one.evidence or [{}])}) <= 1 for one in found)


def test_the_connection_that_the_article_wonders_at() -> None:
    """Closed by the other end, 38 bytes unread: told, but one alone is no reason to worry."""
    found = pynetstat.diagnose(root=str(TOP / "tests/captures/article/proc"), interval=0.0)
    (one,) = [one for one in found if one.rule == "close-wait-leak"]
    assert one.severity == "information"
    assert one.summary == (
        "dropbox (pid 2477) has not closed 1 connection that the other end closed,"
        " and never read the last 37 bytes they sent"
    )


# What must not be taken for trouble: a little of it, much of it in a large crowd, a moment's.
UNSEEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "few close-wait": ({"net/tcp": rows(4, 8)}, {}),
    "close-wait of a moment": ({"net/tcp": rows(50, 8)}, {"net/tcp": tcp_file(50)}),
    "data that is read": (
        {"net/tcp": rows(50, 1, QUEUES, QUEUES.replace(":00000000 ", ":00000011 ", 1))},
        {"net/tcp": rows(50, 1, QUEUES, QUEUES.replace(":00000000 ", ":00000012 ", 1))},
    ),
    "a queue of a moment": (
        {"net/tcp": rows(1, 10, QUEUES, QUEUES.replace(":00000000 ", ":00000081 ", 1))},
        {"net/tcp": rows(1, 10)},
    ),
    "some retransmissions": ({}, {"net/snmp": SNMP.replace("1000 1000 1 0", "9000 9000 201 0")}),
    "a retransmission among few": (
        {}, {"net/snmp": SNMP.replace("1000 1000 1 0", "1010 1010 6 0")},
    ),
    "some overflows among many": (
        {}, {"net/netstat": NETSTAT.replace(": 0 0", ": 0 50"),
             "net/snmp": SNMP.replace("Tcp: 10 10", "Tcp: 10 90000")},
    ),
    "some errors among many packets": (
        {}, {"net/dev": DEV.replace("10000    0", "99000   50", 1)},
    ),
    "counters that went back": (
        {"net/snmp": SNMP.replace("1000 1000 1 0", "9000 9000 900 0")}, {"net/snmp": SNMP},
    ),
    "many closed connections among more": (
        {"net/tcp": tcp_file(6000) + "".join(
            tcp_row(n, f"0100007F:{32768 + n:04X}", f"0200007F:{n % 9 + 80:04X}", 6) + "\n"
            for n in range(12000))}, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSEEN)
def test_what_is_no_trouble(name: str, look: Look) -> None:
    assert judged(look(*UNSEEN[name])) == []


# What cannot be looked at


def unknown(found: list[Finding]) -> dict[str, str]:
    return {one.rule: one.summary for one in found if one.severity == "unknown"}


def test_a_counter_that_is_not_there_blinds_its_rules_alone(look: Look) -> None:
    later = {"net/dev": DEV.replace("10000    0", "12000  500", 1)}
    found = look({"net/netstat": NETSTAT.replace("ListenOverflows", "SomethingElse")}, later)
    blind = unknown(found)
    assert blind.keys() == {"listen-overflow"}
    assert "this kernel has no counter TcpExt ListenOverflows" in blind["listen-overflow"]
    assert ("interface-errors", "warning") in [one[:2] for one in found]


def test_a_file_that_cannot_be_read_blinds_its_rules_alone(look: Look, tmp_path: Path) -> None:
    look()
    (tmp_path / "net/netstat").unlink()
    (tmp_path / "net/netstat").mkdir()
    files = {name: text for name, text in HEALTHY.items() if name != "net/netstat"}
    write(tmp_path, files)
    found = pynetstat.diagnose(root=str(tmp_path), interval=0.0)
    blind = unknown(found)
    assert blind.keys() == {"listen-overflow", "syn-flood"}
    assert blind["syn-flood"] == f"{tmp_path}/net/netstat: Is a directory"


def test_no_ipv6_is_no_trouble(look: Look) -> None:
    look()
    found = look(dict.fromkeys(("net/tcp6", "net/udp6", "net/snmp6")))
    assert judged(found) == []


def test_what_was_seen_before_the_rule_went_blind_is_told(look: Look) -> None:
    queue = rows(1, 10, QUEUES, QUEUES.replace(":00000000 ", ":00000081 ", 1))
    found = look({"net/tcp": queue, "net/netstat": "TcpExt: A\nTcpExt: 1\n"})
    severities = [one.severity for one in found if one.rule == "listen-overflow"]
    assert severities == ["warning", "unknown"]


def test_no_proc_at_all(tmp_path: Path) -> None:
    done = pynetstat_command("--diagnose", "--proc", str(tmp_path / "none"), "--interval", "0")
    assert (done.returncode, done.stderr) == (3, b"")
    text = done.stdout.decode()
    assert text.startswith("UNKNOWN: ") and " rules could not be checked (" in text
    assert "net/tcp: No such file or directory" in text


@pytest.mark.parametrize("garbage", [b"", b"\xff\x00\x9b a: 1\na: c\n: :\n", b"9" * 4000])
@pytest.mark.parametrize("name", HEALTHY)
def test_garbage_is_no_failure(name: str, garbage: bytes, look: Look) -> None:
    found = look({name: garbage}, interval=0.0)
    assert not [one for one in found if "the rule failed" in one.summary]
    found = look({name: HEALTHY[name].encode()[:-9] + garbage}, interval=0.0)
    assert not [one for one in found if "the rule failed" in one.summary]


def test_a_rule_that_fails_does_not_stop_the_others(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(machine: Host, limits: Limits) -> Iterator[Finding]:
        raise ZeroDivisionError("so it goes")

    rule = Rule("broken", broken, "It fails.", "A mistake.", "Mend it.")
    monkeypatch.setattr(diagnosis, "RULES", (rule, *diagnosis.RULES))
    blind = unknown(look())
    assert blind.keys() == {"broken"}
    assert blind["broken"] == "the rule failed: ZeroDivisionError: so it goes"


# The text, and the other formats


def leak(tmp_path: Path, program: bytes = b"leaky") -> list[str]:
    """The options that diagnose a machine on which this program leaks."""
    write(tmp_path, {**HEALTHY, "net/tcp": rows(24, 8), "4242/cmdline": program + b"\0"})
    (tmp_path / "4242/fd").mkdir(exist_ok=True)
    for number in range(24):
        link = tmp_path / f"4242/fd/{number}"
        if not link.is_symlink():
            link.symlink_to(f"socket:[{number + 1000}]")
    return ["--diagnose", "--proc", str(tmp_path), "--interval", "0"]


def test_the_text_names_the_program_and_says_what_to_do(tmp_path: Path) -> None:
    done = pynetstat_command(*leak(tmp_path))
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (1, b"")
    summary = "leaky (pid 4242) has not closed 24 connections that the other end closed, though it"
    assert lines[0] == f"WARNING: {summary} has read their end"
    assert lines[2] == "WARNING close-wait-leak"
    assert " ".join(f"{lines[3]} {lines[4]}".split()) == f"{summary} has read their end"
    assert lines[6:8] == [
        "    PROGRAM   PID  CONNECTIONS  END READ  UNREAD BYTES  LOCAL           PEER",
        "    leaky    4242           24        24             0  127.0.0.1:8080  127.0.0.1",
    ]
    text = " ".join(" ".join(lines).split())
    assert "Means The other end has closed these connections" in text
    assert "To do Restart the program" in text
    assert "Run pynetstat -tanpo --state close-wait --pid 4242" in text
    assert max(map(len, lines[1:])) <= 100


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_the_table_fits_the_terminal(width: int, tmp_path: Path) -> None:
    code = "import sys; from pynetstat.__main__ import main; sys.exit(main())"
    done = at_a_terminal([sys.executable, "-c", code, *leak(tmp_path, b"x" * 24)], columns=width)
    lines = [line for line in done.splitlines()[1:] if not line.startswith("    Run")]
    assert max(map(len, lines)) <= width, lines
    assert any("PROGRAM" in line for line in lines)


def at_a_terminal(command: list[str], columns: int, **environment: str) -> str:
    """What a command prints on a terminal of so many columns."""
    import fcntl
    import pty
    import struct
    import termios

    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    clean = {name: value for name, value in os.environ.items()
             if name not in ("NO_COLOR", "COLUMNS", "LINES")}  # fmt: skip
    child = subprocess.Popen(
        command, stdout=there, stderr=subprocess.DEVNULL, cwd=TOP,
        env={**clean, "TERM": "dumb", **environment},
    )  # fmt: skip
    os.close(there)
    text = b""
    with contextlib.suppress(OSError):  # the end, for a terminal
        while part := os.read(here, 4096):
            text += part
    os.close(here)
    child.wait()
    return text.decode().replace("\r\n", "\n")


def test_a_program_is_its_script_and_its_unit(tmp_path: Path) -> None:
    options = leak(tmp_path, b"/usr/bin/python3\0-u\0/srv/shop.py\0--port")
    write(tmp_path, {"4242/cgroup": "0::/system.slice/shop.service\n"})
    done = pynetstat_command(*options)
    assert b"WARNING: python3 shop.py (pid 4242, shop.service) has not closed" in done.stdout
    assert b"journalctl -u shop.service -n 50" in done.stdout


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("/usr/bin/python3\0-u\0/srv/shop.py\0--port\08080\0", "python3 shop.py"),
        ("python3.11\0-m\0http.server\0", "python3.11 -m http.server"),
        ("python3\0-c\0import os\0", None),
        ("java\0-Xmx1g\0-cp\0a:b\0-jar\0/opt/app.jar\0", "java -jar app.jar"),
        ("/usr/bin/perl\0-w\0/usr/sbin/job\0", "perl job"),
        ("node\0server.js\0", "node server.js"),
        ("nginx: worker process\0", None),
        ("", None),
    ],
)
def test_the_script_that_a_program_runs(line: str, command: str | None) -> None:
    assert program.script_of(line) == command


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/ssh.service\n", "ssh.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n", "x.service"),
        ("0::/user.slice/user-1000.slice/session-2.scope\n", None),
        (f"0::/system.slice/docker-{'ab' * 32}.scope\n", "container abababababab"),
        ("12:pids:/system.slice/a\\x2db.service\n0::/\n", r"a\x2db.service"),
        ("0::/lxc.payload.web/system.slice/nginx.service\n", "container web"),
        ("0::/system.slice/php-fpm.service/pool.service\n", "php-fpm.service"),
        ("0::/\n", None),
        ("", None),
    ],
)
def test_the_unit_that_a_program_is_in(text: str, unit: str | None) -> None:
    assert program.unit(text) == unit


def test_a_stranger_s_text_is_harmless(tmp_path: Path) -> None:
    options = leak(tmp_path, b"\x1b[31mred\n| \xe2\x80\xae\xff")
    done = pynetstat_command(*options)
    assert "?[31mred?| ?? (pid 4242)" in done.stdout.decode()
    document = json.loads(pynetstat_command(*options, "--json").stdout)
    program = "\x1b[31mred\n| \u202e\\xff"
    assert document["findings"][0]["evidence"][0]["program"] == program


def test_json(tmp_path: Path) -> None:
    done = pynetstat_command(*leak(tmp_path), "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["schema"] == "pynetstat/2" and document["incomplete"] == []
    (finding,) = document["findings"]
    assert finding.keys() == {
        "rule", "severity", "summary", "evidence", "means", "advice", "commands", "thresholds",
        "netns",
    }  # fmt: skip
    assert finding["evidence"] == [
        {"program": "leaky", "pid": 4242, "unit": None, "connections": 24, "end_read": 24,
         "unread_bytes": 0, "oldest_seconds": None, "local": "127.0.0.1:8080",
         "peer": "127.0.0.1", "max_files": None}
    ]  # fmt: skip
    assert finding["thresholds"]["sockets"] == 5
    assert {one["rule"] for one in document["not_checked"]} == NOT_OURS
    assert not any(one["failure"] for one in document["not_checked"])
    (result,) = document["result"]
    assert (result["status"], result["severity"], result["findings"]) == (1, "warning", 1)
    assert result["summary"].startswith("WARNING: leaky (pid 4242) has not closed 24")
    assert result["sockets"] == 24 and result["seconds"] >= 0
    value = {"rule": "close-wait-leak", "name": "sockets", "value": 24, "warning": 20}
    assert value | {"critical": 1000, "netns": None} in document["values"]


@pytest.mark.parametrize("options", ["--format jsonl", "--format csv", "--columns rule,summary"])
def test_other_formats(options: str, tmp_path: Path) -> None:
    done = pynetstat_command(*leak(tmp_path), *options.split())
    assert done.returncode == 1 and b"close-wait-leak" in done.stdout and done.stderr == b""


@pytest.mark.skipif(sys.platform == "win32", reason="no terminals of this kind")
@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour(environment: dict[str, str], coloured: bool, tmp_path: Path) -> None:
    import pty

    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    here, there = pty.openpty()
    command = [sys.executable, "-m", "pynetstat", *leak(tmp_path)]
    child = subprocess.Popen(
        command, stdout=there, env={**clean, "TERM": "xterm", **environment}, cwd=TOP
    )
    os.close(there)
    text = b""
    with contextlib.suppress(OSError):  # the end, for a terminal
        while part := os.read(here, 4096):
            text += part
    os.close(here)
    assert child.wait() == 1
    assert (b"\x1b[1;33mWARNING close-wait-leak\x1b[0m" in text) is coloured
    assert (b"\x1b" in text) is coloured


def test_filters_narrow_it(tmp_path: Path) -> None:
    options = leak(tmp_path)
    assert pynetstat_command(*options, "--program", "leaky").returncode == 1
    done = pynetstat_command(*options, "--program", "other")
    assert b"WARNING" not in done.stdout


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ("-c", 3, "no -c"),
        ("--count 2", 3, "--count"),
        ("--sort rule", 3, "--sort does not go with --diagnose"),
        ("-t", 3, "--tcp does not go with --diagnose"),
        ("-Ainet", 3, "--protocol does not go with --diagnose"),
        ("--fail-if-empty", 3, "--fail-if-empty does not go with --diagnose"),
        ("--no-header", 3, "this output has no header"),
        ("-N", 3, "--symbolic does not go with --diagnose"),
        ("--columns foo", 3, "the fields are: rule, severity"),
        ("--filter dport==", 3, "expected"),
        ("-r", 3, "--diagnose looks at everything"),
    ],
)
def test_what_makes_no_sense(options: str, status: int, message: str) -> None:
    done = pynetstat_command("--diagnose", *options.split())
    assert (done.returncode, done.stdout) == (status, b"")
    assert message in done.stderr.decode()


@needs_root
@needs_namespaces
def test_an_ordinary_user_is_told_what_he_may_not_see(anybody: list[str]) -> None:
    """The fault is found; whose it is, only root sees."""
    fault = FAULTS["never closed, with unread data"]
    answer = outcome(stage(fault, "--json", command=[*as_another(), *anybody]))
    document = json.loads(answer["out"])
    finding = next(one for one in document["findings"] if one["rule"] == fault.rule)
    assert answer["status"] == 1 and finding["evidence"][0]["pid"] is None
    assert "A program that cannot be seen from here" in finding["summary"]
    assert [one["what"] for one in document["incomplete"]] == ["owner"]


# For machines


def test_a_rule_that_is_ignored(tmp_path: Path) -> None:
    done = pynetstat_command(*leak(tmp_path), "--ignore", "close-wait-leak,resets")
    assert done.returncode == 0 and done.stdout.startswith(b"OK: nothing wrong was found\n")
    assert b"close-wait-leak" not in done.stdout


def test_another_limit(tmp_path: Path) -> None:
    options = leak(tmp_path)
    done = pynetstat_command(*options, "--limit", "close-wait-leak.several=25")
    assert done.returncode == 0
    done = pynetstat_command(*options, "--limit", "close-wait-leak.critical=24", "--json")
    (finding,) = json.loads(done.stdout)["findings"]
    assert done.returncode == 2 and finding["thresholds"]["critical"] == 24
    text = pynetstat_command("--explain", "close-wait-leak").stdout.decode()
    assert "--limit close-wait-leak.NAME=VALUE: sockets=5" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--ignore reset", "no rule `reset'; did you mean"),
        ("--limit close-wait-leak.socket=5", "no limit `close-wait-leak.socket'"),
        ("--limit closewait.sockets=5", "no limit `closewait.sockets'"),
        ("--limit resets=5", "no limit `resets'"),
        ("--limit resets.share", "not of the form RULE.NAME=NUMBER"),
        ("--limit resets.share=much", "not of the form RULE.NAME=NUMBER"),
        ("--limit resets.share=nan", "not of the form RULE.NAME=NUMBER"),
        ("--limit resets.share=-1", "not of the form RULE.NAME=NUMBER"),
        ("--format nope", "no format `nope'"),
        ("--interval -1", "--interval"),
        ("--perfdata --json", "--perfdata"),
    ],
)
def test_a_mistake_is_no_critical_finding(options: str, message: str) -> None:
    done = pynetstat_command("--diagnose", "--interval", "0", *options.split())
    assert (done.returncode, done.stdout) == (3, b"")
    assert message in done.stderr.decode() and done.stderr.count(b"\n") <= 2


@pytest.mark.parametrize("option", ["--ignore resets", "--limit resets.share=1", "--perfdata"])
def test_options_of_the_diagnosis_alone(option: str) -> None:
    done = pynetstat_command("-tan", *option.split())
    assert done.returncode == 2 and b"goes with --diagnose" in done.stderr


def test_perfdata(tmp_path: Path) -> None:
    done = pynetstat_command(*leak(tmp_path), "--perfdata")
    text, _, data = done.stdout.decode().splitlines()[0].partition(" | ")
    assert text.startswith("WARNING: leaky (pid 4242)")
    words = data.split()
    assert "'close-wait-leak.sockets'=24;20;1000" in words
    assert all(re.fullmatch(r"'[a-z-]+\.\w+'=[\d.e+-]+(;[\d.e+-]*){0,2}", word) for word in words)


def test_openmetrics(tmp_path: Path) -> None:
    done = pynetstat_command(*leak(tmp_path), "--format", "openmetrics")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 1 and lines[-1] == "# EOF"
    assert "pynetstat_diagnosis_status 1" in lines
    assert 'pynetstat_diagnosis_finding{rule="close-wait-leak",severity="warning"} 1' in lines
    assert 'pynetstat_diagnosis_value{rule="close-wait-leak",name="sockets"} 24' in lines
    pattern = r'# (TYPE|HELP|UNIT) \w+ .*|# EOF|\w+(\{\w+="[\w-]+"(,\w+="[\w-]+")*\})? [\d.e+-]+'
    assert all(re.fullmatch(pattern, line) for line in lines)


@needs_namespaces
@needs_root
def test_other_network_namespaces_are_not_passed_over_in_silence() -> None:
    code = "import time; print(flush=True); time.sleep(60)"
    other = subprocess.Popen(["unshare", "--net", sys.executable, "-c", code],
                             stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert other.stdout and other.stdout.readline()
        done = pynetstat_command("--diagnose", "--interval", "0")
        text = " ".join(done.stdout.decode().split())
        assert "other network namespace" in text and "--diagnose --netns all" in text
        done = pynetstat_command("--diagnose", "--interval", "0", "--json")
        assert json.loads(done.stdout)["result"][0]["other_netns"] >= 1
    finally:
        other.kill()
        other.communicate()


# Leaves 60 connections in CLOSE_WAIT, in a network namespace of its own.
LEAKS_APART = """
import loopback, socket, sys
loopback.set_up()
server = socket.create_server(("127.0.0.1", 0), backlog=100)
kept = []
for _ in range(60):
    client = socket.create_connection(server.getsockname()); kept.append(server.accept()[0])
    client.close()
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def leak_apart() -> Iterator[int]:
    """The pid of a program that leaks in another network namespace."""
    with subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", LEAKS_APART],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{TOP}/tests:{TOP}"},
    ) as running:
        assert running.stdin and running.stdout
        try:
            assert running.stdout.readline() == b"ready\n"
            yield running.pid
        finally:
            running.stdin.close()


@needs_namespaces
@needs_root
def test_a_network_namespace_is_diagnosed() -> None:
    with leak_apart() as pid:
        for place in (str(pid), "all"):
            words = ["--diagnose", "--interval", "0.2", "--netns", place, "--json"]
            document = json.loads(pynetstat_command(*words).stdout)
            VALIDATOR.validate(document)
            leaks = [one for one in document["findings"] if one["rule"] == "close-wait-leak"]
            (leak,) = [one for one in leaks if one["evidence"][0]["pid"] == pid]
            assert str(pid) in leak["netns"]
            assert leak["commands"][0].endswith(f"--pid {pid} --netns {pid}")
            skipped = {one["rule"] for one in document["not_checked"] if not one["failure"]}
            assert ("memory-pressure" in skipped) is (place != "all")
            assert document["result"][0]["other_netns"] == 0
        text = pynetstat_command(*words[:-1], "--ignore", "softnet-drops").stdout.decode()
        assert "close-wait-leak in network namespace" in text
        assert " network namespaces, in two samples" in " ".join(text.split())
        metrics = pynetstat_command(*words[:-1], "--format", "openmetrics").stdout.decode()
        assert re.search(
            r'finding{rule="close-wait-leak",severity="\w+",netns="[^"]*' + str(pid), metrics
        )


def wait_for_sleep(pid: int) -> None:
    for _ in range(600):
        place = Path(f"/proc/{pid}/wchan").read_text()
        if any(word in place for word in ("nanosleep", "select", "poll")):  # Python 3.10: select()
            return
        time.sleep(0.05)
    raise AssertionError("it does not wait between its two looks")


@needs_namespaces
@needs_root
@pytest.mark.parametrize("place", ["", "all"])
def test_a_network_namespace_that_ends_meanwhile(place: str) -> None:
    """It is left out of all; the one that was asked for is not said to be healthy."""
    with leak_apart() as pid:
        words = ["--diagnose", "--interval", "5", "--netns", place or str(pid), "--json"]
        command = [sys.executable, "-m", "pynetstat", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
            assert running.stdout
            wait_for_sleep(running.pid)  # between its two looks
            os.kill(pid, 9)
            document = json.loads(running.stdout.read())
        missing = [one["reason"] for one in document["not_checked"] if one["failure"]]
        if place:
            assert not any(f"pid {pid} " in reason for reason in missing)
        else:
            assert running.returncode == 3
            assert len(missing) == 1 and missing[0].endswith(": it has ended")


@needs_namespaces
@needs_root
def test_a_network_namespace_that_may_not_be_entered(anybody: list[str]) -> None:
    """It is told as not checked, never as healthy."""
    with leak_apart() as pid:
        words = ["--diagnose", "--interval", "0", "--netns", str(pid), "--json"]
        done = subprocess.run([*as_another(), *anybody, *words], capture_output=True)
        document = json.loads(done.stdout)
        (missing,) = document["not_checked"]
        assert (missing["rule"], missing["failure"]) == ("other-namespaces", True)
        assert "to enter it takes root" in missing["reason"]
        assert done.returncode == document["result"][0]["status"] == 3


def test_no_such_network_namespace() -> None:
    done = pynetstat_command("--diagnose", "--netns", "nosuch")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"pynetstat: no network namespace `nosuch'")


# --explain


@pytest.mark.parametrize(
    "word", ["CLOSE_WAIT", "close-wait", "closewait", "Close Wait", "CLOSE-WAIT", "close_wait"]
)
def test_a_state_is_explained_in_every_spelling(word: str) -> None:
    done = pynetstat_command("--explain", word)
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert text.startswith("CLOSE_WAIT\n    Means   The other end has closed the connection")
    assert "    Causes  " in text and "    To do   " in text


COLUMNS = [
    Options(), Options(extend=1), Options(extend=2), Options(rates=True), Options(cache=True),
    Options(programs=True, timers=True, context=True),
]  # fmt: skip


@pytest.mark.parametrize("key", collectors.CATALOGUE, ids=" ".join)
def test_every_heading_is_explained(key: tuple[str, str]) -> None:
    listing = collectors.find_listing(*key, platform="linux")
    for options in COLUMNS:
        for column in listing.columns(options):
            for title in filter(
                None, re.split(r"\s{2,}", column.header.partition("\n")[0].strip())
            ):
                known = explain.entries_of
                assert known(title) or all(map(known, title.split())), title
    assert explain.entries_of("NetNS") and explain.entries_of("cwnd")


# Every heading that netstat prints, and what its columns say
PRINTED = """
Proto Recv-Q Send-Q Local_Address Foreign_Address State User Inode PID/Program_name Timer RefCnt
Flags Type I-Node Path Destination Gateway Genmask MSS Window irtt Iface Metric Met Ref Use
Next_Hop Flag If MTU RX-OK RX-ERR RX-DRP RX-OVR TX-OK TX-ERR TX-DRP TX-OVR Flg Interface Group
UNKNOWN *:* 0.0.0.0:* 0.0.0.0 :: default U UG UH UGH ! UGHD BMU BMRU LRU BMPRU lo on off keepalive
probe timewait tcp6 udp6 raw raw6 unix udplite sctp - STREAM DGRAM SEQPACKET LISTENING CONNECTED
CONNECTING ACC W N RX TX ether inet inet6 txqueuelen frame overruns collisions carrier * timer
recvq RECV-Q flags state localhost metric loopback
"""


@pytest.mark.parametrize("word", PRINTED.split())
def test_every_word_that_netstat_prints_is_explained(word: str) -> None:
    assert explain.entries_of(word.replace("_", " ")), word


def test_every_rule_and_every_state_is_explained() -> None:
    from pynetstat.collectors.linux.inet import STATES

    words = {*explain.all_words()}
    assert {*filter(None, STATES)} <= words
    for word in (*words, *filter(None, STATES), "FIN_WAIT_1", "fin-wait-2", "ESTAB", "listen"):
        entries = explain.entries_of(word)
        assert entries and all(entry.name in words for entry in entries), word
        assert all(said for entry in entries for title, said in explain.told_entry(entry)
                   if title == "Means")  # fmt: skip


def test_each_counter_that_a_rule_uses_is_explained() -> None:
    text = "".join(path.read_text() for path in (TOP / "pynetstat/diagnosis").glob("*.py"))
    used = re.findall(r'gr[eo]wn?\("\w+", "(\w+)"\)', text)
    assert len(used) > 15
    for name in used:
        if name not in ("dropped", "processed", "drop", "early_drop"):
            assert explain.entries_of(name.removeprefix("Udp6")), name


def test_several_meanings_are_all_told() -> None:
    text = pynetstat_command("--explain", "RefCnt").stdout.decode()
    assert "RefCnt (Unix sockets)" in text and "RefCnt (Multicast groups, -g)" in text
    text = pynetstat_command("--explain", "UG").stdout.decode()
    assert "U (Flags of routes)" in text and "G (Flags of routes)" in text


def test_all_words_by_subject() -> None:
    done = pynetstat_command("--explain")
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert "\nRules of --diagnose\n" in text and "\nColumns of sockets\n    Proto, Recv-Q" in text
    assert all(word in text.replace("\n    ", " ") for word in explain.all_words())


@pytest.mark.parametrize(
    ("word", "hint"),
    [("close-weight", "CLOSE_WAIT"), ("keep", "keepalive"), ("retransmission", "retransmissions"),
     ("abcdef", None), ("flying", None), ("q", None), ("\x1b[31m", None)],
)  # fmt: skip
def test_only_what_is_near_is_suggested(word: str, hint: str | None) -> None:
    done = pynetstat_command("--explain", word)
    text = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b"") and "\x1b" not in text
    assert text.count("\n") == 1 and "`pynetstat --explain words` lists them" in text
    assert ("did you mean" in text) is (hint is not None) and (hint or "") in text


def test_every_rule_and_every_word_is_complete() -> None:
    for rule in diagnosis.RULES:
        assert rule.means and rule.causes and rule.advice, rule.name
    assert all(word.means and word.subject for word in WORDS)
    for rule in diagnosis.RULES:
        assert all(limit.told(1).strip() and "{" in limit.words for limit in rule.limits), rule
        assert len(rule.thresholds) == len(rule.limits), rule.name


def test_explain_needs_no_docstrings() -> None:
    """python -OO drops docstrings; what is explained is data."""
    said = []
    for optimised in ([], ["-OO"]):
        command = [sys.executable, *optimised, "-m", "pynetstat", "--explain", "orphans"]
        said.append(subprocess.run(command, capture_output=True, timeout=60, cwd=TOP).stdout)
    rule = next(rule for rule in diagnosis.RULES if rule.name == "orphans")
    text = " ".join(said[1].decode().split())
    limits = [limit.told(limit.value) for limit in rule.limits[1:]]
    for words in (rule.means, rule.causes, rule.advice, *limits):
        assert words in text
    assert said[0] == said[1]


def test_explain_asks_nothing_of_the_system() -> None:
    done = pynetstat_command("--explain", "orphans", "--proc", "/nowhere")
    assert done.returncode == 0 and done.stdout.startswith(b"orphans\n")


# The shape


def test_no_python_call_per_row(tmp_path: Path) -> None:
    """1,000 sockets and 2,000 take the same number of Python-level calls."""
    for number in (1000, 2000):
        write(tmp_path / str(number), {**HEALTHY, "net/tcp": tcp_file(number)})

    def calls(number: int) -> int:
        counted = 0

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal counted
            counted += event == "call"

        options = Options(root=str(tmp_path / str(number)), interval=0.0)
        gc.disable()
        sys.setprofile(count)
        try:
            diagnosis.judge(options, Outcome())
        finally:
            sys.setprofile(None)
            gc.enable()
        return counted

    calls(2000)
    assert calls(1000) == calls(2000)
