"""--host: the same command line on other hosts, their rows as if they were of one listing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

from ..diagnosis.rule import plural
from ..kernel.proc import Proc
from ..listing import Column, Layout, Listing, Section, header_of
from ..options import EVERY_FIELD, Options
from ..outcome import Outcome, ignore
from ..plan import Plan
from ..run import Pieces, Run, no_heading, print_rounds
from ..settings import DEFAULTS
from ..stages.count import NETWORKS
from ..stages.places import COLUMN as NETNS
from ..table import Remark, Table, names_of
from .check import Answer, line_column
from .hosts import Host, asked_hosts
from .ssh import Call, Switchboard, ended_with_us

# What is done here with the rows of all hosts
HERE = (
    "sort", "count_by", "top", "columns", "format", "header", "fail_if_empty", "continuous",
    "rounds", "save", "diff", "fail_on_change", "host", "hosts", "inventory", "forks",
    "host_timeout", "engine", "color",
)  # fmt: skip
FORKS = 16  # hosts at a time: 8 and 32 take as long for 50 hosts on 2 processors


def show_hosts(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None] = ignore,
    progress: Callable[[str], None] = ignore,
) -> int:
    """Print what was asked for of all hosts; the exit status."""
    plan = Plan(options)
    outcome = Outcome(warn, progress)
    return print_rounds(HostsRun(plan, outcome, asked_hosts(options), requested(plan)), out)


def requested(plan: Plan) -> dict[str, Any]:
    """What each host is asked: its options, and in netstat's own text the fields to sort by."""
    options = plan.options
    given = {
        name: getattr(options, name)
        for name, default in DEFAULTS.items()
        if name not in HERE and getattr(options, name) != default
    }
    if not options.rates:
        given.pop("interval", None)
    fields: dict[str, None] = dict.fromkeys(options.sort_keys)
    if not options.structured:
        names = [name for name in fields if name != "host"]
        # sorted there as well, so that the kernel is asked for these fields
        keys = [key for key in options.sort if key.removeprefix("-") != "host"]
        return {"options": given | ({"sort": keys} if keys else {}), "fields": names}
    given["format"] = "jsonl"
    columns = () if options.columns == EVERY_FIELD else options.columns
    if columns or options.count_by:
        counted = [one.partition("/")[0] for one in options.count_by]
        fields |= dict.fromkeys([*columns, *(NETWORKS.get(one, one) for one in counted)])
        if options.count_by:
            records = [{*names_of(listing.record)} for listing in plan.listings]
            known = set().union(*records)
            fields = {name: None for name in fields if name in known}
            if options.rates:
                fields |= dict.fromkeys(("rate_in", "rate_out"))
    else:
        own = {name for listing in plan.listings for name in listing.record._fields}
        # a field within another is named with all of them
        within = not fields.keys() <= own
        fields = dict.fromkeys([*everything(plan), *fields]) if within else {}
    fields.pop("host", None)
    if (columns or options.count_by) and not fields:
        fields = {next(name for name in plan.listings[0].record._fields if name != "host"): None}
    if fields:
        given["columns"] = list(fields)
    return {"options": given, "fields": list(fields)}


def everything(plan: Plan) -> list[str]:
    """All fields of the records but for those that would make a host look at its processes, its
    namespaces or its containers unasked, and for names that -n leaves out."""
    from ..listing import DETAILS, OWNED
    from ..plan import RATES

    options = plan.options
    left_out = {
        *(() if options.programs else OWNED),
        *(() if options.details else DETAILS),
        *(() if options.netns else ("netns",)),
        *(() if options.rates else RATES),
    }
    named = dict.fromkeys(("numeric_hosts", "numeric_ports", "numeric_users"), False)
    for listing in plan.listings:
        left_out |= {*listing.names(options.replace(**named))} - {*listing.names(options)}
    names = [name for listing in plan.listings for name in listing.record._fields]
    return [name for name in dict.fromkeys(names) if name not in left_out]


