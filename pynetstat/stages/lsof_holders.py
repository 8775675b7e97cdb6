"""--lsof: what lsof tells of each holder of a socket, its name for the process and its user."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from ..kernel.proc import Proc
from ..options import Options
from ..table import Table
from ..text import safe

LONGEST = 9  # bytes of a name, as lsof cuts it


def with_holders(proc: Proc, options: Options, tables: Iterator[Any]) -> Iterator[Any]:
    """The rows that lsof lists, which have a holder and one of the states of -s, with the field
    `holders`: for each row a list of (holder, name, user); a user that is not known is empty."""
    tell = cache(lambda pid, program: told_of(proc, options.numeric_users, pid, program))
    states = options.tcp_states
    for table in tables:
        if isinstance(table, Table):
            table.fields["holders"] = [
                [(holder, *tell(holder.pid, holder.program)) for holder in row or ()]
                for row in table["processes"]
            ]
            columns = zip(table["holders"], table["proto"], table["state"])
            table = table.keep(
                holders and not (states and proto[:3] == "tcp" and state not in states)
                for holders, proto, state in columns
            )
        yield table


def told_of(proc: Proc, numeric: bool, pid: int, program: str | None) -> tuple[str, str]:
    name, user = program or "-", ""
    if sys.platform.startswith("linux"):
        try:
            name = proc.read(f"{pid}/comm").removesuffix("\n")
            user = name_of_user(os.stat(proc.path(str(pid))).st_uid, numeric)
        except OSError:  # ended meanwhile
            pass
    return name[:LONGEST].replace(" ", "\\x20"), user


def name_of_user(number: int, numeric: bool) -> str:
    """A user's name where it has one and names are wanted, else its number."""
    if numeric:
        return str(number)
    import pwd

    try:
        return safe(pwd.getpwuid(number).pw_name)[:8]
    except KeyError:
        return str(number)
