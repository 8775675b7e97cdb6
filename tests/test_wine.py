"""The command on a Windows Python under wine, beside the same command on the Linux below it.

The command comes from a wheel. wine answers Windows' calls from the very kernel that /proc shows,
so that both must tell of the same sockets, routes, interfaces and counters. Run by hand:
pytest -m wine. What wine is, and real Windows is not: every socket is held by pid 0, tcp counters
are the same for IPv4 and IPv6 (and so come out twice as large), routes of IPv6 and multicast
groups are missing.

PYNETSTAT_WINPY names a folder where the Windows Python (winpy.py) is kept from run to run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import winpy
from conftest import needs_ip, needs_namespaces, needs_root

MISSING = [name for name in winpy.NEEDED if shutil.which(name) is None]
ROOT = Path(__file__).parent.parent

pytestmark = [
    pytest.mark.wine,
    pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}"),
    needs_root,
    needs_namespaces,
    needs_ip,
]

# In a network namespace of its own: an interface, routes, and sockets of every kind.
NETWORK = """
ip link set lo up
ip link add net0 type veth peer name net1
ip link set net1 up
ip address add 192.0.2.5/24 dev net0
ip link set net0 up
ip route add default via 192.0.2.1
ip route add 198.51.100.0/24 via 192.0.2.9
ip route add 203.0.113.7/32 via 192.0.2.9
exec "$0" -c "$1"
"""
SOCKETS = """
import socket
from socket import AF_INET, AF_INET6, SOCK_DGRAM
kept = []
def listen(family, host):
    listener = socket.socket(family)
    listener.bind((host, 0))
    listener.listen()
    kept.append(listener)
    return listener
def connect(listener, host):
    here = socket.create_connection((host, listener.getsockname()[1]))
    kept.extend((here, listener.accept()[0]))
    return kept[-2:]
for family, host, client in ((AF_INET, "127.0.0.1", "127.0.0.1"), (AF_INET6, "::1", "::1"),
                             (AF_INET6, "::", "127.0.0.1"), (AF_INET, "192.0.2.5", "192.0.2.5")):
    connect(listen(family, host), client)
for end in connect(kept[0], "127.0.0.1"):
    end.close()  # TIME_WAIT
connect(kept[0], "127.0.0.1")[1].close()  # CLOSE_WAIT and FIN_WAIT2
for family, host in ((AF_INET, "127.0.0.1"), (AF_INET6, "::"), (AF_INET6, "::1")):
    bound = socket.socket(family, SOCK_DGRAM)
    bound.bind((host, 0))
    connected = socket.socket(family, SOCK_DGRAM)
    connected.connect(("127.0.0.1" if family == AF_INET else "::1", bound.getsockname()[1]))
    connected.send(b"x")
    kept += [bound, connected]
print("ready", flush=True)
input()
"""


class Both:
    """The command on Windows and on Linux, in one namespace."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.folder = folder
        self.inside = ["nsenter", f"--net=/proc/{pid}/ns/net"]
        self.python = [*self.inside, "wine", str(folder / "python" / "python.exe")]

    def run(self, command: list[str], **more: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=winpy.environment(self.folder),
            timeout=120,
            **{"cwd": self.folder, **more},
        )

    def windows(self, *options: str) -> subprocess.CompletedProcess[bytes]:
        done = self.run([*self.python, "-m", "pynetstat", *options])
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    def linux(self, *options: str) -> subprocess.CompletedProcess[bytes]:
        return self.run([*self.inside, sys.executable, "-m", "pynetstat", *options], cwd=ROOT)

    def lines(self, *options: str) -> tuple[list[str], list[str]]:
        done = self.windows(*options)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode().splitlines(), self.linux(*options).stdout.decode().splitlines()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    kept = os.environ.get("PYNETSTAT_WINPY")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("winpy")
    if not (folder / "python" / "python.exe").exists():
        winpy.build(folder)
    packages = folder / "python" / "Lib" / "site-packages"
    shutil.rmtree(packages / "pynetstat", ignore_errors=True)
    wheels = folder / "own"
    shutil.rmtree(wheels, ignore_errors=True)
    make = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT)]
    subprocess.run(make, check=True, capture_output=True)
    with zipfile.ZipFile(next(wheels.glob("pynetstat-*.whl"))) as wheel:
        wheel.extractall(packages)
    environment = winpy.environment(folder)
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", NETWORK, sys.executable, SOCKETS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdin and holder.stdout and holder.stdout.readline() == "ready\n"
        subprocess.run(["wine", "winecfg", "-v", "win10"], env=environment, capture_output=True)
        subprocess.run(["wineserver", "-k"], env=environment)  # the next one is in the namespace
        yield Both(folder, holder.pid)
    finally:
        subprocess.run(["wineserver", "-k"], env=environment)
        holder.communicate("\n")


