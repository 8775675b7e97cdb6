"""What the rules look at: the sockets once, with their programs, and the counters twice."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, compress
from operator import and_
from typing import Any, NamedTuple

from ..collectors.statistics import keyed, pairs
from ..options import Options
from ..proc import Proc, Stop, counters, numbers, reason
from ..run import Run, check
from ..sockdiag import listener_limits
from ..table import Table
from .findings import Blind, Owner, end, owned

sleep = time.sleep

# The file that has the counters of a section. A section is what stands before the colon.
FILES = {
    "Ip": "net/snmp",
    "Tcp": "net/snmp",
    "Udp": "net/snmp",
    "TcpExt": "net/netstat",
    "Udp6": "net/snmp6",
    "TCP": "net/sockstat",
    "UDP": "net/sockstat",
    "conntrack": "net/stat/nf_conntrack",
}

# A row of /proc/net/udp as udp4_format_sock() prints it; its last field are datagrams dropped:
#   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
#  123: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 4242 2 0000 17
UDP = re.compile(
    r"^ *\d+: \S+ \S+ [0-9A-F]{2} [0-9A-F]{8}:([0-9A-F]{8}) \S+ \S+ +\d+ +\d+ (\d{1,18}) \d+ \S+"
    r" (\d{1,18}) *$",
    re.ASCII | re.MULTILINE,
)


class Counters:
    """The counters of one moment: by section and name, by interface, by UDP socket.

    What could not be read stands in `problems` by its file, and is a problem of those rules
    alone that ask for it.
    """

    def __init__(self, proc: Proc) -> None:
        self.proc = Proc(proc.root)  # in silence: each rule says what it misses
        self.values: dict[str, dict[str, int]] = {}
        self.problems: dict[str, str] = {}
        for name in dict.fromkeys(FILES.values()):
            try:
                self.enter(name)
            except OSError as error:
                self.problems[name] = f"{self.proc.path(name)}: {reason(error)}"
        self.udp = {**self.udp_sockets("net/udp"), **self.udp_sockets("net/udp6")}
        self.interfaces = self.listed("net/dev", interfaces=True, all=True)

    def enter(self, name: str) -> None:
        if name in ("net/snmp", "net/netstat", "net/snmp6"):
            read = keyed if name == "net/snmp6" else pairs
            for section in read(self.proc, Options(), name):
                known = self.values.setdefault(section.title or "", {})
                known.update(zip(section["name"], section["value"]))
        elif name == "net/sockstat":
            self.values |= sockstat(self.proc.read(name))
        else:
            self.values["conntrack"] = per_processor(self.proc.read(name))

    def udp_sockets(self, name: str) -> dict[int, tuple[int, int]]:
        """Bytes that wait and datagrams dropped, by the socket's inode."""
        try:
            rows = UDP.findall("".join(self.proc.blocks(name)))
        except OSError as error:
            self.problems[name] = f"{self.proc.path(name)}: {reason(error)}"
            return {}
        waiting, inodes, dropped = zip(*rows) if rows else ((), (), ())
        return dict(zip(map(int, inodes), zip(numbers(waiting), map(int, dropped))))

    def listed(self, name: str, **options: Any) -> list[Any]:
        """The records of a listing."""
        run = Run(Options(root=self.proc.root, **options), self.proc, library=True)
        try:
            tables = chain.from_iterable(tables for _, tables in run.gather())
            return list(chain.from_iterable(part for part in tables if isinstance(part, Table)))
        except Stop as stop:
            self.problems[name] = stop.message or f"{self.proc.path(name)}: it cannot be read"
            return []

    def value(self, section: str, name: str) -> int:
        known = self.values.get(section, {})
        if name in known:
            return known[name]
        file = FILES[section]
        where = self.proc.path(file)
        raise Blind(
            self.problems.get(file, f"{where}: this kernel has no counter {section} {name}")
        )


def sockstat(text: str) -> dict[str, dict[str, int]]:
    """/proc/net/sockstat as sockstat_seq_show() prints it; memory is in pages.

    TCP: inuse 27 orphan 0 tw 12 alloc 31 mem 4
    """
    found = {}
    for line in text.splitlines():
        title, _, rest = line.partition(":")
        words = rest.split()
        found[title] = {
            name: value for name, word in zip(words[::2], words[1::2]) for value in counters(word)
        }
    return found


def per_processor(text: str) -> dict[str, int]:
    """/proc/net/stat/nf_conntrack as ct_cpu_seq_show() prints it: names in a line, and in
    hexadecimal a line for each processor. Their sums, which mean nothing for `entries`."""
    header, *rows = [line.split() for line in text.splitlines()] or [[]]
    found = dict.fromkeys(header, 0)
    for row in rows:
        for name, value in zip(header, numbers(row)):
            found[name] += value
    return found


class Queue(NamedTuple):
    """The connections that wait for a listener to accept them, at both looks, and how many may;
    None where that is not known."""

    owner: Owner
    place: str
    waiting: int
    later: int
    room: int | None

    @property
    def row(self) -> dict[str, Any]:
        return owned(self.owner, listens_at=self.place, waiting=self.waiting, room_for=self.room)