class Answers:
    """The answers of a round: each host's, as they come in; None for one that has given none."""

    def __init__(self, calls: Sequence[Call], options: Options, outcome: Outcome) -> None:
        self.outcome, self.many = outcome, len(calls)
        self.board: Any
        if options.engine == "ansible":
            from .engine import Engine

            self.board = Engine(calls, options.forks or FORKS, options.inventory)
        else:
            self.board = Switchboard(calls, options.forks or FORKS)
        self.found: dict[str, Answer | None] = {}
        self.coming = self.collected()

    def collected(self) -> Iterator[None]:
        """Wait for one host after the other, as they end."""
        self.outcome.progress(f"Asking {plural(self.many, 'host')} ...")
        for call, why in self.board.results():
            self.outcome.progress("")
            name = call.host.name
            self.found[name] = None if why else call.answer
            if why:
                self.outcome.lose(name, why)
            else:
                self.enter(call.answer)
            if len(self.found) < self.many:
                self.outcome.progress(f"{len(self.found)} of {self.many} hosts ...")
            yield

    def enter(self, answer: Answer) -> None:
        """What a host says beside its rows."""
        for notice in answer.notices:
            self.outcome.warn(f"{answer.host}: {notice}")
        self.outcome.told += answer.incomplete
        if answer.status:
            self.outcome.failed = True

    def answer_of(self, host: Host) -> Answer | None:
        while host.name not in self.found:
            next(self.coming)
        return self.found[host.name]

    def wait_for_all(self) -> None:
        for _ in self.coming:
            pass
        self.outcome.progress("")


class HostsRun(Run):
    """The sections of a plan, gathered from hosts. A host's rows stand together, in the order in
    which the hosts were named; they are given as soon as all hosts before it have answered. A
    host that breaks off gives none."""

    def __init__(
        self, plan: Plan, outcome: Outcome, hosts: Sequence[Host], request: dict[str, Any]
    ) -> None:
        super().__init__(plan, Proc(plan.options.root, outcome.error), outcome)
        self.hosts, self.request = hosts, request
        self.answers: Any = None
        width = max(len("Host"), *(len(host.name) for host in hosts))
        self.column = Column(f"{'Host':<{width}} ", f"%-{width}s ", "host")

    def gather(self, number: int = 1) -> Iterator[Section]:
        calls = [Call(host, *self.asked(host)) for host in self.hosts]
        self.answers = Answers(calls, self.options, self.outcome)
        with ended_with_us(self.answers.board):
            yield from self.sections(number)
            self.answers.wait_for_all()

    def notices_of_processes(self) -> None:
        """Each host gives its own."""

    def asked(self, host: Host) -> tuple[Answer, dict[str, Any], float]:
        options = {**self.request["options"], "host": [host.name]}
        answer = Answer(host.name, self.plan.listings, self.options, self.request["fields"])
        seconds = self.options.host_timeout + (self.options.interval if self.options.rates else 0)
        return answer, {**self.request, "options": options}, seconds

    def sections(self, number: int) -> Iterator[Section]:
        if self.options.count_by:
            yield self.counts()
            return
        for place, listing in enumerate(self.plan.listings):
            self.place = place
            if number > 1 and listing.heading_once:
                listing = listing._replace(heading=no_heading)
            if not self.options.structured:
                listing = self.in_text(listing)
            yield Section(listing, self.counted(self.ordered(listing, self.rows(listing))))

    def in_text(self, listing: Listing) -> Listing:
        """The listing as it is printed where each row is text already."""
        options = self.options
        if listing.text and listing.text(iter(()), options) is not None:
            return listing._replace(text=None, heading=no_heading, columns=lambda options: ())
        header = header_of(listing.columns(options))
        header += NETNS.header if options.netns == "all" else ""
        columns = (self.column, line_column(header))
        below = (Column("", "%s", "below"),)
        return listing._replace(
            text=None, columns=lambda options: columns, below=lambda options: below
        )

    def rows(self, listing: Listing) -> Pieces:
        """What all hosts have of a listing."""
        counted = self.options.count_by
        place = self.plan.listings.index(listing) if counted else self.place
        classic = not self.options.structured
        prose = classic and not tuple(listing.columns(self.options))
        headed = prose
        for host in self.hosts:
            answer = self.answers.answer_of(host)
            pieces = answer.sections[place] if answer else []
            if answer:
                answer.sections[place] = []  # its memory is free once it is printed
            if answer and place in answer.read and not headed:
                yield Table(listing.record, 0)  # the heading
                headed = True
            if pieces:
                self.outcome.progress("")
            if prose and pieces:
                self.outcome.matched += 1  # for --fail-if-empty
                yield Remark(f"Host {host.name}")
            for piece in pieces:
                if isinstance(piece, Layout):
                    piece = piece._replace(columns=[self.column, *piece.columns])
                elif isinstance(piece, Remark) and not prose:
                    piece = Remark(f"{host.name}: {piece}")
                yield piece