def columns(lines: list[str], *places: int) -> list[list[str]]:
    return sorted([words[place] for place in places] for words in map(str.split, lines[2:]))


def test_it_is_windows(both: Both) -> None:
    script = "import os, sys, psutil; print(sys.platform, os.name, psutil.WINDOWS)"
    assert both.run([*both.python, "-c", script]).stdout.split() == [b"win32", b"nt", b"True"]


@pytest.mark.parametrize("options", ["-ant", "-lnt", "-nt", "-ant6", "-ant4", "-antW"])
def test_tcp_sockets(both: Both, options: str) -> None:
    """But for the queues, which Windows does not tell."""
    windows, linux = both.lines(options)
    assert windows[:2] == linux[:2]
    assert columns(windows, 0, 3, 4, 5) == columns(linux, 0, 3, 4, 5)
    assert {tuple(line.split()[1:3]) for line in windows[2:]} == {("-", "-")}


def test_udp_sockets(both: Both) -> None:
    """But for the remote ends."""
    windows, linux = both.lines("-anu")
    assert columns(windows, 0, 3) == columns(linux, 0, 3)
    assert {line.split()[4] for line in windows[2:]} == {"0.0.0.0:*", ":::*"}


@pytest.mark.parametrize("options", ["-rn", "-rne", "-rnee"])
def test_routes(both: Both, options: str) -> None:
    """But for what Windows does not tell."""
    windows, linux = both.lines(options)
    assert windows[:2] == linux[:2]
    told = [re.split(" +", line) for line in windows[2:]]
    known = [re.split(" +", line) for line in linux[2:]]
    assert len(told) == len(known) == 4
    for ours, theirs in zip(sorted(told), sorted(known)):
        assert len(ours) == len(theirs)
        assert all(one in (other, "-") for one, other in zip(ours, theirs)), (ours, theirs)
        assert "-" not in ours[:4]


def test_interfaces(both: Both) -> None:
    before = both.linux("-ian").stdout.decode().splitlines()
    windows, after = both.lines("-ian")
    assert windows[:2] == after[:2]
    rows = [[line.split() for line in lines[2:]] for lines in (before, windows, after)]
    assert len(rows[1]) >= 2
    for ours in rows[1]:
        first, last = (next(row for row in other if row[0] == ours[0]) for other in rows[::2])
        assert ours[1] == first[1]
        for place in (2, 3, 4, 6, 7, 8):
            assert int(first[place]) <= int(ours[place]) <= int(last[place])
        assert (ours[5], ours[9]) == ("-", "-")
        assert set(ours[10]) - {"-"} <= set(first[10])


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_statistics(both: Both, family: str) -> None:
    """Under the same names; the counters of tcp come twice, which is wine's doing."""

    def counters(done: subprocess.CompletedProcess[bytes]) -> dict[str, dict[str, int]]:
        assert done.returncode == 0
        found: dict[str, dict[str, int]] = json.loads(done.stdout)["statistics"]
        return found

    before = counters(both.linux("-s", family, "--json"))
    windows = counters(both.windows("-s", family, "--json"))
    after = counters(both.linux("-s", family, "--json"))
    sections = ("Ip", "Icmp", "Tcp", "Udp") if family == "-4" else ("Ip6", "Icmp6", "Tcp", "Udp6")
    assert {"Tcp"} < set(windows) <= set(before) | {"IcmpMsg"}
    for section in sections:
        for name, count in windows[section].items():
            if name in ("MaxConn", "RtoAlgorithm", "RtoMin", "RtoMax", "Forwarding", "DefaultTTL"):
                continue
            if name.startswith(("Icmp6InType", "Icmp6OutType")) and name not in before[section]:
                continue
            count = count // 2 if section == "Tcp" else count
            assert before[section][name] <= count <= after[section][name], (section, name)


