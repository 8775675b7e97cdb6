"""Tables: what a listing gives, kept field by field, and how its columns are declared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import compress, groupby, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .options import Options


class Table:
    """Records of one type kept field by field, so that a pass over them is one loop in C.

    A field may be given as a function, called when the field is first wanted; a field that
    nothing has filled reads as the record's default. A collector may give fields beyond the
    record's: columns may use them, records and structured formats never show them.
    """

    def __init__(self, record: Any, length: int, **fields: Any) -> None:
        self.record, self.length, self.fields = record, length, fields

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, name: str) -> Sequence[Any]:
        if name not in self.fields:
            return [self.record._field_defaults.get(name)] * self.length
        if callable(self.fields[name]):
            self.fields[name] = self.fields[name]()
        field: Sequence[Any] = self.fields[name]
        return field

    def __iter__(self) -> Iterator[Any]:
        """The records, their text decoded."""
        columns = map(self.readable, self.record._fields)
        return map(tuple.__new__, repeat(self.record), zip(*columns))

    def readable(self, name: str) -> Sequence[Any]:
        """A field as Python and JSON want it: text decoded from the kernel's bytes."""
        field = self[name]
        if name not in self.fields:
            return field
        kind = str(self.record.__annotations__.get(name, "str"))
        return decoded(field) if "str" in kind else field

    def keep(self, mask: Iterable[Any]) -> Table:
        """The rows whose place in the mask is true."""
        chosen = list(map(bool, mask))
        names = list(self.fields)
        fields = {name: Kept(self, name, chosen) for name in names}
        return Table(self.record, sum(chosen), **fields)

    def order(self, rows: Sequence[int]) -> Table:
        """The rows of these numbers, in this order."""
        fields = {name: list(map(self[name].__getitem__, rows)) for name in self.fields}
        return Table(self.record, len(rows), **fields)


class Kept:
    """A field of a table of which some rows were kept, not yet asked for."""

    def __init__(self, table: Table, name: str, chosen: Sequence[bool]) -> None:
        self.table, self.name, self.chosen = table, name, chosen

    def __call__(self) -> list[Any]:
        return list(compress(self.table[self.name], self.chosen))


def joined(record: Any, tables: Iterable[Table]) -> Table:
    """Several tables of one record type as one."""
    parts = list(tables)
    names = dict.fromkeys(name for part in parts for name in part.fields)
    fields = {name: [value for part in parts for value in part[name]] for name in names}
    return Table(record, sum(map(len, parts)), **fields)


class Remark(str):
    """A line that netstat prints among or instead of rows; other formats leave it out."""


def in_order(record: Any, rows: Iterable[Any]) -> Iterator[Table | Remark]:
    """Records, and remarks among them, as tables in their order; an empty one first, so that
    the heading stands even where there are none. For listings that are never long."""
    yield Table(record, 0)
    for kind, group in groupby(rows, type):
        if kind is Remark:
            yield from group
        else:
            columns = list(map(list, zip(*group)))
            yield Table(record, len(columns[0]), **dict(zip(record._fields, columns)))


class Holder(NamedTuple):
    """A process that holds a socket, and the descriptor by which it does."""

    pid: int
    program: str | None
    fd: int | None


class Column(NamedTuple):
    """A column of the classic text: its header, its printf piece, and what fills it.

    `cells` makes the column's values from the fields named (blank-separated); without it the
    one field is printed as it is. `untrusted` text may hold anything a stranger wrote.
    """

    header: str
    format: str
    fields: str
    cells: Callable[..., Iterable[Any]] | None = None
    untrusted: bool = False

    def values(self, table: Table) -> Iterable[Any]:
        fields = map(table.__getitem__, self.fields.split())
        return next(fields) if self.cells is None else self.cells(*fields)


class Listing(NamedTuple):
    """One thing that netstat can list: how it is read and how it is printed.

    `collect(proc, options)` yields tables (and remarks); the heading is printed before the
    first table, so a collector that needs its file gives no table until the file is open.
    `names(options)` says which fields are looked up: {"local_host": ("host", "local_address")}.
    A listing that netstat prints as prose brings `text(tables, options)` for the classic format,
    which gives None where these options want columns after all.
    One that is `owned` knows by itself which process holds each socket.
    """

    name: str
    record: Any
    collect: Callable[[Any, Any], Iterator[Table | Remark]]
    columns: Callable[[Any], Iterable[Column]]
    heading: Callable[[Any], str]
    names: Callable[[Any], Mapping[str, tuple[str, str]]] = lambda options: {}
    text: Callable[[Iterable[Table | Remark], Any], Iterator[str] | None] | None = None
    owned: bool = False


