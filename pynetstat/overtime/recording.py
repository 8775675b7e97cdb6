"""--record: what is listed, again and again, into the files of a folder (journal.py)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any, BinaryIO

from .. import collectors
from ..diagnosis.counters import FILES as COUNTED
from ..diagnosis.program import descriptors_allowed, descriptors_open, process
from ..kernel.proc import Proc, reason
from ..kernel.rights import sees_every_process
from ..options import Misuse, Options
from ..outcome import Outcome, ignore
from ..plan import Plan
from ..run import Run, now, rounds, tables_alone
from ..stages.details import Facts
from .journal import Journal
from .rows import (
    RUNNING,
    TOLD_BY_TCP,
    Row,
    numbered_keys,
    rows_of_table,
    runs_on,
    written_value,
)

KEPT = "2d,500M"  # where --keep says nothing
UNITS = {"m": 60, "h": 3600, "d": 86400, "k": 10**3, "M": 10**6, "G": 10**9}
FAMILIES = ("unix", "packet", "netlink", "vsock")  # beside Internet sockets
# Files that are kept as they are: listings and rules read them again
FILES = (
    *dict.fromkeys(COUNTED.values()),
    *("net/arp", "net/dev", "net/route", "net/ipv6_route", "net/igmp", "net/igmp6"),
    *("net/if_inet6", "net/sctp/snmp", "net/udp", "net/udp6"),
    *("sys/net/ipv4/ip_local_port_range", "sys/net/ipv4/ip_local_reserved_ports"),
    *("sys/net/ipv4/tcp_mem", "sys/net/ipv4/udp_mem", "sys/net/ipv4/tcp_max_tw_buckets"),
    *("sys/net/ipv4/tcp_max_orphans", "sys/net/netfilter/nf_conntrack_count"),
    "sys/net/netfilter/nf_conntrack_max",
)
LARGEST = 1 << 18  # bytes of such a file; a larger one is left out


def show_recording(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None] = ignore,
    progress: Callable[[str], None] = ignore,
) -> int:
    """Record until --count, or for ever; the exit status."""
    Plan(options)  # what makes no sense is said of the options as they were given
    seconds, size = kept(options.keep or KEPT)
    journal = Journal(str(options.record), seconds, size)
    recorder = Recorder(options)
    stopped = ""
    status = 0
    repeated = options.replace(continuous=True, statistics=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, finish)
    try:
        for _ in rounds(repeated):
            moment = time.time()
            line = recorder.look(journal.whole_next(moment))
            try:
                journal.write(line, moment)
            except OSError as error:
                if stopped != reason(error):
                    warn(f"pynetstat: {journal.folder}: {reason(error)}; trying again each round")
                stopped, status = reason(error), 1
            else:
                if stopped:
                    warn(f"pynetstat: {journal.folder}: recording again")
                stopped, status = "", 0
    finally:
        journal.close()
    return status


def finish(number: int, _: Any) -> None:
    """End the file properly: on SIGTERM, which systemd sends, and on ^C."""
    raise SystemExit(0 if number == signal.SIGTERM else 128 + number)


def kept(text: str) -> tuple[float, int]:
    """How long recordings are kept, and how many bytes of them: `2d`, `500M` or `2d,500M`."""
    limits: dict[bool, float] = {}
    for word in text.split(","):
        number, unit = word.strip()[:-1], word.strip()[-1:]
        if not number.isdecimal() or not number.isascii() or unit not in UNITS or not int(number):
            raise Misuse(
                f"`{word.strip()}': --keep takes a number above 0 with m, h, d, k, M or G: 2d,500M"
            )
        limits[unit in "kMG"] = int(number) * UNITS[unit]
    return limits.get(False, float("inf")), int(limits.get(True, 1 << 62))


class Kept:
    """A row as it was last written: its number, what runs in it by itself, and since when."""

    __slots__ = ("number", "row", "runs", "seen")

    def __init__(self, number: int, row: Row, runs: Row, seen: float) -> None:
        self.number, self.row, self.runs, self.seen = number, row, runs, seen


class Recorder:
    """Looks at everything, and tells what has changed since its last look."""

    def __init__(self, options: Options) -> None:
        numeric = dict.fromkeys(("numeric_hosts", "numeric_ports", "numeric_users"), True)
        common: dict[str, Any] = {
            "root": options.root, "source": options.source, "netns": options.netns,
            "format": "records", "all": True, **numeric,
        }  # fmt: skip
        self.interval, self.host = options.interval, os.uname().nodename
        self.outcome = Outcome()
        self.proc = Proc(options.root, self.outcome.error)
        sockets = Options(families=("inet", "inet6"), timers=True, programs=True, **common)
        self.sockets = Plan(sockets)
        self.sockets.options = self.sockets.options.replace(internals=TOLD_BY_TCP)
        for family in FAMILIES:
            self.sockets.listings.append(
                collectors.find_listing("sockets", family, source=options.source)
            )
        self.others = {
            "interfaces": Plan(Options(interfaces=True, **common)),
            "routes": Plan(Options(route=True, families=("inet",), **common)),
            "routes6": Plan(Options(route=True, families=("inet6",), **common)),
        }
        self.numbers = count(1)
        self.known: dict[tuple[Any, ...], Kept] = {}
        self.files: dict[str, str | None] = {}
        self.begins = True

    def look(self, whole: bool) -> dict[str, Any]:
        """The line of this round; `whole`: with all rows, whether they have changed or not."""
        self.outcome.begin_round()
        self.outcome.ended = False
        ts, moment = now(), time.monotonic() * 1000
        opened: list[Row] = []
        changed: list[Row] = []
        found: dict[tuple[Any, ...], Kept] = {}
        parts: list[str] = []
        for part, rows in self.parts():
            parts.append(part)
            for key, row in zip(numbered_keys(part, rows), rows):
                old = self.known.pop(key, None)
                runs = {name: row.pop(name) for name in RUNNING if name in row}
                if old is None or whole:
                    number = old.number if old else next(self.numbers)
                    found[key] = Kept(number, row, runs, moment)
                    opened.append({"n": number, "in": part, **row, **runs})
                    continue
                found[key] = old
                if change := changes_of(old, row, runs, moment):
                    changed.append({"n": old.number, **change})
        closed = [one.number for one in self.known.values()]
        self.known = found
        files = {name: self.file(name) for name in FILES}
        line = {
            "ts": ts,
            "key": whole,
            "begins": self.begins,
            "interval": self.interval,
            "host": self.host,
            "privileged": sees_every_process(),
            "parts": parts,
            "opened": opened,
            "changed": changed,
            "closed": [] if whole else closed,
            "files": {
                name: text for name, text in files.items() if whole or text != self.files[name]
            },
            "incomplete": self.outcome.incomplete(),
        }
        self.files, self.begins = files, False
        return line

    def parts(self) -> Iterator[tuple[str, list[Row]]]:
        """Each part of a recording with its rows."""
        run = Run(self.sockets, self.proc, self.outcome)
        holders: dict[int, str | None] = {}
        for listing, tables in run.gather():
            rows = [row for table in tables_alone(tables) for row in rows_of_table(table)]
            holders |= {
                one["pid"]: one["program"] for row in rows for one in row.get("processes", ())
            }
            if self.outcome.ended and listing.name in FAMILIES:  # this kernel has none of it
                self.sockets.listings.remove(listing)
                self.outcome.errors.clear()
            else:
                yield listing.name, rows
        facts = Facts(self.proc)
        yield "processes", [self.process_row(facts, *one) for one in sorted(holders.items())]
        for part, plan in self.others.items():
            self.outcome.ended = False
            for _, tables in Run(plan, self.proc, self.outcome).gather():
                yield part, [row for table in tables_alone(tables) for row in rows_of_table(table)]

    def process_row(self, facts: Facts, pid: int, program: str | None) -> Row:
        """What --details tells of a program, and what the rules of --diagnose ask."""
        row = process(self.proc, pid)._asdict() | {
            "pid": pid,
            "program": program,
            "descriptors": descriptors_open(self.proc, pid),
            "descriptors_allowed": descriptors_allowed(self.proc, pid),
            "details": facts.process(pid),
            "published_for": facts.published_for(pid, program or ""),
        }
        return {name: written_value(one) for name, one in row.items() if one is not None}

    def file(self, name: str) -> str | None:
        with suppress(OSError):
            text = "".join(self.proc.blocks(name, most=LARGEST))
            return text.encode("latin-1").decode("utf-8", "surrogateescape")
        return None


def changes_of(old: Kept, row: Row, runs: Row, moment: float) -> Row:
    """The fields that are not as they were last written; None for those that are gone. What runs
    by itself is written together, where it does not run on as before."""
    change: Row = {}
    if not runs_on(old.runs, runs, moment - old.seen):
        change = {name: runs.get(name) for name in {**old.runs, **runs}}
        old.runs, old.seen = runs, moment
    if row != old.row:
        names = [name for name in {**old.row, **row} if old.row.get(name) != row.get(name)]
        change |= {name: row.get(name) for name in names}
        old.row = row
    return change
