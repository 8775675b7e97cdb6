"""What psutil tells: as /proc does over live sockets, and every quirk of every system."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter, namedtuple
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import HAS_IPV6, pynetstat
from hypothesis import given
from hypothesis import strategies as st
from runner import invoke

import pynetstat as api
from pynetstat import collectors
from pynetstat.cli import main
from pynetstat.collectors.macos import interfaces as macos_interfaces
from pynetstat.collectors.portable import held_text, interfaces, packed_text, same_address, sockets
from pynetstat.collectors.portable.processes import LINUX, MACOS, WINDOWS, Processes, psutil_module
from pynetstat.collectors.windows import sockets as windows_sockets
from pynetstat.diagnosis import RULES
from pynetstat.diagnosis.advice import advice_for
from pynetstat.formats import classic
from pynetstat.kernel.proc import NOT_ALL, NOTHING, Proc
from pynetstat.listing import Holder, Listing, Section, Stop
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.plan import Plan
from pynetstat.run import Run

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compares with /proc")

# A psutil of any system

Connection = namedtuple("Connection", "fd family type laddr raddr status pid")
Uids = namedtuple("Uids", "real effective saved")
Nic = namedtuple("Nic", "isup duplex speed mtu flags")
Place = namedtuple("Place", "family address netmask broadcast ptp")
Counters = namedtuple(
    "Counters",
    "bytes_sent bytes_recv packets_sent packets_recv errin errout dropin dropout",
)


class Error(Exception):
    pass


class AccessDenied(Error):
    pass


class NoSuchProcess(Error):
    pass


class ZombieProcess(NoSuchProcess):
    pass


class Process:
    """A process: its answers, or the exceptions that it raises."""

    def __init__(self, pid: int, connections: Any = (), **answers: Any) -> None:
        self.pid, self.connections_, self.answers = pid, connections, answers

    def net_connections(self, kind: str) -> Any:
        return answer(self.connections_)

    def __getattr__(self, name: str) -> Callable[[], Any]:
        if name not in ("name", "cmdline", "uids", "username"):
            raise AttributeError(name)
        return lambda: answer(self.answers.get(name, AccessDenied("denied")))


class FakePsutil:
    """A psutil that answers what a test says; an exception is raised instead."""

    Error, AccessDenied, NoSuchProcess, ZombieProcess = (
        Error,
        AccessDenied,
        NoSuchProcess,
        ZombieProcess,
    )
    AF_LINK = -1

    def __init__(self, connections: Any = (), processes: Sequence[Process] = (), **nics: Any):
        self.connections, self.processes, self.nics = connections, processes, nics
        self.kinds: list[str] = []

    def net_connections(self, kind: str) -> Any:
        self.kinds.append(kind)
        return answer(self.connections)

    def process_iter(self) -> Iterator[Process]:
        return iter(self.processes)

    def Process(self, pid: int) -> Process:
        for process in self.processes:
            if process.pid == pid:
                return process
        raise NoSuchProcess(pid)

    def net_io_counters(self, pernic: bool, nowrap: bool) -> Any:
        return answer(self.nics.get("counters", {}))

    def net_if_stats(self) -> Any:
        return answer(self.nics.get("states", {}))

    def net_if_addrs(self) -> Any:
        return answer(self.nics.get("addresses", {}))


def answer(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def tcp(laddr: Any, raddr: Any = (), status: str = "LISTEN", pid: int | None = None, fd: int = -1):  # type: ignore[no-untyped-def]
    family = socket.AF_INET6 if ":" in str(laddr[:1]) else socket.AF_INET
    return Connection(fd, family, socket.SOCK_STREAM, laddr, raddr, status, pid)


def udp(laddr: Any, raddr: Any = (), pid: int | None = None, family: int = socket.AF_INET):  # type: ignore[no-untyped-def]
    return Connection(-1, family, socket.SOCK_DGRAM, laddr, raddr, "NONE", pid)


NUMERIC = Options(numeric_hosts=True, numeric_ports=True, numeric_users=True, all=True)


class Shown(NamedTuple):
    lines: list[str]
    notices: list[str]
    status: int


def shown(listing: Listing, options: Options, **injected: Any) -> Shown:
    """What is printed where the listing asks these instead of the system."""
    notices: list[str] = []
    outcome = Outcome(notices.append)
    plan = Plan(options)
    run = Run(plan, Proc("/nowhere", outcome.error), outcome)
    listing = listing._replace(collect=partial(listing.collect, **injected))
    pieces = classic.render([Section(listing, run.rows(listing))], plan.options)
    text = b"".join(pieces).decode("latin-1")
    return Shown(text.splitlines(), notices, outcome.exit_status())


MACOS_INET = sockets.INET._replace(collect=partial(sockets.collect, way=MACOS))
MACOS_UNIX = sockets.UNIX._replace(collect=partial(sockets.collect_unix_by_psutil, way=MACOS))

# Live sockets: psutil and /proc say the same


class Live(NamedTuple):
    ends: set[tuple[str, int]]
    paths: set[str]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """Sockets of every kind that psutil knows, open while a test runs."""
    with ExitStack() as stack:

        def opened(family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
            return stack.enter_context(socket.socket(family, kind))

        def pair(listener: socket.socket, host: str) -> tuple[socket.socket, socket.socket]:
            address = (host, listener.getsockname()[1])
            here = stack.enter_context(socket.create_connection(address))
            return here, stack.enter_context(listener.accept()[0])

        kept = []
        kinds = [
            (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
            (socket.AF_INET6, "::1", "::1"),
            (socket.AF_INET6, "::", "127.0.0.1"),  # speaks IPv4 too: mapped
        ]
        for family, host, client in kinds if HAS_IPV6 else kinds[:1]:
            listener = opened(family)
            listener.bind((host, 0))
            listener.listen()
            kept += [listener, *pair(listener, client)]
            datagrams = opened(family, socket.SOCK_DGRAM)
            datagrams.bind((host, 0))
            connected = opened(family, socket.SOCK_DGRAM)
            connected.connect((client if family == socket.AF_INET else "::1", 9))
            kept += [datagrams, connected]
        closing, closed = pair(kept[0], "127.0.0.1")
        ends = {sock.getsockname()[:2] for sock in [*kept, closing]}
        closing.close()  # waits for its time
        closed.close()
        half, gone = pair(kept[0], "127.0.0.1")
        ends.add(half.getsockname()[:2])
        gone.close()  # CLOSE_WAIT there, FIN_WAIT2 here
        path, abstract = str(tmp_path / "socket"), f"\0pynetstat-{os.getpid()}"
        for name, kind in (
            (path, socket.SOCK_STREAM),
            (abstract, socket.SOCK_SEQPACKET),
            (path + ".dgram", socket.SOCK_DGRAM),
        ):
            local = opened(socket.AF_UNIX, kind)
            local.bind(name)
            if kind != socket.SOCK_DGRAM:
                local.listen()
        settled(ends)
        yield Live(ends, {path, path + ".dgram", "@" + abstract[1:]})


def settled(ends: Any) -> None:
    """Wait until no socket of the test is on its way from one state to the next."""
    for _ in range(100):
        rows = [row for row in api.sockets() if (row.local_address, row.local_port) in ends]
        if not {row.state for row in rows} & {"FIN_WAIT1", "LAST_ACK", "CLOSING", "SYN_RECV"}:
            return
        time.sleep(0.05)


# What psutil does not tell on Linux. The user is that of the process which holds the socket:
# where no process does, it is not told either.
WITHHELD = {"recv_q", "send_q", "inode", "timer"}
WITHHELD_UNIX = {"state", "flags", "refcnt", "inode"}


def internet(live: Live, source: str) -> list[Any]:
    rows = api.sockets(source=source, tcp=True, udp=True, programs=True)
    return [row for row in rows if (row.local_address, row.local_port) in live.ends]


@linux
def test_internet_sockets_are_those_of_proc(live: Live) -> None:
    """Row for row, but for what psutil withholds."""
    told = internet(live, "psutil")
    for row in told:
        assert not any(getattr(row, name) is not None for name in WITHHELD)
        assert (row.uid is None) == (row.pid is None)
    expected = [
        row._replace(**dict.fromkeys(WITHHELD), uid=row.uid if row.pid else None)
        for row in internet(live, "proc")
    ]
    assert Counter(map(str, told)) == Counter(map(str, expected))
    states = {row.state for row in told}
    assert states >= {"LISTEN", "ESTABLISHED", "TIME_WAIT", "CLOSE_WAIT", "FIN_WAIT2", None}
    protocols = {"tcp", "tcp6", "udp", "udp6"} if HAS_IPV6 else {"tcp", "udp"}
    assert {row.proto for row in told} == protocols
    assert any(row.remote_address == "::ffff:127.0.0.1" for row in told) is HAS_IPV6
    assert {row.pid for row in told} == {os.getpid(), None}


@linux
@pytest.mark.parametrize("choice", [{"listening": True}, {"all": False}, {"all": True}])
def test_the_choice_of_rows_is_that_of_proc(live: Live, choice: dict[str, bool]) -> None:
    def ends(source: str) -> Counter[Any]:
        rows = api.sockets(source=source, tcp=True, udp=True, **choice)
        return Counter(
            (row.proto, row.local_port, row.remote_port, row.state)
            for row in rows
            if (row.local_address, row.local_port) in live.ends
        )

    assert ends("psutil") == ends("proc")


@linux
def test_unix_sockets_are_those_of_proc(live: Live) -> None:
    def local(source: str) -> list[Any]:
        rows = api.unix_sockets(source=source, programs=True)
        return [row for row in rows if row.path in live.paths]

    expected = [row._replace(**dict.fromkeys(WITHHELD_UNIX)) for row in local("proc")]
    assert sorted(map(str, local("psutil"))) == sorted(map(str, expected))
    assert len(expected) == 3


@linux
def test_without_states_a_server_is_what_may_be_one(live: Live) -> None:
    servers = {row.path for row in api.unix_sockets(source="psutil", listening=True)}
    assert live.paths - servers == {path for path in live.paths if path.endswith("dgram")}


@linux
def test_interfaces_are_those_of_proc() -> None:
    """But for what psutil does not count, and counters that move meanwhile."""
    theirs = {row.ifname: row for row in api.interfaces(source="psutil")}
    both = [one for one in api.interfaces(source="proc") if one.ifname in theirs]
    assert "lo" in {one.ifname for one in both}
    for ours in both:
        row = theirs[ours.ifname]
        same = ("mtu", "flags", "flags_str", "address")
        assert [getattr(row, name) for name in same] == [getattr(ours, name) for name in same]
        assert sorted(map(str, row.addr_info or ())) == sorted(map(str, ours.addr_info or ()))
        assert row.stats is not None and ours.stats is not None
        for side in ("rx", "tx"):
            assert list(row.stats[side]) == list(ours.stats[side])
            told = {name for name, count in row.stats[side].items() if count is not None}
            assert told == {"bytes", "packets", "errors", "dropped"}
            assert (row.stats[side]["packets"] or 0) <= (ours.stats[side]["packets"] or 0)


@linux
def test_the_command_line() -> None:
    """The text is netstat's, with a dash where psutil has nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = pynetstat("-lntpe", "--source", "psutil")
        row = next(line for line in done.stdout.decode().splitlines() if f":{port} " in line)
    start = f"tcp        -      - {f'127.0.0.1:{port}':<23} {'0.0.0.0:*':<23} LISTEN      "
    assert row.startswith(start)
    assert row[len(start) :].split()[:2] == [str(os.getuid()), "-"]
    assert row.rstrip().endswith(f"{os.getpid()}/{owner_name()}"[:19])


