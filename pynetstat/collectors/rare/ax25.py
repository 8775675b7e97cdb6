"""AX.25, the packet radio of amateurs: its sockets and its routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, takewhile
from typing import NamedTuple

from ...kernel.proc import Proc, reason
from ...listing import Column, Listing, Report, Stop
from ...options import Options
from ...table import Remark, Table, in_order
from . import socket_lines


class AX25Socket(NamedTuple):
    """A connection between call signs (N0CALL-1), and the stations that repeat it; `*` behind a
    call is the kernel's, for one that repeats or has repeated. Queues in bytes."""

    proto: str
    state: str | None = None
    local_address: str | None = None
    remote_address: str | None = None
    digipeaters: list[str] | None = None
    dev: str | None = None
    vr: int | None = None
    vs: int | None = None
    recv_q: int | None = None
    send_q: int | None = None
    inode: int | None = None


class AX25Route(NamedTuple):
    """A route to a call sign, or the "default" one; `mode` is vc or dg where it is told."""

    dst: str
    dev: str | None = None
    mode: str | None = None
    digipeaters: list[str] | None = None
    use: int | None = None


STATES = ("LISTENING", "SABM SENT", "DISC SENT", "ESTABLISHED", "RECOVERY")

# The beginning of a row of /proc/net/ax25 as ax25_info_show() prints it; all its rest are numbers,
# and * in place of the last three where no socket is left:
# magic dev src_addr dest_addr,digi1,digi2 st vs vr va t1 t1 t2 t2 t3 t3 idle idle n2 n2 rtt window
#   paclen Snd-Q Rcv-Q inode
# ffff888003c2d400 ax0 N0CALL-1 K1ABC-15,WIDE1-1* 3 1 2 0 0 10 0 3 0 300 0 0 0 10 5 2
#   256 11 22 12345
ROW = re.compile(
    r"[^ ]* (?P<dev>[^ ]*) (?P<here>[^ ]*) (?P<there>[^ ,]*)(?P<via>[^ ]*)(?P<rest>.*)"
)
# The same before Linux 2.4, under a heading:
# dest_addr src_addr  dev  st vs vr va    t1     t2     t3      idle   n2  rtt wnd paclen Snd-Q
# LA1ABC-9  N0CALL-2  bpq0  1  3  7  5  16/040  0/03  58/300   0/000  0/10   5   2    256   103
#   Rcv-Q
#     377
OLD_ROW = re.compile(
    r"(?P<there>.{9}) (?P<here>.{9}) (?P<dev>[^ ]+)(?P<via>)(?P<rest> .*)", re.DOTALL
)
NUMBER = re.compile(r"[-+]?\d{1,20}", re.ASCII)


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Remark]:
    lines = socket_lines(proc, "AF AX25", "net/ax25")
    yield from in_order(AX25Socket, ax25_sockets(lines))


def ax25_sockets(lines: Iterator[str]) -> Iterator[AX25Socket | Remark]:
    """There is a heading only in the old format."""
    first = next(lines, None)
    if first is None:
        return
    old = first.startswith("dest_addr")
    problem = "Problem" if old else "problem"
    for line in lines if old else chain([first], lines):
        row = ax25_socket(line, OLD_ROW if old else ROW)
        yield row or Remark(f"{problem} reading data from /proc/net/ax25")


def ax25_socket(line: str, pattern: re.Pattern[str]) -> AX25Socket | None:
    """None where not all the numbers are there; without the queues is with all of them."""
    row = pattern.match(line)
    if row is None:
        return None
    words = row["rest"].replace("/", " ").split()
    numbers = list(map(int, takewhile(NUMBER.fullmatch, words[:20])))
    if len(numbers) < 3 or len(numbers) == 18:
        return None
    state, vs, vr, *_ = numbers
    send_q, recv_q = numbers[17:19] or (None, None)
    return AX25Socket(
        "ax25",
        state=ax25_state(state),
        local_address=row["here"].rstrip(" "),
        remote_address=row["there"].rstrip(" "),
        digipeaters=row["via"].split(",")[1:],
        dev=row["dev"],
        vr=vr,
        vs=vs,
        recv_q=recv_q,
        send_q=send_q,
        inode=numbers[19] if len(numbers) > 19 else None,
    )


def ax25_state(state: int) -> str:
    return STATES[state] if 0 <= state < len(STATES) else f"UNKNOWN({state})"


def heading(options: Options) -> str:
    return "Active AX.25 sockets"


def columns(options: Options) -> Iterator[Column]:
    yield Column("Dest       ", "%-9s  ", "remote_address", untrusted=True)
    yield Column("Source     ", "%-9s  ", "local_address", untrusted=True)
    yield Column("Device  ", "%-6s  ", "dev", untrusted=True)
    yield Column("State        ", "%-11s  ", "state")
    yield Column("Vr/Vs    ", "%s  ", "vr vs", ax25_counts)
    yield Column("Send-Q  ", "%-6d  ", "send_q", zero)
    yield Column("Recv-Q", "%-6d", "recv_q", zero)


def ax25_counts(received: Sequence[int], sent: Sequence[int]) -> Iterable[str]:
    return map("%03d/%03d".__mod__, zip(received, sent))


def zero(field: Sequence[int | None]) -> Iterable[int]:
    """What is unknown, since no socket is left, is nothing to netstat."""
    return [number or 0 for number in field]


SOCKETS = Listing("ax25", AX25Socket, collect, columns, heading)


# Routes

# A row of /proc/net/ax25_route as ax25_rt_seq_show() prints it:
# callsign  dev  mode digipeaters
# VK2KTJ-15 ax0  dg OH2BNS
ROUTE = re.compile(r"(?P<dst>.{9}) (?P<dev>[^ ]+) *(?P<rest>.*)")
USE = re.compile(r"\s*([-+]?\d{1,10})(?!\d)", re.ASCII)


def collect_routes(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Remark]:
    try:
        lines = proc.rare("net/ax25_route")
    except OSError as error:
        message = f"{proc.path('net/ax25_route')}: {reason(error)}"
        raise Stop(message, 1, "AX.25 not configured in this system.") from error
    next(lines, None)
    yield from in_order(AX25Route, filter(None, (ax25_route(outcome, line) for line in lines)))


def ax25_route(outcome: Report, line: str) -> AX25Route | None:
    """netstat looks for how often a route was used where kernels have its mode."""
    row = ROUTE.match(line)
    if row is None:
        outcome.warn("warning, got bogus ax25 route line.")
        return None
    use = USE.match(line, 15)
    words = row["rest"].split(" ")
    return AX25Route(
        row["dst"].rstrip(" "),
        dev=row["dev"],
        mode=words[0] if words[0] in ("vc", "dg") else None,
        digipeaters=list(filter(None, words[1:])),
        use=int(use[1]) if use else None,
    )


def route_heading(options: Options) -> str:
    return "Kernel AX.25 routing table"


def route_columns(options: Options) -> Iterator[Column]:
    yield Column("Destination  ", "%-9s    ", "dst", untrusted=True)
    yield Column("Iface    ", "%-5s  ", "dev", ax25_devices, untrusted=True)
    yield Column("Use", "%5d", "use", zero)


def ax25_devices(devices: Sequence[str]) -> Iterable[str]:
    """The names cut to four letters, as netstat prints them."""
    return [device[:4] for device in devices]


ROUTES = Listing("ax25_routes", AX25Route, collect_routes, route_columns, route_heading)
