"""Users and timers from the kernel's dump are those of /proc: -e, -o, and records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import needs_ip
from record import unshare
from test_sockdiag import IPV6, MANY

from pynetstat.collectors.linux.inet import TABLES, timer, timer_text, written_timers
from pynetstat.kernel import netlink, socktimers

# Beside the sockets of every state: counters that only /proc and tcp_info have both. Nobody answers
# at 192.0.2.1; over lo nothing arrives once it is down.
SCENE = f"""
import os, socket, subprocess, sys, time
def ip(words): subprocess.run("ip " + words, shell=True, check=True)
ip("link set lo up"); ip("link add d0 type veth peer name d1")
ip("addr add 192.0.2.9/24 dev d0"); ip("link set d0 up"); ip("link set d1 up")
for host in (1, 50, 77): ip(f"neigh add 192.0.2.{{host}} lladdr 02:00:00:00:00:01 dev d0")
held = subprocess.Popen([sys.executable, "-c", {MANY!r}, *sys.argv[2:]],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
held.stdout.readline()
server = socket.create_server(("192.0.2.9", 4000))
def pair():
    client = socket.create_connection(("192.0.2.9", 4000))
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1),
                          (socket.TCP_KEEPCNT, 60)):
        client.setsockopt(socket.IPPROTO_TCP, option, value)
    return client, server.accept()[0]
alive, both, plain, full, off = (pair() for _ in range(5))
full[0].setblocking(False)
try:
    while True: full[0].send(bytes(65536))       # no room at the other end: it is probed
