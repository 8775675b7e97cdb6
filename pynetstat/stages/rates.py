"""--rates: bytes per second of every tcp connection, from two samples of the kernel's counters.

The kernel counts the bytes of each connection (tcp_info, since Linux 4.1), and gives each a number
that no other has: the cookie. So no packet is captured, and no right is needed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..kernel import internals, netlink
from ..kernel.internals import RATE_NAMES
from ..kernel.proc import Proc
from ..listing import Report
from ..table import Table

# The states in which bytes are counted: ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK,
# CLOSING. A connection that is over has no counters any more.
COUNTED = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11
ROWS = 3000

Sample = tuple[float, int, int]  # monotonic time, bytes acknowledged, bytes received


class Rates:
    """What was counted in the last sample, by cookie, and the octets of the namespaces.
    `inside(look)` calls `look` in each of them."""

    def __init__(self, proc: Proc, outcome: Report, inside: Callable[[Callable[[], None]], None]):
        self.proc, self.outcome, self.inside = proc, outcome, inside
        self.earlier: dict[int, Sample] = {}
        self.later: dict[int, Sample] = {}
        self.began = 0.0  # of the earlier look
        self.octets: tuple[int, int] | None = None
        self.seen: tuple[int, int] | None = None

    def first_look(self) -> None:
        """Count for the first time."""
        self.began = time.monotonic()
        self.inside(self.look)
        self.earlier, self.later = self.later, {}
        self.octets, self.seen = self.seen, None

    def look(self) -> None:
        """The counters of the namespace that we are in."""
        began = time.monotonic()
        self.count_octets()
        try:
            with netlink.connect(netlink.SOCK_DIAG) as link:
                attributes = internals.wanted_attributes(RATE_NAMES)
                for batch in internals.batches(
                    link, socket.IPPROTO_TCP, 0, attributes, COUNTED, ROWS
                ):
                    columns = [batch.cookies(), *map(batch.column, RATE_NAMES)]
                    self.enter(began, *columns)
        except OSError as error:
            self.outcome.error("tcp connections from netlink", error)

    def enter(self, began: float, cookies: Any, acked: Any, received: Any) -> None:
        self.later.update(
            (cookie, (began, sent, got))
            for cookie, sent, got in zip(cookies, acked, received)
            if sent is not None
        )

    def count_octets(self) -> None:
        """All that the namespace received and sent, headers included, of any protocol."""
        found = namespace_octets(self.proc)
        if found:
            before = self.seen or (0, 0)
            self.seen = before[0] + found[0], before[1] + found[1]

    def fill(self, table: Table) -> Table:
        """Give a table its rates; None where a connection has no counters."""
        if "cookie" not in table.fields:
            return table
        columns = [table[name] for name in ("clock", "cookie", *RATE_NAMES)]
        rows = list(zip(*columns))
        for clock, cookie, sent, got in rows:
            if sent is not None:
                self.later[cookie] = clock, sent, got
        pairs = list(map(self.rate, rows))
        table.fields["rate_out"] = [out for out, _ in pairs]
        table.fields["rate_in"] = [into for _, into in pairs]
        return table

    def rate(self, row: tuple[float, int, int | None, int | None]) -> tuple[Any, Any]:
        """A connection that is new counts from nothing."""
        clock, cookie, sent, got = row
        if sent is None or got is None:
            return None, None
        began, sent_before, got_before = self.earlier.get(cookie, (self.began, 0, 0))
        seconds = clock - began
        if seconds <= 0 or sent < sent_before or got < got_before:
            return None, None
        return round((sent - sent_before) / seconds), round((got - got_before) / seconds)

    def end_round(self) -> None:
        """The later sample is the earlier one of the next round. What no rate
        shows is told, with all that the namespace counted."""
        seconds = time.monotonic() - self.began
        self.inside(self.count_octets)
        text = "connections that ended, and other protocols than tcp, have no rate"
        if self.octets and self.seen and seconds > 0:
            into, out = (round((b - a) / seconds) for a, b in zip(self.octets, self.seen))
            text += f"; all packets together: {into} B/s in, {out} B/s out"
        self.outcome.unseen("rates", text, None)
        self.outcome.warn(f"({text}.)")
        self.earlier, self.later = self.later, {}
        self.began, self.octets, self.seen = time.monotonic(), self.seen, None


def namespace_octets(proc: Proc) -> tuple[int, int] | None:
    """Bytes in and out: IpExt of net/netstat, and of IPv6 net/snmp6."""
    try:
        counters = dict(pairs_of_section(proc.read("net/netstat"), "IpExt:"))
        found = counters["InOctets"], counters["OutOctets"]
    except (OSError, ValueError, KeyError):
        return None
    try:
        words = proc.read("net/snmp6").split()
        sixth = dict(zip(words[::2], words[1::2]))
        return found[0] + int(sixth["Ip6InOctets"]), found[1] + int(sixth["Ip6OutOctets"])
    except (OSError, ValueError, KeyError):
        return found


def pairs_of_section(text: str, section: str) -> Iterator[tuple[str, int]]:
    """A line with the names of a section, and one with the values."""
    lines = [line.split() for line in text.splitlines() if line.startswith(section)]
    for names, values in zip(lines[::2], lines[1::2]):
        yield from zip(names[1:], map(int, values[1:]))
