"""What the rules look at: the sockets, with their programs, and the counters at two moments."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, compress
from operator import and_
from typing import Any

from ..kernel.decode import counters
from ..kernel.proc import READ, Proc, reason
from ..listing import Stop
from ..options import Options
from ..outcome import Outcome
from ..plan import Plan
from ..run import Run, unowned
from ..table import Table
from .counters import Counters
from .rule import Blind, Owner

sleep = time.sleep


class Host:
    """The machine as it was between two looks, `seconds` apart."""

    def __init__(self, options: Options, outcome: Outcome) -> None:
        plan = Plan(socket_options(options))
        self.options, self.outcome = plan.options, outcome
        self.proc = Proc(options.root, outcome.error)
        start = time.monotonic()
        self.before = Counters(options.root)
        self.blind: str | None = None
        run = Run(plan, self.proc, outcome)
        self.tables = self.gather(run)
        if run.owners:
            outcome.unowned = sum(map(unowned, self.tables))
            outcome.owner_reasons = run.owners.reasons()
        sleep(max(options.interval - (time.monotonic() - start), 0))
        self.after = Counters(options.root)
        self.seconds = time.monotonic() - start

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

    def files_allowed(self, pid: int | None) -> int | None:
        """How many descriptors a process may have; None where that cannot be seen.

        Max open files            1024                 524288               files
        """
        try:
            found = re.search(r"^Max open files +(\d{1,18}) ", self.content(f"{pid}/limits"), re.M)
        except Blind:
            return None
        return int(found[1]) if found else None

    # The counters

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
