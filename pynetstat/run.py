"""The one route from the options to the output: gather() and show()."""

from __future__ import annotations

import errno
import gc
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from . import collectors, formats
from .kernel.proc import Proc, Stop, reason
from .listing import OWNED, Listing
from .options import Misuse, Options, listings, nearest
from .table import Remark, Table, joined

Tables = Iterator["Table | Remark"]


class Run:
    """One run of the program: what it asks, and what it remembers from round to round.

    `status` becomes the exit status, `matched` counts the rows that were given. In the API
    (`library`) a table that cannot be read is the caller's exception.
    """

    def __init__(self, options: Options, proc: Proc, library: bool = False) -> None:
        self.options, self.proc, self.library = options, proc, library
        self.status = self.matched = self.unowned = 0
        self.ended = False
        self.names: Any = None
        self.owners: Any = None
        self.filter: Any = None
        self.early: Any = None
        self.late: Any = None
        named = {*options.columns, *options.sort_keys, *options.count_by}
        if options.filtered:
            named |= self.choose(options)
        if not named.isdisjoint(OWNED):  # a field that is named switches its stage on
            self.options = self.options.replace(programs=True)

    def choose(self, options: Options) -> set[str]:
        """The fields that a filter asks for; where it names a state, it replaces netstat's own
        choice of rows."""
        from .stages.filters import from_options

        chosen = from_options(options)
        if not chosen:
            return set()
        self.filter = chosen
        self.early, self.late = chosen.split()
        self.options = options.replace(all=options.all or chosen.names_state)
        return set(chosen.fields)

    def listings(self) -> list[Listing]:
        """What is listed, in order; its modules are imported now. In records the listings of
        one name stand together, each once."""
        options = self.options
        found = [collectors.find(*key, source=options.source) for key in listings(options)]
        if options.structured:
            names = [listing.name for listing in found]
            found = sorted(dict.fromkeys(found), key=lambda listing: names.index(listing.name))
        return found

    def gather(self) -> Iterator[tuple[Listing, Tables]]:
        """Each listing with its tables; one is to be read to its end before the next is asked
        for, since a table that is missing may end the run."""
        self.owners, self.unowned = None, 0
        self.proc.troubles.clear()
        self.proc.unseen.clear()
        try:
            if self.options.count_by:
                yield self.counts()
                return
            for listing in self.listings():
                yield self.arranged(listing, self.stages(listing))
                if self.ended:
                    return
        finally:
            if self.owners:
                self.owners.close()

    def stages(self, listing: Listing) -> Tables:
        """Only the steps that were asked for, the cheap ones first."""
        options = self.options
        tables = self.guarded(listing.collect(self.proc, options))
        tables = self.keep(tables, self.early)
        if options.programs and "program" in listing.record._fields:
            tables = tables if listing.owned else self.attribute(tables)
        tables = self.keep(tables, self.late)
        wanted = listing.names(options)
        return self.resolve(tables, wanted) if wanted else tables

    def counts(self) -> tuple[Listing, Tables]:
        """The rows of all listings, counted by the values of some fields."""
        from .stages.count import count

        def tables() -> Tables:
            for listing in found:
                yield from self.stages(listing)
                if self.ended:
                    return

        found = self.listings()
        table = count(tables(), self.options.count_by, self.options.top)
        listing = found[0]._replace(name="counts", record=table.record, text=None)
        return listing, self.counted(iter([table]))

    def arranged(self, listing: Listing, tables: Tables) -> tuple[Listing, Tables]:
        options = self.options
        if options.sort and set(options.sort_keys) <= {*listing.record._fields}:
            from .stages.sort import sorted_table

            whole = joined(listing.record, rows_of(tables))
            tables = iter([sorted_table(whole, options.sort)])
        return listing, self.counted(tables)

    def guarded(self, tables: Tables) -> Tables:
        """A listing that cannot go on ends here, with its message and the run's status."""
        try:
            yield from tables
        except Stop as stop:
            if self.library:
                raise
            self.ended, self.status = True, stop.status
            if stop.message:
                self.proc.warn(stop.message)
                self.proc.troubles.append(stop.message)
            if stop.remark:
                yield Remark(stop.remark)

    def keep(self, tables: Tables, part: Any) -> Tables:
        """The rows that this part of the filter lets pass."""
        if part is None or not part.parts:
            return tables
        return (part.keep(table) if isinstance(table, Table) else table for table in tables)

    def attribute(self, tables: Tables) -> Tables:
        """Who holds each socket; all rows are needed before the first can be named."""
        from .stages.owners import Owners

        options = self.options
        if self.owners is None:
            crowd = crowded(self.proc)
            every = options.structured or (self.filter and "processes" in self.filter.fields)
            self.owners = Owners(self.proc, options, bool(every), crowd)
        try:
            everything = list(tables)
        except BaseException:
            self.owners.close()
            raise
        rows = list(rows_of(everything))
        self.owners.attribute(rows)
        if self.library and self.owners.failure:
            raise Stop(self.owners.failure)
        for table in rows if options.structured else ():
            pairs = zip(table["inode"], table["pid"])
            self.unowned += len([inode for inode, pid in pairs if inode and pid is None])
        yield from everything

    def resolve(self, tables: Tables, wanted: Any) -> Tables:
        from .stages.names import Names

        if self.names is None:
            self.names = Names(self.options, self.proc)
        return iter(self.names.resolve(tables, wanted))

    def counted(self, tables: Tables) -> Tables:
        for table in tables:
            self.matched += len(table) if isinstance(table, Table) else 0
            yield table

    def incomplete(self) -> list[dict[str, Any]]:
        """What is missing from what was given, and why."""
        missing: list[dict[str, Any]] = [
            {"what": "table", "reason": reason, "count": None} for reason in self.proc.troubles
        ]
        names = ("what", "reason", "count")
        missing += [dict(zip(names, found)) for found in dict.fromkeys(self.proc.unseen)]
        if self.unowned:
            reason = "; ".join(self.owners.reasons()) or "no process is seen to hold it"
            missing.append({"what": "owner", "reason": reason, "count": self.unowned})
        return missing


