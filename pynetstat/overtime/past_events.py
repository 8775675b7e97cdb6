"""--events --from --to: what happened in a recording, from each round to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from .. import collectors, formats
from ..listing import Listing
from ..options import Misuse, Options
from ..outcome import Outcome, ignore
from ..plan import Plan
from ..run import Frame, filtered_pieces, put, tables_alone
from .changes import MOVING, Change, changes_section, moved
from .events import OVER
from .journal import Line
from .moments import needed_moment
from .past import (
    FOLDER,
    KINDS_HELD,
    PARTS,
    Past,
    PastFacts,
    PastRun,
    Recording,
    damage_told,
    past_table,
    plain_options,
)
from .rows import Row, key_of_row, read_row


def show_past_events(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None] = ignore,
    progress: Callable[[str], None] = ignore,
) -> int:
    """Print what opened, closed and changed between two moments; the exit status."""
    Plan(options)  # what makes no sense is said of the options as they were given
    start = needed_moment("from", options.since) if options.since else 0.0
    end = needed_moment("to", options.until) if options.until else float("inf")
    if start > end:
        raise Misuse(f"--from {options.since} is later than --to {options.until}")
    recording = Recording(options.record or FOLDER, warn)
    outcome = Outcome(warn, progress)
    plan = Plan(plain_options(options).replace(events=False, format="records", header=True))
    shown = options.replace(columns=())
    render = formats.find_renderer(shown)
    frame = Frame(1, "", set())
    extra = (frame,) if options.format in formats.STRUCTURED else ()
    with damage_told():
        for changes in PastEvents(plan, outcome).between(recording, start, end):
            for piece in render([changes_section(changes, plan.listings)], shown, list, *extra):
                put(out, piece)
    put(out, flush=True)
    return outcome.exit_status()


class PastEvents:
    """What happens from each line of a recording to the next.

    A row that the next round has again was not closed: the kernel leaves rows out of its list
    where many close at a time.
    """

    def __init__(self, plan: Plan, outcome: Outcome) -> None:
        self.state = Past()
        self.run = PastRun(plan, self.state, outcome)
        self.parts = dict(self.listings(plan))
        self.gone: dict[Any, tuple[str, str, Row]] = {}
        self.programs: dict[int, Row] = {}  # by pid, as last seen

    def listings(self, plan: Plan) -> Iterator[tuple[str, Listing]]:
        for key, part in PARTS.items():
            name = collectors.find_listing(*key)
            for listing in plan.listings:
                if listing.record is name.record and listing.name == name.name:
                    yield part, listing
                    break

    def between(self, recording: Recording, start: float, end: float) -> Iterator[list[Change]]:
        for line in recording.lines(start, end):
            if line.moment <= start or not self.state.ts:
                self.state.apply(line)
                self.enter_programs(self.state.rows.values())
                continue
            if found := list(self.step(line)):
                yield found
        if found := list(self.closed()):
            yield found

    def step(self, line: Line) -> Iterator[Change]:
        before = dict(self.state.rows)
        self.state.apply(line)
        after = self.state.rows
        numbers = (
            {*before, *after}
            if line.key
            else {*line.closed, *(n for n in after if n not in before), *self.changed(before)}
        )
        old = {n: before[n] for n in numbers if n in before}
        new = {n: after[n] for n in numbers if n in after}
        self.enter_programs(new.values())
        pairs = [(old.get(n), new.get(n)) for n in sorted(numbers)]
        if line.begins:
            pairs = matched(before, after)
        gone, self.gone = self.gone, {}
        for was, is_ in pairs:
            if is_ and not was:
                key = key_of_row(is_[0], is_[1])
                if key and key in gone:
                    del gone[key]
                    continue
                yield from self.event("opened", line.ts, is_)
            elif was and not is_:
                key = key_of_row(was[0], was[1]) or (id(was),)
                self.gone[key] = (was[0], line.ts, was[1])
            elif was and is_ and was[1] is not is_[1]:
                yield from self.event("changed", line.ts, is_, was)
        if any(missing["what"] == "table" for missing in line.incomplete):
            self.gone = gone | self.gone  # nothing is known of what has closed
        else:
            yield from self.told(gone)

    def enter_programs(self, rows: Iterable[tuple[str, Row, float]]) -> None:
        for part, row, _ in rows:
            if part == "processes":
                self.programs[row["pid"]] = read_row(row)

    def changed(self, before: dict[int, Any]) -> Iterator[int]:
        for number, row in self.state.rows.items():
            if number in before and row is not before[number]:
                yield number

    def closed(self) -> Iterator[Change]:
        yield from self.told(self.gone)

    def told(self, gone: dict[Any, tuple[str, str, Row]]) -> Iterator[Change]:
        for part, ts, row in gone.values():
            yield from self.event("closed", ts, (part, row, 0.0))

    def event(
        self,
        name: str,
        ts: str,
        now: tuple[str, Row, float],
        before: tuple[str, Row, float] | None = None,
    ) -> Iterator[Change]:
        listing = self.parts.get(now[0])
        if listing is None or now[1].get("state") in OVER:
            return
        if before:
            names = set(listing.record._fields) - MOVING
            if not moved(before[1], now[1], names):
                return
        found = self.records(listing, now)
        previous = self.records(listing, before) if before and found else []
        if found:
            old = previous[0]._asdict() if previous else None
            yield Change(name, ts, listing.name, found[0]._asdict(), old)

    def records(self, listing: Listing, one: tuple[str, Row, float]) -> list[Any]:
        """The row as a record, if the options choose it."""
        rows = self.run.of_namespace([read_row(one[1])])
        options = self.run.options
        rows = [row for row in rows if options.all or self.run.wanted(one[0], row)]
        if one[0] == "sockets":
            rows = [row for row in rows if row["proto"] in self.run.protocols()]
        if not rows:
            return []
        table = past_table(listing.record, one[0], rows, options)
        if options.details and one[0] in KINDS_HELD:
            PastFacts(self.state, self.programs).fill(table)
        pieces: Any = iter([table])
        for part in (self.run.plan.early, self.run.plan.late):
            pieces = filtered_pieces(pieces, part)
        if wanted := listing.names(options):
            pieces = self.run.resolve(pieces, wanted)
        return [record for table in tables_alone(pieces) for record in table]


def matched(before: dict[int, Any], after: dict[int, Any]) -> list[tuple[Any, Any]]:
    """Rows of two recorders by what tells them apart, since each numbers its own."""
    old = {(row[0], key_of_row(row[0], row[1]) or number): row for number, row in before.items()}
    pairs = []
    for number, row in after.items():
        pairs.append((old.pop((row[0], key_of_row(row[0], row[1]) or number), None), row))
    return [*pairs, *((row, None) for row in old.values())]