def owner_name() -> str:
    first = Path("/proc/self/cmdline").read_bytes().partition(b"\0")[0].decode()
    return first.rpartition("/")[2] if first.startswith("/") else first


# Quirks


@pytest.mark.parametrize("asked", ["udplite", "sctp", "raw"])
def test_a_protocol_that_psutil_has_not(asked: str) -> None:
    """netstat's sentence and 1 where it was named, silence where it was not."""
    options = Options(all=True, tcp=True, **{asked: True})
    missing = shown(sockets.INET, options, psutil=FakePsutil())
    assert missing.notices == [f"netstat: no support for `AF INET ({asked})' on this system."]
    assert missing.status == 1
    assert shown(sockets.INET, Options(all=True), psutil=FakePsutil())[1:] == ([], 0)
    verbose = shown(sockets.INET, Options(verbose=True), psutil=FakePsutil())
    assert len(verbose.notices) == 3 and verbose.status == 0
    alone = Options(families=("inet6",), **{asked: True})
    assert shown(sockets.INET, alone, psutil=FakePsutil())[1:] == ([], 0)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (Options(), "inet"),
        (Options(tcp=True), "tcp"),
        (Options(udp=True, families=("inet",)), "udp4"),
        (Options(families=("inet6",)), "inet6"),
        (Options(raw=True), None),
    ],
)
def test_no_more_is_asked_than_is_shown(options: Options, kind: str | None) -> None:
    fake = FakePsutil()
    shown(sockets.INET, options, psutil=fake)
    assert fake.kinds == ([kind] if kind else [])


