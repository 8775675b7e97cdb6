"""How fast, beside netstat and ss: makes the loads itself, prints medians, ratios and memory.

    sudo python tests/bench.py            everything: some minutes
    python tests/bench.py --quick         2,000 sockets, one run each: to see that it works
    sudo python tests/bench.py --million  -tan and -tanp at 100,000 and 1,000,000 sockets

Nothing is asserted. Every load lives in a private network namespace where that can be had (root),
is bounded in number and in time, and is gone afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import platform
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

PER_PROCESS = 18_000  # sockets one process holds: descriptors are limited
SELDOM = 8443  # the port of a second listener, to which one row in a hundred goes
MILLION = 12_000  # megabytes of memory that a million sockets and their holders may take
WORKS = ["quiet", "names", "lists", "records", "rounds", "internals", "places", "hosts"]
PATIENCE = 1800  # seconds after which a forgotten load ends by itself
PYNETSTAT = [shutil.which("pynetstat", path=os.path.dirname(sys.executable)) or "pynetstat"]


class Cost(NamedTuple):
    seconds: float
    processor: float  # seconds too
    megabytes: float


def run(command: list[str]) -> Cost:
    """One run of a command, its output thrown away: wall time and peak memory of the process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    seconds = time.perf_counter() - start
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def compare(commands: dict[str, list[str]], runs: int) -> dict[str, list[Cost]]:
    """The commands in turn, so that a machine that slows down slows all of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for command in commands.values():
        run(command)
    for _ in range(runs):
        for name, command in commands.items():
            costs[name].append(run(command))
    return costs


def median(costs: list[Cost]) -> float:
    return statistics.median(cost.seconds for cost in costs)


def least_processor(costs: list[Cost]) -> float:
    return min(cost.processor for cost in costs)


def report(work: str, costs: dict[str, list[Cost]]) -> None:
    """A row: medians, peak memory, and for each rival the ratio of every run, and of the least
    processor time."""
    ours = costs["pynetstat"]
    text = f"{work:<28} pynetstat {median(ours):7.3f} s {max(c.megabytes for c in ours):6.1f} MB"
    for name, theirs in costs.items():
        if name != "pynetstat":
            ratios = [their.seconds / our.seconds for our, their in zip(ours, theirs)]
            shown = " ".join(f"{ratio:.2f}" for ratio in ratios)
            least = least_processor(theirs) / least_processor(ours)
            text += f" | {name} {median(theirs):7.3f} s, {shown} times ours, CPU {least:.2f}"
    print(text, flush=True)


# Loads


def hold(pairs: int, number: int) -> None:
    """A process that holds this many loopback connections, both ends, and a listener."""
    signal.alarm(PATIENCE)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    address = f"127.0.{number // 250}.{number % 250 + 1}"
    listener = socket.create_server((address, 0), backlog=4096)
    seldom = socket.create_server((address, SELDOM), backlog=4096)
    kept = [listener, seldom]
    for pair in range(pairs):
        server = listener if pair % 50 else seldom
        client = socket.create_connection(server.getsockname())
        kept += [client, server.accept()[0]]
    print("ready", flush=True)
    sys.stdin.read()


@contextlib.contextmanager
def load(sockets: int) -> Iterator[None]:
    """This many tcp sockets, in as many processes as their descriptors take."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    each = min(PER_PROCESS, (hard - 100) // 2 * 2)
    holders = []
    while sockets > 0:
        pairs = min(each, sockets) // 2
        command = [sys.executable, __file__, "--hold", str(pairs), str(len(holders))]
        holders.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        sockets -= pairs * 2
    try:
        for holder in holders:
            if holder.stdout is None or holder.stdout.readline() != "ready\n":
                raise SystemExit("the load could not be made: too few descriptors or memory")
        yield
    finally:
        for holder in holders:
            holder.communicate("")


