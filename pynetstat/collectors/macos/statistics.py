"""Statistics of macOS: the sysctls net.inet.*.stats."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from ...kernel.proc import Proc
from ...listing import Report
from ...options import Options
from ...table import Table
from ..linux import statistics
from ..portable import (
    counters,
)
from . import counters as structs
from . import pcblist
from .sysctl import sysctl

Ask = Callable[[Any], bytes]


def collect(
    proc: Proc, options: Options, outcome: Report, ask: Ask = sysctl, root: bool | None = None
) -> Iterator[Table]:
    root = os.geteuid() == 0 if root is None else root
    yield from counters.collect(proc, options, outcome, partial(macos_sections, outcome, ask, root))


def macos_sections(outcome: Report, ask: Ask, root: bool, version: str) -> counters.Sections:
    """In the order of Linux' files. Of udp there are no counters for IPv6 alone."""
    tcp = ("Tcp", lambda: tcp_counters(outcome, ask, root))
    if version:
        return [
            ("Ip6", lambda: structs.macos_ip6(ask("net.inet6.ip6.stats"))),
            ("Icmp6", lambda: structs.icmp6(ask("net.inet6.icmp6.stats"))),
            tcp,
        ]
    return [
        ("Ip", lambda: structs.macos_ip(ask("net.inet.ip.stats"))),
        ("Icmp", lambda: structs.macos_icmp(ask("net.inet.icmp.stats"))),
        ("IcmpMsg", lambda: structs.macos_icmp_messages(ask("net.inet.icmp.stats"))),
        tcp,
        ("Udp", lambda: structs.macos_udp(ask("net.inet.udp.stats"))),
    ]


def tcp_counters(outcome: Report, ask: Ask, root: bool) -> dict[str, int]:
    """The kernel shows zeros to a user who is not root; these are not counters."""
    data = ask("net.inet.tcp.stats")
    if not root and not any(data):
        outcome.warn("(The counters of tcp are shown to root alone.)")
        outcome.unseen("statistics", "only root sees the counters of tcp", None)
        return {}
    try:
        rows: Iterable[pcblist.Internet] = pcblist.decode_internet(
            ask("net.inet.tcp.pcblist_n"), "tcp"
        )
    except (OSError, ValueError):
        return structs.macos_tcp(data, None)
    established = [row for row in rows if row.state in ("ESTABLISHED", "CLOSE_WAIT")]
    return structs.macos_tcp(data, len(established))


STATISTICS = statistics.STATISTICS._replace(collect=collect)
