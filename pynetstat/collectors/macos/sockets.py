"""Sockets of macOS: the sysctls net.inet.*.pcblist_n and net.local.*.pcblist_n."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from ...kernel.proc import Proc
from ...listing import Missing, Report
from ...options import Options
from ...table import Table
from ..linux import inet, unix
from ..portable import (
    sockets,
)
from ..portable.processes import MACOS, Processes, owner_fields, psutil_module
from . import pcblist
from .sysctl import sysctl

Ask = Callable[[Any], bytes]


def collect_sockets(
    proc: Proc, options: Options, outcome: Report, ask: Ask = sysctl, psutil: Any = None
) -> Iterator[Table | Missing]:
    """The lists that Apple's netstat reads; psutil where they cannot be had."""
    lists = None if options.source == "psutil" else read_internet(options, ask)
    if lists is None:
        yield from sockets.collect(proc, options, outcome, MACOS, psutil)
        return
    yield Table(inet.InetSocket, 0)  # the heading stands even where there is nothing to list
    found = partial(macos_table, lists, options, psutil)
    yield from sockets.protocol_tables(options, found)


def read_internet(options: Options, ask: Ask) -> dict[str, list[pcblist.Internet]] | None:
    """The sockets of each protocol asked for; None where they are not what we know."""
    names = [name for name in options.protocols if name in ("tcp", "udp", "raw")]
    try:
        return {
            name: pcblist.decode_internet(ask(f"net.inet.{name}.pcblist_n"), name) for name in names
        }
    except (OSError, ValueError):
        return None


def macos_table(
    lists: dict[str, list[pcblist.Internet]],
    options: Options,
    psutil: Any,
    name: str,
    version: str,
) -> Table | None:
    if name not in lists:
        return None
    rows = [row for row in lists[name] if row.version == version]
    columns = zip(*rows) if rows else [()] * len(pcblist.Internet._fields)
    fields: dict[str, Any] = dict(zip(pcblist.Internet._fields, map(list, columns)))
    del fields["version"], fields["protocol"]
    fields |= {"timer_text": ["-"] * len(rows)} | owners(options, psutil, fields["pid"])
    return inet.inet_table(inet.TABLES[name], version, len(rows), **fields)


def owners(options: Options, psutil: Any, pids: Sequence[int | None]) -> dict[str, Any]:
    """The process that used each socket last; its users and names are the system's to tell."""
    if not options.programs:
        return {"pid": [None] * len(pids)}
    processes = Processes(psutil or psutil_module(), MACOS)
    fields = owner_fields(processes, options, [[(pid, None)] for pid in pids])
    del fields["uid"]
    return fields


def collect_unix(
    proc: Proc, options: Options, outcome: Report, ask: Ask = sysctl, psutil: Any = None
) -> Iterator[Table]:
    rows = None if options.source == "psutil" else read_local(ask)
    if rows is None:
        yield from sockets.collect_unix_by_psutil(proc, options, outcome, MACOS, psutil)
        return
    yield Table(unix.UnixSocket, 0)
    found = Table(
        unix.UnixSocket,
        len(rows),
        proto=["unix"] * len(rows),
        type=[unix.TYPES.get(row.type, "UNKNOWN") for row in rows],
        state=[row.state for row in rows],
        flags=[row.flags for row in rows],
        refcnt=[row.uses for row in rows],
        inode=[row.inode for row in rows],
        path=[row.path for row in rows],
        abstract=[None if row.path is None else False for row in rows],
        **owners(options, psutil, [row.pid for row in rows]),
    )
    if not options.all:
        found = found.keep([(row.state == "LISTENING") == options.listening for row in rows])
    yield found


def read_local(ask: Ask) -> list[pcblist.Local] | None:
    try:
        lists = [ask(f"net.local.{kind}.pcblist_n") for kind in ("stream", "dgram")]
        return [row for data in lists for row in pcblist.decode_local(data)]
    except (OSError, ValueError):
        return None


SOCKETS = inet.SOCKETS._replace(collect=collect_sockets, owned=True)
UNIX_SOCKETS = unix.SOCKETS._replace(collect=collect_unix, owned=True)