def rows(result: Shown) -> list[str]:
    return [" ".join(line.split()) for line in result.lines[2:]]


HOLDER = Process(7, name="svc.exe", cmdline=["C:\\svc.exe"], username="HOST\\me")

QUIRKS: dict[str, tuple[Listing, Options, FakePsutil, list[str], list[str]]] = {
    "an address that is empty is none": (
        windows_sockets.SOCKETS,
        NUMERIC.replace(tcp=True),
        FakePsutil([tcp((), (), "CLOSE")]),
        ["tcp - - 0.0.0.0:* 0.0.0.0:* CLOSE"],
        [],
    ),
    "pid 0 is no process": (
        windows_sockets.SOCKETS,
        NUMERIC.replace(tcp=True, programs=True),
        FakePsutil([tcp(("10.0.0.1", 80), ("10.0.0.2", 9), "TIME_WAIT", 0)]),
        ["tcp - - 10.0.0.1:80 10.0.0.2:9 TIME_WAIT -"],
        [],
    ),
    "DELETE_TCB is not one of netstat's words": (
        windows_sockets.SOCKETS,
        NUMERIC.replace(tcp=True),
        FakePsutil([tcp(("10.0.0.1", 80), ("10.0.0.2", 9), "DELETE_TCB")]),
        ["tcp - - 10.0.0.1:80 10.0.0.2:9 CLOSE"],
        [],
    ),
    "a state that nobody knows": (
        windows_sockets.SOCKETS,
        NUMERIC.replace(tcp=True),
        FakePsutil([tcp(("10.0.0.1", 80), (), "BOUND"), tcp(("10.0.0.1", 81), (), "NONE")]),
        ["tcp - - 10.0.0.1:80 0.0.0.0:* BOUND", "tcp - - 10.0.0.1:81 0.0.0.0:*"],
        [],
    ),
    "what is bound and no more is no server": (
        MACOS_INET,
        NUMERIC.replace(tcp=True, all=False, listening=True),
        FakePsutil([tcp(("10.0.0.1", 80), (), "CLOSE"), tcp(("10.0.0.1", 81))]),
        ["tcp - - 10.0.0.1:81 0.0.0.0:* LISTEN"],
        [],
    ),
    "Windows has no remote end of udp": (
        windows_sockets.SOCKETS,
        NUMERIC.replace(udp=True),
        FakePsutil([udp(("10.0.0.1", 53)), udp(("::", 53), family=socket.AF_INET6)]),
        ["udp - - 10.0.0.1:53 0.0.0.0:*", "udp6 - - :::53 :::*"],
        [],
    ),
    "and is a server by netstat's rule": (
        windows_sockets.SOCKETS,
        NUMERIC.replace(udp=True, all=False),
        FakePsutil([udp(("10.0.0.1", 53))]),
        [],
        [],
    ),
    "Windows tells of users by name, even with -n": (
        windows_sockets.SOCKETS,
        NUMERIC.replace(tcp=True, programs=True, extend=1),
        FakePsutil([tcp(("10.0.0.1", 80), pid=7), tcp(("10.0.0.1", 81), pid=4)], [HOLDER]),
        [
            "tcp - - 10.0.0.1:80 0.0.0.0:* LISTEN me - 7/svc.exe",
            "tcp - - 10.0.0.1:81 0.0.0.0:* LISTEN - - 4/-",
        ],
        [],
    ),
    "a table that cannot be read": (
        windows_sockets.SOCKETS,
        NUMERIC.replace(tcp=True),
        FakePsutil(RuntimeError("GetExtendedTcpTable: too many tries")),
        [],
        ["psutil: GetExtendedTcpTable: too many tries"],
    ),
    "an error without a text": (
        windows_sockets.SOCKETS,
        NUMERIC.replace(tcp=True),
        FakePsutil(Error()),
        [],
        ["psutil: Error"],
    ),
    "macOS refuses the whole: process by process": (
        MACOS_INET,
        NUMERIC.replace(tcp=True, programs=True),
        FakePsutil(
            AccessDenied("pid 1"),
            [
                Process(1, AccessDenied("denied"), name="launchd"),
                Process(2, ZombieProcess("zombie")),
                Process(3, NoSuchProcess("gone")),
                Process(5, OSError("what")),
                Process(6, [tcp(("0.0.0.0", 0), (), "CLOSE", fd=4)], name="bound"),
                Process(7, [tcp(("10.0.0.1", 80), fd=3)], name="svc", uids=Uids(501, 501, 501)),
            ],
        ),
        [
            "tcp - - 0.0.0.0:* 0.0.0.0:* CLOSE 6/bound",
            "tcp - - 10.0.0.1:80 0.0.0.0:* LISTEN 7/svc",
        ],
        [NOT_ALL],
    ),
    "a zombie hides nothing": (
        MACOS_INET,
        NUMERIC.replace(tcp=True),
        FakePsutil(AccessDenied("pid 1"), [Process(2, ZombieProcess("zombie"))]),
        [],
        [],
    ),
    "one socket with two descriptors is one": (
        MACOS_INET,
        NUMERIC.replace(tcp=True),
        FakePsutil(
            [
                tcp(("10.0.0.1", 80), pid=7, fd=3),
                tcp(("10.0.0.1", 80), pid=7, fd=4),
                tcp(("10.0.0.1", 80), ("10.0.0.2", 9), "ESTABLISHED", 7, 5),
                tcp(("10.0.0.1", 80), ("10.0.0.2", 9), "ESTABLISHED", 8, 5),
            ]
        ),
        ["tcp - - 10.0.0.1:80 0.0.0.0:* LISTEN", "tcp - - 10.0.0.1:80 10.0.0.2:9 ESTABLISHED"],
        [],
    ),
    "two processes that bound one address are two": (
        MACOS_INET,
        NUMERIC.replace(udp=True, programs=True),
        FakePsutil(
            [udp(("0.0.0.0", 5353), pid=7), udp(("0.0.0.0", 5353), pid=8)],
            [Process(7, name="a"), Process(8, name="b")],
        ),
        ["udp - - 0.0.0.0:5353 0.0.0.0:* 7/a", "udp - - 0.0.0.0:5353 0.0.0.0:* 8/b"],
        [],
    ),
    "macOS reads a mapped address as a compatible one": (
        MACOS_INET,
        NUMERIC.replace(tcp=True, wide=True),
        FakePsutil(
            [
                tcp(("::127.0.0.1", 80), ("::10.0.0.9", 9), "ESTABLISHED"),
                tcp(("::", 80)),
                tcp(("::1", 80)),
                tcp(("fe80::1%en0", 80)),
                tcp(("2001:db8:0:1:2:3:4:5", 80)),
            ]
        ),
        [
            "tcp6 - - 2001:db8:0:1:2:3:4:5:80 :::* LISTEN",
            "tcp6 - - :::80 :::* LISTEN",
            "tcp6 - - ::1:80 :::* LISTEN",
            "tcp6 - - 127.0.0.1:80 10.0.0.9:9 ESTABLISHED",
            "tcp6 - - fe80::1:80 :::* LISTEN",
        ],
        [],
    ),
    "no name, but arguments": (
        windows_sockets.SOCKETS,
        NUMERIC.replace(tcp=True, programs=True),
        FakePsutil(
            [tcp(("10.0.0.1", port), pid=port) for port in (1, 2, 3)],
            [
                Process(1, name=OSError("WinError 87"), cmdline=["C:\\Program Files\\x y.exe"]),
                Process(2, name=OSError("WinError 87"), cmdline=[]),
                Process(3, name=OSError("WinError 87"), cmdline=OSError("WinError 5")),
            ],
        ),
        [
            "tcp - - 10.0.0.1:1 0.0.0.0:* LISTEN 1/x y.exe",
            "tcp - - 10.0.0.1:2 0.0.0.0:* LISTEN 2/-",
            "tcp - - 10.0.0.1:3 0.0.0.0:* LISTEN 3/-",
        ],
        [],
    ),
    "a name that would move the cursor": (
        windows_sockets.SOCKETS,
        NUMERIC.replace(tcp=True, programs=True),
        FakePsutil([tcp(("10.0.0.1", 1), pid=7)], [Process(7, name="a\x1b[2J\u202eb")]),
        ["tcp - - 10.0.0.1:1 0.0.0.0:* LISTEN 7/a?[2J?b"],
        [],
    ),
    "macOS has a name at both ends of a unix socket": (
        MACOS_UNIX,
        NUMERIC,
        FakePsutil([Connection(3, 1, socket.SOCK_STREAM, "/run/b", "/run/a", "NONE", 7)]),
        ["unix - - STREAM - /run/b"],
        [],
    ),
    "and without one it may be a server": (
        MACOS_UNIX,
        Options(listening=True),
        FakePsutil(
            [
                Connection(3, 1, socket.SOCK_STREAM, "/run/b", "/run/a", "NONE", 7),
                Connection(4, 1, socket.SOCK_STREAM, "/run/b", "", "NONE", 7),
                Connection(5, 1, socket.SOCK_STREAM, None, None, "NONE", 7),
                Connection(6, 1, socket.SOCK_DGRAM, "/run/log", "", "NONE", 7),
                Connection(7, 1, 77, "/run/odd", "", "NONE", 7),
            ]
        ),
        ["unix - - STREAM - /run/b"],
        [],
    ),
    "Windows has no unix sockets": (
        windows_sockets.UNIX_SOCKETS,
        Options(families=("unix",)),
        FakePsutil(),
        [],
        ["netstat: no support for `AF UNIX' on this system."],
    ),
    "and says so only where they are named": (
        windows_sockets.UNIX_SOCKETS,
        Options(),
        FakePsutil(),
        [],
        [],
    ),
}


