"""All of tabulate's formats: tables for documents and eyes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tabulate import tabulate

from ..listing import Section
from ..options import Options
from ..table import Table, joined
from ..text import safe_cells
from .markup import ESCAPES
from .structured import chosen_fields, plain_value


def render(
    sections: Iterable[Section], options: Options, incomplete: Callable[[], Any] | None = None
) -> Iterator[bytes]:
    """A table for each listing; a field that is empty in every row is left out, unless it was
    asked for by name."""
    between = ""
    for listing, tables in sections:
        table = joined(listing.record, [part for part in tables if isinstance(part, Table)])
        names = chosen_fields(table, options)
        columns = {name: texts(table[name], options) for name in names}
        if not options.columns:
            columns = {name: cells for name, cells in columns.items() if any(cells)}
        text = tabulate(
            list(zip(*columns.values())),
            headers=list(columns) if options.header else (),
            tablefmt="plain" if options.format == "classic" else options.format,
            disable_numparse=True,
            colalign=[alignment(table[name]) for name in columns] if len(table) else None,
        )
        yield f"{between}{text}\n".encode() if text else b""
        between = "\n"


def texts(field: Sequence[Any], options: Options) -> list[str]:
    """Cells that hold nothing but printable text."""
    held = safe_cells(["" if value is None else cell_text(value) for value in field])
    cells = [cell.encode("latin-1").decode() for cell in held]
    escape = ESCAPES.get(options.format)
    return list(map(escape, cells)) if escape else cells


def cell_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(plain_value(value)).strip('"')


def alignment(field: Sequence[Any]) -> str:
    return "right" if set(map(type, field)) <= {int, type(None)} else "left"