class NameServer(threading.Thread):
    """Answers every PTR question on 127.0.0.1 after a delay; with none it never answers."""

    def __init__(self, delay: float | None) -> None:
        super().__init__(daemon=True)
        self.delay = delay
        self.door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.door.settimeout(0.5)
        self.door.bind(("127.0.0.1", 53))
        self.ended = False

    def run(self) -> None:
        while not self.ended:
            with contextlib.suppress(TimeoutError):
                question, peer = self.door.recvfrom(512)
                if self.delay is not None:
                    threading.Timer(self.delay, self.answer, (question, peer)).start()
        self.door.close()

    def answer(self, question: bytes, peer: tuple[str, int]) -> None:
        end = question.index(b"\0", 12) + 5
        number = question[13 : 13 + question[12]]
        name = b"".join(bytes([len(part)]) + part for part in (b"host" + number, b"example"))
        record = struct.pack(">HHHIH", 0xC00C, 12, 1, 60, len(name) + 1) + name + b"\0"
        header = question[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0)
        self.door.sendto(header + question[12:end] + record, peer)


@contextlib.contextmanager
def remote_hosts(count: int, delay: float | None) -> Iterator[None]:
    """Connections from so many addresses, and a DNS server; needs a mount namespace of ours."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in (
            ("/etc/resolv.conf", "nameserver 127.0.0.1\noptions attempts:1 timeout:5\n"),
            ("/etc/nsswitch.conf", "hosts: dns\nservices: files\nprotocols: files\n"),
        ):
            ours = os.path.join(folder, os.path.basename(path))
            with open(ours, "w") as file:
                file.write(text)
            subprocess.run(["mount", "--bind", ours, path], check=True)
        server = NameServer(delay)
        server.start()
        listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        kept = []
        for number in range(count):
            client = socket.socket()
            client.bind((f"127.1.{number // 250}.{number % 250 + 1}", 0))
            client.connect(listener.getsockname())
            kept += [client, listener.accept()[0]]
        try:
            yield
        finally:
            server.ended = True
            server.join()
            for end in (*kept, listener):
                end.close()
            for path in ("/etc/resolv.conf", "/etc/nsswitch.conf"):
                subprocess.run(["umount", path], check=True)


# Works


def rivals(*options: str, ss: bool = True) -> dict[str, list[str]]:
    commands = {"pynetstat": [*PYNETSTAT, *options]}
    if shutil.which("netstat"):
        commands["netstat"] = ["netstat", *options]
    if ss and shutil.which("ss"):
        commands["ss"] = ["ss", *options]
    return commands


def lists(sizes: list[int], runs: int) -> None:
    """The listings at each size, and how their cost grows."""
    works = ("-tan", "-tanp", "-ltn", "-ltnp")
    few = f"dport = {SELDOM}"
    grown: dict[str, list[float]] = {work: [] for work in works}
    for size in sizes:
        with load(size):
            for work in works:
                costs = compare(rivals(work), runs)
                report(f"{work}, {size:,} sockets", costs)
                grown[work].append(median(costs["pynetstat"]))
            chosen = {"pynetstat": [*PYNETSTAT, "-tan", "--filter", few], "ss": ["ss", "-tan", few]}
            if shutil.which("ss"):
                report(f"-tan, {few}", compare(chosen, runs))
            port = {**rivals("-tlnp"), "pynetstat": [*PYNETSTAT, "-tlnp", "--port", str(SELDOM)]}
            report(f"-tlnp --port {SELDOM}", compare(port, runs))
    if len(sizes) > 1:
        for work, seconds in grown.items():
            slope = exponent(sizes, seconds)
            print(f"{work:<28} cost grows with the power {slope:.2f} of the sockets")


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The power by which the cost grows, the start of the program taken off."""
    start = min(run([*PYNETSTAT, "-ltn"]).seconds for _ in range(10))
    points = [
        (math.log(size), math.log(max(cost - start, cost / 10)))
        for size, cost in zip(sizes, seconds)
    ]
    return statistics.linear_regression(*zip(*points)).slope


def records(size: int, runs: int) -> None:
    """JSON beside the classic text, and the API beside psutil's."""
    with load(size):
        classic = {"pynetstat": [*PYNETSTAT, "-tan", "--json"], "-tan": [*PYNETSTAT, "-tan"]}
        report(f"-tan --json, {size:,} sockets", compare(classic, runs))
    size = min(size, 50_000)
    with load(size):
        other = [sys.executable, "-c", "import psutil; psutil.net_connections('inet')"]
        for title, ours in (("API", ""), ("API, owners", "programs=True")):
            code = f"import pynetstat; list(pynetstat.sockets({ours}))"
            commands = {"pynetstat": [sys.executable, "-c", code], "psutil": other}
            report(f"{title}, {size:,} sockets", compare(commands, runs))


