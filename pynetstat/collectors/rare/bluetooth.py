"""Bluetooth sockets: L2CAP and RFCOMM. Debian's netstat is built without them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from ...cells import blank, which
from ...kernel.proc import Proc, lines_of, small_file
from ...listing import Column, Layout, Listing, Piece, Report, Stop
from ...options import Options
from ...table import Table


class BluetoothSocket(NamedTuple):
    """A socket of l2cap (psm and what follows it, units in bytes) or rfcomm (channel). An
    address is None where the socket has none, an end that listens to every adapter."""

    proto: str
    state: str | None = None
    local_address: str | None = None
    remote_address: str | None = None
    psm: int | None = None
    dcid: int | None = None
    scid: int | None = None
    imtu: int | None = None
    omtu: int | None = None
    security: str | None = None
    channel: int | None = None


FOLDER = "/sys/kernel/debug/bluetooth"

NOT_SUPPORTED = (
    "netstat: feature `AF BLUETOOTH' not supported.\n"
    "Please recompile `net-tools' with newer kernel source or full configuration."
)

STATES = (
    *("UNKNOWN", "CONNECTED", "OPEN", "BOUND", "LISTEN"),
    *("CONNECT", "CONNECT2", "CONFIG", "DISCONN", "CLOSED"),
)  # linux: include/net/bluetooth/bluetooth.h
IDLE = ("BOUND", "LISTEN")
SECURITY = ("SDP", "LOW", "MEDIUM", "HIGH")
NOBODY = "00:00:00:00:00:00"

ADDRESS = r"([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5})(?:\s+\(\d+\))?\s+"
# A row of the file l2cap as l2cap_debugfs_show() prints it: source and destination with the types
# of their addresses, state, psm, source and destination channel, sizes, security, mode
# 00:1A:7D:DA:71:13 (0) F8:E9:4E:8B:12:34 (0) 1 25 0x0040 0x0041 895 895 1 0
L2CAP = re.compile(
    r"\s*" + ADDRESS * 2 + r"(\d{1,9})\s+(\d{1,9})\s+0x([0-9a-f]{1,8})\s+0x([0-9a-f]{1,8})"
    r"\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})(?!\S)",
    re.ASCII,
)
# A row of the file rfcomm as rfcomm_sock_debugfs_show() prints it:
# 00:1A:7D:DA:71:13 F8:E9:4E:8B:12:34 1 3
RFCOMM = re.compile(r"\s*" + ADDRESS * 2 + r"(\d{1,9})\s+(\d{1,9})(?!\S)", re.ASCII)


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Piece]:
    """What the kernel shows of itself in /sys, which another machine's /proc does not have.

    A protocol whose file is not there ends the run after the other one's sockets; without
    either, netstat says that it knows no Bluetooth.
    """
    contents = {name: read_debugfs(proc, name) for name in protocols_asked(options)}
    missing = [name for name, text in contents.items() if text is None]
    if len(missing) == len(contents):
        raise Stop(NOT_SUPPORTED)
    title = heading(options)
    for name, text in contents.items():
        if text is not None:
            protocol = PROTOCOLS[name]
            yield Layout(title, [*end_columns(), *protocol.columns()])
            yield bluetooth_sockets(outcome, options, protocol, text)
            title = ""
    if missing:
        raise Stop(f"netstat: no support for `BTPROTO {missing[0].upper()}' on this system.")


def protocols_asked(options: Options) -> list[str]:
    names = [name for name in ("l2cap", "rfcomm") if getattr(options, name)]
    return names or ["l2cap", "rfcomm"]


def read_debugfs(proc: Proc, name: str) -> str | None:
    if proc.root != "/proc":
        return None
    try:
        return small_file(f"{FOLDER}/{name}").decode("latin-1")
    except OSError:
        return None


def bluetooth_sockets(outcome: Report, options: Options, protocol: Protocol, content: str) -> Table:
    """-l shows what waits for connections, and what is bound and may come to it."""
    rows = []
    for line in lines_of(content) if content else ():
        match = protocol.row.match(line)
        if match is None:
            outcome.warn(f"warning, got bogus {protocol.name} line.")
            continue
        row = protocol.socket(*match.groups())
        if options.all or options.listening == (row.state in IDLE):
            rows.append(row)
    fields = {name: [getattr(row, name) for row in rows] for name in protocol.fields}
    return Table(BluetoothSocket, len(rows), **fields)


def l2cap(here: str, there: str, *parts: str) -> BluetoothSocket:
    state, psm, scid, dcid, imtu, omtu, security = parts
    return BluetoothSocket(
        "l2cap",
        state=name_of_number(STATES, state),
        local_address=device_address(here),
        remote_address=device_address(there),
        psm=int(psm),
        dcid=int(dcid, 16),
        scid=int(scid, 16),
        imtu=int(imtu),
        omtu=int(omtu),
        security=name_of_number(SECURITY, security),
    )


def rfcomm(here: str, there: str, state: str, channel: str) -> BluetoothSocket:
    return BluetoothSocket(
        "rfcomm",
        state=name_of_number(STATES, state),
        local_address=device_address(here),
        remote_address=device_address(there),
        channel=int(channel),
    )


def name_of_number(names: Sequence[str], number: str) -> str:
    return names[int(number)] if int(number) < len(names) else "UNKNOWN"


def device_address(text: str) -> str | None:
    return None if text == NOBODY else text


# The classic text: a table for each protocol under one heading. netstat takes what the kernel
# gives first, the local end, for the destination; so do its columns, while records have it right.


def heading(options: Options) -> str:
    return f"Active Bluetooth connections {which(options)}"


def end_columns() -> Iterator[Column]:
    yield Column("Proto  ", "%-6s ", "proto")
    yield Column("Destination       ", "%-17s ", "local_address", anybody)
    yield Column("Source            ", "%-17s ", "remote_address", anybody)
    yield Column("State     ", "%-9s ", "state")


def l2cap_columns() -> Iterator[Column]:
    yield Column("    PSM ", "%7s ", "psm", blank)
    yield Column("DCID   ", "%-6s ", "scid", channel_cells)
    yield Column("SCID   ", "%-6s ", "dcid", channel_cells)
    yield Column("   IMTU ", "%7s ", "imtu", blank)
    yield Column("   OMTU ", "%7s ", "omtu", blank)
    yield Column("Security", "%-7s", "security", blank)


def rfcomm_columns() -> Iterator[Column]:
    yield Column("Channel", "%7s", "channel", blank)


def columns(options: Options) -> Iterator[Column]:
    for protocol in protocols_asked(options):
        yield from end_columns() if protocol == protocols_asked(options)[0] else ()
        yield from PROTOCOLS[protocol].columns()


def anybody(addresses: Sequence[str | None]) -> Iterable[str]:
    return ["*" if address is None else address for address in addresses]


def channel_cells(numbers: Sequence[int | None]) -> Iterable[str]:
    return ["" if number is None else f"0x{number:04x}" for number in numbers]


class Protocol(NamedTuple):
    """What differs between the two."""

    name: str
    row: re.Pattern[str]
    socket: Callable[..., BluetoothSocket]
    columns: Callable[[], Iterator[Column]]
    fields: tuple[str, ...]


ENDS = ("proto", "state", "local_address", "remote_address")
CHANNELS = ("dcid", "scid", "imtu", "omtu", "security", "psm")
PROTOCOLS = {
    "l2cap": Protocol("l2cap", L2CAP, l2cap, l2cap_columns, (*ENDS, *CHANNELS)),
    "rfcomm": Protocol("rfcomm", RFCOMM, rfcomm, rfcomm_columns, (*ENDS, "channel")),
}

SOCKETS = Listing("bluetooth", BluetoothSocket, collect, columns, heading)