# C0 and DEL, C1 (U+0080-U+009F), bidirectional and invisible format characters, line and
# paragraph separators, and (as surrogates) the bytes that are not UTF-8.
@cache
def unsafe() -> re.Pattern[str]:
    """The pattern of those; compiled when first wanted."""
    return re.compile(
        "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
        "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
        "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    )


def safe(text: str) -> str:
    """Text from the kernel (one character per byte) with everything that could move a cursor,
    forge a row or hide itself printed as `?`, one for one; printable UTF-8 stays."""
    if text.isascii() and text.isprintable():
        return text
    characters = text.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
    return unsafe().sub("?", characters).encode("utf-8").decode("latin-1")


def safe_cells(cells: Iterable[Any]) -> list[str]:
    """The cells of an untrusted column; each distinct one that needs it is cleaned once."""
    texts = list(map(str, cells))
    together = "".join(texts)
    if together.isascii() and together.isprintable():
        return texts
    clean = {text: safe(text) for text in set(texts)}
    return [clean[text] for text in texts]


def decoded(field: Sequence[Any]) -> Sequence[Any]:
    """Text from the kernel (one character per byte) as the UTF-8 it was meant to be.

    A byte that is not UTF-8 becomes `\\xNN`: always valid, and still telling names apart.
    """
    try:
        if "".join(filter(None, set_of(field))).isascii():
            return field
    except TypeError:  # not text alone: records within records
        pass
    return [decode(value) for value in field]


def set_of(field: Sequence[Any]) -> Iterable[Any]:
    """The distinct values, or all of them where they cannot be hashed."""
    try:
        return set(field)
    except TypeError:
        return field


def decode(value: Any) -> Any:
    """One value with the text in it decoded, however deep it lies."""
    if isinstance(value, str):
        return value.encode("latin-1", "replace").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {decode(key): decode(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [decode(part) for part in value]
        return parts if type(value) in (list, tuple) else tuple.__new__(type(value), parts)  # type: ignore[type-var]
    return value


# Cells and columns that more than one listing has


def which(options: Options) -> str:
    if options.all:
        return "(servers and established)"
    return "(only servers)" if options.listening else "(w/o servers)"


def owner_columns(options: Options) -> Iterator[Column]:
    """-p and -Z, for Internet and unix sockets alike."""
    if options.programs:
        yield Column(" PID/Program name    ", " %-20s", "owner", known, untrusted=True)
    if options.context:  # the header is one byte narrower than the cells
        yield Column(f"{' Security Context':<50}", " %-50s", "context", known, untrusted=True)


def known(field: Sequence[Any]) -> Iterable[Any]:
    """What the system does not tell is a dash."""
    return field if None not in field else ["-" if value is None else value for value in field]


def blank(field: Sequence[Any]) -> Iterable[Any]:
    return [value or "" for value in field] if None in field else field


def signed(number: int) -> int:
    """The low 32 bits, as C's int has them."""
    return ((number + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def user_cells(uids: Sequence[int | None], users: Sequence[str | None]) -> Iterable[Any]:
    """The name, or else the number; a system may have the one without the other."""
    pairs = list(zip(uids, users))
    texts = {pair: pair[1] for pair in set(pairs)}
    for uid, user in texts:
        if user is None:
            texts[uid, user] = "-" if uid is None else str(signed(uid))
    return map(texts.__getitem__, pairs)


def host_texts(
    addresses: Sequence[str], hosts: Iterable[str | None], numeric: bool
) -> dict[str, str]:
    """What is printed for each distinct address: its name, or its number as netstat has it.

    `::` is `[::]` where names are asked for; a mapped ::ffff:10.0.0.8 loses what precedes
    its last colon.
    """
    shown = {}
    for address, host in dict(zip(addresses, hosts)).items():
        text = address if host is None else host
        if ":" in address:
            if address == "::" and not numeric:
                text = "[::]"
            elif address.startswith("::ffff:") and "." in address and "." in text:
                start = text.partition(".")[0]
                text = text[start.rfind(":") + 1 :]
        shown[address] = text
    return shown
