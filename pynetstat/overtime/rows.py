"""Rows as a recording has them: plain values that stay the same while nothing happens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..kernel.internals import KINDS as DECODED
from ..kernel.ioctl import Inet, Inet6, Link
from ..table import Table
from ..text import safe

Row = dict[str, Any]

# Milliseconds that grow by themselves while nothing happens
AGES = ("last_ack_recv_ms", "last_data_recv_ms", "last_data_sent_ms")
RUNNING = ("timer", *AGES)
TOLERANCE = 50.0  # milliseconds by which they may be off before they are written again
# What the rules of --diagnose ask of TCP
TOLD_BY_TCP = (
    *AGES, "total_retrans", "bytes_sent", "bytes_received", "bytes_acked", "rwnd_limited_us",
    "notsent_bytes", "sacked", "rtt_us", "min_rtt_us",
)  # fmt: skip
# What is made of other fields, or is of no use later
LEFT_OUT = frozenset(
    ("timer_text", "owner", "context", "clock", "rate_in", "rate_out", "as_host", "as_network")
)
# What tells a row from the others of its part of the recording. Other parts are in an order.
ENDS = ("proto", "local_address", "local_port", "remote_address", "remote_port", "inode", "netns")
KEYS = {
    "sockets": ENDS,
    "unix": ("inode", "path", "state", "netns"),
    "packet": ("inode", "netns"),
    "netlink": ("protocol", "portid", "inode", "netns"),
    "vsock": ("inode", "local_port", "remote_port"),
    "processes": ("pid",),
}
# Records that stand whole in a table, by their names
TAGGED: dict[str, Any] = {"Inet": Inet, "Inet6": Inet6, "Link": Link}


def rows_of_table(table: Table) -> list[Row]:
    """The rows of a table, each with the fields that it has."""
    own = table.record._fields
    more = [name for name in table.fields if name not in DECODED or name in TOLD_BY_TCP]
    fields = [name for name in dict.fromkeys((*own, *more)) if name not in LEFT_OUT]
    columns = {name: table[name] for name in fields}
    filled = {
        name: written_column(column)
        for name, column in columns.items()
        if column.count(None) < len(column)
    }
    names = list(filled)
    return [
        {name: value for name, value in zip(names, values) if value is not None}
        for values in zip(*filled.values())
    ]


def written_column(column: Sequence[Any]) -> Sequence[Any]:
    kinds = set(map(type, column))
    if kinds <= {int, bool, type(None)}:
        return column
    if kinds <= {str, type(None)} and "".join(filter(None, set(column))).isascii():
        return column
    try:
        found = {value: written_value(value) for value in set(column)}
    except TypeError:  # lists
        return list(map(written_value, column))
    return list(map(found.__getitem__, column))


def written_value(value: Any) -> Any:
    """A value as JSON has it. Text of the kernel becomes UTF-8; a byte that is none becomes half
    a surrogate pair, which JSON writes and reads."""
    if isinstance(value, str):
        return value if value.isascii() else decoded_text(value)
    if isinstance(value, bytes):
        return value.hex()
    if type(value).__name__ in TAGGED:
        return {"type": type(value).__name__, "of": list(map(written_value, value))}
    if hasattr(value, "_fields"):
        return dict(zip(value._fields, map(written_value, value)))
    if isinstance(value, dict):
        return {written_value(name): written_value(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(written_value, value))
    return value


def decoded_text(text: str) -> str:
    try:
        return text.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # it is text already
        return text


def read_value(value: Any) -> Any:
    """A value as tables have it: text with one character for each byte."""
    if isinstance(value, str):
        if value.isascii():
            return value
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    if isinstance(value, dict):
        if value.keys() == {"type", "of"}:
            kind, parts = TAGGED[value["type"]], list(map(read_value, value["of"]))
            if kind is Link:
                parts[1] = bytes.fromhex(parts[1])
            return kind(*parts)
        return {read_value(name): read_value(one) for name, one in value.items()}
    return list(map(read_value, value)) if isinstance(value, list) else value


# Text that strangers may have written in the kernel's tables too: every format washes it.
STRANGERS = frozenset(
    ("program", "path", "peer_path", "ifname", "dev", "netns", "processes", "listener", "details")
)


def washed_value(value: Any) -> Any:
    """A value of which the kernel's tables need no washing. Those of a recording may be forged."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, dict):
        return {washed_value(name): washed_value(one) for name, one in value.items()}
    if isinstance(value, list):
        return list(map(washed_value, value))
    return value if isinstance(value, (int, float, tuple, type(None))) else str(value)


def read_row(row: Row) -> Row:
    """A row of a line with the records that stand in its fields."""
    from ..collectors.linux.inet import nested_record

    found: Row = {
        name: read_value(value) if name in STRANGERS else washed_value(read_value(value))
        for name, value in row.items()
    }
    return {name: nested_record(name, value) for name, value in found.items()}


def runs_on(old: Row, new: Row, passed: float) -> bool:
    """True if what ran before, `passed` milliseconds later, is what is now."""
    if old == new and not any(map(new.get, AGES)):
        return True
    then = aged(old, passed)
    if any(abs(then.get(name, 0) - new.get(name, 0)) > TOLERANCE for name in AGES):
        return False
    one, other = then.get("timer"), new.get("timer")
    if one is None or other is None:
        return one is other
    near = abs(one["expires_ms"] - other["expires_ms"]) <= TOLERANCE
    return near and all(one[name] == other[name] for name in ("name", "retransmits", "probes"))


def aged(row: Row, passed: float) -> Row:
    """The row as it is `passed` milliseconds after its line, if nothing has happened."""
    changes: Row = {name: row[name] + round(passed) for name in AGES if row.get(name)}
    timer = row.get("timer")
    if timer and timer["expires_ms"]:
        left = max(timer["expires_ms"] - round(passed / 10) * 10, 0)
        changes["timer"] = {**timer, "expires_ms": left}
    return {**row, **changes}


def key_of_row(part: str, row: Row) -> tuple[Any, ...] | None:
    """What tells a row from others; None where its place in the order does."""
    names = KEYS.get(part)
    return names and (part, *(row.get(name) for name in names))


def numbered_keys(part: str, rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """A key for each row. Of several that are alike each has the number of its turn too."""
    turns: dict[tuple[Any, ...] | None, int] = {}
    keys = []
    for row in rows:
        key = key_of_row(part, row)
        turn = turns[key] = turns.get(key, -1) + 1
        keys.append((key or (part,)) if key and not turn else ((key or (part,)) + (turn,)))
    return keys
