"""Tables: what a listing gives, kept field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, compress, groupby

from .text import decoded

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any


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
        return map(self.record._make, zip(*columns))

    def readable(self, name: str) -> Sequence[Any]:
        """A field as Python and JSON want it: text decoded from the kernel's bytes."""
        field = self[name]
        if name not in self.fields:
            return field
        return decoded(field) if "str" in field_kind(self.record, name) else field

    def pick(self, rows: Sequence[int]) -> Table:
        """The rows of these numbers, in this order. A field is picked when it is first read."""

        def picked(name: str) -> Callable[[], list[Any]]:
            return lambda: list(map(self[name].__getitem__, rows))

        return Table(self.record, len(rows), **{name: picked(name) for name in self.fields})

    def keep(self, mask: Iterable[Any]) -> Table:
        """The rows whose place in the mask is true."""
        return self.pick(list(compress(range(self.length), mask)))


def joined(record: Any, tables: Iterable[Table]) -> Table:
    """Several tables of one record type as one. A field is joined when it is first read."""
    parts = list(tables)

    def together(name: str) -> Callable[[], list[Any]]:
        return lambda: list(chain.from_iterable(part[name] for part in parts))

    names = dict.fromkeys(name for part in parts for name in part.fields)
    fields = {name: together(name) for name in names}
    return Table(record, sum(map(len, parts)), **fields)


def names_of(record: Any) -> tuple[str, ...]:
    """The fields that may be named: those of the record, and those that stand within one of
    its fields or are shown only where they are named (`more` of the record's type)."""
    more = getattr(record, "more", dict)
    return (*record._fields, *more())


def field_kind(record: Any, name: str) -> str:
    """The type of a field, as it is annotated."""
    kind = record.__annotations__.get(name)
    if kind is None and hasattr(record, "more"):
        kind = record.more().get(name)
    return "str" if kind is None else str(kind)


def holdable(table: Table) -> Sequence[int | None]:
    """The inodes of a table, without those of sockets that the kernel holds and no process can."""
    inodes: Sequence[int | None] = table["inode"]
    if "kernels" not in table.fields:
        return inodes
    return [None if own else inode for own, inode in zip(table["kernels"], inodes)]


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
