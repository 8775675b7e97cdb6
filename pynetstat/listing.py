"""What can be listed, and how its columns are declared."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from .options import Options
from .table import Remark, Table

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any, NamedTuple, Protocol
else:
    from .tuples import NamedTuple

    Protocol = object

# The fields of a record that are filled from the processes.
OWNED = frozenset({"pid", "program", "processes"})
# Those that only --details fills: the first of a record, the others to be named alone.
DETAILS = ("unit", "container", "pod", "published_for", "details")
MORE_DETAILS = {
    **{"container_name": "str", "runtime": "str", "command": "str", "executable": "str"},
    **{"parent": "str", "started_at": "str"},
}


class Holder(NamedTuple):
    """A process that holds a socket, and the descriptor by which it does."""

    pid: int
    program: str | None
    fd: int | None


class Column(NamedTuple):
    """A column of the classic text: its header, its printf piece, and what fills it.

    `cells` makes the column's values from the fields named (blank-separated); without it the
    one field is printed as it is. `untrusted` text may hold anything a stranger wrote.
    Instead of printf piece and cells a column may bring `texts`, which makes the cells as they
    are printed, each from the parts in one or several sequences.
    """

    header: str
    format: str
    fields: str
    cells: Callable[..., Iterable[Any]] | None = None
    untrusted: bool = False
    texts: Callable[..., Sequence[Iterable[str]]] | None = None

    def values(self, table: Table) -> Iterable[Any]:
        fields = map(table.__getitem__, self.fields.split())
        return next(fields) if self.cells is None else self.cells(*fields)


def header_of(columns: Iterable[Column]) -> str:
    """The header of a table. A header of two lines has blanks below the columns that have one."""
    headers = [column.header.split("\n") for column in columns]
    if all(len(lines) == 1 for lines in headers):
        return "".join(lines[0] for lines in headers)
    below = (lines[-1] if len(lines) > 1 else " " * len(lines[0]) for lines in headers)
    return "".join(lines[0] for lines in headers) + "\n" + "".join(below).rstrip(" ")


class Report(Protocol):
    """What a collector may report beside its rows (see Outcome)."""

    def warn(self, message: str, /) -> None: ...

    def error(self, path: str, error: OSError, /) -> None: ...

    def fail(self, message: str, /) -> None: ...

    def unseen(self, what: str, why: str, count: int | None, /) -> None: ...


class Stop(Exception):
    """A listing that cannot be given, and with it the end of the run.

    `message` is for stderr, `status` the exit status, `remark` what netstat prints on stdout.
    """

    def __init__(self, message: str, status: int = 1, remark: str = "") -> None:
        super().__init__(message)
        self.message, self.status, self.remark = message, status, remark


class Missing(Exception):
    """A table that cannot be opened; run.py applies netstat's rule to it.

    A collector raises it where its listing has nothing else, and yields it where the listing
    goes on. `name` is what netstat calls the table. The `rare` families (ipx, ax25, x25,
    netrom, rose) have a rule of their own.
    """

    def __init__(
        self, name: str, path: str, error: OSError | None = None, rare: bool = False
    ) -> None:
        super().__init__(name, path)
        self.name, self.path, self.rare = name, path, rare
        self.error = error or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    @property
    def forbids(self) -> bool:
        """True if the table exists and may not be read. That ends the run in any case."""
        absent = (errno.ENOENT,) if self.rare else (errno.ENOENT, errno.EACCES)
        return self.error.errno not in absent


class Layout(NamedTuple):
    """The rows that follow have columns of their own, and in the classic text a header."""

    heading: str
    columns: Sequence[Column]


Piece = Table | Remark | Missing | Layout  # what a collector yields


class Section(NamedTuple):
    """A listing and what is to be printed of it. Each is to be read to its end before the next
    is asked for, since a missing table may end the run."""

    listing: Listing
    tables: Iterator[Table | Remark | Layout]


def halves(
    options: Options, missing: Missing, read: Callable[[str], Iterator[Table]]
) -> Iterator[Table | Missing]:
    """What `read` finds for IPv4 ("") and IPv6 ("6"). A missing IPv6 half is skipped without a
    message; a missing IPv4 half is reported after the other half was given."""
    failed = None
    for version in options.versions:
        try:
            yield from read(version)
        except OSError as error:
            if not version:
                missing.error = error
                failed = missing
                if missing.forbids:
                    break
    if failed:
        yield failed


class Listing(NamedTuple):
    """One thing that netstat can list: how it is read and how it is printed.

    `collect(proc, options, outcome)` yields tables (and remarks); the heading is printed before
    the first table, so a collector that needs its file gives no table until the file is open.
    `below(options)` are columns that the classic text prints on lines of their own below each
    row, indented, where they are not empty; their text is safe. Those with `texts` bring the line
    break and the indent themselves.
    `names(options)` says which fields are looked up: {"local_host": ("host", "local_address")}.
    A listing that netstat prints as prose brings `text(tables, options)` for the classic format,
    which gives None where these options want columns after all.
    One that is `owned` knows by itself which process holds each socket. `identity` names the
    fields that tell one row from every other, today and in the next round. With -c the heading
    is printed in every round, or only once (`heading_once`).
    """

    name: str
    record: Any
    collect: Callable[[Any, Any, Any], Iterator[Piece]]
    columns: Callable[[Any], Iterable[Column]]
    heading: Callable[[Any], str]
    names: Callable[[Any], Mapping[str, tuple[str, str]]] = lambda options: {}
    text: Callable[[Iterable[Table | Remark], Any], Iterator[str] | None] | None = None
    owned: bool = False
    heading_once: bool = False
    identity: tuple[str, ...] = ()
    below: Callable[[Any], Iterable[Column]] = lambda options: ()
