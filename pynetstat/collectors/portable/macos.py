"""macOS: what its own sysctls tell, which is more than psutil does and needs no root."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from ...kernel.proc import Proc
from ...listing import Missing, Report
from ...options import Options
from ...table import Table
from ..linux import inet, statistics, unix
from . import counters, macstats, pcblist, sockets
from .calls import sysctl
from .processes import MACOS, Processes, owner_fields, psutil_module

Ask = Callable[[Any], bytes]

# Internet sockets


def collect_sockets(
    proc: Proc, options: Options, outcome: Report, ask: Ask = sysctl, psutil: Any = None
) -> Iterator[Table | Missing]:
    """The lists that Apple's netstat reads; psutil where they cannot be had."""
    lists = None if options.source == "psutil" else internet(options, ask)
    if lists is None:
        yield from sockets.collect(proc, options, outcome, MACOS, psutil)
        return
    yield Table(inet.InetSocket, 0)  # the heading stands even where there is nothing to list
    found = partial(table, lists, options, psutil)
    yield from sockets.tables(options, found)


def internet(options: Options, ask: Ask) -> dict[str, list[pcblist.Internet]] | None:
    """The sockets of each protocol asked for; None where they are not what we know."""
    names = [name for name in options.protocols if name in ("tcp", "udp", "raw")]
    try:
        return {name: pcblist.internet(ask(f"net.inet.{name}.pcblist_n"), name) for name in names}
    except (OSError, ValueError):
        return None


def table(
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
    return inet.table(inet.TABLES[name], version, len(rows), **fields)


def owners(options: Options, psutil: Any, pids: Sequence[int | None]) -> dict[str, Any]:
    """The process that used each socket last; its users and names are the system's to tell."""
    if not options.programs:
        return {"pid": [None] * len(pids)}
    processes = Processes(psutil or psutil_module(), MACOS)
    fields = owner_fields(processes, options, [[(pid, None)] for pid in pids])
    del fields["uid"]
    return fields


# Unix sockets


def collect_unix(
    proc: Proc, options: Options, outcome: Report, ask: Ask = sysctl, psutil: Any = None
) -> Iterator[Table]:
    rows = None if options.source == "psutil" else local(ask)
    if rows is None:
        yield from sockets.collect_unix(proc, options, outcome, MACOS, psutil)
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


def local(ask: Ask) -> list[pcblist.Local] | None:
    try:
        lists = [ask(f"net.local.{kind}.pcblist_n") for kind in ("stream", "dgram")]
        return [row for data in lists for row in pcblist.local(data)]
    except (OSError, ValueError):
        return None


# Statistics


def collect_statistics(
    proc: Proc, options: Options, outcome: Report, ask: Ask = sysctl, root: bool | None = None
) -> Iterator[Table]:
    root = os.geteuid() == 0 if root is None else root
    yield from counters.collect(proc, options, outcome, partial(sections, outcome, ask, root))


def sections(outcome: Report, ask: Ask, root: bool, version: str) -> counters.Sections:
    """In the order of Linux' files. Of udp there are no counters for IPv6 alone."""
    tcp = ("Tcp", lambda: tcp_counters(outcome, ask, root))
    if version:
        return [
            ("Ip6", lambda: macstats.ip6(ask("net.inet6.ip6.stats"))),
            ("Icmp6", lambda: macstats.icmp6(ask("net.inet6.icmp6.stats"))),
            tcp,
        ]
    return [
        ("Ip", lambda: macstats.ip(ask("net.inet.ip.stats"))),
        ("Icmp", lambda: macstats.icmp(ask("net.inet.icmp.stats"))),
        ("IcmpMsg", lambda: macstats.icmp_messages(ask("net.inet.icmp.stats"))),
        tcp,
        ("Udp", lambda: macstats.udp(ask("net.inet.udp.stats"))),
    ]


def tcp_counters(outcome: Report, ask: Ask, root: bool) -> dict[str, int]:
    """The kernel shows zeros to a user who is not root: they are no counters."""
    data = ask("net.inet.tcp.stats")
    if not root and not any(data):
        outcome.warn("(The counters of tcp are shown to root alone.)")
        outcome.unseen("statistics", "only root sees the counters of tcp", None)
        return {}
    try:
        rows: Iterable[pcblist.Internet] = pcblist.internet(ask("net.inet.tcp.pcblist_n"), "tcp")
    except (OSError, ValueError):
        return macstats.tcp(data, None)
    established = [row for row in rows if row.state in ("ESTABLISHED", "CLOSE_WAIT")]
    return macstats.tcp(data, len(established))


SOCKETS = inet.SOCKETS._replace(collect=collect_sockets, owned=True)
UNIX_SOCKETS = unix.SOCKETS._replace(collect=collect_unix, owned=True)
STATISTICS = statistics.STATISTICS._replace(collect=collect_statistics)
