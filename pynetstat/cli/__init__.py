"""The command line. `pynetstat.cli.main` is the click command; click is imported with it."""

from __future__ import annotations

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any

    from .command import main

__all__ = ["main"]


def __getattr__(name: str) -> Any:
    """The command, once it is asked for: reading a command line needs no click."""
    if name != "main":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .command import main

    return main
