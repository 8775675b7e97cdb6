"""--rates: bytes per second, beside transfers that count themselves."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from bisect import bisect
from collections.abc import Iterator

import pytest
from conftest import needs_ip, needs_namespaces, needs_root, pynetstat

import pynetstat as library

# Counts what comes, and says 100 times a second how much it was; both ends see one clock.
RECEIVER = """
import socket, sys, time
server = socket.create_server((sys.argv[1], 0))
print(server.getsockname()[1], flush=True)
peer = server.accept()[0]
total, latest, room = 0, 0, bytearray(1 << 18)
while size := peer.recv_into(room):
    total += size
    now = time.monotonic()
    if now - latest > 0.01:
        latest = now
        print(now, total, flush=True)
"""
# So many bytes per second, in pieces of 10 ms; 0 is as fast as it goes.
SENDER = """
import socket, sys, time
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
pace = int(sys.argv[3])
block = bytes(pace // 100 or 1 << 18)
due = time.monotonic()
try:
    while True:
        peer.sendall(block)
        due += 0.01 if pace else 0
        time.sleep(max(0, due - time.monotonic()))
except OSError:
    pass
"""
MB = 1_000_000
SECONDS = 3
Place = tuple[str, str, str]  # address of the receiver, its namespace, that of the sender


class Transfer:
    """A transfer that runs: the receiver's port, and what it has counted."""

    def __init__(self, place: Place, pace: int, stack: contextlib.ExitStack) -> None:
        address, here, there = place
        self.times: list[float] = []
        self.totals: list[int] = []
        receiver = self.start(stack, here, RECEIVER, address)
        assert receiver.stdout
        self.output = receiver.stdout
        self.port = int(self.output.readline())
        self.sender = self.start(stack, there, SENDER, address, str(self.port), str(pace))
        reader = threading.Thread(target=self.read)
        reader.start()
        stack.callback(reader.join)
        stack.callback(self.sender.kill)

    def start(
        self, stack: contextlib.ExitStack, name: str, code: str, *words: str
    ) -> subprocess.Popen[bytes]:
        inside = ["ip", "netns", "exec", name] if name else []
        return stack.enter_context(
            subprocess.Popen([*inside, sys.executable, "-c", code, *words], stdout=subprocess.PIPE)
        )

    def read(self) -> None:
        for line in self.output:
            when, total = line.split()
            self.times.append(float(when))
            self.totals.append(int(total))

    def at(self, when: float) -> float:
        """The bytes that had come at this moment."""
        for _ in range(100):
            if self.times and self.times[-1] > when:
                break
            time.sleep(0.02)
        place = bisect(self.times, when)
        (a, b), (low, high) = self.times[place - 1 : place + 1], self.totals[place - 1 : place + 1]
        return low + (high - low) * (when - a) / (b - a)


@pytest.fixture(scope="module")
def cable() -> Iterator[Place]:
    """Two network namespaces that a veth pair joins."""
    one, two = f"pn{os.getpid()}-in", f"pn{os.getpid()}-out"

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    with contextlib.ExitStack() as stack:
        for name in (one, two):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        ip("-n", one, "link", "add", "c0", "type", "veth", "peer", "name", "c1", "netns", two)
        for name, device, address in ((one, "c0", "10.9.1.1/24"), (two, "c1", "10.9.1.2/24")):
            ip("-n", name, "address", "add", address, "dev", device)
            ip("-n", name, "link", "set", device, "up")
        yield "10.9.1.1", one, two


def compared(place: Place, pace: int) -> None:
    _, here, there = place
    with contextlib.ExitStack() as stack:
        transfer = Transfer(place, pace, stack)
        ends = f"sport = :{transfer.port} or dport = :{transfer.port}"

        def look(seconds: float) -> list[library.InetSocket]:
            whole = "all" if here else None
            return list(
                library.sockets(tcp=True, rates=True, interval=seconds, filter=ends, netns=whole)
            )

        look(0.5)  # later on nothing is imported, which would slow down the transfer
        began = time.monotonic()
        found = look(SECONDS)
        rows = {one.local_port == transfer.port: one for one in found}
        ended = time.monotonic()
        # The two looks were so far apart, somewhere within the call.
        spare = max(0, ended - began - SECONDS)
        starts = [began + spare * part / 10 for part in range(11)]
        truths = [(transfer.at(one + SECONDS) - transfer.at(one)) / SECONDS for one in starts]
    assert len(rows) == 2
    for rate in (rows[True].rate_in, rows[False].rate_out):
        assert min(truths) * 0.97 <= (rate or 0) <= max(truths) * 1.03
    assert rows[True].rate_out == rows[False].rate_in == 0
    assert (rows[True].netns or "", rows[False].netns or "") == (here, there)


@pytest.mark.timing
@pytest.mark.parametrize("pace", [MB, 50 * MB, 0])
def test_on_loopback(pace: int) -> None:
    compared(("127.0.0.1", "", ""), pace)


@needs_root
@needs_namespaces
@needs_ip
@pytest.mark.timing
@pytest.mark.parametrize("pace", [MB, 50 * MB, 0])
def test_over_a_cable(pace: int, cable: Place) -> None:
    compared(cable, pace)


def test_programs_and_what_no_rate_shows() -> None:
    """The sum of a program's connections; what cannot be counted is said, with all packets."""
    with contextlib.ExitStack() as stack:
        transfer = Transfer(("127.0.0.1", "", ""), 10 * MB, stack)
        words = ("-tnp", "--rates", "--interval", "0.5", "--sort", "-rate_in")
        done = pynetstat(*words, "--port", str(transfer.port), "--json")
        counted = pynetstat(*words[:4], "--count-by", "program", "--format", "json")
    first, second = json.loads(done.stdout)["sockets"]
    assert first["rate_in"] > 0 == second["rate_in"] and second["rate_out"] > 0
    assert first["local_port"] == transfer.port
    assert "connections that ended, and other protocols than tcp, have no rate" in (
        done.stderr.decode()
    )
    assert "all packets together: " in done.stderr.decode()
    ours = [one for one in json.loads(counted.stdout)["counts"] if one["rate_in"]]
    assert any(one["program"].startswith("python") for one in ours)
