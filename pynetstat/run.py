"""The one route from the options to the output: gather() and show()."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

from . import collectors, formats
from .options import Options, listings
from .proc import Proc, Stop
from .table import Listing, Remark, Table

Tables = Iterator["Table | Remark"]


class Run:
    """One run of the program: what it asks, and what it remembers from round to round.

    `status` becomes the exit status; `matched` counts the rows that were given.
    """

    def __init__(self, options: Options, proc: Proc, fork: bool = False) -> None:
        self.options, self.proc, self.fork = options, proc, fork
        self.status = self.matched = 0
        self.ended = False
        self.names: Any = None
        self.owners: Any = None

    def gather(self) -> Iterator[tuple[Listing, Tables]]:
        """Each listing with its tables; one is to be read to its end before the next is asked
        for, since a table that is missing may end the run."""
        self.owners = None
        for what, family in listings(self.options):
            listing = collectors.find(what, family, self.options.source)
            yield listing, self.stages(listing)
            if self.ended:
                return

    def stages(self, listing: Listing) -> Tables:
        """Only the steps that were asked for, the cheap ones first."""
        options = self.options
        tables = self.guarded(listing.collect(self.proc, options))
        if options.programs and "program" in listing.record._fields:
            tables = self.attribute(tables)
        wanted = listing.names(options)
        if wanted:
            tables = self.resolve(tables, wanted)
        return tables

    def guarded(self, tables: Tables) -> Tables:
        """A listing that cannot go on ends here, with its message and the run's status."""
        try:
            yield from tables
        except Stop as stop:
            self.ended, self.status = True, stop.status
            if stop.message:
                self.proc.warn(stop.message)
            if stop.remark:
                yield Remark(stop.remark)

    def attribute(self, tables: Tables) -> Tables:
        """Who holds each socket; all rows are needed before the first can be named."""
        from .owners import Owners

        if self.owners is None:
            self.owners = Owners(self.proc, self.options, crowd=self.fork and crowded(self.proc))
        everything = list(tables)
        self.owners.attribute([table for table in everything if isinstance(table, Table)])
        yield from everything

    def resolve(self, tables: Tables, wanted: Any) -> Tables:
        from .names import Names

        if self.names is None:
            self.names = Names(self.options, self.proc)
        return iter(self.names.resolve(tables, wanted))


CROWD = 20_000  # sockets from which a second process is worth its start


def crowded(proc: Proc) -> bool:
    """Are there so many sockets that their owners should be sought by two processes?

    `sockets: used 1234` is the first line of /proc/net/sockstat.
    """
    try:
        used = proc.read("net/sockstat").split()[2]
    except (OSError, IndexError):
        return False
    return used.isdecimal() and int(used) >= CROWD and (os.cpu_count() or 1) > 1


def show(options: Options, proc: Proc, out: BinaryIO) -> int:
    """Print what was asked for, again and again under -c; the exit status."""
    run = Run(options, proc, fork=True)
    render = formats.find(options.format)
    rounds = 0
    while True:
        for piece in render(run.gather(), options):
            out.write(piece)
        out.flush()
        rounds += 1
        if run.status or not options.continuous or rounds == options.rounds:
            return run.status or (1 if proc.troubles else 0)
        time.sleep(options.interval)
