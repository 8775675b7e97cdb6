"""Sockets of Windows, from psutil."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from ...listing import Column
from ...options import Options
from ..linux import inet
from ..portable.processes import WINDOWS
from ..portable.sockets import INET, UNIX, collect, collect_unix_by_psutil


def columns(options: Options) -> Iterator[Column]:
    """Where a remote end is not known, netstat's text has the form that it has for none. A user
    is one word."""
    for column in inet.columns(options):
        if column.fields == "uid user":
            column = column._replace(fields="user", cells=user_words)
        fields = column.fields.replace("remote_address", "remote_shown")
        yield column._replace(fields=fields)


def user_words(users: Sequence[str | None]) -> list[str]:
    """`NT AUTHORITY\\NETWORK SERVICE` -> `NETWORK_SE`: the name alone, in the column's width."""
    names = [(user or "-").rpartition("\\")[2].replace(" ", "_") for user in users]
    return [
        name.encode("latin-1", "replace").decode("utf-8", "replace")[:10].encode().decode("latin-1")
        for name in names
    ]


SOCKETS = INET._replace(collect=partial(collect, way=WINDOWS), columns=columns)
UNIX_SOCKETS = UNIX._replace(collect=partial(collect_unix_by_psutil, way=WINDOWS))
