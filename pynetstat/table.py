"""Tables: what a listing gives, kept field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, groupby, repeat
from typing import TYPE_CHECKING, Any

from .text import decoded

if TYPE_CHECKING:
    pass


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