class Host:
    """The machine as it was between two looks, `seconds` apart."""

    def __init__(self, options: Options, proc: Proc, library: bool = False) -> None:
        self.proc = proc
        self.run = Run(socket_options(options), proc, library)
        check(self.run)
        start = time.monotonic()
        self.before = Counters(proc)
        self.blind: str | None = None
        self.tables = self.gather(self.run)
        sleep(max(options.interval - (time.monotonic() - start), 0))
        self.after = Counters(proc)
        self.seconds = time.monotonic() - start

    def gather(self, run: Run) -> list[Table]:
        """The tables of Internet sockets, each of one protocol. That all of them are missing is
        nothing to netstat, but here it is."""
        try:
            if sys.platform.startswith("linux") and run.options.source != "psutil":
                open(self.proc.path("net/tcp"), "rb").close()
            tables = chain.from_iterable(tables for _, tables in run.gather())
            found = [part for part in tables if isinstance(part, Table) and len(part)]
        except OSError as error:
            self.blind = f"{self.proc.path('net/tcp')}: {reason(error)}"
            return []
        except Stop as stop:
            self.blind = stop.message
            return []
        if run.ended:
            self.blind = "".join(self.proc.troubles[-1:]) or "the sockets cannot be read"
        return found

    @cached_property
    def again(self) -> list[Table]:
        """The tcp sockets at the second look, without their programs; asked for only where the
        first look has aroused suspicion."""
        options = socket_options(Options(root=self.proc.root, source=self.run.options.source))
        quiet = Run(options.replace(programs=False, tcp=True), Proc(self.proc.root), library=True)
        return self.gather(quiet)

    @cached_property
    def routes(self) -> list[Any]:
        """The routes of both versions that lead out of the machine."""
        found = self.after.listed("net/route", route=True, families=("inet",))
        found += self.after.listed("net/ipv6_route", route=True, families=("inet6",))
        outward = [one for one in found if one.dev not in (None, "lo")]
        return [one for one in outward if "!" not in (one.flags_str or "")]

    # The sockets

    def of(self, protocol: str) -> list[Table]:
        if self.blind and not self.tables:
            raise Blind(self.blind)
        return [table for table in self.tables if table["proto"][0].startswith(protocol)]

    def rows(
        self, names: str, states: Iterable[str | None] = (), having: str = "", protocol: str = "tcp"
    ) -> list[tuple[Any, ...]]:
        """These fields of the sockets in these states (or in any) that have something in the
        field `having`. No row of any other socket is ever made."""
        return list(picked(self.of(protocol), names, states, having))

    def later(self, names: str, states: Iterable[str]) -> dict[Any, tuple[Any, ...]]:
        """The fields of the sockets that are in these states at the second look, by identity."""
        tables = [table for table in self.again if table["proto"][0].startswith("tcp")]
        return {row[0]: row[1:] for row in picked(tables, f"key {names}", states)}

    @cached_property
    def states(self) -> Counter[str]:
        """How many tcp sockets are in each state."""
        return Counter(chain.from_iterable(table["state"] for table in self.of("tcp")))

    @cached_property
    def connections(self) -> Counter[Owner]:
        """How many tcp sockets each program holds."""
        pairs = (zip(table["pid"], table["program"]) for table in self.of("tcp"))
        return Counter(chain.from_iterable(pairs))

    @cached_property
    def listeners(self) -> dict[int, Owner]:
        """The program that listens on each tcp port."""
        rows = self.rows("local_port pid program", {"LISTEN"})
        return {port: (pid, program) for port, pid, program in rows}

    @cached_property
    def queues(self) -> list[Queue]:
        """The listeners for whom connections wait, the longest queue first."""
        limits = listener_limits(self.proc)
        names = "pid program local_address local_port recv_q key"
        rows = self.rows(names, {"LISTEN"}, having="recv_q")
        later = self.later("recv_q", {"LISTEN"}) if rows else {}
        found = [
            Queue(
                (pid, program),
                end(address, port),
                waiting,
                later.get(key, (0,))[0],
                limits.get(key),
            )
            for pid, program, address, port, waiting, key in rows
        ]
        return sorted(found, key=lambda queue: -queue.waiting)

    # The counters

    def grown(self, section: str, name: str) -> int:
        """By how much a counter has grown between the looks."""
        return max(self.after.value(section, name) - self.before.value(section, name), 0)

    def setting(self, name: str) -> list[int]:
        """The numbers of a file under /proc/sys/net."""
        path = f"sys/net/{name}"
        try:
            values = counters("".join(self.proc.blocks(path)))
        except OSError as error:
            raise Blind(f"{self.proc.path(path)}: {reason(error)}") from error
        if not values:
            raise Blind(f"{self.proc.path(path)}: there is no number in it")
        return values


def socket_options(options: Options) -> Options:
    """All Internet sockets, in numbers, with timers and programs; what filters is kept."""
    kept = ("filter", "state", "port", "pid", "program", "user", "root", "source", "interval")
    return Options(
        families=("inet", "inet6"),
        all=True,
        timers=True,
        programs=True,
        numeric_hosts=True,
        numeric_ports=True,
        numeric_users=True,
        **{name: getattr(options, name) for name in kept},
    )


def picked(
    tables: Iterable[Table], names: str, states: Iterable[str | None] = (), having: str = ""
) -> Iterator[tuple[Any, ...]]:
    """Rows of a few fields, chosen before any other field is touched."""
    wanted = set(states)
    for table in tables:
        chosen: list[Any] = [True] * len(table)
        if wanted:
            chosen = list(map(wanted.__contains__, table["state"]))
        if having and True in chosen:
            chosen = list(map(and_, chosen, map(bool, field(table, having))))
        if True in chosen:
            columns = [field(table, name) for name in names.split()]
            yield from compress(zip(*columns), chosen)


def field(table: Table, name: str) -> Sequence[Any]:
    """A field of the table; `key` is what tells a socket from all others."""
    if name == "key":
        if "inode" in table.fields:
            return table["inode"]
        ends = ("local_address", "local_port", "remote_address", "remote_port")
        return list(zip(*map(table.__getitem__, ends)))
    if name not in table.fields:
        raise Blind(f"this system does not tell the {name} of a socket")
    return table[name]
