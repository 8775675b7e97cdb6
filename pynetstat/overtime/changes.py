"""What tells one row from another, and what has changed between two lists of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from .. import collectors
from ..listing import Listing, Section
from ..options import Options
from ..table import Remark, Table
from ..text import cleaned

Row = dict[str, Any]


class Change(NamedTuple):
    """A row that has come, gone or changed. `ts` is when it was seen (RFC 3339), `listing` the
    name of its listing, `row` the row as it is or last was, `previous` the row before."""

    event: str
    ts: str
    listing: str
    row: Row
    previous: Row | None = None


# What tells one row from every other, by listing; where a Listing does not say it itself.
ENDS = ("proto", "local_address", "local_port", "remote_address", "remote_port")
ROUTE = ("family", "table", "dst", "metric", "dev", "source")
IDENTITY = {
    "sockets": ENDS,
    "unix": ("inode",),
    "interfaces": ("ifname",),
    "routes": ROUTE,
    "route_cache": ROUTE,
    "groups": ("ifname", "family", "address"),
    "statistics": ("section", "name"),
}
# What moves by itself, or depends on who looks and how: no change of a row.
MOVING = frozenset(
    (
        *("pid", "program", "processes", "unit", "container", "recv_q", "send_q", "timer"),
        *("inode", "listener", "accept_queue", "refcnt", "ref", "use", "drops", "stats"),
        *("expires_ms", "vr", "vs", "tcp_info", "memory", "user", "peer_inode", "init_seq"),
        *("pod", "published_for", "details", "rate_in", "rate_out"),
        *("delta", "previous_delta", "local_host", "local_service", "remote_host"),
        "remote_service",
    )
)
# None there may mean that the kernel did not tell this time, which is no change.
TOLD_BY_NETLINK = frozenset(("backlog", "dual_stack", "dev", "uid"))


def identity_of(listing: Listing) -> tuple[str, ...]:
    """The fields that tell a row from every other; all that does not move, where none are known."""
    return identity_fields(
        listing.record._fields, listing.identity or IDENTITY.get(listing.name, ())
    )


def identity_fields(fields: Sequence[str], known: Sequence[str] = ()) -> tuple[str, ...]:
    """Those of the known fields that there are, or all that do not move."""
    chosen = known or tuple(name for name in fields if name not in MOVING)
    return tuple(name for name in dict.fromkeys(("host", "netns", *chosen)) if name in fields)


def hashable_value(value: Any) -> Any:
    """Lists and objects, which JSON has, as what a set can hold."""
    if isinstance(value, dict):
        return tuple((name, hashable_value(part)) for name, part in value.items())
    return tuple(map(hashable_value, value)) if isinstance(value, (list, tuple)) else value


def compared_value(row: Row, name: str) -> Any:
    """A field as what can be compared. Our own namespace is "" with --netns all, else None."""
    value = row.get(name)
    return value or None if name == "netns" else hashable_value(value)


def key_of(row: Row, names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(compared_value(row, name) for name in names)


def moved(old: Row, new: Row, names: Iterable[str]) -> list[str]:
    """The fields of these names that are not what they were."""
    changed = (name for name in names if compared_value(old, name) != compared_value(new, name))
    return [
        name
        for name in changed
        if name not in TOLD_BY_NETLINK or None not in (old.get(name), new.get(name))
    ]


def compared(
    old: Sequence[Row], new: Sequence[Row], identity: Sequence[str], names: Sequence[str]
) -> Iterator[tuple[str, Row, Row | None]]:
    """(event, row, previous) for each row that was added, removed or changed.

    Several rows may have one identity (SO_REUSEPORT): those that are alike are the same row, and
    the rest are paired in their order.
    """
    before: dict[Any, list[Row]] = {}
    for row in old:
        before.setdefault(key_of(row, identity), []).append(row)
    left: list[tuple[Any, Row]] = []
    for row in new:
        key = key_of(row, identity)
        others = before.get(key, [])
        same = next((at for at, one in enumerate(others) if not moved(one, row, names)), None)
        if same is None:
            left.append((key, row))
        else:
            others.pop(same)
    for key, row in left:
        others = before.get(key, [])
        yield ("changed", row, others.pop(0)) if others else ("added", row, None)
    for row in chain.from_iterable(before.values()):
        yield "removed", row, None


# The listing of each record that the Python API gives
LISTING_OF = {
    "InetSocket": ("sockets", "inet"),
    "UnixSocket": ("sockets", "unix"),
    "NetlinkSocket": ("sockets", "netlink"),
    "PacketSocket": ("sockets", "packet"),
    "VsockSocket": ("sockets", "vsock"),
    "Interface": ("interfaces", ""),
    "Route": ("route", "inet"),
    "Group": ("groups", ""),
}


def record_changes(before: Iterable[Any], after: Iterable[Any], moment: str) -> Iterator[Change]:
    """What differs between two lists of records of one kind: added, removed or changed."""
    old, new = list(before), list(after)
    kinds = sorted({type(record).__name__ for record in (*old, *new)})
    if len(kinds) > 1:
        raise TypeError(f"diff() compares records of one kind, not {' with '.join(kinds)}")
    for record in (old or new)[:1]:
        key = LISTING_OF.get(type(record).__name__)
        listing = collectors.find_listing(*key) if key else None
        name = listing.name if listing else ""
        names = identity_of(listing) if listing else identity_fields(record._fields)
        still = [field for field in record._fields if field not in MOVING]
        was, now = ([one._asdict() for one in records] for records in (old, new))
        for event, row, previous in compared(was, now, names, still):
            yield Change(event, moment, name, row, previous)


# What is printed


def changes_section(
    changes: Iterable[Change], listings: Sequence[Listing], named: Sequence[str] = ()
) -> Section:
    """The changes as a listing of their own, for every format; `named` as for described()."""
    known = {listing.name: identity_of(listing) for listing in listings}
    listing = Listing(
        "changes",
        Change,
        lambda *_: iter(()),
        lambda _: (),
        lambda _: "",
        text=partial(change_lines, known, named),
    )
    rows = list(changes)
    fields = dict(zip(Change._fields, map(list, zip(*rows))))
    return Section(listing, iter([Table(Change, len(rows), **fields)]))


SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def change_lines(
    known: dict[str, tuple[str, ...]],
    named: Sequence[str],
    tables: Iterable[Table | Remark],
    options: Options,
) -> Iterator[str]:
    """A line for each change: a sign, or the time and a word; the row; what it was before."""
    for table in tables:
        for change in table if isinstance(table, Table) else ():
            identity = known[change.listing]
            sign = SIGNS.get(change.event)
            start = f"{sign} {change.listing}:" if sign else f"{change.ts} {change.event:<7}"
            text = f"{start} {described(change, identity, named)}"
            yield printable_bytes(text)


def printable_bytes(text: str) -> str:
    """Harmless text, in the kernel's way of one character per byte, as classic text has it."""
    return cleaned(text).encode("utf-8", "replace").decode("latin-1")


