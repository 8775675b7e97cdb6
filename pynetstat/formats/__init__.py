"""Output formats: a name, and the module that prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

from ..options import Options

STRUCTURED = ("json", "jsonl", "csv", "tsv")

Render = Callable[[Iterable[Any], Options], Iterator[bytes]]


def find(name: str) -> Render:
    """The `render(sections, options)` of a format; its module is imported now."""
    module = name if name == "classic" else "structured" if name in STRUCTURED else "tabular"
    render: Render = import_module(f".{module}", __name__).render
    return render
