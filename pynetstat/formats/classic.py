"""netstat's own text, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby, repeat

from ..listing import Column, Layout, Listing, Section, header_of
from ..options import Options
from ..table import Remark, Table
from ..text import safe, safe_cells

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any


def render(
    sections: Iterable[Section], options: Options, incomplete: Callable[[], Any] | None = None
) -> Iterator[bytes]:
    for listing, tables in sections:
        text = listing.text and listing.text(without_layouts(tables), options)
        if text is None:
            yield from classic_rows(listing, tables, options)
            continue
        yield heading_and_header(listing.heading(options), ()) if options.header else b""
        yield from map(prose, text)


def without_layouts(
    tables: Iterable[Table | Remark | Layout],
) -> Iterator[Table | Remark]:
    return (table for table in tables if not isinstance(table, Layout))


def classic_rows(
    listing: Listing, tables: Iterable[Table | Remark | Layout], options: Options
) -> Iterator[bytes]:
    """Heading and header before the first table; each table's rows in one piece."""
    columns: Sequence[Column] = list(listing.columns(options))
    below = list(listing.below(options))
    header = heading_and_header(listing.heading(options), columns) if options.header else b""
    for table in tables:
        if isinstance(table, Remark):
            yield prose(table)
            continue
        if isinstance(table, Layout):
            columns = table.columns
            header = heading_and_header(table.heading, columns) if options.header else b""
            continue
        if header:
            yield header
        header = b""
        if len(table):
            for part, own in parts(table):
                text = table_lines((own and own(options)) or columns, part, below)
                yield text.encode("latin-1", "replace")


def heading_and_header(heading: str, columns: Iterable[Column]) -> bytes:
    """The lines of heading and header that are not empty."""
    lines = heading, header_of(columns)
    return "".join(f"{line}\n" for line in lines if line).encode("latin-1")


def parts(table: Table) -> Iterator[tuple[Table, Callable[[Options], Iterable[Column]] | None]]:
    """A table in runs of rows that have their columns in common: those of the listing (None),
    or those that the rows themselves bring in a field `layout`."""
    if "layout" not in table.fields:
        yield table, None
        return
    start = 0
    for own, run in groupby(table["layout"]):
        stop = start + len(list(run))
        yield table.pick(range(start, stop)), own
        start = stop


def table_lines(columns: Iterable[Column], table: Table, below: Iterable[Column] = ()) -> str:
    """The rows of a table in print, each with the lines that belong below it. One join over all
    cells: 8 ms for 100,000 rows of six columns; each row joined, and then the rows, takes 13."""
    texts: list[Iterable[str]] = []
    same = ""  # in all rows, from one column to the next
    cells_of_columns = chain(
        chain.from_iterable(pieces(column, table) for column in columns),
        chain.from_iterable(indented_lines(column, table) for column in below),
    )
    for cells in cells_of_columns:
        if isinstance(cells, str):
            same += cells
        else:
            texts += [repeat(same, len(table)), cells] if same else [cells]
            same = ""
    if not (texts or same):  # a listing that prints its heading alone
        return ""
    texts.append(repeat(f"{same}\n", len(table)))
    return "".join(chain.from_iterable(zip(*texts)))


def pieces(column: Column, table: Table) -> Iterable[str | Iterable[str]]:
    """A column's cells in print, or the one that all rows have; what repeats itself is printed
    once for each distinct cell."""
    if column.texts:
        return column.texts(*map(table.__getitem__, column.fields.split()))
    cells = column.values(table)
    if column.untrusted:
        cells = safe_cells(cells)
    elif not isinstance(cells, list):
        cells = list(cells)
    distinct = set(cells)
    if len(distinct) * 4 > len(cells):
        return [map(column.format.__mod__, cells)]
    texts = {cell: column.format % cell for cell in distinct}
    if len(texts) == 1:
        return list(texts.values())
    return [map(texts.__getitem__, cells)]


BELOW = "\n\t "  # before a line that belongs below a row


def indented_lines(column: Column, table: Table) -> Iterable[str | Iterable[str]]:
    """A column's lines below each row; of an empty text none."""
    if column.texts:
        return column.texts(*map(table.__getitem__, column.fields.split()))
    return [[BELOW + text.replace("\n", BELOW) if text else "" for text in column.values(table)]]


def prose(text: str) -> bytes:
    """A line as it is, but for what no terminal should be sent."""
    return f"{safe(text)}\n".encode("latin-1", "replace")
