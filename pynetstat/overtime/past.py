"""--at: what a recording tells of a moment, as if it were now."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from itertools import chain
from typing import Any, BinaryIO

from .. import collectors
from ..collectors.linux.inet import TABLES, Waiting, timer_text
from ..collectors.linux.inet import TIMERS as TIMER_NAMES
from ..kernel.proc import Proc, reason
from ..listing import DETAILS, MORE_DETAILS, OWNED, Listing, Piece, Section, Stop
from ..options import Misuse, Options
from ..outcome import Outcome, ignore
from ..plan import Plan, lists_sockets
from ..run import Run, print_rounds, unowned
from ..stages.details import Facts
from ..stages.places import with_namespace
from ..table import Table
from .journal import Line, began_at, is_journal, journal_names, lines_from
from .moments import asked_moment, moment_text
from .rows import RUNNING, TOLD_BY_TCP, Row, aged, read_row

FOLDER = "/var/log/pynetstat"  # where --record says nothing else
# The parts of a recording that have the rows of a listing
PARTS = {
    ("sockets", "inet"): "sockets",
    **{("sockets", family): family for family in ("unix", "packet", "netlink", "vsock")},
    ("interfaces", ""): "interfaces",
    ("route", "inet"): "routes",
    ("route", "inet6"): "routes6",
}
# Listings that are read of the files of a recording: routes where they are netstat's own text
FILED = (("groups", ""), ("statistics", ""), ("route", "inet"), ("route", "inet6"))
KINDS_HELD = ("sockets", "unix", "packet", "netlink", "vsock")  # that programs hold
NOTHING: dict[str, Any] = {
    **dict.fromkeys((*MORE_DETAILS, "unit", "container", "pod")),
    "containers": [],
}
RECORDED = ("tcp", "udp", "udplite", "raw")
ROOM = 5.0  # seconds by which a round may come late


class Recording:
    """The files of a folder, or one of them."""

    def __init__(self, folder: str, warn: Callable[[str], None], only: str | None = None) -> None:
        self.folder, self.warn = folder, warn
        try:
            self.names = journal_names(folder) if only is None else [only]
        except OSError as error:
            more = "; --record DIR names the folder of a recording"
            raise Stop(f"pynetstat: {folder}: {reason(error)}{more}") from error
        if not self.names:
            raise Stop(f"pynetstat: {folder}: there is no recording; `--record DIR' makes one")

    def lines(self, start: float, end: float = float("inf")) -> Iterator[Line]:
        """The lines from the last key line at or before `start` on, up to `end`."""
        before = [name for name in self.names if began_at(name) <= start]
        after = [name for name in self.names if start < began_at(name) <= end]
        for lines in (self.last_that_has_lines(before, start), *(self.file(n) for n in after)):
            for line in lines:
                if line.moment > end:
                    return
                yield line

    def file(self, name: str, start: float = 0.0) -> Iterator[Line]:
        return lines_from(os.path.join(self.folder, name), start, self.warn)

    def last_that_has_lines(self, names: Sequence[str], start: float) -> Iterator[Line]:
        """The lines of the last of these files. A recorder that was killed at once leaves none."""
        for name in reversed(names):
            lines = self.file(name, start)
            first = next(lines, None)
            if first:
                return chain([first], lines)
        return iter(())

    def at(self, moment: float) -> Past:
        """The last round at or before a moment. Stop where nothing was recorded then."""
        state = Past()
        following = ""
        for line in self.lines(moment):
            if line.moment > moment:
                following = moment_text(line.moment)
                break
            state.apply(line)
        if not state.ts:
            first = following or moment_text(began_at(self.names[0]))
            raise Stop(f"pynetstat: {self.folder}: the recording begins at {first}")
        if moment - state.moment > 2 * state.interval + ROOM and moment != float("inf"):
            around = f"the last round before it is of {moment_text(state.moment)}"
            around += f", the next one of {following}" if following else ""
            why = f"nothing was recorded at {moment_text(moment)}; {around}"
            raise Stop(f"pynetstat: {self.folder}: {why}")
        return state


class Past:
    """All rows and files of one round: those of each number with their part, and when what runs
    in them was written."""

    def __init__(self) -> None:
        self.ts, self.moment, self.interval = "", 0.0, 0.0
        self.host, self.privileged = "", False
        self.rows: dict[int, tuple[str, Row, float]] = {}
        self.files: dict[str, str | None] = {}
        self.parts: list[str] = []  # those that were read
        self.incomplete: list[dict[str, Any]] = []

    def apply(self, line: Line) -> None:
        self.ts, self.moment, self.interval = line.ts, line.moment, line.interval
        self.host, self.privileged, self.incomplete = line.host, line.privileged, line.incomplete
        self.parts = line.parts
        if line.key:
            self.rows, self.files = {}, {}
        for row in line.opened:
            number, part = row.pop("n"), row.pop("in")
            self.rows[number] = part, row, line.moment
        for change in line.changed:
            number = change.pop("n")
            if number in self.rows:
                self.rows[number] = changed_row(self.rows[number], change, line.moment)
        for number in line.closed:
            self.rows.pop(number, None)
        self.files |= line.files

    @property
    def envelope(self) -> Row:
        """What a document of JSON says of it."""
        ts = f"{self.ts[:19]}{self.ts[-6:]}"  # to the second, as elsewhere
        return {"generated_at": ts, "host": self.host, "privileged": self.privileged}

    def part(self, name: str) -> list[Row]:
        """The rows of a part as they are at this moment."""
        return [
            read_row(aged(row, (self.moment - seen) * 1000))
            for part, row, seen in self.rows.values()
            if part == name
        ]


def changed_row(old: tuple[str, Row, float], change: Row, moment: float) -> tuple[str, Row, float]:
    """A row with the fields of a change. What runs by itself is written together."""
    part, row, seen = old
    new = {name: value for name, value in {**row, **change}.items() if value is not None}
    return part, new, seen if change.keys().isdisjoint(RUNNING) else moment


class PastProc(Proc):
    """The small files of a recording, as if they lay under /proc."""

    def __init__(self, past: Past, report: Callable[[str, OSError], None] | None = None) -> None:
        super().__init__("/proc", report)
        self.past = past

    @property
    def own(self) -> bool:
        return False

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def text_of(self, name: str) -> str:
        text = self.past.files.get(name)
        if text is None:
            raise FileNotFoundError(errno.ENOENT, "it is not recorded", self.path(name))
        return text.encode("utf-8", "surrogateescape").decode("latin-1")

    def blocks(self, name: str, size: int = 0, most: int = 0) -> Iterator[str]:
        text = self.text_of(name)
        return iter([text] if text else [])

    def read(self, name: str) -> str:
        return self.text_of(name)

    def pids(self) -> list[str]:
        return []


class PastFacts(Facts):
    """What --details told of the programs of a past moment."""

    def __init__(self, past: Past, programs: dict[int, Row] | None = None) -> None:
        super().__init__(PastProc(past))
        if programs is None:
            programs = {row["pid"]: row for row in past.part("processes")}
        self.programs = programs

    def read(self, pid: int) -> dict[str, Any]:
        found: dict[str, Any] = self.programs.get(pid, {}).get("details") or NOTHING
        return found

    def published_for(self, pid: int, program: str | None) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.programs.get(pid, {}).get("published_for")
        return found


class PastRun(Run):
    """The steps of a plan over the rows of a past moment."""

    def __init__(self, plan: Plan, past: Past, outcome: Outcome) -> None:
        super().__init__(plan, PastProc(past, outcome.error), outcome)
        self.options = self.options.replace(recorded=past.envelope)
        self.past = past
        for name in plan.options.internals:
            if name not in TOLD_BY_TCP:
                raise Stop(f"pynetstat: a recording has no {name}")
        parts = {id(collectors.find_listing(*key)): part for key, part in PARTS.items()}
        filed = [id(collectors.find_listing(*key)) for key in FILED]
        self.listings: list[Listing] = []
        for listing in plan.listings:
            part = parts.get(id(listing))
            if part == "sockets":
                for name in ("sctp", "icmp"):
                    if getattr(self.options, name):
                        raise Stop(f"pynetstat: a recording has no sockets of {name}")
            if id(listing) in filed and (part is None or not self.options.structured):
                if self.options.netns:
                    more = "; --format simple and --json list its rows" if part else ""
                    why = f"a recording has no text of {listing.name} of other namespaces{more}"
                    raise Stop(f"pynetstat: {why}")
                self.listings.append(listing)
            elif part and (part in past.parts or not past.ts):  # not yet known, of events
                self.listings.append(self.recorded(listing, part))
            elif self.options.explicit or not lists_sockets(self.options):
                raise Stop(f"pynetstat: a recording has no {listing.name}")
        plan.listings = self.listings

    @cached_property
    def facts(self) -> PastFacts:
        return PastFacts(self.past)

    def recorded(self, listing: Listing, part: str) -> Listing:
        listing = listing._replace(collect=partial(self.collect, listing, part), owned=True)
        if self.options.netns == "all":
            if listing.text and listing.text(iter(()), self.options) is not None:
                why = f"a recording has no text of {listing.name} of all namespaces"
                raise Stop(f"pynetstat: {why}; --format simple and --json list its rows")
            return listing._replace(columns=partial(with_namespace, listing))
        return listing

    def gather(self, number: int = 1) -> Iterator[Section]:
        rows = self.past.rows.values()
        if self.options.netns and not any("netns" in row for _, row, _ in rows):
            raise Stop("pynetstat: this recording has one namespace; --record --netns all has all")
        for missing in self.past.incomplete:
            if missing["what"] == "table":
                self.outcome.fail(f"pynetstat: it could not be recorded: {missing['reason']}")
            elif missing["what"] != "owner":
                self.outcome.unseen(missing["what"], missing["reason"], missing["count"])
            elif self.options.programs and self.options.structured:
                self.outcome.owner_reasons = [missing["reason"]]
        if self.options.count_by:
            yield self.counts()
            return
        for listing in self.listings:
            yield Section(listing, self.counted(self.ordered(listing, self.rows(listing))))

    def collect(self, listing: Listing, part: str, *_: Any) -> Iterator[Piece]:
        yield Table(listing.record, 0)
        rows = self.of_namespace(self.past.part(part))
        if part == "sockets":
            groups = [[row for row in rows if row["proto"] == name] for name in self.protocols()]
        else:
            groups = [rows]
        for group in groups:
            chosen = [row for row in group if self.options.all or self.wanted(part, row)]
            if chosen:
                table = past_table(listing.record, part, chosen, self.options)
                if self.options.details and part in KINDS_HELD:
                    self.facts.fill(table)
                if self.options.programs and self.options.structured and "inode" in table.fields:
                    self.outcome.unowned += unowned(table)
                yield table

    def protocols(self) -> list[str]:
        """What the Proto column has of what was asked for, in netstat's order."""
        return [
            TABLES[name].label + version
            for name in self.options.protocols
            if name in RECORDED
            for version in self.options.versions
        ]

    def of_namespace(self, rows: list[Row]) -> list[Row]:
        """The rows of the namespaces that were asked for; of the recorder's own, unless others
        were."""
        wanted = self.options.netns
        if wanted == "all":
            return rows
        return [row for row in rows if (row.get("netns") or None) == wanted]

    def wanted(self, part: str, row: Row) -> bool:
        """netstat's own choice of rows: those that do not listen, or those that do (-l)."""
        if part == "sockets":
            tcp = row["proto"].startswith("tcp")
            listens = not (row["remote_port"] if tcp else row["remote_address"].strip("0.:"))
        elif part in ("unix", "vsock"):
            listens = row.get("state") in ("LISTENING", "LISTEN")
        elif part == "interfaces":
            return bool(row.get("bits", 1) & 1)  # those that are up
        else:
            return True
        return listens == self.options.listening