@pytest.mark.parametrize("name", QUIRKS)
def test_quirks(name: str) -> None:
    listing, options, fake, expected, notices = QUIRKS[name]
    result = shown(listing, options, psutil=fake)
    assert rows(result) == expected
    assert result.notices == notices
    assert result.status == (1 if notices and notices != [NOT_ALL] else 0)


def test_what_was_not_seen_is_in_the_record() -> None:
    """Rows that are missing are no failure, but the JSON document says it."""
    proc, outcome = Proc("/nowhere"), Outcome()
    fake = FakePsutil(AccessDenied("pid 1"), [Process(1, AccessDenied("denied"))])
    list(sockets.collect(proc, NUMERIC.replace(tcp=True), outcome, MACOS, fake))
    assert outcome.hidden == [("socket", "only root sees every process", None)]
    assert not outcome.errors


def test_every_holder_is_in_the_record() -> None:
    ends = ("10.0.0.1", 80), ("10.0.0.2", 9), "ESTABLISHED"
    fake = FakePsutil(
        [tcp(*ends, 7, 5), tcp(*ends, 8, 6)],
        [Process(7, name="a", uids=Uids(501, 0, 0)), Process(8, name=AccessDenied("no"))],
    )
    options = NUMERIC.replace(tcp=True, programs=True, format="records")
    found = [
        row for table in sockets.collect(Proc(), options, Outcome(), MACOS, fake) for row in table
    ]
    assert [row.processes for row in found] == [[Holder(7, "a", 5), Holder(8, None, 6)]]
    assert (found[0].pid, found[0].program, found[0].uid) == (7, "a", 501)
    assert found[0].recv_q is None and found[0].inode is None


