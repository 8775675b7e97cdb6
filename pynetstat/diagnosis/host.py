"""What the rules look at: the sockets, with their programs, and the counters at two moments."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain, compress
from operator import and_
from socket import AF_INET, AF_INET6
from typing import Any

from ..kernel.decode import counters
from ..kernel.proc import READ, Proc, reason
from ..kernel.sockdiag import listener_limits
from ..kernel.tcpinfo import Sample, attempts, tcp_info, tcp_sample
from ..listing import Stop
from ..options import LINUX, Options
from ..outcome import Outcome
from ..plan import Plan
from ..run import Run, unowned
from ..table import Table
from .counters import Counters
from .place import HERE, Place
from .program import Process, descriptors_allowed, descriptors_open, process
from .rule import UNSEEN, Blind, Owner

USUAL_TABLES = {253, 254, 255}  # default, main, local
TOTAL_RETRANS = slice(100, 104)  # of struct tcp_info: without decoding, 100,000 take 10 ms
DISCARDING = ("blackhole", "unreachable", "prohibit")


class Host:
    """The machine, or one network namespace of it, in two samples that lie `seconds` apart: the
    first is taken now, the second by end().

    `place` is where the host is; its sockets are `tables`, or where these are None are read now.
    """

    def __init__(
        self,
        options: Options,
        outcome: Outcome,
        place: Place = HERE,
        tables: list[Table] | None = None,
    ) -> None:
        plan = Plan(socket_options(options).replace(netns=None))
        self.given, self.options, self.outcome = options, plan.options, outcome
        self.place = place
        self.proc = Proc(options.root, outcome.error)
        self.processes: dict[int, Process] = {}
        self.lossy = False  # set by the rule about retransmissions
        self.overflowing: set[str] = set()  # listeners that the rule listen-overflow has told
        self.start = time.monotonic()
        self.before = Counters(Proc(options.root))
        self.blind: str | None = None
        self.tables = self.own_tables(plan) if tables is None else tables
        own = self.proc.own
        self.no_infos = "" if own else "the kernel tells it of its own network namespace alone"
        self.first = self.sample()
        self.attempts: Counter[tuple[str, int, int]] = Counter()
        self.failed = Counters.failed_attempts(self.proc) if own else ""
        self.attempts_seen: set[int] = set()

    def end(self) -> None:
        """Take the second sample."""
        self.last = self.sample()
        self.infos_span = self.last.taken - self.first.taken
        self.after = Counters(Proc(self.proc.root))
        self.seconds = time.monotonic() - self.start

    def own_tables(self, plan: Plan) -> list[Table]:
        run = Run(plan, self.proc, self.outcome)
        tables = self.gather(run)
        if run.owners:
            self.outcome.unowned = sum(map(unowned, tables))
            self.outcome.owner_reasons = run.owners.reasons()
        return tables

    def sample(self) -> Sample:
        """struct tcp_info of the open connections; empty where the kernel does not tell it."""
        if not self.no_infos:
            try:
                return tcp_sample()
            except OSError as error:
                self.no_infos = f"tcp_info by netlink: {reason(error)}"
        return Sample()

    def sample_attempts(self) -> None:
        """While attempts to connect fail, note where they go: most of them are over before the
        second sample."""
        if Counters.failed_attempts(self.proc) == self.failed:
            return
        try:
            found = attempts()
        except OSError:
            return
        for inode, *destination in found:
            if inode not in self.attempts_seen:
                self.attempts_seen.add(inode)
                self.attempts[tuple(destination)] += 1  # type: ignore[index]

    @property
    def span(self) -> float:
        """The seconds between the looks, for what is counted by the second."""
        return max(self.seconds, 1.0)

    def gather(self, run: Run) -> list[Table]:
        """The tables of Internet sockets, each of one protocol. That all of them are missing is
        nothing to netstat, but here it is."""
        try:
            if sys.platform.startswith("linux") and run.options.source != "psutil":
                os.close(os.open(self.proc.path("net/tcp"), READ))
            tables = chain.from_iterable(tables for _, tables in run.gather())
            found = [part for part in tables if isinstance(part, Table) and len(part)]
        except OSError as error:
            self.blind = f"{self.proc.path('net/tcp')}: {reason(error)}"
            return []
        except Stop as stop:
            self.blind = stop.message
            return []
        if run.outcome.ended:
            self.blind = "".join(run.outcome.errors[-1:]) or "the sockets cannot be read"
        return found

    @cached_property
    def again(self) -> list[Table]:
        """The tcp sockets at the second look, without their programs; asked for only where the
        first look has aroused suspicion."""
        options = socket_options(Options(root=self.proc.root, source=self.options.source))
        plan = Plan(options.replace(programs=False, tcp=True))
        return self.gather(Run(plan, Proc(self.proc.root), Outcome(library=True)))

    @cached_property
    def routes(self) -> list[Any]:
        """The routes of both versions that lead out of the machine."""
        found = self.after.listed("net/route", route=True, families=("inet",))
        found += self.after.listed("net/ipv6_route", route=True, families=("inet6",))
        outward = [one for one in found if one.dev not in (None, "lo")]
        inward = ("ff00:", "fe80:")  # IPv6 has these on every interface
        return [
            one
            for one in outward
            if "!" not in (one.flags_str or "") and not (one.dst or "").startswith(inward)
        ]

    def policy_routes(self, family: str) -> list[Any]:
        """The routes of one version that lead out of the machine, of the tables that rules name
        (ip-rule(8)); none where only the usual three are named, or where nothing tells."""
        if self.options.source not in ("auto", "netlink") or not self.proc.own:
            return []
        from ..collectors.linux.route_records import table_names
        from ..kernel.rtnetlink import rules

        try:
            named = {rule.table for rule in rules(AF_INET6 if family == "inet6" else AF_INET)}
        except OSError:
            return []
        if named <= USUAL_TABLES:
            return []
        found = self.after.listed("net/route", route=True, families=(family,), table="all")
        names = table_names()
        tables = {names.get(number, str(number)) for number in named}
        return [
            one
            for one in found
            if one.table in tables and one.type == "unicast" and one.dev not in (None, "lo")
        ]

    @cached_property
    def discarding_default(self) -> str | None:
        """The type of a default route that leads nowhere: blackhole, unreachable or prohibit."""
        found = self.after.listed("net/route", route=True, families=("inet",))
        kinds = [one.type for one in found if one.dst == "default" and one.type in DISCARDING]
        return kinds[0] if kinds else None

    @cached_property
    def other_places(self) -> dict[Any, int]:
        """The network namespaces of other processes, each with the lowest pid in it; none where
        /proc is not our own."""
        found: dict[Any, int] = {}
        if not self.proc.own:
            return found
        own = namespace_of(self.proc, "self")
        try:
            pids = self.proc.pids()
        except OSError:  # which the owners report
            return found
        for pid in sorted(map(int, pids)):
            place = namespace_of(self.proc, str(pid))
            if place is not None and place != own:
                found.setdefault(place, pid)
        return found

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
        return picked(self.of(protocol), names, states, having)

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
    def established(self) -> Counter[Owner]:
        """How many open connections each program holds."""
        return Counter(self.rows("pid program", {"ESTABLISHED"}))

    @cached_property
    def listeners(self) -> dict[int, Owner]:
        """The program that listens on each tcp port."""
        rows = self.rows("local_port pid program", {"LISTEN"})
        return {port: (pid, program) for port, pid, program in rows}

    def files_allowed(self, pid: int | None) -> int | None:
        """How many descriptors a process may have; None where that cannot be seen."""
        return None if pid is None else descriptors_allowed(self.proc, pid)

    def listener_limits(self) -> dict[int, int]:
        """How many connections may wait for each tcp listener, by its inode; see sockdiag.py."""
        return listener_limits(self.proc)

    def listener(self, port: int) -> Owner:
        """The program that listens on a tcp port."""
        return self.listeners.get(port, (None, None))

    # tcp_info

    def must_tell_infos(self) -> None:
        if self.no_infos:
            raise Blind(self.no_infos, never=not (self.proc.own and LINUX))

    def info(self, inode: Any, name: str) -> int | None:
        """A field of tcp_info in the second sample."""
        data = self.last.infos.get(inode)
        return None if data is None else tcp_info(data, name)

    def info_grown(self, inode: Any, name: str) -> int | None:
        """By how much a field of tcp_info has grown; of a connection that is new, all of it."""
        last = self.info(inode, name)
        if last is None:
            return None
        first = self.first.infos.get(inode)
        return max(last - ((tcp_info(first, name) or 0) if first is not None else 0), 0)

    def queued(self, inode: Any) -> tuple[int, int]:
        """The bytes that waited to be read in both samples."""
        return self.first.recv_q(inode) or 0, self.last.recv_q(inode) or 0

    def repeating(self) -> set[Any]:
        """The connections that ever sent a segment again."""
        nothing = bytes(4)
        infos = self.last.infos.items()
        return {key for key, data in infos if data[TOTAL_RETRANS] != nothing}

    @cached_property
    def sent_again(self) -> tuple[int, int]:
        """Segments of open connections that were sent again, and those sent for the first time.
        The kernel counts repeated SYN and SYN/ACK among the former, and those of connections that
        are closed here and that nobody takes leave of at the other end."""
        again = self.grown("Tcp", "RetransSegs") - self.grew("TcpExt", "TCPSynRetrans")
        leaving = {"FIN_WAIT1", "CLOSING", "LAST_ACK"}
        rows = self.rows("key timer", leaving) if again > 0 else []
        later = self.later("timer", leaving) if rows else {}
        for key, timer in rows:
            if key in later:
                again -= max(later[key][0].retransmits - timer.retransmits, 0)
        return max(again, 0), self.grown("Tcp", "OutSegs")

    # The programs

    def process(self, pid: int | None) -> Process:
        if pid is None:
            return Process()
        if pid not in self.processes:
            self.processes[pid] = process(self.proc, pid)
        return self.processes[pid]

    def who(self, owner: Owner) -> str:
        """python3 shop.py (pid 3949, shop.service)"""
        pid, program = owner
        if pid is None:
            return UNSEEN
        known = self.process(pid)
        place = f"pid {pid}, {known.unit}" if known.unit else f"pid {pid}"
        return f"{known.command or program or 'a program without a name'} ({place})"

    def owned(self, owner: Owner, **more: Any) -> dict[str, Any]:
        """A row of evidence about a program."""
        known = self.process(owner[0])
        named = {"program": known.command or owner[1], "pid": owner[0], "unit": known.unit}
        return {**named, **more}

    def files_open(self, pid: int) -> int | None:
        """How many file descriptors a process has; None where that cannot be seen."""
        return descriptors_open(self.proc, pid)

    # The counters

    def grew(self, section: str, name: str) -> int:
        """As grown(); 0 where this kernel has no such counter."""
        try:
            return self.grown(section, name)
        except Blind:
            return 0

    def grown(self, section: str, name: str) -> int:
        """By how much a counter has grown between the looks."""
        return max(self.after.value(section, name) - self.before.value(section, name), 0)

    def setting(self, name: str) -> list[int]:
        """The numbers of a file under /proc/sys/net."""
        values = counters(self.content(f"sys/net/{name}"))
        if not values:
            raise Blind(f"{self.proc.path(f'sys/net/{name}')}: there is no number in it")
        return values

    def content(self, name: str) -> str:
        """A small file; Blind where it cannot be read."""
        outcome = Outcome()
        proc = Proc(self.proc.root, outcome.error)
        try:
            text = "".join(proc.blocks(name))
        except OSError as error:
            raise Blind(f"{proc.path(name)}: {reason(error)}") from error
        if outcome.errors:
            raise Blind(outcome.errors[0])
        return text


def namespace_of(proc: Proc, pid: str) -> Any:
    """What tells the network namespace of a process from others; everybody may see it, where
    the link ns/net is for its owner alone."""
    try:
        found = os.stat(proc.path(f"{pid}/net/dev"))
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
        netns=options.netns,
        **{name: getattr(options, name) for name in kept},
    )


def picked(
    tables: Iterable[Table], names: str, states: Iterable[str | None] = (), having: str = ""
) -> list[tuple[Any, ...]]:
    """Rows of a few fields, chosen before any other field is touched."""
    wanted = set(states)
    found: list[tuple[Any, ...]] = []
    for table in tables:
        chosen: list[Any] = [True] * len(table)
        if wanted:
            chosen = list(map(wanted.__contains__, table["state"]))
        if having and True in chosen:
            chosen = list(map(and_, chosen, map(bool, field(table, having))))
        if True in chosen:
            columns = [field(table, name) for name in names.split()]
            found.extend(compress(zip(*columns), chosen))
    return found


def field(table: Table, name: str) -> Sequence[Any]:
    """A field of the table; `key` is what tells a socket from all others: its inode, or its ends
    where it has none. `recv_q?` is None in every row where the system does not tell it."""
    if name.endswith("?"):
        return table[name[:-1]]
    if name == "key":
        ends = ("local_address", "local_port", "remote_address", "remote_port")
        whole = zip(*map(table.__getitem__, ends))
        if "inode" not in table.fields:
            return list(whole)
        if 0 not in table["inode"]:
            return table["inode"]
        return [inode or place for inode, place in zip(table["inode"], whole)]
    if name == "dev":  # of no device, or not told
        return table[name]
    if name not in table.fields:
        raise Blind(f"this system does not tell the {name} of a socket", never=True)
    return table[name]