def quiet(runs: int) -> None:
    """What is left where there is nothing to list: the start of Python and click."""
    commands = {
        "pynetstat": [*PYNETSTAT, "-tan"],
        "import click": [sys.executable, "-c", "import click"],
        "pass": [sys.executable, "-c", "pass"],
        "--help": [*PYNETSTAT, "--help"],
        "--version": [*PYNETSTAT, "--version"],
    }
    report("-tan, quiet host", compare(commands, max(runs, 3) * 3))
    script = 'for number in $(seq 100); do "$0" -tln; done'
    loops = {"pynetstat": ["sh", "-c", script, *PYNETSTAT]}
    if shutil.which("netstat"):
        loops["netstat"] = ["sh", "-c", script, "netstat"]
    report("-tln, 100 times in a script", compare(loops, runs))


def rounds(size: int, runs: int) -> None:
    """What a round of -c costs beside a run."""
    with load(size):
        one = [*PYNETSTAT, "-tan", "--count"]
        costs = compare({"1": [*one, "1"], "21": [*one, "21", "--interval", "0"]}, runs)
    first, many = (least_processor(costs[count]) for count in ("1", "21"))
    share = (many - first) / 20 / first
    print(f"{f'-tan -c, {size:,} sockets':<28} CPU of a further round: {share:.2f} of a run")


def internals(size: int, runs: int) -> None:
    """What the kernel knows of each connection, and the diagnosis of all of them."""
    with load(size // 2):
        commands = {"pynetstat": [*PYNETSTAT, "-tn", "--tcp-info", "--memory"]}
        if shutil.which("ss"):
            commands["ss"] = ["ss", "-tinm"]
        report(f"--tcp-info --memory, {size // 2:,}", compare(commands, runs))
    with load(size):
        whole = 'pynetstat=$1; shift; "$pynetstat" --diagnose "$@" || [ $? -lt 3 ]'
        commands = {
            "pynetstat": ["sh", "-c", whole, "-", *PYNETSTAT, "--interval", "1"],
            "-tanp": [*PYNETSTAT, "-tanp"],
        }
        report(f"--diagnose, {size:,} sockets", compare(commands, runs))


@contextlib.contextmanager
def namespaces(count: int, pairs: int) -> Iterator[None]:
    """So many named network namespaces, each with so many connections."""
    names = [f"bench{number}" for number in range(count)]
    holders = []
    for name in names:
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        command = ["ip", "netns", "exec", name, sys.executable, __file__, "--hold", str(pairs), "0"]
        holders.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
    try:
        for holder in holders:
            if holder.stdout is None or holder.stdout.readline() != "ready\n":
                raise SystemExit("the namespaces could not be made")
        yield
    finally:
        for holder in holders:
            holder.communicate("")
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=True)


def places(count: int, runs: int) -> None:
    """All network namespaces, beside a loop of `ip netns exec`."""
    loop = 'for name in $(ip netns list | cut -d" " -f1); do ip netns exec $name netstat -tn; done'
    for pairs in (250, 2):
        with namespaces(count, pairs):
            commands = {"pynetstat": [*PYNETSTAT, "--netns", "all", "-tn"]}
            if shutil.which("netstat"):
                commands["netstat"] = ["sh", "-c", loop]
            report(f"{count} namespaces, {2 * pairs} sockets", compare(commands, runs))


