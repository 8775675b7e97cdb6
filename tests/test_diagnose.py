"""Every rule of --diagnose over a fault that is really there, and silence where there is none.

What no namespace can do is shown over a tree that the test writes.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import HAS_IP, HAS_IPV6, as_another, needs_namespaces, needs_root, tcp_file, tcp_row
from conftest import pynetstat as pynetstat_command
from faults import BUSY, FAULTS, LO, outcome, stage

import pynetstat
from pynetstat import diagnosis
from pynetstat.diagnosis import explain, host
from pynetstat.diagnosis.glossary import WORDS
from pynetstat.diagnosis.rule import Finding, Limits, Rule
from pynetstat.options import Options
from pynetstat.outcome import Outcome

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the rules read /proc")

TOP = Path(__file__).parents[1]
SCHEMA = json.loads((TOP / "pynetstat" / "schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture(scope="session")
def plays() -> Iterator[Callable[[str], dict[str, Any]]]:
    """The outcome of a fault; all of them run at once, since most of the time they wait."""
    begun = {
        name: stage(fault.setup, fault.code, "--json")
        for name, fault in FAULTS.items()
        if HAS_IP or not fault.needs_ip()
    }
    answers: dict[str, dict[str, Any]] = {}

    def answer(name: str) -> dict[str, Any]:
        if name not in answers:
            answers[name] = outcome(begun[name])
        return answers[name]

    yield answer
    for play in begun.values():
        if play.poll() is None:
            play.communicate()


@pytest.mark.timing
@needs_root
@needs_namespaces
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str, plays: Callable[[str], dict[str, Any]]) -> None:
    fault = FAULTS[name]
    if fault.needs_ip() and not HAS_IP:
        pytest.skip("ip (iproute2) is not here")
    if "AF_INET6" in fault.code and not HAS_IPV6:
        pytest.skip("this machine has no IPv6")
    answer = plays(name)
    document = json.loads(answer["out"])
    VALIDATOR.validate(document)
    assert answer["err"] == "" and document["not_checked"] == []
    found = {one["rule"]: one for one in document["findings"]}
    assert fault.rule in found, document["findings"]
    finding = found[fault.rule]
    assert finding["severity"] in fault.severities
    assert finding["advice"] and finding["evidence"]
    status = {"critical": 2, "warning": 1, "information": 0}
    worst = document["findings"][0]["severity"]
    assert answer["status"] == status[worst] and status[worst] >= status[finding["severity"]]
    if fault.named:
        assert any(row["pid"] == answer["pid"] for row in finding["evidence"])
        assert f"guilty (pid {answer['pid']})" in finding["summary"] or worst == "information"


@pytest.mark.timing
@needs_root
@needs_namespaces
def test_a_healthy_busy_host_is_silent() -> None:
    answer = outcome(stage(LO, BUSY % 1000, "--json"))
    document = json.loads(answer["out"])
    told = [one for one in document["findings"] if one["severity"] != "information"]
    assert (answer["status"], told, document["not_checked"]) == (0, [], [])


# What no namespace can do, over a tree; what it says at the second look is written meanwhile.

SNMP = """\
Ip: Forwarding DefaultTTL InReceives OutNoRoutes
Ip: 1 64 1000 0
Tcp: ActiveOpens PassiveOpens AttemptFails EstabResets InSegs OutSegs RetransSegs OutRsts
Tcp: 10 10 0 0 1000 1000 1 0
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors
Udp: 100 0 0 100 0
"""
NETSTAT = """\
TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPMemoryPressures TCPAbortOnMemory
TcpExt: 0 0 0 0 0
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
NOT_OURS = "route-over-down-interface"  # whether an interface is up, only the kernel tells

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
        monkeypatch.setattr(host, "sleep", lambda seconds: write(tmp_path, later))
        return pynetstat.diagnose(root=str(tmp_path), **options)

    return findings


def test_a_healthy_machine_is_silent(look: Look) -> None:
    assert [(one.rule, one.severity) for one in look()] == [(NOT_OURS, "unknown")]


