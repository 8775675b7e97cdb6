"""--sort and --count-by: rows in another order, and how many there are of each kind."""

from __future__ import annotations

from collections import Counter, namedtuple
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import repeat
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any, NamedTuple

from .options import Misuse
from .table import Remark, Table

# Fields that hold an address or a network, which go by number and not by spelling.
ADDRESSES = frozenset(
    {"local_address", "remote_address", "local_network", "remote_network", "address"}
    | {"dst", "gateway", "genmask", "destination"}
)
PACK = {b"4": partial(inet_pton, AF_INET), b"6": partial(inet_pton, AF_INET6)}
NETWORKS = {"local_network": "local_address", "remote_network": "remote_address"}


# --sort


def sorted_table(table: Table, keys: Sequence[str]) -> Table:
    """The rows by these fields, the first counting most; `-` before one turns it round.

    Rows that are equal keep their order, and what is unknown comes last either way.
    Misuse where the listing has no such field.
    """
    check_keys(table.record, keys)
    if not len(table):
        return table
    rows = list(range(len(table)))
    for key in reversed(keys):
        name = key.removeprefix("-")
        field = table[name]
        places = ranks(field, name in ADDRESSES)
        unknown = [row for row in rows if field[row] is None] if None in field else []
        rows = [row for row in rows if field[row] is not None] if unknown else rows
        rows.sort(key=places.__getitem__, reverse=key.startswith("-"))
        rows += unknown
    return table.order(rows)


def check_keys(record: Any, keys: Iterable[str]) -> None:
    """Misuse, which lists the valid ones, where a key is not a field of the record."""
    for key in keys:
        if key.removeprefix("-") not in record._fields:
            valid = ", ".join(record._fields)
            raise Misuse(f"cannot sort by `{key}'; fields of this listing: {valid}")


def ranks(field: Sequence[Any], addresses: bool) -> Sequence[Any]:
    """What stands for each row while sorting: the value, or its place among the others."""
    if addresses:
        return list(map(address_keys(set(field)).__getitem__, field))
    kinds = set(map(type, field)) - {type(None)}
    if len(kinds) < 2 and kinds.isdisjoint({dict, list}):
        return field
    return list(map(str, field))  # lists, and what has no order


def address_keys(distinct: set[str | None]) -> dict[str | None, bytes]:
    """IPv4 before IPv6 before what is neither, each by number."""
    texts = distinct - {None}
    keys: dict[str | None, bytes] = {None: b""}
    try:
        for family, some in zip(PACK, by_family(texts)):
            keys.update(zip(some, map(family.__add__, map(PACK[family], some))))
    except (OSError, ValueError):
        keys.update({text: address_key(text) for text in texts if text is not None})
    return keys


def by_family(texts: Iterable[Any]) -> tuple[list[str], list[str]]:
    """IPv4 addresses, and IPv6 ones."""
    texts = list(texts)
    return [text for text in texts if ":" not in text], [text for text in texts if ":" in text]


def address_key(text: str) -> bytes:
    """fe80::1%eth0 or 10.0.0.0/8, a network before those within it; or something else."""
    address, _, bits = text.partition("/")
    length = bytes([min(int(bits), 128) if bits.isdecimal() else 128])
    for family, pack in PACK.items():
        try:
            return family + pack(address.partition("%")[0]) + length
        except (OSError, ValueError):
            continue
    return b"n" + text.encode("utf-8", "surrogatepass")


# --count-by


class Group(NamedTuple):
    """A field to count by: its name, where it comes from, and (of a network) its length."""

    name: str
    field: str
    length: int | None = None


def count(tables: Iterable[Table | Remark], fields: Sequence[str], top: int | None = None) -> Table:
    """How many rows there are of each combination of values, the most frequent first.

    `remote_network/24` and `local_network/64` are networks of that many bits (IPv4 addresses
    mapped into IPv6 count as IPv4). Listings that lack one of the fields are not counted;
    Misuse where all of them do.
    """
    groups = [group(text) for text in fields]
    numbers: Counter[tuple[Any, ...]] = Counter()
    shown: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    record, records = None, []
    for table in tables:
        if isinstance(table, Remark):
            continue
        records.append(table.record)
        if all(one.field in table.record._fields for one in groups):
            record = table.record
            if len(table):
                add(numbers, shown, [values(table, one) for one in groups])
    if record is None and records:
        raise Misuse(no_field(records, groups))
    rows = sorted_table(counted(record, groups, numbers, shown), ["-count", *names(groups)])
    return rows if top is None else rows.order(range(min(top, len(rows))))


def add(numbers: Any, shown: dict[Any, Any], columns: Sequence[Sequence[Any]]) -> None:
    """Enter a table's rows; a list, which cannot be hashed, is counted by its text."""
    keys = list(zip(*map(hashable, columns)))
    numbers.update(keys)
    shown.update(zip(keys, zip(*columns)))


def hashable(column: Sequence[Any]) -> Sequence[Any]:
    if {list, dict}.isdisjoint(map(type, column)):
        return column
    return [repr(value) if type(value) in (list, dict) else value for value in column]


def names(groups: Iterable[Group]) -> list[str]:
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
    valid |= {f"{name}/BITS": None for name, field in NETWORKS.items() if field in valid}
    wrong = [one.name for one in groups if one.field not in valid]
    what = wrong[0] if wrong else ",".join(names(groups))
    return f"cannot count by `{what}'; fields: {', '.join(valid)}"


def values(table: Table, one: Group) -> Sequence[Any]:
    field = table[one.field]
    if one.length is None:
        return field
    found = networks(set(field), one.length)
    return list(map(found.__getitem__, field))


def networks(distinct: set[Any], length: int) -> dict[Any, Any]:
    """10.1.2.3 -> 10.1.2.0/24; IPv4 (and what is mapped into IPv6) has at most 32 bits."""
    found = dict(zip(distinct, distinct))  # what is no address stays what it is
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


def counted(record: Any, groups: Sequence[Group], numbers: Any, shown: dict[Any, Any]) -> Table:
    """The counts as records of a type made for them: the fields, and `count`."""
    titles = names(groups)
    if len(set(titles)) < len(titles) or "count" in titles:
        raise Misuse(f"cannot count by {','.join(titles)}: a name is there twice")
    make: Any = namedtuple
    kind = make("Count", [*titles, "count"], defaults=[None] * (len(titles) + 1))
    known = record.__annotations__ if record else {}
    types = [known.get(one.field, "") for one in groups]
    kind.__annotations__ = {**dict(zip(titles, types)), "count": "int"}
    rows = [shown[key] for key in numbers]
    columns = dict(zip(titles, map(list, zip(*rows)))) if rows else {}
    return Table(kind, len(rows), **columns, count=list(numbers.values()))