def test_what_windows_does_not_know_is_null() -> None:
    options = NUMERIC.replace(udp=True)
    fake = FakePsutil([udp(("10.0.0.1", 53), pid=4)])
    (row,) = [
        row for table in sockets.collect(Proc(), options, Outcome(), WINDOWS, fake) for row in table
    ]
    assert (row.remote_address, row.remote_port, row.state, row.uid) == (None,) * 4
    assert row.pid is None  # it was not asked for


def test_the_notice_to_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """As netstat's: one where some processes were seen, another where none was."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    options = NUMERIC.replace(tcp=True, programs=True)
    one, other = tcp(("10.0.0.1", 80), pid=7), tcp(("10.0.0.1", 81))
    holder = Process(7, cmdline=["/usr/bin/svc", "-x"], uids=Uids(1, 1, 1))
    result = shown(sockets.INET, options, psutil=FakePsutil([one, other], [holder]))
    assert result.notices == [NOT_ALL] and rows(result)[0].endswith(" 7/svc")
    result = shown(sockets.INET, options, psutil=FakePsutil([other]))
    assert result.notices == [NOTHING.format(1000)]
    assert not shown(sockets.INET, options, psutil=FakePsutil([one], [holder])).notices


def test_an_older_psutil_calls_it_connections() -> None:
    class Old:
        pid = 7

        def connections(self, kind: str) -> Any:
            return [tcp(("10.0.0.1", 80))]

    fake = FakePsutil(AccessDenied("pid 1"), [Old()])  # type: ignore[list-item]
    options = NUMERIC.replace(tcp=True)
    assert rows(shown(MACOS_INET, options, psutil=fake)) == ["tcp - - 10.0.0.1:80 0.0.0.0:* LISTEN"]


@linux
def test_programs_are_called_as_netstat_calls_them() -> None:
    fake = FakePsutil(
        processes=[
            Process(1, cmdline=["/usr/sbin/sshd -D", "x"]),
            Process(2, cmdline=["sshd: me [priv]"]),
            Process(3, cmdline=[]),
            Process(4, cmdline=["relative/path"]),
        ]
    )
    names = Processes(fake, LINUX).names([None, 0, 1, 2, 3, 4, 5])
    told = [names[pid] for pid in (None, 1, 2, 3, 4, 5)]
    assert told == [None, "sshd -D", "sshd: me [priv]", "", "relative/path", None]


def test_no_psutil_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(Stop, match="psutil cannot be used") as stop:
        psutil_module()
    assert stop.value.status == 1


# Interfaces

LINK = Place(-1, "00-0C-29-4F-8E-35", None, None, None)
IPV4 = Place(socket.AF_INET, "192.0.2.5", "255.255.255.0", "192.0.2.255", None)
IPV6 = Place(socket.AF_INET6, "fe80::20c:29ff:fe4f:8e35%7", "ffff:ffff:ffff:ffff::", None, None)
COUNT = Counters(100, 2000, 3, 4, 5, 6, 7, 8)
TITLES = [
    "Kernel Interface table",
    "Iface             MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg",
]


def nics(options: Options, listing: Listing = interfaces.INTERFACES, **told: Any) -> Shown:
    return shown(listing, options.replace(interfaces=True), psutil=FakePsutil(**told))


def test_interfaces_of_windows() -> None:
    """Flags are empty there: whether it is up is all that is known."""
    result = nics(
        Options(all=True),
        states={
            "Ethernet 2": Nic(True, 2, 1000, 1500, ""),
            "Loopback Pseudo-Interface 1": Nic(True, 2, 1073, 1500, ""),
            "以太网": Nic(False, 2, 0, 1500, ""),
        },
        addresses={
            "Ethernet 2": [LINK, IPV4],
            "Loopback Pseudo-Interface 1": [Place(socket.AF_INET, "127.0.0.1", None, None, None)],
        },
        counters={"Ethernet 2": COUNT, "以太网": COUNT},
    )
    assert result.lines == [
        *TITLES,
        "Ethernet 2       1500        4      5      7 -             3      6      8      - RU",
        f"Loopback Pseudo-Interface 1  1500      - no statistics available -{'':24}LRU",
        held_text("以太网")
        + "              1500        4      5      7 -             3      6      8      - -",
    ]
    assert result.notices == []


def test_interfaces_of_macos() -> None:
    """Its words for flags are netstat's, its bits are not; what goes out is not counted there."""
    flags = "up,broadcast,running,oactive,simplex,multicast"
    told: dict[str, Any] = {
        "states": {
            "en0": Nic(True, 2, 1000, 1500, flags),
            "gif0": Nic(False, 0, 0, 1280, "pointopoint,multicast"),
        },
        "addresses": {"en0": [LINK, IPV4, IPV6]},
        "counters": {"en0": COUNT, "gif0": COUNT},
    }
    result = nics(Options(), macos_interfaces.INTERFACES, **told)
    assert result.lines == [
        *TITLES,
        "en0              1500        4      5      7 -             3      6      -      - BMRU",
    ]
    result = nics(Options(extend=1), macos_interfaces.INTERFACES, **told)
    assert result.lines == [
        TITLES[0],
        "en0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500",
        "        inet 192.0.2.5  netmask 255.255.255.0  broadcast 192.0.2.255",
        "        inet6 fe80::20c:29ff:fe4f:8e35  prefixlen 64  scopeid 0x20<link>",
        "        ether 00:0c:29:4f:8e:35  (Ethernet)",
        "        RX packets 4  bytes 2000 (1.9 KiB)",
        "        RX errors 5  dropped 7  overruns -  frame -",
        "        TX packets 3  bytes 100 (100.0 B)",
        "        TX errors 6  dropped - overruns -  carrier -  collisions -",
        "",
    ]