def described(change: Change, identity: Sequence[str], named: Sequence[str] = ()) -> str:
    """The row by what tells it apart, and by its owner; what it was before. `named` are fields
    that the user asked to be compared too."""
    row, old = change.row, change.previous
    if "local_port" in identity and "remote_port" in identity:
        here, there = (endpoint_text(row, side) for side in ("local", "remote"))
        parts = [str(row["proto"]), here, there, row.get("state")]
    elif change.listing == "unix":
        parts = ["unix", row.get("type"), row.get("path"), row.get("state")]
    else:
        parts = [
            f"{name}={short_value(row[name])}" for name in identity if row.get(name) is not None
        ]
        if change.event != "changed":
            parts += [f"{name}={row[name]}" for name in ("gateway", "value") if row.get(name)]
    if "host" in row and change.listing in ("sockets", "unix"):
        parts.insert(0, row["host"])
    if row.get("netns") and change.listing in ("sockets", "unix"):
        parts.append(f"in {row['netns']}")
    if row.get("program") or row.get("pid"):
        parts.append(f"{row.get('pid')}/{row.get('program')}")
    text = " ".join(str(part) for part in parts if part is not None)
    if old is None:
        return text
    names = [name for name in row if name not in MOVING or name in named]
    was = [
        f"{name} {short_value(old.get(name))} -> {short_value(row[name])}"
        for name in moved(old, row, names)
    ]
    return f"{text} ({', '.join(was)})" if was else text


def endpoint_text(row: Row, side: str) -> str:
    """192.0.2.1:80, 0.0.0.0:*"""
    return f"{row.get(f'{side}_address')}:{row.get(f'{side}_port') or '*'}"


def short_value(value: Any) -> str:
    return "none" if value is None else str(value)
