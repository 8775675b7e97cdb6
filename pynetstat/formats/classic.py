"""netstat's own text, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..options import Options
from ..table import Listing, Remark, Table, safe, safe_cells

Sections = Iterable[tuple[Listing, Iterable[Table | Remark]]]


def render(sections: Sections, options: Options) -> Iterator[bytes]:
    for listing, tables in sections:
        if listing.text is not None:
            for text in listing.text(tables, options):
                yield prose(text)
        else:
            yield from rows(listing, tables, options)


def rows(listing: Listing, tables: Iterable[Table | Remark], options: Options) -> Iterator[bytes]:
    """Heading and header before the first table; each table's rows in one piece."""
    columns = list(listing.columns(options))
    row = "".join(column.format for column in columns) + "\n"
    header: tuple[str, ...] = listing.heading(options), "".join(column.header for column in columns)
    for table in tables:
        if isinstance(table, Remark):
            yield prose(table)
            continue
        if header and options.header:
            yield "".join(f"{line}\n" for line in header if line).encode("latin-1")
        header = ()
        if len(table):
            cells = [column.values(table) for column in columns]
            for number, column in enumerate(columns):
                if column.untrusted:
                    cells[number] = safe_cells(cells[number])
            yield "".join(map(row.__mod__, zip(*cells))).encode("latin-1", "replace")


def prose(text: str) -> bytes:
    """A line as it is, but for what no terminal should be sent."""
    return f"{safe(text)}\n".encode("latin-1", "replace")
