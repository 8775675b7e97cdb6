"""For months, and in masses: memory and descriptors stay flat under -c, and counts are right where
there is much of everything. By hand, with more rounds:

    python tests/test_endurance.py 10000 -tuxanp
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
import trees
from conftest import TESTS, Tree, can_unshare, tcp_file
from runner import invoke

from pynetstat import cells
from pynetstat.cli import main
from pynetstat.kernel import decode, sockdiag
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.stages.names import Names

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells of memory")

# Opens and closes sockets of all kinds, from ever new addresses, as long as its parent lives.
CHURN = """
import itertools, os, socket, struct, time
parent = os.getppid()
server = socket.create_server(("127.0.0.1", 0), backlog=64)
kept = []
for number in itertools.count():
    if os.getppid() != parent:
        break
    time.sleep(0.002)
    client = socket.socket()
    client.bind((f"127.{number >> 15 & 127}.{number >> 7 & 255}.{number % 127 + 1}", 0))
    client.connect(server.getsockname())
    inside, _ = server.accept()
    for end in (client, inside):  # closed by a reset: no TIME_WAIT that piles up
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    named = socket.socket(socket.AF_UNIX)
    named.bind(f"\\0pynetstat {number}\\n")
    some = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    some.bind(("127.0.0.1", 0))
    kept += [client, inside, named, some, *socket.socketpair()]
    if len(kept) > 240:
        for end in kept[:180]:
            end.close()
        del kept[:180]
"""
# Where we may, in a network of their own.
PRIVATE = ["unshare", "--net", sys.executable, f"{TESTS}/loopback.py"]
BESIDE = ["sh", "-c", '"$1" -c "$2" & shift 2; exec "$@"', "-", sys.executable, CHURN]


class Size(NamedTuple):
    """What a process takes: resident memory in KB, descriptors, threads."""

    memory: int
    descriptors: int
    threads: int


def size(pid: int) -> Size:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in status)
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return Size(int(fields["VmRSS"].split()[0]), descriptors, int(fields["Threads"]))


def rounds(options: list[str], early: int, late: int) -> list[Size]:
    """What the command takes after so many rounds of -c, and after so many more, among sockets
    that come and go. A round begins with the same line as the first one."""
    command = [sys.executable, "-m", "pynetstat", *options, "--interval", "0", "-c"]
    place = PRIVATE if os.geteuid() == 0 and can_unshare() else []
    process = subprocess.Popen(
        [*place, *BESIDE, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout
    with process.stdout:
        first = process.stdout.readline()
        if first.startswith(b"Kernel Interface"):  # a title that stands once
            first = process.stdout.readline()
        stamped = first.startswith(b"ts,")  # csv has one header, and its rows the time of a round
        seen, found, stamp = 1, [], b""
        watchdog = threading.Timer(300, process.kill)  # rather than for ever
        watchdog.start()
        for line in process.stdout:
            before, stamp = stamp, line.partition(b",")[0]
            begins = stamp != before if stamped else line == first
            seen += begins
            if begins and seen in (early, late):
                found.append(size(process.pid))
                if seen == late:
                    break
        watchdog.cancel()
        process.kill()
    process.wait()
    return found


@pytest.mark.timing
@linux
@pytest.mark.parametrize(
    "options",
    [
        ["-tuxanp"],
        ["-tuxan", "--format", "csv"],
        ["-tuan", "--filter", "src 127.0.0.0/8", "--sort", "local_port"],
        ["-iae"],
    ],
    ids=" ".join,
)
def test_rounds_leave_nothing_behind(options: list[str]) -> None:
    slow = "--format" in options or "--sort" in options  # there /proc/net/tcp is read
    early, late = rounds(options, 20, 60) if slow else rounds(options, 40, 200)
    assert late.memory < early.memory + 2048, (early, late)
    assert late.descriptors <= early.descriptors + 3, (early, late)
    assert late.threads <= 65


def test_what_is_remembered_has_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses, ports, hosts and users, each of them new for months."""
    for start in range(0, 60_000, 2000):
        decode.addresses_from_hex([f"{number:08X}" for number in range(start, start + 2000)])
        words = b"".join(
            bytes(16) + bytes([2]) + bytes(7) + number.to_bytes(4, "big") + bytes(60)
            for number in range(start, start + 2000)
        )
        sockdiag.decode_messages(words)
        cells.port_texts(range(start % 65536, min(start % 65536 + 2000, 65536)))
    assert len(decode._addresses) <= decode.REMEMBERED + 2000
    assert len(sockdiag._texts[2]) <= sockdiag.REMEMBERED + 4000
    known = Names(Options(), Outcome())
    monkeypatch.setattr("pynetstat.stages.names.REMEMBERED", 1000)
    for start in range(100_000, 104_000, 500):
        known.user_names(set(range(start, start + 500)))
    assert len(known.users) <= 1501