def test_an_interface_that_is_only_half_known() -> None:
    """Without counters, or with nothing else: it is shown, since it may be up."""
    result = nics(
        Options(),
        states={"a": Nic(True, 0, 0, 1500, "up")},
        counters={"b": COUNT},
        addresses={"c": [IPV4]},
    )
    assert [line.split()[0] for line in result.lines[2:]] == ["a", "b", "c"]
    assert result.lines[3].split()[1] == "-" and result.lines[3].endswith(" -")


def test_an_interface_that_breaks_the_counters_of_all() -> None:
    broken = RuntimeError("GetIfEntry() syscall failed.")
    result = nics(Options(), counters=broken, states={"a": Nic(True, 0, 0, 1500, "up")})
    assert result.lines[2].startswith("a                1500      - no statistics available -")
    assert result.notices == ["psutil: GetIfEntry() syscall failed."]
    assert result.status == 1


@pytest.mark.parametrize(
    ("address", "scope", "length"),
    [
        ("::1", "0x10<host>", "128"),
        ("fe80::1%en0", "0x20<link>", "64"),
        ("fec0::1", "0x40<site>", "64"),
        ("2001:db8::1", "0x0<global>", "-"),
        ("::10.0.0.1", "0x80<compat,global>", "96"),
    ],
)
def test_how_far_an_address_reaches(address: str, scope: str, length: str) -> None:
    mask = None if length == "-" else mask_of(int(length))
    places = [Place(socket.AF_INET6, address, mask, None, None)]
    result = nics(
        Options(extend=1), states={"a": Nic(True, 0, 0, 1, "up")}, addresses={"a": places}
    )
    assert result.lines[2].endswith(f"  prefixlen {length}  scopeid {scope}")


