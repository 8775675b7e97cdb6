"""--events: what opens, closes and changes, instead of the list in every round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from .. import formats
from ..kernel.proc import Proc
from ..listing import Listing
from ..options import Options
from ..outcome import Outcome, ignore
from ..plan import Plan
from ..run import Frame, Run, now, put, rounds, rows_of
from .changes import MOVING, Change, Row, identity_of, key_of, moved, section

# States in the order in which a tcp connection goes through them, as far as it tells whether
# a row of the same ends can still be the same connection.
AGE = {"SYN_SENT": 0, "SYN_RECV": 0, "ESTABLISHED": 1}
OVER = frozenset(("TIME_WAIT",))  # no program holds it any more, and it does nothing
OWNER = ("pid", "program", "processes", "unit", "container", "pod", "published_for", "details")


def show(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None] = ignore,
    progress: Callable[[str], None] = ignore,
) -> int:
    """What happens after the first round, until --count; the exit status."""
    Plan(options)  # what makes no sense is said of the options as they were given
    records = options.replace(events=False, format="records", continuous=True, header=True)
    plan = Plan(records)
    outcome = Outcome(warn, progress)
    run = Run(plan, Proc(plan.options.root, outcome.error), outcome)
    shown = options.replace(columns=())
    render = formats.find(shown)
    watched = {listing.name: Watched(listing) for listing in plan.listings}
    frame = Frame(1, "", set())
    for number in rounds(plan.options):
        outcome.begin_round()
        changes: list[Change] = []
        found: dict[str, list[Row]] = {name: [] for name in watched}
        for listing, tables in run.gather(number):
            for table in rows_of(tables):
                found[listing.name] += map(as_row, table)
        if number == 1 and run.owners:
            run.owners.last_notice()
        moment = now()
        for name, rows in found.items():
            # where a table could not be read nothing is known of what has closed
            if not outcome.errors:
                changes += watched[name].step(rows, moment, first=number == 1)
        if changes:
            part = [section(changes, plan.listings)]
            extra = (frame,) if options.format in formats.STRUCTURED else ()
            for piece in render(part, shown, list, *extra):
                put(out, piece)
        put(out, flush=True)
        if outcome.status:
            break
    return outcome.exit_status()


def as_row(record: Any) -> Row:
    row: Row = record._asdict()
    return row


class Watched:
    """The rows of one listing as they were last seen, by what tells them apart.

    A row is closed when two rounds in a row lack it, and its `ts` is that of the first: where
    many sockets close at once the kernel leaves others out of its list (26 in a thousand, where
    a hundred were closed at a time).
    """

    def __init__(self, listing: Listing) -> None:
        self.name, self.identity = listing.name, identity_of(listing)
        fields = listing.record._fields
        still = (name for name in fields if name not in MOVING and name not in self.identity)
        self.still = tuple(still)
        self.rows: dict[Any, list[Row]] = {}
        self.absent: dict[int, str] = {}  # rows that the last round lacked, by id(), since when

    def step(self, rows: Iterable[Row], moment: str, first: bool) -> Iterator[Change]:
        """What has happened since the last step; nothing at the first."""
        rest, self.rows = self.rows, {}
        absent, self.absent = self.absent, {}
        opened: list[Row] = []
        over: set[Any] = set()
        for row in rows:
            key = key_of(row, self.identity)
            if row.get("state") in OVER:
                over.add(key)
                continue
            others = rest.get(key, [])
            place = next((at for at, one in enumerate(others) if same(one, row)), None)
            old = None if place is None else others.pop(place)
            if old is None:
                opened.append(row)
            else:
                if row.get("pid") is None:  # the program may have ended: it was caught before
                    row |= {name: old[name] for name in OWNER if name in row}
                if moved(old, row, self.still):
                    yield Change("changed", moment, self.name, row, old)
            self.rows.setdefault(key, []).append(row)
        if first:
            return
        for key, others in rest.items():
            for row in others:
                if id(row) in absent or key in over or key in self.rows:
                    yield Change("closed", absent.get(id(row), moment), self.name, row)
                else:
                    self.rows.setdefault(key, []).append(row)
                    self.absent[id(row)] = moment
        for row in opened:
            yield Change("opened", moment, self.name, row)


def same(old: Row, new: Row) -> bool:
    """Are these two rows of the same ends the same socket? The kernel numbers sockets (inode), but
    for those that no program holds yet, or any more: there a connection only grows older."""
    numbers = old.get("inode"), new.get("inode")
    if all(numbers):
        return numbers[0] == numbers[1]
    before, after = (AGE.get(str(row.get("state")), 2) for row in (old, new))
    return after >= before