def test_names_that_are_forgotten_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full memory starts afresh, and the round in which it does lacks no name."""
    monkeypatch.setattr("pynetstat.stages.names.REMEMBERED", 10)
    known = Names(Options(), Outcome())
    monkeypatch.setattr(known, "host_name", lambda address: f"name of {address}")
    known.ask({f"10.0.0.{last}" for last in range(20)})
    known.ask({"10.0.0.1", "10.0.1.1"})
    assert known.hosts["10.0.0.1"] == "name of 10.0.0.1"
    assert known.hosts["10.0.1.1"] == "name of 10.0.1.1" and len(known.hosts) < 10


def test_threads_that_hang_are_not_joined_by_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that never answers keeps 64 threads, however many rounds there are."""
    from threading import Event

    never = Event()
    known = Names(Options(resolve_timeout=0.01), Outcome())
    monkeypatch.setattr(known, "host_name", lambda address: never.wait(60))
    for number in range(20):
        known.ask({f"10.0.{number}.{last}" for last in range(40)})
        assert len([thread for thread in known.workers if thread.is_alive()]) <= 64
    never.set()
    for thread in known.workers:
        thread.join()


# Masses


def listed(root: Path, options: str) -> int:
    """How many records there are, and as many rows in netstat's text."""
    given = [*options.split(), "--proc", str(root)]
    document = json.loads(invoke(main, [*given, "--json"]).stdout)
    count = sum(len(rows) for rows in document.values() if isinstance(rows, list))
    result = invoke(main, [*given, "--no-header"])
    assert result.exit_code == 0 and result.stderr == ""
    assert result.stdout.count("\n") == count
    return count


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """In memory where that can be had."""
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


def test_20_000_processes(quick_folder: Path) -> None:
    root = quick_folder
    (root / "net").mkdir()
    (root / "net" / "tcp").write_text(tcp_file(40_000))
    for number in range(20_000):
        folder = root / str(number + 1) / "fd"
        folder.mkdir(parents=True)
        (folder.parent / "cmdline").write_bytes(b"/bin/p%d\0" % number)
        for descriptor in (3, 4):
            os.symlink(f"socket:[{number * 2 + 997 + descriptor}]", folder / str(descriptor))
    given = ["-tanp", "--no-header", "--proc", str(root)]
    rows = invoke(main, given).stdout.splitlines()
    assert [row.split()[-1] for row in rows] == [
        f"{number // 2 + 1}/p{number // 2}" for number in range(40_000)
    ]


def test_10_000_routes(proc_tree: Tree) -> None:
    ipv4 = [
        f"eth{number % 7}\t{number:08X}\t0100000A\t0003\t0\t0\t{number}\tFFFFFFFF\t0\t0\t0".ljust(
            127
        )
        for number in range(10_000)
    ]
    ipv6 = [
        f"{number:032x} 80 {'0' * 32} 00 {'0' * 32} 00000400 00000001 00000000 00000001     eth0"
        for number in range(10_000)
    ]
    root = proc_tree(route=[trees.ROUTE.ljust(127), *ipv4], ipv6_route=ipv6)
    assert listed(root, "-rnee") == 10_000
    assert listed(root, "-rn6") == 10_000


def test_2_000_interfaces(proc_tree: Tree) -> None:
    random = Random(7)
    names = tuple(f"veth{number:x}" for number in range(2000))
    files = trees.interfaces(random, names)
    groups = ["Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter"]
    for number, name in enumerate(names):
        groups += [f"{number}\t{name:<10}:     1      V3", "\t\t\t\t010000E0     1 0:00000000\t\t0"]
    root = proc_tree(dev=files["dev"], if_inet6=files["if_inet6"], igmp=groups, igmp6="")
    assert listed(root, "-ia") == 2000
    assert listed(root, "-gn") == 2000
    long = invoke(main, ["-iae", "--proc", str(root)]).stdout
    assert long.count("\n\n") == 2000


def test_50_000_unix_sockets(proc_tree: Tree) -> None:
    rows = [
        f"{number:016x}: 00000002 00000000 00010000 0001 01 {number + 1000:5d} @name {number}"
        for number in range(50_000)
    ]
    root = proc_tree(unix=["Num       RefCount Protocol Flags    Type St Inode Path", *rows])
    assert listed(root, "-xa") == listed(root, "-xl") == 50_000
    assert listed(root, "-x") == 0


def test_100_000_of_each_kind_of_internet_socket(proc_tree: Tree) -> None:
    text = tcp_file(100_000)
    root = proc_tree(tcp=text, tcp6=text.replace("0100007F:", "0" * 24 + "0100007F:"))
    given = ["-tan", "--count-by", "state,proto", "--json", "--proc", str(root)]
    counts = json.loads(invoke(main, given).stdout)["counts"]
    assert {(row["state"], row["proto"], row["count"]) for row in counts} == {
        ("ESTABLISHED", "tcp", 100_000),
        ("ESTABLISHED", "tcp6", 100_000),
    }


if __name__ == "__main__":
    for moment, found in zip((100, int(sys.argv[1])), rounds(sys.argv[2:], 100, int(sys.argv[1]))):
        print(f"after {moment:,} rounds: {found}")