def rows(number: int, state: int, old: str = "", new: str = "") -> str:
    """/proc/net/tcp with so many sockets in this state, one thing in each written over."""
    lines = [tcp_row(n, remote=f"0100007F:{n:04X}", state=state) for n in range(number)]
    return tcp_file(0) + "".join(f"{line.replace(old, new)}\n" for line in lines)


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
        {"net/netstat": NETSTAT.replace(" 0 0\n", " 2 1\n")}, "memory-pressure", "critical",
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
        {"net/tcp": rows(9, 1, QUEUES, QUEUES.replace(":00000000 ", ":00000011 ", 1))}, {},
        "unread-data", "warning",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_what_is_seen_over_a_tree(name: str, look: Look) -> None:
    files, later, rule, severity = SEEN[name]
    missing = {path: content for path, content in files.items() if content is None}
    look()  # the files that are missing below are there
    found = look({**files, **missing}, later)
    assert [(one.rule, one.severity) for one in found] in (
        [(rule, severity), (NOT_OURS, "unknown")],
        [(NOT_OURS, "unknown"), (rule, severity)],
    )
    assert all(len({*map(tuple, one.evidence or [{}])}) <= 1 for one in found)


def test_the_connection_that_the_article_wonders_at() -> None:
    """Closed by the other end, 38 bytes unread: told, but one alone is no reason to worry."""
    found = pynetstat.diagnose(root=str(TOP / "tests/captures/article/proc"), interval=0.0)
    (one,) = [one for one in found if one.rule == "close-wait-leak"]
    assert one.severity == "information"
    assert one.summary == (
        "dropbox (pid 2477) has not closed 1 connection that the other end ended,"
        " and never read the last 38 bytes"
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
    assert [(one.rule, one.severity) for one in look(*UNSEEN[name])] == [(NOT_OURS, "unknown")]


# What cannot be looked at


def unknown(found: list[Finding]) -> dict[str, str]:
    return {one.rule: one.summary for one in found if one.severity == "unknown"}


def test_a_counter_that_is_not_there_blinds_its_rules_alone(look: Look) -> None:
    later = {"net/dev": DEV.replace("10000    0", "12000  500", 1)}
    found = look({"net/netstat": NETSTAT.replace("ListenOverflows", "SomethingElse")}, later)
    blind = unknown(found)
    assert blind.keys() == {"listen-overflow", NOT_OURS}
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
    assert blind.keys() == {"listen-overflow", "syn-flood", NOT_OURS}
    assert blind["syn-flood"] == f"{tmp_path}/net/netstat: Is a directory"


def test_no_ipv6_is_no_trouble(look: Look) -> None:
    look()
    found = look(dict.fromkeys(("net/tcp6", "net/udp6", "net/snmp6")))
    assert unknown(found).keys() == {NOT_OURS} and len(found) == 1


def test_what_was_seen_before_the_rule_went_blind_is_told(look: Look) -> None:
    queue = rows(1, 10, QUEUES, QUEUES.replace(":00000000 ", ":00000081 ", 1))
    found = look({"net/tcp": queue, "net/netstat": "TcpExt: A\nTcpExt: 1\n"})
    severities = [one.severity for one in found if one.rule == "listen-overflow"]
    assert severities == ["warning", "unknown"]


def test_no_proc_at_all(tmp_path: Path) -> None:
    done = pynetstat_command("--diagnose", "--proc", str(tmp_path / "none"), "--interval", "0")
    assert (done.returncode, done.stderr) == (3, b"")
    text = done.stdout.decode()
    assert text.startswith("UNKNOWN: close-wait-leak, unread-data")
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
    def broken(machine: host.Host, limits: Limits) -> Iterator[Finding]:
        raise ZeroDivisionError("so it goes")

    rule = Rule("broken", broken, "It fails.", "A mistake.", "Mend it.")
    monkeypatch.setattr(diagnosis, "RULES", (rule, *diagnosis.RULES))
    blind = unknown(look())
    assert blind.keys() == {"broken", NOT_OURS}
    assert blind["broken"] == "the rule failed: ZeroDivisionError: so it goes"


# The text, and the other formats


def leak(tmp_path: Path, program: bytes = b"leaky") -> list[str]:
    """The options that diagnose a machine on which this program leaks."""
    write(tmp_path, {**HEALTHY, "net/tcp": rows(9, 8), "4242/cmdline": program + b"\0"})
    (tmp_path / "4242/fd").mkdir(exist_ok=True)
    for number in range(9):
        link = tmp_path / f"4242/fd/{number}"
        if not link.is_symlink():
            link.symlink_to(f"socket:[{number + 1000}]")
    return ["--diagnose", "--proc", str(tmp_path), "--interval", "0"]


def test_the_text_names_the_program_and_says_what_to_do(tmp_path: Path) -> None:
    done = pynetstat_command(*leak(tmp_path))
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (1, b"")
    assert lines[0] == f"WARNING: close-wait-leak; UNKNOWN: {NOT_OURS}"
    assert lines[2] == "WARNING close-wait-leak"
    assert lines[3] == (
        "    leaky (pid 4242) has not closed 9 connections that the other end ended"
    )
    assert lines[5:7] == [
        "    PROGRAM   PID  CONNECTIONS  UNREAD BYTES  LOCAL           PEER",
        "    leaky    4242            9             0  127.0.0.1:8080  127.0.0.1",
    ]
    text = " ".join(" ".join(lines).split())
    assert "Means The other end has ended these connections (CLOSE_WAIT" in text
    assert (
        "To do Restarting the program" in text and "sockets 5 (connections of one program" in text
    )
    assert max(map(len, lines)) <= 100


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
    assert document["schema"] == "pynetstat/1" and document["incomplete"] == []
    (finding,) = document["findings"]
    assert finding.keys() == {
        "rule", "severity", "summary", "evidence", "means", "advice", "thresholds",
    }  # fmt: skip
    assert finding["evidence"] == [
        {"program": "leaky", "pid": 4242, "connections": 9, "unread_bytes": 0,
         "local": "127.0.0.1:8080", "peer": "127.0.0.1", "max_files": None}
    ]  # fmt: skip
    assert finding["thresholds"]["sockets"] == 5
    (blind,) = document["not_checked"]
    assert blind["rule"] == NOT_OURS and blind["reason"]


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
        ("-c", 2, "no -c"),
        ("--count 2", 2, "--count"),
        ("--sort rule", 2, "do not go with --diagnose"),
        ("--columns foo", 2, "the fields are: rule, severity"),
        ("--filter dport==", 2, "expected"),
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
    answer = outcome(stage(fault.setup, fault.code, "--json", command=[*as_another(), *anybody]))
    document = json.loads(answer["out"])
    finding = next(one for one in document["findings"] if one["rule"] == fault.rule)
    assert answer["status"] == 1 and finding["evidence"][0]["pid"] is None
    assert "A program that cannot be seen from here" in finding["summary"]
    assert [one["what"] for one in document["incomplete"]] == ["owner"]


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


def test_every_rule_and_every_state_is_explained() -> None:
    from pynetstat.collectors.linux.inet import STATES

    words = {*explain.words()}
    assert {*filter(None, STATES)} <= words
    for word in (*words, *filter(None, STATES), "FIN_WAIT_1", "fin-wait-2", "ESTAB", "listening"):
        name = explain.known(word)
        assert name in words
        titles = [title for title, said in explain.told(name) if said]
        assert titles[:3] == ["Means", "Causes", "To do"], word


def test_every_rule_and_every_word_is_complete() -> None:
    for entry in (*diagnosis.RULES, *WORDS):
        assert entry.means and entry.causes and entry.advice, entry.name
    plain = {"no-default-route", "route-over-down-interface", "exposed-listeners"}
    for rule in diagnosis.RULES:
        assert bool(rule.limits) is (rule.name not in plain), rule.name
        assert all(limit.words for limit in rule.limits), rule.name
        assert len(rule.thresholds) == len(rule.limits), rule.name


def test_explain_needs_no_docstrings() -> None:
    """python -OO drops docstrings; what is explained is data."""
    said = []
    for optimised in ([], ["-OO"]):
        command = [sys.executable, *optimised, "-m", "pynetstat", "--explain", "orphans"]
        said.append(subprocess.run(command, capture_output=True, timeout=60, cwd=TOP).stdout)
    rule = next(rule for rule in diagnosis.RULES if rule.name == "orphans")
    text = " ".join(said[1].decode().split())
    for words in (rule.means, rule.causes, rule.advice, *(limit.words for limit in rule.limits)):
        assert words in text
    assert said[0] == said[1]


def test_a_word_that_nobody_knows() -> None:
    done = pynetstat_command("--explain", "close-weight")
    assert (done.returncode, done.stdout) == (2, b"")
    text = done.stderr.decode()
    assert "did you mean CLOSE_WAIT" in text and "There are: close-wait-leak, " in text


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
            diagnosis.judge(host.Host(options, Outcome()))
        finally:
            sys.setprofile(None)
            gc.enable()
        return counted

    calls(2000)
    assert calls(1000) == calls(2000)
