"""Listings of families that few kernels still have."""

from __future__ import annotations

from collections.abc import Iterator

from ...kernel.proc import Proc
from ...listing import Missing


def socket_lines(proc: Proc, name: str, file: str) -> Iterator[str]:
    """The lines of a rare family's table of sockets; Missing where it cannot be opened."""
    try:
        return proc.rare(file)
    except OSError as error:
        raise Missing(name, proc.path(file), error, rare=True) from error