except BlockingIOError: pass
ended = socket.socket()                          # a listener whose connection failed before
ended.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
ended.settimeout(4)
try: ended.connect(("192.0.2.77", 9))
except OSError: pass
try: ended.listen()
except OSError: pass
time.sleep(0.5)
ip("link set lo down")                           # what belongs to 192.0.2.9 goes over lo too
alive[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
both[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
off[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
time.sleep(3.3)
off[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)  # a probe without an answer stays
both[0].send(b"x"); plain[0].send(b"x")
if sys.argv[1] == "half":
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    ip("link set lo up")
    syn = bytes.fromhex("0fa10fa0000000010000000050020400") + bytes(4)
    def sum16(data):
        total = sum(int.from_bytes(data[at:at + 2], "big") for at in range(0, len(data), 2))
        while total >> 16: total = (total & 0xFFFF) + (total >> 16)
        return (~total & 0xFFFF).to_bytes(2, "big")
    ends = socket.inet_aton("192.0.2.50") + socket.inet_aton("192.0.2.9")
    check = sum16(ends + b"\\0\\x06" + len(syn).to_bytes(2, "big") + syn)
    syn = syn[:16] + check + syn[18:]
    head = bytes.fromhex("45000028000100004006") + b"\\0\\0" + ends
    raw.sendto(head + syn, ("192.0.2.9", 0))
    time.sleep(1.5)
time.sleep(1.2)
words = [sys.executable, "-m", "pynetstat", "-tan", "--format"]
fields = "proto,state,local_address,local_port,remote_address,remote_port,recv_q,send_q,"
fields += "uid,inode,timer"
for source in ("proc", "auto", "netlink", "proc"):
    subprocess.run([*words, "jsonl", "--columns", fields, "--source", source])
    print("end", flush=True)
for source in ("proc", "auto", "proc"):
    subprocess.run([sys.executable, "-m", "pynetstat", "-taneo", "--source", source])
    print("end", flush=True)
held.communicate(b"")
"""


def looks(kind: str) -> list[list[str]]:
    command = [*unshare("--net"), sys.executable, "-c", SCENE, kind, *IPV6]
    folder = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60)
    if "end" not in done.stdout:
        pytest.skip(f"no scene of that kind can be made here: {done.stderr[-200:]}")
    return [part.splitlines() for part in done.stdout.split("end\n")[:-1]]


def rows(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def moment(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what changes from moment to moment: the time that is left, and how often
    the kernel has tried."""
    timer = row["timer"] and {"name": row["timer"]["name"]}
    return {**row, "timer": timer}


@needs_ip
@pytest.mark.parametrize("kind", ["plain", "half"])
def test_the_dump_tells_users_and_timers_as_proc_does(kind: str) -> None:
    before, auto, dumped, after, *texts = looks(kind)
    states = {row["state"] for row in rows(before)}
    assert {"ESTABLISHED", "LISTEN", "CLOSE_WAIT", "FIN_WAIT2", "TIME_WAIT"} <= states
    assert ("SYN_RECV" in states) == (kind == "half")
    assert list(map(moment, rows(auto))) == list(map(moment, rows(before)))
    for old, row, new in zip(rows(before), rows(auto), rows(after)):
        for counter in ("retransmits", "probes") if kind == "plain" else ():  # answers come again
            counts = old["timer"][counter], row["timer"][counter], new["timer"][counter]
            assert counts == tuple(sorted(counts)), row
        if old["timer"]["name"] == new["timer"]["name"] and not row["timer"]["retransmits"]:
            assert row["timer"]["expires_ms"] % 10 == 0
    kinds = {row["timer"]["name"] for row in rows(auto)}
    assert {"off", "on", "keepalive", "timewait", "probe"} <= kinds, kinds
    if kind == "plain":  # counters that inet_diag_msg alone has not
        counted = [(row["timer"]["retransmits"], row["timer"]["probes"]) for row in rows(auto)]
        assert any(tries and probes for tries, probes in counted), counted
        timers = [row["timer"] for row in rows(auto)]
        assert any(timer["name"] == "off" and timer["probes"] for timer in timers)
    told = [row for row in rows(dumped) if row["state"] != "SYN_RECV"]
    assert list(map(moment, told)) == [
        moment(row) for row in rows(before) if row["state"] != "SYN_RECV"
    ]
    half = [row for row in rows(dumped) if row["state"] == "SYN_RECV"]
    assert all(row["uid"] is None and row["timer"] is None for row in half)
    one, other, _ = ([line.rpartition(" (")[0] for line in text] for text in texts)
    assert other == one


def message(state: int, info: bytes, kind: int = 0, when: int = 0) -> bytes:
    attribute = netlink.ATTRIBUTE.pack(4 + len(info), 2) + info if info else b""
    head = netlink.HEADER.pack(88 + len(attribute), 20, 2, 1, 1)
    body = bytearray(72)
    body[0:4] = bytes((2, state, kind, 0))
    body[52:56] = when.to_bytes(4, sys.byteorder)
    return head + bytes(body) + attribute


def test_counters_of_messages_of_one_length_and_of_several() -> None:
    counts = ((3, 0), (0, 7))
    told = [message(1, bytes((1, 0, tries, probes, 0, 0, 0, 0))) for tries, probes in counts]
    even = netlink.Answer(b"".join(told), len(told[0]))
    assert b"".join(socktimers.counters_of(even)) == bytes((3, 0, 0, 7))
    mixed = netlink.Answer(told[1] + message(6, b"") + told[0], 0)
    assert b"".join(socktimers.counters_of(mixed)) == bytes((0, 7, 0, 0, 3, 0))
    assert b"".join(socktimers.counters_of(netlink.Answer(message(6, b"") * 2, 88))) == bytes(4)


def test_an_attribute_that_does_not_fit_is_refused() -> None:
    bad = bytearray(message(1, bytes(8)))
    bad[88] = 200
    with pytest.raises(OSError, match="out of bounds"):
        socktimers.counters_of(netlink.Answer(bytes(bad), len(bad)))


def test_times_in_the_steps_of_proc() -> None:
    """Milliseconds to 1/100 s; what is negative on older kernels (the timer is due) is 0."""
    packed = message(1, b"", 2, 7199967)[:88] + message(1, b"", 1, 0xFFFFFFF0)[:88]
    _, fields = socktimers.decode_with_users((packed, bytes((0, 4, 2, 0))))
    assert fields["timing"] == [(2, 719996, 0, 4), (1, 0, 2, 0)]
    tcp = TABLES["tcp"]
    assert written_timers(timer, tcp, fields["timing"])[0] == ("keepalive", 7199960, 0, 4)
    assert written_timers(timer_text, tcp, fields["timing"])[1] == "on (0.00/2/0)"
    _, half = socktimers.decode_with_users((message(3, b"", 1, 50)[:88], bytes(2)))
    assert half["timing"] == [None]
    assert half["uid"] == [None]
    assert written_timers(timer, tcp, half["timing"]) == [None]


def test_a_half_open_connection_leaves_it_to_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    full, half = message(1, b"")[:88], message(3, b"")[:88]
    blocks = [(full, b"\0\0"), (full + half + full, bytes((1, 1, 2, 2, 3, 3)))]
    monkeypatch.setattr(socktimers, "timed_rows", lambda *_: iter(blocks))
    assert socktimers.with_users("", 0xFFE, b"", True, told=False) is None
    assert list(socktimers.with_users("", 0xFFE, b"", True, told=True) or ()) == blocks
    # Beyond what is held back: one that begins meanwhile is left out, unless there was one before.
    monkeypatch.setattr(socktimers, "HELD", 1)
    there: list[bytes] = []
    monkeypatch.setattr(socktimers, "tcp_rows", lambda *_, **__: iter(there))
    found = socktimers.with_users("", 0xFFE, b"", True, told=False)
    assert list(found or ()) == [blocks[0], (full * 2, bytes((1, 1, 3, 3)))]
    there.append(half)
    assert socktimers.with_users("", 0xFFE, b"", True, told=False) is None
