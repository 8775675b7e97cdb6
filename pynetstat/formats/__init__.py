"""Output formats: a name, and the module that prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

from ..options import Options

STRUCTURED = ("json", "jsonl", "csv", "tsv")
OWN = ("classic", *STRUCTURED, "openmetrics")

Render = Callable[[Iterable[Any], Options, Callable[[], Any]], Iterator[bytes]]


def find(options: Options) -> Render:
    """The `render(sections, options, incomplete)` of a format; its module is imported now.

    netstat's own text has its own columns: others, or counts, are a plain table.
    """
    module = "structured" if options.format in STRUCTURED else "tabular"
    if options.format == "classic" and not (options.columns or options.count_by):
        module = "classic"
    render: Render = import_module(f".{module}", __name__).render
    return render
