"""Output formats: a name, and the module that prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from ..options import Options

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    Render = Callable[..., Iterator[bytes]]

STRUCTURED = ("json", "jsonl", "csv", "tsv")
LAYOUTS = {"windows": "layouts.windows", "macos": "layouts.bsd", "bsd": "layouts.bsd"}
METRICS = ("openmetrics", "prometheus")
OWN = ("classic", *STRUCTURED, *METRICS)


def find_renderer(options: Options) -> Render:
    """The `render(sections, options, incomplete)` of a format; its module is imported now.

    netstat's own text has its own columns: others, or counts, are a plain table.
    """
    module = "structured" if options.format in STRUCTURED else "tabular"
    if options.lsof is not None:
        module = "layouts.lsof"
    elif options.layout:
        module = LAYOUTS[options.layout]
    elif options.format in METRICS:
        module = "openmetrics"
    elif options.format == "classic" and not (options.columns or options.count_by):
        module = "classic"
    render: Render = import_module(f".{module}", __name__).render
    return render