def hosts(count: int, runs: int) -> None:
    """Many hosts on open connections, beside a loop of ssh that starts `true` there, and one in
    which the hosts do what they do for us."""
    import json

    from machines import SSHD, machines

    from pynetstat.fleet.hosts import Host
    from pynetstat.fleet.payload import VERSION, loader_text, packed_program
    from pynetstat.fleet.ssh import first_command

    if not SSHD:
        print("no hosts: sshd (openssh-server) is not here")
        return
    options = {"tcp": True, "listening": True, "numeric_hosts": True, "host": ["any"]}
    request = {"options": options, "fields": []}
    order = {"mark": "mark", "version": VERSION, "seconds": 60, "request": request}
    sent = b"%d\n%s%s\n" % (len(loader_text()), loader_text(), json.dumps(order).encode())
    sent += b"%d\n%s" % (len(packed_program()), packed_program())
    with tempfile.TemporaryDirectory(prefix="m") as name, machines(Path(name), count) as here:
        given = {"NAMES": "\n".join(here.names), "COMMAND": first_command(Host("any", "any"))}
        given |= {"SENT": f"{name}/sent", **here.environment()}
        Path(given["SENT"]).write_bytes(sent)
        config = f"{name}/run/pynetstat-ssh-0/config"
        before = here.inside("env", *(f"{key}={value}" for key, value in given.items()))

        def loop(command: str) -> list[str]:
            one = f"ssh -F {config} -oBatchMode=yes H {command}"
            return [*before, "sh", "-c", f"echo \"$NAMES\" | xargs -P 16 -I H sh -c '{one}'"]

        ours = [*PYNETSTAT, "-tl", "--numeric-hosts", "--host", ",".join(here.names)]
        subprocess.run([*before, *ours], stdout=subprocess.DEVNULL, check=True)
        commands = {
            "pynetstat": [*before, *ours],
            "ssh true": loop("true </dev/null"),
            "ssh, own work": loop('"$COMMAND" <$SENT'),
        }
        report(f"{count} hosts", compare(commands, runs))


def million(runs: int) -> None:
    """Ten times as many sockets as usual: time and memory."""
    free = next(line for line in open("/proc/meminfo") if line.startswith("MemAvailable"))
    if int(free.split()[1]) < MILLION * 1024:
        raise SystemExit(f"a million sockets want {MILLION:,} MB of free memory")
    sizes = [100_000, 1_000_000]
    works = {"-tan": rivals("-tan"), "-tanp": {"pynetstat": [*PYNETSTAT, "-tanp"]}}
    grown: dict[str, list[float]] = {}
    for size in sizes:
        with load(size):
            for work, commands in works.items():
                costs = compare(commands, runs)
                report(f"{work}, {size:,} sockets", costs)
                for name, found in costs.items():  # ss hardly does more than the kernel's own walk
                    grown.setdefault(f"{name} {work}", []).append(least_processor(found))
    for work, seconds in grown.items():
        print(f"{work:<28} CPU grows with the power {exponent(sizes, seconds):.2f} of the sockets")


def names(hosts: int, runs: int) -> None:
    with remote_hosts(hosts, 0.020):
        report(f"-ta, {hosts} hosts at 20 ms", compare(rivals("-ta", ss=False), runs))
    with remote_hosts(hosts, None):
        cost = run([*PYNETSTAT, "-ta", "--resolve-timeout", "2"])
        print(f"{'-ta, no answer at all':<28} pynetstat {cost.seconds:7.3f} s of 2 s granted")


def private(arguments: list[str]) -> int:
    """Ourselves again, in network and mount namespaces of our own, where we may."""
    script = 'ip link set lo up 2>/dev/null; exec "$@"'
    inside = [sys.executable, __file__, "--private", *arguments]
    done = subprocess.run(["unshare", "--net", "--mount", "sh", "-c", script, "-", *inside])
    return done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2,000 sockets, one run each")
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each command")
    parser.add_argument("--only", choices=WORKS)
    parser.add_argument("--million", action="store_true", help="1,000,000 sockets, and no more")
    parser.add_argument("--hold", nargs=2, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--private", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.hold:
        hold(*given.hold)
        return
    if not given.private and os.geteuid() == 0 and shutil.which("unshare"):
        raise SystemExit(private(sys.argv[1:]))
    runs = 1 if given.quick else given.runs
    print(
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} processors, Linux {platform.release()},"
        f" Python {platform.python_version()}"
    )
    sizes = [1000, 2000] if given.quick else [10_000, 30_000, 100_000]
    works: dict[str, Callable[[], None]] = {
        "quiet": lambda: quiet(runs),
        "names": lambda: names(20 if given.quick else 300, runs),
        "lists": lambda: lists(sizes, runs),
        "records": lambda: records(sizes[-1], runs),
        "rounds": lambda: rounds(sizes[0], runs),
        "internals": lambda: internals(sizes[-1], runs),
        "places": lambda: places(5 if given.quick else 200, runs),
        "hosts": lambda: hosts(3 if given.quick else 50, runs),
    }
    if given.million:
        million(runs)
        return
    for name, work in works.items():
        if given.only in (None, name) and (
            name not in ("names", "places", "hosts") or given.private
        ):
            work()


if __name__ == "__main__":
    main()
