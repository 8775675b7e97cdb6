"""Sockets of Windows, from psutil."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ...listing import Column
from ...options import Options
from ..linux import inet
from ..portable.processes import WINDOWS
from ..portable.sockets import INET, UNIX, collect, collect_unix


def columns(options: Options) -> Iterator[Column]:
    """Where a remote end is not known, netstat's text has the form that it has for none."""
    for column in inet.columns(options):
        fields = column.fields.replace("remote_address", "remote_shown")
        yield column._replace(fields=fields)


SOCKETS = INET._replace(collect=partial(collect, way=WINDOWS), columns=columns)
UNIX_SOCKETS = UNIX._replace(collect=partial(collect_unix, way=WINDOWS))
