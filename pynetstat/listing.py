"""What can be listed, and how its columns are declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .table import Remark, Table

if TYPE_CHECKING:
    pass


# The fields of a record that only a look at the processes fills.
OWNED = frozenset({"pid", "program", "processes", "unit", "container"})


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
