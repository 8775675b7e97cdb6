"""What --watch shows, without a terminal: rows that are new, changed or gone, sorted, filtered,
grouped, and the counts above them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, NamedTuple

from ..kernel.proc import Proc
from ..options import Misuse, Options
from ..outcome import Outcome
from ..plan import Plan
from ..run import Run, tables_alone
from ..table import Table
from ..text import cleaned, decode_nested, printable_text

NEW, CHANGED, GONE, SAME = "new", "changed", "gone", ""


class Column(NamedTuple):
    """A column of the screen, at least `width` wide. `number`: it stands at the right, and is
    sorted from the largest. `grows`: it takes a share of what is left of the line. Of the columns
    that do not fit, those with the highest `spare` are left out first."""

    title: str
    field: str
    width: int
    number: bool = False
    grows: bool = False
    spare: int = 0


class View(NamedTuple):
    """What is watched: the fields that are read, which of them tell a row from others, and the
    columns. `moving` are fields that change by themselves: such a change does not mark the row."""

    name: str
    key: tuple[str, ...]
    fields: tuple[str, ...]
    columns: tuple[Column, ...]
    moving: frozenset[str]
    groups: tuple[str, ...] = ()


NETNS = Column("NetNS", "netns", 10, grows=True)  # with --netns all
SOCKETS = View(
    "sockets",
    ("netns", "proto", "local_address", "local_port", "remote_address", "remote_port", "inode"),
    (
        *("netns", "proto", "local_address", "local_port", "remote_address", "remote_port"),
        *("inode", "state", "recv_q", "send_q", "pid", "program", "unit", "container"),
        *("rate_in", "rate_out"),
    ),
    (
        Column("Proto", "proto", 5),
        Column("Recv-Q", "recv_q", 6, True),
        Column("Send-Q", "send_q", 6, True),
        Column("In B/s", "rate_in", 9, True, spare=2),
        Column("Out B/s", "rate_out", 9, True, spare=1),
        Column("Local Address", "local", 17, grows=True),
        Column("Foreign Address", "remote", 17, grows=True),
        Column("State", "state", 11),
        Column("PID/Program", "owner", 12, grows=True),
        Column("Unit or container", "place", 17, grows=True, spare=3),
    ),
    frozenset({"recv_q", "send_q", "rate_in", "rate_out"}),
    ("program", "remote_address", "container"),
)
INTERFACES = View(
    "interfaces",
    ("netns", "ifname"),
    ("netns", "ifname", "flags_str", "mtu", "stats"),
    (
        Column("Iface", "ifname", 16),
        Column("MTU", "mtu", 6, True, spare=3),
        Column("In B/s", "rx_bytes", 12, True),
        Column("Packets/s", "rx_packets", 10, True, spare=1),
        Column("RX-ERR", "rx_errors", 8, True),
        Column("RX-DRP", "rx_dropped", 8, True),
        Column("Out B/s", "tx_bytes", 12, True),
        Column("Packets/s", "tx_packets", 10, True, spare=2),
        Column("TX-ERR", "tx_errors", 8, True),
        Column("TX-DRP", "tx_dropped", 8, True),
        Column("Flg", "flags_str", 6, spare=4),
    ),
    frozenset({"stats"}),
)
STATISTICS = View(
    "statistics",
    ("netns", "section", "name"),
    ("netns", "section", "name", "value"),
    (
        Column("Section", "section", 12),
        Column("Counter", "name", 30, grows=True),
        Column("Value", "value", 16, True),
        Column("Per second", "rate", 12, True),
    ),
    frozenset({"value"}),
)
GROUPED = (
    Column("Sockets", "count", 8, True),
    Column("Recv-Q", "recv_q", 10, True),
    Column("Send-Q", "send_q", 10, True),
    Column("In B/s", "rate_in", 10, True),
    Column("Out B/s", "rate_out", 10, True),
)
NUMBERS = dict.fromkeys(("numeric_hosts", "numeric_ports", "numeric_users"), True)
TITLES = {"program": "Program", "remote_address": "Foreign address", "container": "Container"}


def view_of(options: Options) -> View:
    """Misuse where --watch has no screen for what was asked."""
    if options.interfaces:
        return INTERFACES
    if options.statistics:
        return STATISTICS
    others = any((options.route, options.groups, options.masquerade))
    if others or (options.explicit and not options.protocols):
        raise Misuse("--watch shows Internet sockets, interfaces (-i) or counters (-s)")
    return SOCKETS


class Source:
    """Where the rows come from: the run of a plan, once each round.

    Rates need two samples: the first round is given without them, so that the screen is filled at
    once.
    """

    def __init__(self, options: Options) -> None:
        self.view = view_of(options)
        self.given = options
        self.outcome = Outcome()
        self.choose(options.filter)

    def choose(self, expression: str | None) -> None:
        """Read the rows that match this filter from now on; Misuse where it makes no sense."""
        plain: dict[str, Any] = {
            "watch": False, "format": "records", "filter": expression or None, "sort": (),
            "continuous": False, "header": True, "programs": self.view is SOCKETS, **NUMBERS,
        }  # fmt: skip
        if self.view is SOCKETS and not self.given.explicit:
            plain |= {"families": ("inet", "inet6"), "all": not self.given.listening}
        asked = self.given.replace(**plain)
        plans = [Plan(asked)]
        if self.view is SOCKETS:
            with suppress(Misuse):  # this system tells no rates
                plans.append(Plan(asked.replace(rates=True)))
        self.plans = plans  # one for the first round, and one for all others
        self.expression = expression or ""

    def read(self) -> list[tuple[Any, ...]]:
        """The rows of one round, each with the fields of the view."""
        self.outcome.begin_round()
        if self.plans:
            plan = self.plans.pop(0)
            self.run = Run(plan, Proc(plan.options.root, self.outcome.error), self.outcome)
        rows: list[tuple[Any, ...]] = []
        for _, tables in self.run.gather():
            for table in tables_alone(tables):
                rows += zip(*[column_of(table, name) for name in self.view.fields])
        return rows


def column_of(table: Table, name: str) -> Sequence[Any]:
    if name in table.fields or name in table.record._fields:
        return table[name]
    return [None] * len(table)


class Row:
    """A row on the screen: what was read, its mark, and its cells once they were drawn."""

    __slots__ = ("cells", "fields", "given", "mark", "read")

    def __init__(self, fields: Sequence[str], read: tuple[Any, ...], mark: str) -> None:
        self.fields, self.read, self.mark = fields, read, mark
        self.cells: list[str] | None = None
        self.given: dict[str, Any] | None = None

    def replace(self, read: tuple[Any, ...], mark: str) -> None:
        self.read, self.mark, self.cells, self.given = read, mark, None, None

    @property
    def values(self) -> dict[str, Any]:
        """The fields by name; made for the rows that are drawn, sorted or added up."""
        if self.given is None:
            self.given = dict(zip(self.fields, self.read))
        return self.given


class Model:
    """The rows of the last round, in the order that was asked for.

    `sort` names a column's field, `reverse` its direction, `group` a field by which rows are
    added up; None for no group. `places` adds the namespace of each row.
    """

    def __init__(
        self, view: View, sort: str = "", reverse: bool = False, places: bool = False
    ) -> None:
        self.view = view
        self.places = (NETNS,) if places else ()
        self.known: dict[Any, Row] = {}
        self.gone: list[Row] = []
        self.number = 0
        self.taken = 0.0
        self.counts: Counter[str] = Counter()
        self.group: str | None = None
        self.sort, self.reverse = sort, reverse
        self.rows: list[Row] = []

    def forget(self) -> None:
        """Begin anew, as after another filter: nothing is marked as new or gone."""
        self.known, self.gone, self.number = {}, [], 0

    def enter(self, rows: Sequence[tuple[Any, ...]], moment: float) -> None:
        """A further round, read at this moment (monotonic seconds)."""
        self.number += 1
        seconds, self.taken = moment - self.taken, moment
        before, self.known = self.known, {}
        view, first = self.view, self.number == 1
        key_of, still_of = (
            itemgetter(*[at for at, name in enumerate(view.fields) if fits(name)])
            for fits in (view.key.__contains__, lambda name: name not in view.moving)
        )
        for row in rows:
            key = key_of(row)
            if key in self.known:
                continue
            shown = before.pop(key, None)
            if shown is None:
                shown = Row(view.fields, row, SAME if first else NEW)
                if view is not SOCKETS:
                    enter_rates(view, shown.values, None, seconds)
            elif view is not SOCKETS:
                old, mark = shown.values, mark_of(still_of, shown.read, row)
                shown.replace(row, mark)
                enter_rates(view, shown.values, old, seconds)
            elif shown.read == row:
                shown.mark = SAME
            else:
                shown.replace(row, mark_of(still_of, shown.read, row))
            self.known[key] = shown
        if "state" in view.fields:
            states = map(itemgetter(view.fields.index("state")), rows)
            self.counts = Counter(state or "-" for state in states)
        self.gone = list(before.values())
        for shown in self.gone:
            shown.mark = GONE
        self.arrange()

    def arrange(self) -> None:
        """Put the rows into the order that was asked for."""
        rows = [*self.known.values(), *self.gone]
        if self.group:
            rows = grouped_rows(self.group, self.known.values())
        if self.sort:
            rows.sort(key=lambda row: sort_key(row_value(row.values, self.sort)))
            if self.reverse:
                rows.reverse()
        self.rows = rows

    @property
    def columns(self) -> tuple[Column, ...]:
        if self.group:
            return (Column(TITLES[self.group], self.group, 30, grows=True), *GROUPED)
        return (*self.view.columns, *self.places)

    def layout(self, width: int) -> list[int]:
        """The widths of the columns in a line of this width; 0 for one that does not fit."""
        columns = self.columns
        widths = [column.width for column in columns]
        left_out = sorted((column.spare, at) for at, column in enumerate(columns) if column.spare)
        while left_out and sum(widths) + len([one for one in widths if one]) - 1 > width:
            widths[left_out.pop()[1]] = 0
        growing = [at for at, column in enumerate(columns) if column.grows and widths[at]]
        rest = width - (sum(widths) + len([one for one in widths if one]) - 1)
        for place, at in enumerate(growing if rest > 0 else ()):
            widths[at] += rest // len(growing) + (place < rest % len(growing))
        return widths

    def cells(self, row: Row) -> list[str]:
        """The texts of a row, harmless on any terminal."""
        if row.cells is None:
            row.cells = [shown_text(row_value(row.values, column.field)) for column in self.columns]
        return row.cells

    def next_sort(self) -> None:
        """Sort by the next column; after the last one, in the order of the kernel."""
        fields = ["", *(column.field for column in self.columns)]
        at = fields.index(self.sort) if self.sort in fields else 0
        self.sort = fields[(at + 1) % len(fields)]
        self.reverse = any(column.number for column in self.columns if column.field == self.sort)
        self.arrange()

    def order(self) -> str:
        """The column that is sorted by, in words."""
        titles = {column.field: column.title for column in self.columns}
        reverse = ", largest first" if self.reverse else ""
        return titles.get(self.sort, self.sort) + reverse

    def next_group(self) -> None:
        groups = [None, *self.view.groups]
        self.group = groups[(groups.index(self.group) + 1) % len(groups)]
        self.sort, self.reverse = ("count", True) if self.group else ("", False)
        self.arrange()

    def summary(self) -> list[str]:
        """How many sockets are in each state, the most frequent first."""
        total = len(self.known)
        noun = {"sockets": "socket", "interfaces": "interface"}.get(self.view.name, "counter")
        words = [f"{total:,} {noun}{'' if total == 1 else 's'}"]
        return words + [f"{number:,} {state}" for state, number in self.counts.most_common()]


def mark_of(still_of: Callable[[Any], Any], old: tuple[Any, ...], new: tuple[Any, ...]) -> str:
    return SAME if still_of(old) == still_of(new) else CHANGED


def enter_rates(
    view: View, values: dict[str, Any], old: dict[str, Any] | None, seconds: float
) -> None:
    """The counters of an interface, or a counter, and by how much they grow per second."""
    if view is STATISTICS:
        grown = (values["value"] or 0) - (old["value"] or 0) if old else None
        values["rate"] = None if grown is None or seconds <= 0 else round(grown / seconds, 1)
        return
    stats = values["stats"] or {}
    now = {
        f"{side}_{name}": stats.get(side, {}).get(name)
        for side in ("rx", "tx")
        for name in ("bytes", "packets", "errors", "dropped")
    }
    values["counted"] = now
    for name, number in now.items():
        values[name] = number
        if name.endswith(("bytes", "packets")):
            before = old["counted"][name] if old else None
            known = None not in (number, before) and seconds > 0
            values[name] = round((number - before) / seconds) if known else None


def grouped_rows(group: str, rows: Iterable[Row]) -> list[Row]:
    """The rows added up by the values of a field."""
    sums: dict[Any, dict[str, Any]] = {}
    for row in rows:
        value = row.values[group]
        found = sums.setdefault(value, {group: value, "count": 0})
        found["count"] += 1
        for name in ("recv_q", "send_q", "rate_in", "rate_out"):
            if row.values[name] is not None:
                found[name] = (found.get(name) or 0) + row.values[name]
    return [Row(tuple(values), tuple(values.values()), SAME) for values in sums.values()]


def row_value(values: dict[str, Any], field: str) -> Any:
    """A field of a row, or what a column puts together of several."""
    if field in ("local", "remote"):
        port = values[f"{field}_port"]
        return f"{values[f'{field}_address']}:{port or '*'}"
    if field == "owner":
        pid, program = values["pid"], values["program"]
        return None if pid is None else f"{pid}/{program}"
    if field == "place":
        return values["container"] or values["unit"]
    if field == "netns":  # "" is our own
        return values["netns"] or None
    return values.get(field)


def sort_key(value: Any) -> tuple[bool, bool, Any]:
    """None before numbers, and numbers before text; of anything else, its text."""
    text = not isinstance(value, (int, float, type(None)))
    return (value is not None, text, str(value) if text else value or 0)


def shown_text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(cleaned(decode_nested(str(value))))


def details_of_row(source: Source, row: Row) -> list[tuple[str, str]]:
    """Everything that is known of a row, and what its state means, as (name, text)."""
    values = row.values
    pairs: list[tuple[str, Any]] = [
        (name, value) for name, value in values.items() if name not in ("counted", "stats")
    ]
    if source.view is SOCKETS and "inode" in values:
        found = whole_records(source, values)
        if found:
            pairs = list(found[0].items())
    texts = [
        (name, shown_text(value if isinstance(value, float) else str(value)))
        for name, value in flat(pairs)
        if value is not None
    ]
    if values.get("state"):
        from ..diagnosis.explain import entries_of

        for entry in entries_of(str(values["state"]))[:1]:
            texts += [("", ""), (str(values["state"]), entry.means), ("To do", entry.advice)]
    return texts


def whole_records(source: Source, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The record of one socket, with its holders and, for tcp, what the kernel knows of it."""
    ends = [f"{side} {host_text(values, side)}" for side in ("local", "remote")]
    words = {"local": "src", "remote": "dst"}
    expression = " and ".join(
        f"{words[end.split()[0]]} {end.split()[1]}" for end in ends if end.split()[1] != "*"
    )
    asked = source.given.replace(
        watch=False, format="records", filter=expression, sort=(), programs=True, details=True,
        all=True, listening=False, families=("inet", "inet6"), continuous=False, header=True,
        **NUMBERS,
        **{name: values["proto"].startswith(name) for name in ("tcp", "udp", "raw", "sctp")},
    )  # fmt: skip
    if values["proto"].startswith("tcp"):
        try:
            plan = Plan(asked.replace(tcp_info=True, memory=True))
        except Misuse:  # this system does not tell them
            plan = Plan(asked)
    else:
        plan = Plan(asked)
    run = Run(plan, Proc(asked.root), Outcome())
    records = [record for _, tables in run.gather() for table in tables_alone(tables)
               for record in table]  # fmt: skip
    same = (values["inode"], values["proto"])
    return [record._asdict() for record in records if (record.inode, record.proto) == same]


def host_text(values: dict[str, Any], side: str) -> str:
    address, port = str(values[f"{side}_address"]), values[f"{side}_port"]
    if not port:
        return "*"
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def flat(pairs: Iterable[tuple[str, Any]], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Objects within a record as name.field, lists in one line."""
    for name, value in pairs:
        if hasattr(value, "_asdict"):
            value = value._asdict()
        if isinstance(value, dict):
            yield from flat(value.items(), f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], (dict, tuple)):
            for part in value:
                part = part._asdict() if hasattr(part, "_asdict") else part
                inner = part.items() if isinstance(part, dict) else [("", part)]
                yield from flat(inner, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            if value:
                yield f"{prefix}{name}", ", ".join(map(printable_text, map(str, value)))
        else:
            yield f"{prefix}{name}", value
