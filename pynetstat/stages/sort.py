"""--sort: rows in another order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any

from ..options import Misuse
from ..table import Table, names_of

# Fields that hold an address or a network, which go by number and not by spelling.
ADDRESSES = frozenset(
    {"local_address", "remote_address", "local_network", "remote_network", "address"}
    | {"dst", "gateway", "genmask", "destination"}
)


PACK = {b"4": partial(inet_pton, AF_INET), b"6": partial(inet_pton, AF_INET6)}


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
    return table.pick(rows)


def check_keys(record: Any, keys: Iterable[str]) -> None:
    """Misuse, which lists the valid ones, where a key is not a field of the record."""
    for key in keys:
        if key.removeprefix("-") not in names_of(record):
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