def rows_of(tables: Iterable[Table | Remark]) -> Iterator[Table]:
    """The tables alone, without what netstat remarks between them."""
    return (table for table in tables if isinstance(table, Table))


CROWD = 50_000  # sockets from which a second thread is worth its start


def crowded(proc: Proc) -> bool:
    """Are there so many sockets that their owners should be sought by two threads?

    `sockets: used 1234` is the first line of /proc/net/sockstat.
    """
    try:
        used = proc.read("net/sockstat").split()[2]
    except (OSError, IndexError):
        return False
    return used.isdecimal() and int(used[:9]) >= CROWD and (os.cpu_count() or 1) > 1


def check(run: Run) -> None:
    """What no listing can answer is the user's mistake, told before anything is printed: a
    field that none has (the valid ones are listed), a filter about what this table lacks."""
    options = run.options
    if run.filter:
        for listing in run.listings():
            run.filter.check(listing.record)
    names = [*options.columns, *options.sort_keys]
    if names:
        valid = dict.fromkeys(name for found in run.listings() for name in found.record._fields)
        for name in names:
            if name not in valid:
                hint = nearest(name, valid)
                raise Misuse(f"no field `{name}' here{hint}; the fields are: {', '.join(valid)}")


def put(out: BinaryIO, piece: bytes = b"", flush: bool = False) -> None:
    """What cannot be written ends the program. That nobody reads on is nothing to speak of:
    Windows, which has no SIGPIPE, calls it an invalid argument."""
    rest = memoryview(piece)
    try:
        while rest:  # PYTHONUNBUFFERED gives us the bare file, which may take a part only
            taken = out.write(rest)
            if taken is None:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            rest = rest[taken:]
        if flush:
            out.flush()
    except OSError as error:
        gone = error.errno in (errno.EPIPE, errno.EINVAL)
        raise Stop("" if gone else f"pynetstat: standard output: {reason(error)}") from error


def bare(proc: Proc) -> None:
    """A container may have no /proc, or one without its net: netstat lists nothing in silence."""
    try:
        os.stat(proc.path("net"))
    except OSError as error:
        if error.errno == errno.ENOENT:  # anything else is told table by table
            proc.warn(f"({proc.path('net')}: {reason(error)}; there is nothing to list.)")


LINUX = sys.platform.startswith("linux")


def show(options: Options, proc: Proc, out: BinaryIO) -> int:
    """Print what was asked for, again and again under -c; the exit status."""
    run = Run(options, proc)
    check(run)
    if options.source != "psutil" and (LINUX or options.root != "/proc") and options.silent:
        bare(proc)
    render = formats.find(options)
    rounds = 0
    while True:
        run.matched = 0
        run.options = run.options.replace(round=rounds + 1)
        for piece in render(run.gather(), run.options, run.incomplete):
            put(out, piece)
        put(out, flush=True)
        if run.owners and not rounds:
            run.owners.last_notice()
        rounds += 1
        if run.status or not options.repeated or rounds == options.rounds:
            empty = options.fail_if_empty and not run.matched
            return run.status or (1 if proc.troubles or empty else 0)
        gc.collect()  # the entry point turned it off
        time.sleep(options.interval)