def mask_of(length: int) -> str:
    packed = (((1 << length) - 1) << (128 - length)).to_bytes(16, "big")
    return socket.inet_ntop(socket.AF_INET6, packed)


def test_a_hardware_address_that_is_none() -> None:
    places = [Place(-1, "", None, None, None), Place(-1, "auto", None, None, None)]
    result = nics(
        Options(extend=1), states={"a": Nic(True, 0, 0, 1, "up")}, addresses={"a": places}
    )
    assert result.lines[1:] == ["a: flags=1<UP>  mtu 1", ""]


# Texts


@linux
@given(st.binary(min_size=16, max_size=16))
def test_addresses_are_written_as_linux_does(packed: bytes) -> None:
    assert packed_text(packed) == socket.inet_ntop(socket.AF_INET6, packed)


@linux
@given(st.lists(st.sampled_from([0, 0, 0, 1, 0xFFFF]), min_size=8, max_size=8))
def test_runs_of_zeros_are_written_as_linux_does(groups: list[int]) -> None:
    packed = b"".join(group.to_bytes(2, "big") for group in groups)
    assert packed_text(packed) == socket.inet_ntop(socket.AF_INET6, packed)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("fe80::1%en0", "fe80::1"),
        ("2001:db8::1:2:3:4:5", "2001:db8:0:1:2:3:4:5"),  # macOS: one zero group
        ("::FFFF:10.0.0.1", "::ffff:10.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
        ("no address", "no address"),
    ],
)
def test_every_spelling_of_an_address_is_one(theirs: str, ours: str) -> None:
    assert same_address(theirs) == ours


