"""Masqueraded connections, as Linux 2.2 and before had them; later kernels have other tables."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from socket import inet_ntoa
from typing import Any, NamedTuple

from ...cells import dash_for_unknown
from ...kernel.decode import integers, numbers_from_hex, ports_from_hex
from ...kernel.proc import Proc, reason
from ...listing import Column, Listing, Report, Stop
from ...options import Options
from ...table import Table


class Masqueraded(NamedTuple):
    """A connection that leaves this host with its address, from a port of its own.

    `delta` is how far sequence numbers were shifted, from `init_seq` on; `previous_delta`
    before that.
    """

    proto: str
    expires_ms: int | None = None
    source_address: str | None = None
    source_port: int | None = None
    destination_address: str | None = None
    destination_port: int | None = None
    masquerade_port: int | None = None
    init_seq: int | None = None
    delta: int | None = None
    previous_delta: int | None = None


PROTOCOLS = ("IP", "TCP", "UDP", "ICMP", "GRE", "ESP")

# A record of /proc/net/ip_masquerade as ip_msqhst_procinfo() printed it; before PDelta there
# was only one delta. Expires is in 1/100 s.
#   Prc FromIP   FPrt ToIP     TPrt Masq Init-seq  Delta PDelta Expires (free=4090,4091,4092)
#   TCP 0A000001:0400 C0A80001:0050 F000 00000000      0      0   90000
HEX, NUMBER = r"([0-9A-Fa-f]{1,16})", r"\s+([-+]?\d{1,20})"
RECORD = rf"\s*(\S+)\s+{HEX}:{HEX}\s+{HEX}:{HEX}\s+{HEX}\s+{HEX}{NUMBER}"
EXPIRES = r"\s+\+?(\d{1,20})"


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    """Services are looked up by protocol, so that each table has rows of one."""
    for protocol, rows in groupby(read_masquerade(proc), lambda record: record[0]):
        yield decode_masquerade(protocol, *list(zip(*rows))[1:])


def read_masquerade(proc: Proc) -> list[tuple[str, ...]]:
    """All records, or none: what cannot be read ends the run."""
    try:
        text = proc.text("net/ip_masquerade")
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES):
            message = "netstat: no support for `ip_masquerade' on this system."
            raise Stop(message) from error
        raise Stop(f"{proc.path('net/ip_masquerade')}: {reason(error)}", 255) from error
    if not text:
        raise Stop("masq_info: Internal Error `fgets() failed'.", 255)
    heading, _, text = text.partition("\n")
    previous = NUMBER if "PDelta" in heading else "()"
    return split_records(text, re.compile(RECORD + previous + EXPIRES, re.ASCII))


def split_records(text: str, pattern: re.Pattern[str]) -> list[tuple[str, ...]]:
    """A stream of words: the ends of lines do not matter."""
    found: list[tuple[str, ...]] = []
    position = 0
    while match := pattern.match(text, position):
        if match[1] not in PROTOCOLS:
            raise Stop("masq_info.c: Internal Error `ip_masquerade unknown type'.", 255)
        found.append(match.groups())
        position = match.end()
    if text[position:].strip(" \t\n\v\f\r"):
        raise Stop("masq_info.c: Internal Error `ip_masquerade format error'.", 255)
    return found


def decode_masquerade(protocol: str, *columns: Sequence[str]) -> Table:
    source, source_port, target, target_port, port, sequence, delta, previous, expires = columns
    return Table(
        Masqueraded,
        len(port),
        proto=[protocol.lower()] * len(port),
        expires_ms=[int(number) * 10 for number in expires],
        source_address=dotted(source),
        source_port=ports_from_hex(source_port),
        destination_address=dotted(target),
        destination_port=ports_from_hex(target_port),
        masquerade_port=ports_from_hex(port),
        init_seq=numbers_from_hex(sequence),
        delta=shorts(delta),
        previous_delta=shorts(previous) if previous[0] else [None] * len(port),
    )


def dotted(field: Iterable[str]) -> list[str]:
    """0A000001 -> 10.0.0.1"""
    return [inet_ntoa(bytes.fromhex(text.zfill(8)[-8:])) for text in field]


def shorts(field: Sequence[str]) -> list[int]:
    return [((number + (1 << 15)) & 0xFFFF) - (1 << 15) for number in integers(field)]


# The classic text


def names(options: Options) -> Mapping[str, tuple[str, str]]:
    if options.structured:
        return {}
    wanted = {}
    for end in ("source", "destination"):
        if not options.numeric_hosts:
            wanted[f"{end}_host"] = ("host", f"{end}_address")
        if not options.numeric_ports:
            wanted[f"{end}_service"] = ("service", f"{end}_port")
    if not options.numeric_ports:
        wanted["masquerade_service"] = ("service", "masquerade_port")
    return wanted


def columns(options: Options) -> Iterator[Column]:
    yield Column("prot   expire ", "%s ", "proto expires_ms", clocks)
    if options.extend:
        yield Column("   initseq ", "%10s ", "init_seq")
        yield Column("delta ", "%5s ", "delta")
        yield Column("prevd ", "%5s ", "previous_delta", dash_for_unknown)
    fields = "source_address source_host"
    yield Column(f"{'source':<20} ", "%-20s ", fields, named_masquerade, untrusted=True)
    fields = "destination_address destination_host"
    yield Column(f"{'destination':<20} ", "%-20s ", fields, named_masquerade, untrusted=True)
    fields = "source_port source_service destination_port destination_service"
    fields += " masquerade_port masquerade_service"
    yield Column("ports", "%s", fields, masquerade_port_cells, untrusted=True)


def clocks(protocols: Sequence[str], expires: Sequence[int]) -> list[str]:
    """90000 ms -> 1:30.00, whatever the number of minutes."""
    return [
        f"{protocol:<4}{ms // 60000:>3}:{ms // 1000 % 60:02}.{ms // 10 % 100:02}"
        for protocol, ms in zip(protocols, expires)
    ]


def named_masquerade(addresses: Sequence[str], hosts: Sequence[str | None]) -> list[str]:
    return [address if host is None else host for address, host in zip(addresses, hosts)]


def masquerade_port_cells(*fields: Sequence[Any]) -> list[str]:
    """`1024 -> http (61440)`: no port is a star."""
    return [
        f"{s_name or s or '*'} -> {d_name or d or '*'} ({m_name or m or '*'})"
        for s, s_name, d, d_name, m, m_name in zip(*fields)
    ]


MASQUERADE = Listing(
    "masquerade", Masqueraded, collect, columns, lambda _: "IP masquerading entries", names
)