def past_table(record: Any, part: str, rows: list[Row], options: Options) -> Table:
    """Rows as a table of their listing. What was not asked for is not known."""
    names = dict.fromkeys((*record._fields, *(name for row in rows for name in row)))
    hidden: set[str] = set()
    if not options.details:
        hidden |= {*DETAILS, *MORE_DETAILS}
    if not options.programs:
        hidden |= OWNED
    table = Table(record, len(rows))
    for name in names:
        if name not in hidden:
            table.fields[name] = [row.get(name) for row in rows]
    if part == "sockets":
        if not options.programs:
            waits = [row.get("listener") for row in rows]
            table.fields["listener"] = [one and Waiting(one.inode) for one in waits]
        table.fields["timer_text"] = [row.get("timer") and past_timer(row) for row in rows]
        if not options.structured:  # netstat's text has no interface with an address
            for name in ("local_address", "remote_address"):
                table.fields[name] = [text.partition("%")[0] for text in table[name]]
    table.fields["owner"] = [
        f"{row['pid']}/{row.get('program', '')}"[:19] if "pid" in row else None for row in rows
    ]
    return table


def past_timer(row: Row) -> str:
    timer, label = row["timer"], row["proto"].removesuffix("6")
    protocol = next(one for one in TABLES.values() if one.label == label)
    known = timer.name in TIMER_NAMES
    kind = TIMER_NAMES.index(timer.name) if known else int(timer.name.removeprefix("unkn-"))
    return timer_text(protocol, kind, timer.expires_ms // 10, timer.retransmits, timer.probes)


# What is printed


def recording_of(options: Options, warn: Callable[[str], None]) -> tuple[Recording, float]:
    """The recording that was asked for, and the moment in it."""
    text = str(options.at)
    moment = asked_moment(text)
    if moment is not None:
        return Recording(options.record or FOLDER, warn), moment
    folder, name = os.path.split(text)
    if os.path.isdir(text):
        return Recording(text, warn), float("inf")
    if os.path.exists(text):
        if is_journal(name):
            return Recording(folder or ".", warn, only=name), float("inf")
        raise Stop(f"pynetstat: {text}: this is no file of a recording")
    raise Misuse(
        f"`{text}' is neither a time nor a recording; --at takes 03:12, -20m, 2026-11-26T03:12:00,"
        " or a file of a recording"
    )


def plain_options(options: Options) -> Options:
    """The options without those that say where the rows come from."""
    return options.replace(at=None, record=None, since=None, until=None)


@contextmanager
def damage_told() -> Iterator[None]:
    """Stop where a row has what no recorder writes."""
    try:
        yield
    except Misuse:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        why = f"it is damaged ({type(error).__name__}: {error})"
        raise Stop(f"pynetstat: the recording cannot be read: {why}") from error


def past_run(options: Options, outcome: Outcome) -> PastRun:
    """The steps over the round that was asked for. Misuse of the options as they were given."""
    Plan(options)
    recording, moment = recording_of(options, outcome.warn)
    return PastRun(Plan(plain_options(options)), recording.at(moment), outcome)


def show_past(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None] = ignore,
    progress: Callable[[str], None] = ignore,
) -> int:
    """Print what was asked for as it was; the exit status."""
    run = past_run(options, Outcome(warn, progress))
    warn(f"(As recorded at {run.past.ts}.)")
    with damage_told():
        return print_rounds(run, out)
