"""--count-by: how many rows there are of each combination of values."""

from __future__ import annotations

from collections import Counter, namedtuple
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import repeat
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any, NamedTuple

from ..listing import Layout
from ..options import Misuse
from ..table import Remark, Table, field_kind, names_of
from .sort import by_family, sorted_table

NETWORKS = {"local_network": "local_address", "remote_network": "remote_address"}


class Group(NamedTuple):
    """A field to count by: its name, where it comes from, and (of a network) its length."""

    name: str
    field: str
    length: int | None = None


def check_fields(records: Sequence[Any], fields: Sequence[str]) -> None:
    """Misuse where none of these types of record has all the fields to count by."""
    groups = [group(text) for text in fields]
    if not any(has(record, groups) for record in records):
        raise Misuse(no_field(records, groups))


def count_fields(fields: Sequence[str]) -> list[str]:
    """The fields of the records of counts."""
    return [*field_names([group(text) for text in fields]), "count"]


def count_rows(
    tables: Iterable[Table | Remark | Layout],
    fields: Sequence[str],
    top: int | None = None,
    sums: Sequence[str] = (),
) -> Table:
    """How many rows there are of each combination of values, the most frequent first.

    `remote_network/24` and `local_network/64` are networks of that many bits (IPv4 addresses
    mapped into IPv6 count as IPv4). Listings that lack one of the fields are not counted;
    Misuse where all of them do. The fields of `sums` are added up; what has most of them all
    comes first.
    """
    groups = [group(text) for text in fields]
    numbers: Counter[tuple[Any, ...]] = Counter()
    shown: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    totals: dict[tuple[Any, ...], list[int | None]] = {}
    record, records = None, []
    for table in tables:
        if not isinstance(table, Table):
            continue
        records.append(table.record)
        if has(table.record, groups):
            record = table.record
            if len(table):
                columns = [column_values(table, one) for one in groups]
                add(numbers, shown, columns)
                if sums:
                    add_up(totals, columns, [table[name] for name in sums])
    if record is None and records:
        raise Misuse(no_field(records, groups))
    counts = counts_as_records(record, groups, numbers, shown)
    order = ["-count", *field_names(groups)]
    if sums:
        counts = with_sums(counts, sums, list(map(totals.get, numbers)))
        order = [*(f"-{name}" for name in sums), *order]
    rows = sorted_table(counts, order)
    return rows if top is None else rows.pick(range(min(top, len(rows))))


def has(record: Any, groups: Sequence[Group]) -> bool:
    """True if this type of record has all fields that are counted by."""
    return {one.field for one in groups} <= set(names_of(record))


def add(numbers: Any, shown: dict[Any, Any], columns: Sequence[Sequence[Any]]) -> None:
    """Enter a table's rows; a list, which cannot be hashed, is counted by its text."""
    keys = list(zip(*map(hashable_column, columns)))
    numbers.update(keys)
    shown.update(zip(keys, zip(*columns)))


def add_up(
    totals: dict[Any, list[int | None]],
    columns: Sequence[Sequence[Any]],
    fields: Sequence[Sequence[int | None]],
) -> None:
    """Add the fields of each row to those of its group; what is unknown adds nothing."""
    for key, row in zip(zip(*map(hashable_column, columns)), zip(*fields)):
        before = totals.get(key, [None] * len(row))
        totals[key] = [old if new is None else new + (old or 0) for old, new in zip(before, row)]


def with_sums(
    counts: Table, sums: Sequence[str], totals: Sequence[list[int | None] | None]
) -> Table:
    make: Any = namedtuple
    kind = make("Count", [*counts.record._fields, *sums])
    kind.__annotations__ = {**counts.record.__annotations__, **dict.fromkeys(sums, "int")}
    columns = {name: counts[name] for name in counts.record._fields}
    for place, name in enumerate(sums):
        columns[name] = [total and total[place] for total in totals]
    return Table(kind, len(counts), **columns)


def hashable_column(column: Sequence[Any]) -> Sequence[Any]:
    if {list, dict}.isdisjoint(map(type, column)):
        return column
    return [repr(value) if type(value) in (list, dict) else value for value in column]


def field_names(groups: Iterable[Group]) -> list[str]:
    return [one.name for one in groups]


def group(text: str) -> Group:
    """`state`, or `remote_network/24`."""
    name, _, length = text.partition("/")
    if name not in NETWORKS:
        return Group(text, text)
    if not (length.isascii() and length.isdecimal() and len(length) < 4 and int(length) <= 128):
        raise Misuse(f"cannot count by `{text}'; a network has its length: {name}/24")
    return Group(name, NETWORKS[name], int(length))


def no_field(records: Sequence[Any], groups: Sequence[Group]) -> str:
    valid = dict.fromkeys(name for record in records for name in record._fields)
    every = {name for record in records for name in names_of(record)}
    valid |= {f"{name}/BITS": None for name, field in NETWORKS.items() if field in valid}
    wrong = [one.name for one in groups if one.field not in every]
    what = wrong[0] if wrong else ",".join(field_names(groups))
    return f"cannot count by `{what}'; fields: {', '.join(valid)}"


def column_values(table: Table, one: Group) -> Sequence[Any]:
    field = table[one.field]
    if one.length is None:
        return field
    found = networks_of_length(set(field), one.length)
    return list(map(found.__getitem__, field))


def networks_of_length(distinct: set[Any], length: int) -> dict[Any, Any]:
    """10.1.2.3 -> 10.1.2.0/24; IPv4 (and what is mapped into IPv6) has at most 32 bits."""
    found = dict(zip(distinct, distinct))  # other values stay as they are
    v4, v6 = by_family(distinct - {None})
    mapped = [text for text in v6 if text.startswith("::ffff:") and "." in text]
    plain = list(set(v6).difference(mapped))
    cut(found, AF_INET, v4 + mapped, v4 + [text[7:] for text in mapped], length)
    cut(found, AF_INET6, plain, [text.partition("%")[0] for text in plain], length)
    return found


def cut(
    found: dict[Any, Any], family: int, texts: Sequence[str], bare: Sequence[str], length: int
) -> None:
    """Enter the network of each of these addresses of a family."""
    width = 32 if family == AF_INET else 128
    shift = max(width - length, 0)
    from_bytes: Any = int.from_bytes
    try:
        packed = list(map(partial(inet_pton, family), bare))
    except (OSError, ValueError):
        return
    numbers = [number >> shift for number in map(from_bytes, packed, repeat("big"))]
    first = {
        number: inet_ntop(family, (number << shift).to_bytes(width // 8, "big"))
        for number in set(numbers)
    }
    shown = {number: f"{text}/{width - shift}" for number, text in first.items()}
    found.update(zip(texts, map(shown.__getitem__, numbers)))


def counts_as_records(
    record: Any, groups: Sequence[Group], numbers: Any, shown: dict[Any, Any]
) -> Table:
    """The counts as records of a type made for them: the fields, and `count`."""
    titles = field_names(groups)
    if len(set(titles)) < len(titles) or "count" in titles:
        raise Misuse(f"cannot count by {','.join(titles)}: a name is there twice")
    make: Any = namedtuple
    kind = make("Count", [*titles, "count"], defaults=[None] * (len(titles) + 1))
    types = [field_kind(record, one.field) if record else "" for one in groups]
    kind.__annotations__ = {**dict(zip(titles, types)), "count": "int"}
    rows = [shown[key] for key in numbers]
    columns = dict(zip(titles, map(list, zip(*rows)))) if rows else {}
    return Table(kind, len(rows), **columns, count=list(numbers.values()))
