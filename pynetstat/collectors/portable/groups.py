"""Multicast groups, for systems without /proc."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...listing import Report
from ...options import Options
from ...table import Table
from ..linux import groups
from . import (
    failed,
    packed_text,
)

Row = tuple[str, bytes, "int | None"]  # interface, group, how often it was joined


def psutil_groups(
    outcome: Report, options: Options, name: str, read: Callable[[], Sequence[Row]]
) -> Iterator[Table]:
    """The heading, IPv4, IPv6"""
    yield Table(groups.Group, 0)
    try:
        rows = read()
    except (OSError, ValueError) as error:
        failed(outcome, name, error)
        return
    for version in options.versions:
        found = [row for row in rows if len(row[1]) == (16 if version else 4)]
        yield Table(
            groups.Group,
            len(found),
            ifname=[row[0] for row in found],
            family=["inet" + version] * len(found),
            address=[packed_text(row[1]) for row in found],
            users=[row[2] for row in found],
        )