def test_text_is_held_as_bytes() -> None:
    assert held_text("plain") == "plain"
    assert held_text("é").encode("latin-1") == "é".encode()
    assert held_text("\ud800") == "?"  # half a character, as Windows may have it in a name


# The catalogue


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32", "freebsd14"])
@pytest.mark.parametrize("source", ["auto", "psutil", "proc"])
def test_every_listing_is_found_on_every_system(platform: str, source: str) -> None:
    """/proc on Linux and where it is named, the system's own ways elsewhere."""
    portable = source == "psutil" or (source == "auto" and platform != "linux")
    elsewhere = collectors.PORTABLE.get(platform, collectors.PSUTIL) if portable else {}
    for key in collectors.CATALOGUE:
        listing = collectors.find_listing(*key, source, platform)
        collect: Any = listing.collect
        place = getattr(collect, "func", collect).__module__
        own = ("portable", "macos", "windows")
        assert (place.split(".")[2] in own) == (key in elsewhere), key


def test_no_library_of_a_system_is_loaded_before_it_is_asked() -> None:
    script = (
        "import sys\n"
        "from pynetstat import collectors\n"
        "for platform in ('darwin', 'win32'):\n"
        "    for key in collectors.CATALOGUE: collectors.find_listing(*key, platform=platform)\n"
        "print(sorted({'ctypes', 'psutil'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_an_interface_without_a_carrier_is_up() -> None:
    """psutil's isup means `running`; where it tells flags, `up` is what counts."""
    states = {
        "en0": Nic(True, 2, 1000, 1500, "up,broadcast,running,multicast"),
        "en5": Nic(False, 2, 0, 1500, "up,broadcast,multicast"),
        "en6": Nic(False, 2, 0, 1500, "broadcast,multicast"),
    }
    result = nics(Options(), states=states)
    assert [line.split()[0] for line in result.lines[2:]] == ["en0", "en5"]
    assert result.lines[3].endswith(" BMU")


def test_long_names_are_told_apart() -> None:
    long = "Подключение по локальной сети"
    states = {
        name: Nic(True, 2, 1000, 1500, "")
        for name in ("vEthernet (Default Switch)", "vEthernet (Default Switch 2)", long)
    }
    result = nics(Options(), states=states)
    lines = [line.encode("latin-1").decode() for line in result.lines[2:]]
    for name in states:
        assert sum(line.startswith(f"{name} ") for line in lines) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a title is Linux's")
def test_a_title_that_a_program_wrote_is_whole(tmp_path: Path) -> None:
    """psutil cuts it at its blanks; netstat does not."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_bytes(b"my server name\0\0\0")
    fake = FakePsutil(processes=[Process(7, cmdline=["my", "server", "name"])])
    fake.PROCFS_PATH = str(tmp_path)  # type: ignore[attr-defined]
    assert Processes(fake, LINUX).names({7})[7] == "my server name"


def test_services_of_windows_are_named() -> None:
    """Those that share a process stand together; one that may not be asked is left out."""

    class Service(NamedTuple):
        called: str
        place: Any

        def name(self) -> str:
            return self.called

        def pid(self) -> Any:
            return answer(self.place)

    class WithServices(FakePsutil):
        def win_service_iter(self) -> Iterator[Service]:
            known = [("RpcSs", 7), ("RpcEptMapper", 7), ("Spooler", None)]
            yield from (Service(*one) for one in known)
            yield Service("Secret", AccessDenied("denied"))

    fake = WithServices([tcp(("10.0.0.1", 135), pid=7), tcp(("10.0.0.1", 445), pid=4)])
    options = NUMERIC.replace(tcp=True, programs=True)
    tables = windows_sockets.SOCKETS.collect(Proc("/nowhere"), options, Outcome(), psutil=fake)
    rows = [row for table in tables for row in table]
    assert [row.unit for row in rows] == ["RpcEptMapper,RpcSs", None]


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_advice_is_in_the_commands_of_the_system(system: str) -> None:
    foreign = (
        r"`(?:sudo )?(?:ip|ss|strace|prlimit|conntrack|ethtool|tracepath|systemctl|nmcli)\b|/proc"
    )
    told = [advice_for(rule.advice, system) for rule in RULES]
    assert not [text for text in told if text and re.search(foreign, text)]
    assert sum(map(bool, told)) > 24
    names = {rule.name: advice_for(rule.advice, system) or "" for rule in RULES}
    renewed = "ipconfig set IFACE DHCP" if system == "darwin" else "ipconfig /renew"
    assert renewed in names["no-default-route"]
    assert all(advice_for(rule.advice, "linux") == rule.advice for rule in RULES)


def test_what_psutil_does_not_list_is_said_of_psutil() -> None:
    done = invoke(main, ["-tw", "-an", "--source", "psutil"])
    assert done.exit_code == 1 and done.stdout.startswith("Active Internet connections")
    assert done.stderr == "pynetstat: psutil lists no sockets of raw; leave --source psutil out\n"
