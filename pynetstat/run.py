"""From a plan to the output: gather() gives the sections, show() prints them."""

from __future__ import annotations

import errno
import gc
import os
import time
from collections.abc import Callable, Iterable, Iterator

from . import formats
from .kernel.proc import Proc, reason
from .listing import Layout, Listing, Missing, Piece, Section, Stop
from .options import LINUX, Options
from .outcome import Outcome, ignore
from .plan import Plan
from .table import Remark, Table, holdable, joined, names_of

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any, BinaryIO

Pieces = Iterator["Table | Remark | Layout"]


def show(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None] = ignore,
    progress: Callable[[str], None] = ignore,
) -> int:
    """Print what was asked for, again and again under -c; the exit status."""
    plan = Plan(options)
    outcome = Outcome(warn, progress)
    proc = Proc(plan.options.root, outcome.error)
    missing = plan.options.silent and no_tables(plan.options, proc)
    if missing:
        outcome.warn(f"({missing}; there is nothing to list.)")
    return print_rounds(Run(plan, proc, outcome), out)


def print_rounds(run: Run, out: BinaryIO) -> int:
    """Print what a run gathers, once or in rounds; the exit status."""
    options, outcome = run.options, run.outcome
    render = formats.find_renderer(options)
    headed: set[str] = set()
    framed = options.repeated and options.format in ("jsonl", "csv", "tsv")
    for number in rounds(options):
        outcome.begin_round()
        frame = (Frame(number, now(), headed),) if framed else ()
        sections = run.gather(number)
        for piece in joined_blocks(render(sections, options, outcome.incomplete, *frame)):
            put(out, piece)
        put(out, flush=True)
        if number == 1:
            run.last_notices()
        if outcome.status:
            break
    return outcome.exit_status(options.fail_if_empty)