def test_records(both: Both) -> None:
    document = json.loads(both.windows("-ant", "--json").stdout)
    other = json.loads(both.linux("-ant", "--json").stdout)
    assert document["platform"] == "win32"
    same = ("proto", "state", "local_address", "local_port", "remote_address", "remote_port")
    rows = [
        sorted(
            [row[name] for name in same]
            for row in each["sockets"]
            if row["state"] not in ("TIME_WAIT", "FIN_WAIT2")  # which end after a minute
        )
        for each in (document, other)
    ]
    assert rows[0] == rows[1] and len(rows[0]) > 10
    assert {row["recv_q"] for row in document["sockets"]} == {None}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("-x", "AF UNIX"),
        ("-antw", "AF INET (raw)"),
        ("-M", "ip_masquerade"),
        ("--ax25", "AF AX25"),
        ("--sctp", "AF INET (sctp)"),
    ],
)
def test_what_windows_has_not(both: Both, options: str, complaint: str) -> None:
    done = both.windows(options)
    assert done.returncode == 1
    expected = f"netstat: no support for `{complaint}' on this system."
    assert done.stderr.decode().splitlines() == [expected]


@pytest.mark.parametrize(
    "options", ["", "-l", "-a", "-aup", "-ape", "-anoe", "-aeepoW", "-gn", "-r", "-r6n", "-ie"]
)
def test_every_option_works(both: Both, options: str) -> None:
    done = both.windows(*options.split())
    assert done.returncode == 0
    assert done.stdout


def told(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """The rows of a listing, in an order of their own."""
    assert (done.returncode, done.stderr) == (0, b"")
    return sorted(done.stdout.decode().splitlines())


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("-ano", "-anp"),
        ("-aon", "-anp"),
        ("-abno", "-anp"),
        ("/ano", "-anp"),
        ("-anq", "-an"),
        ("-an -p TCP", "-antp4"),
        ("-an -p TCPv6", "-antp6"),
        ("-an -p udp", "-anup4"),
        ("-an -p udpv6", "-anup6"),
        ("-anf", "-anW"),
        ("-an 1 --count 1", "-an"),
        ("-r -n", "-rn"),
        ("-nao", "-nap"),
    ],
)
def test_what_windows_fingers_type(both: Both, theirs: str, ours: str) -> None:
    assert told(both.windows(*theirs.split())) == told(both.windows(*ours.split()))


def test_the_process_by_the_letter_of_windows(both: Both) -> None:
    _, header, *_ = both.windows("-ano").stdout.decode().splitlines()
    assert header.endswith("PID/Program name    ")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("-an -p tcpv7", 3, "the protocols are tcp, udp"),
        ("-an nginx", 3, "did you mean --program nginx?"),
        ("-y", 3, "connection templates"),
    ],
)
def test_what_windows_fingers_type_in_vain(both: Both, words: str, status: int, said: str) -> None:
    done = both.windows(*words.split())
    assert (done.returncode, done.stdout) == (status, b"")
    assert said in done.stderr.decode()


def test_help_by_the_letter_of_windows(both: Both) -> None:
    done = both.windows("/?")
    assert done.returncode == 0 and b"pynetstat -ano" in done.stdout


def test_the_layout_of_windows(both: Both) -> None:
    """The same rows on both systems, but for the remote ends of UDP."""
    windows, linux = (
        [
            line
            for line in run("--as", "windows", "-an").stdout.decode().splitlines()
            if "TCP" in line
        ]
        for run in (both.windows, both.linux)
    )
    assert sorted(windows) == sorted(linux) and len(windows) > 8
    assert any(line.endswith("LISTENING") for line in windows)


def test_nothing_is_wrong_where_nothing_is_told(both: Both) -> None:
    """What Windows never tells makes no status of 3."""
    done = both.windows("--diagnose", "--interval", "0.5")
    assert done.returncode in (0, 1, 2), done.stdout.decode()
    assert b"UNKNOWN" not in done.stdout


def test_a_reader_that_has_gone(both: Both) -> None:
    """Windows has no SIGPIPE; the end is quiet all the same."""
    command = [*both.python, "-m", "pynetstat", "-an", "-c", "--interval", "0"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=winpy.environment(both.folder),
        cwd=both.folder,
    ) as program:
        assert program.stdout and program.stderr
        program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 1


def test_the_tests_of_the_portable_modules(both: Both) -> None:
    """They pass on Windows too."""
    names = [f"tests/test_{name}.py" for name in ("portable", "macos", "windows")]
    options = ["-q", "-p", "no:cacheprovider", "--override-ini", "filterwarnings="]
    done = both.run([*both.python, "-m", "pytest", *options, *names], cwd=ROOT)
    assert done.returncode == 0, done.stdout.decode()