def rounds(options: Options) -> Iterator[int]:
    """The numbers of the rounds, from 1 on. They begin at multiples of the interval, however long
    each takes; where one takes longer than that, the next begins at the next multiple."""
    number = 1
    due = time.monotonic()
    while True:
        yield number
        if not options.repeated or number == options.rounds:
            return
        gc.collect()  # the entry point turned it off
        if number == 1:  # what the program itself consists of stays: 0.3 ms a round instead of 5
            gc.freeze()
        interval, moment = options.interval, time.monotonic()
        due += interval
        if interval and due < moment:
            due += -(-(moment - due) // interval) * interval
        time.sleep(max(due - moment, 0))
        number += 1


class Frame:
    """One of several rounds: its number, its time, and the listings whose header was written."""

    def __init__(self, number: int, ts: str, headed: set[str]) -> None:
        self.number, self.ts, self.headed = number, ts, headed


def now() -> str:
    """The time as RFC 3339, to the millisecond: 2026-11-26T09:30:00.123+00:00"""
    seconds = time.time()
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", local)
    return f"{stamp}.{int(seconds % 1 * 1000):03d}{zone[:3]}:{zone[3:]}"


class Run:
    """The steps of a plan. Owners and names are remembered: owners for a round, names for all."""

    def __init__(self, plan: Plan, proc: Proc, outcome: Outcome) -> None:
        self.plan, self.options = plan, plan.options
        self.proc, self.outcome = proc, outcome
        self.owners: Any = None
        self.names: Any = None
        self.places: Any = None
        self.rates: Any = None
        self.place = 0  # of the listing that is given, among those of the plan

    def gather(self, number: int = 1) -> Iterator[Section]:
        """A section for each listing. Nothing is read before its tables are."""
        self.owners = None
        missing = no_tables(self.options, self.proc)
        if missing:
            self.outcome.unseen("table", missing, None)
        try:
            if self.options.netns and not self.find_places():
                return
            if self.options.rates and self.rates is None:
                self.look_first()
            if self.options.count_by:
                yield self.counts()
                return
            for place, listing in enumerate(self.plan.listings):
                self.place = place
                if number > 1 and listing.heading_once:
                    listing = listing._replace(heading=no_heading)
                for part in self.places.parts(listing) if self.places else (listing,):
                    yield Section(part, self.counted(self.ordered(part, self.rows(part))))
                    if self.outcome.ended:
                        return
        finally:
            if self.rates:
                self.rates.end_round()
            if self.owners:
                self.owners.close()

    def last_notices(self) -> None:
        """What is told once, when the first round has been printed."""
        self.notices_of_processes()
        name = self.options.program
        if name and not self.outcome.matched:
            self.outcome.warn(
                f"(No socket of a program called exactly `{name}'. --filter 'program ~ {name}'"
                " takes a part of the name.)"
            )

    def notices_of_processes(self) -> None:
        if self.owners:
            self.owners.last_notice()
        if self.options.pid is not None:
            from .stages.other_kinds import warn_of_other_kinds

            warn_of_other_kinds(self.proc, self.options, self.outcome)

    def find_places(self) -> bool:
        """The namespaces of --netns; False where there is none such."""
        from .stages.places import Places

        try:
            self.places = Places(self.proc, self.options, self.outcome)
        except Stop as stop:
            if self.outcome.library:
                raise
            self.outcome.end(f"pynetstat: {stop.message}", stop.status)
            return False
        return True

    def look_first(self) -> None:
        """With --rates: take the first sample, and wait; the listing takes the second."""
        from .stages.rates import Rates

        inside = self.places.inside if self.places else do_here
        self.rates = Rates(self.proc, self.outcome, inside)
        self.rates.first_look()
        time.sleep(self.options.interval)

    def rated(self, table: Any) -> Any:
        return self.rates.fill(table) if isinstance(table, Table) else table

    def rows(self, listing: Listing) -> Pieces:
        """The steps that were asked for, the cheap ones first."""
        tables = self.allowed(listing.collect(self.proc, self.options, self.outcome))
        if self.rates:
            tables = (self.rated(table) for table in tables)
        tables = filtered_pieces(tables, self.plan.early)
        if self.options.programs and "program" in listing.record._fields and not listing.owned:
            tables = self.attribute(tables)
        if self.options.lsof is not None:
            from .stages.lsof_holders import with_holders

            tables = with_holders(self.proc, self.options, tables)
        tables = filtered_pieces(tables, self.plan.late)
        wanted = listing.names(self.options)
        return self.resolve(tables, wanted) if wanted else tables

    def counts(self) -> Section:
        """The rows of all listings, counted by the values of some fields."""
        from .stages.count import count_rows

        def tables() -> Pieces:
            for listing in self.plan.listings:
                for part in self.places.parts(listing) if self.places else (listing,):
                    yield from self.rows(part)
                    if self.outcome.ended:
                        return

        sums = ("rate_in", "rate_out") if self.options.rates else ()
        table = count_rows(tables(), self.options.count_by, self.options.top, sums)
        listing = self.plan.listings[0]._replace(name="counts", record=table.record, text=None)
        return Section(listing, self.counted(self.ordered(listing, iter([table]))))

    def ordered(self, listing: Listing, tables: Pieces) -> Pieces:
        """With --sort: the rows of each layout in that order."""
        if not self.options.sort or not {*self.options.sort_keys} <= {*names_of(listing.record)}:
            yield from tables
            return
        from .stages.sort import sorted_table

        parts: list[Table] = []
        for table in tables:
            if isinstance(table, Table):
                parts.append(table)
            else:
                if parts:
                    yield sorted_table(joined(listing.record, parts), self.options.sort)
                parts = []
                yield table
        if parts:
            yield sorted_table(joined(listing.record, parts), self.options.sort)

    def allowed(self, pieces: Iterator[Piece]) -> Pieces:
        """What a collector yields, up to where netstat's rules end the listing or the run."""
        try:
            for piece in pieces:
                if isinstance(piece, Missing):
                    self.report(piece)
                else:
                    yield piece
        except (Missing, Stop) as stop:
            try:
                self.report(stop)
            except Stop as end:
                stop = end
            else:
                return
            if stop.remark and self.options.structured:  # there stdout has records alone
                stop = Stop(stop.message or stop.remark, stop.status)
            if self.outcome.library:
                raise stop from None
            self.outcome.end(stop.message, stop.status)
            if stop.remark:
                yield Remark(stop.remark)

    def report(self, stop: Missing | Stop) -> None:
        """netstat's rule for a table that cannot be opened; Stop where it ends the run.

        Not there: silence, unless it was asked for by name (that ends the run) or -v is on. Any
        other reason ends the run whatever was asked. -4 and -6 without a protocol skip what is
        missing, but for the rare families.
        """
        if isinstance(stop, Stop):
            raise stop
        if stop.forbids:
            raise Stop(f"{stop.path}: {reason(stop.error)}", 255) from None
        if stop.error.errno != errno.ENOENT and not self.options.explicit:
            self.outcome.unseen("table", f"{stop.path}: {reason(stop.error)}", None)
        message = f"netstat: no support for `{stop.name}' on this system."
        if self.options.skip_missing and not stop.rare:
            return
        if self.options.explicit:
            raise Stop(message) from None
        if self.options.verbose:
            self.outcome.warn(message)

    def attribute(self, tables: Pieces) -> Pieces:
        """Who holds each socket; all rows are needed before the first can be named."""
        from .stages.owners import Owners, crowded

        if self.owners is None:
            crowd = crowded(self.proc)
            self.owners = Owners(self.proc, self.options, self.outcome, self.plan.every, crowd)
        everything = list(tables)
        rows = list(tables_alone(everything))
        self.owners.attribute(rows)
        if self.outcome.library and self.owners.failure:
            raise Stop(self.owners.failure)
        if self.options.details:
            from .stages.details import Facts

            facts = Facts(self.proc)
            for table in rows:
                facts.fill(table)
        if self.options.structured:
            self.outcome.unowned += sum(map(unowned, rows))
            if self.outcome.unowned:
                self.outcome.owner_reasons = self.owners.reasons()
        yield from everything

    def resolve(self, tables: Pieces, wanted: Any) -> Pieces:
        from .stages.names import Names

        if self.names is None:
            self.names = Names(self.options, self.outcome)
        return iter(self.names.resolve(tables, wanted))

    def counted(self, tables: Pieces) -> Pieces:
        for table in tables:
            self.outcome.matched += len(table) if isinstance(table, Table) else 0
            yield table


def do_here(look: Callable[[], None]) -> None:
    look()


def no_heading(options: Options) -> str:
    return ""


def filtered_pieces(tables: Pieces, part: Any) -> Pieces:
    """The rows that this part of the filter keeps."""
    if part is None or not part.parts:
        return tables
    return (part.keep(table) if isinstance(table, Table) else table for table in tables)


def tables_alone(tables: Iterable[Table | Remark | Layout]) -> Iterator[Table]:
    """The tables alone, without what netstat remarks between them."""
    return (table for table in tables if isinstance(table, Table))


def unowned(table: Table) -> int:
    """How many sockets of a table have no owner and could have one."""
    pairs = zip(holdable(table), table["pid"])
    return len([inode for inode, pid in pairs if inode and pid is None])


BLOCK = 1 << 16  # bytes: what a pipe takes at once


def joined_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces in blocks, so that header and rows of a round are written together as long as
    they are few; a piece that is larger goes as it is."""
    parts: list[bytes] = []
    size = 0
    for piece in pieces:
        if parts and size + len(piece) > BLOCK:
            yield b"".join(parts)
            parts, size = [], 0
        parts.append(piece)
        size += len(piece)
    if parts:
        yield b"".join(parts)


def put(out: BinaryIO, piece: bytes = b"", flush: bool = False) -> None:
    """Write; Stop where that fails. A closed pipe (EPIPE; EINVAL on Windows, which has no
    SIGPIPE) ends the program without a message. A slow reader is waited for, even where the pipe
    does not block."""
    rest = memoryview(piece)
    try:
        while rest:
            try:
                # PYTHONUNBUFFERED gives us the bare file, which may take a part only
                taken = out.write(rest)
            except BlockingIOError as error:
                taken = error.characters_written
            rest = rest[taken or 0 :]
            if rest:
                wait_for_reader(out)
        while flush:
            try:
                out.flush()
                flush = False
            except BlockingIOError:
                wait_for_reader(out)
    except OSError as error:
        gone = error.errno in (errno.EPIPE, errno.EINVAL)
        raise Stop("" if gone else f"pynetstat: standard output: {reason(error)}") from error


def wait_for_reader(out: BinaryIO) -> None:
    """Return when the output takes more; at once where nobody can tell."""
    import select

    if hasattr(select, "poll"):
        ready = select.poll()
        ready.register(out.fileno(), select.POLLOUT)
        ready.poll()


def no_tables(options: Options, proc: Proc) -> str:
    """Why there is no table at all, or nothing. A container may have no /proc, or one without its
    net: netstat lists nothing in silence. Anything else is told table by table."""
    if options.source == "psutil" or not (LINUX or options.root != "/proc"):
        return ""
    try:
        os.stat(proc.net)
    except OSError as error:
        return f"{proc.net}: {reason(error)}" if error.errno == errno.ENOENT else ""
    return ""
