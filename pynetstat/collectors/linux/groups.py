"""Multicast groups that the interfaces have joined."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...cells import dash_for_unknown, host_texts
from ...kernel.decode import addresses_from_hex, integers, wide_addresses
from ...kernel.proc import Proc
from ...listing import Column, Listing, Missing, Report, halves
from ...options import Options
from ...table import Table
from ...tuples import content_hash, plain_dict


class Group(NamedTuple):
    """A multicast group, and how often it has been joined on that interface."""

    ifname: str | None
    family: str
    address: str | None = None
    users: int | None = None
    netns: str | None = None

    def __hash__(self) -> int:
        return content_hash(self)

    def to_dict(self) -> dict[str, Any]:
        return plain_dict(self)


# /proc/net/igmp as igmp_mc_seq_show() prints it, an interface and its groups by turns:
#   Idx     Device    : Count Querier       Group    Users Timer    Reporter
#   4       eth0      :     2      V3
#                                   FB0000E0     3 0:00000000               1
# What is neither is the last of the pattern's groups. An ancient kernel has no Idx.
GAP = r"[ \t\v\f\r]"
GROUP = rf"\t{GAP}*([0-9A-Fa-f]{{1,8}}){GAP}+([-+]?\d+)[^\n]*\n"
NAME = r"([^\n]{1,15})[^\n]*\n"
LINE = re.compile(rf"{GROUP}|(?!\t){GAP}*[-+]?\d+{GAP}+{NAME}|([^\n]*)\n", re.ASCII)

# /proc/net/igmp6 as igmp6_mc_seq_show() prints it, without a heading:
#   4    eth0            ff0200000000000000000000000000fb     3 0000000C 0
LINE6 = re.compile(
    rf"{GAP}*[-+]?\d+{GAP}+(\S{{1,15}}){GAP}*([0-9A-Fa-f]{{32}}){GAP}+([-+]?\d+)[^\n]*\n|[^\n]*\n",
    re.ASCII,
)


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table | Missing]:
    yield Table(Group, 0)  # the heading stands even where there is nothing to list
    yield from halves(
        options,
        Missing("AF INET (igmp)", proc.path("net/igmp")),
        lambda version: groups6(proc, outcome) if version else read_groups(proc, outcome),
    )


def read_groups(proc: Proc, outcome: Report) -> Iterator[Table]:
    pattern = LINE
    first = 0
    device: str | None = None
    for block in proc.blocks("net/igmp"):
        if not first and "Device" in block.partition("\n")[0]:
            if not block.startswith("Idx"):
                pattern = re.compile(rf"{GROUP}|(?!\t){NAME}|([^\n]*)\n", re.ASCII)
            block, first = block.partition("\n")[2], 1
        rows = []
        lines = pattern.findall(drop_half_line(block))
        for number, (group, users, name, other) in enumerate(lines, first):
            if group:
                rows.append((device, group, users))
            elif name:  # padded, and up to its last colon
                device = (name.rpartition(":")[0] if ":" in name else name).rstrip(" ")
            else:
                if other.strip() and other[0] != "\t":  # whose groups follow?
                    device = None
                outcome.warn(f"warning, got bogus igmp line {number}.")
        first += len(lines)
        if rows:
            yield decode_groups("inet", *zip(*rows))


def groups6(proc: Proc, outcome: Report) -> Iterator[Table]:
    first = 0
    for block in proc.blocks("net/igmp6"):
        rows = LINE6.findall(drop_half_line(block))
        for number, row in enumerate(rows, first):
            if not row[0]:
                outcome.warn(f"warning, got bogus igmp6 line {number}.")
        first += len(rows)
        rows = [row for row in rows if row[0]]
        if rows:
            yield decode_groups("inet6", *zip(*rows))


def drop_half_line(block: str) -> str:
    return block if block.endswith("\n") or not block else block + "\n"


def decode_groups(
    family: str, devices: Sequence[str | None], groups: Sequence[str], users: Sequence[str]
) -> Table:
    return Table(
        Group,
        len(groups),
        ifname=devices,
        family=[family] * len(groups),
        address=lambda: (addresses_from_hex if family == "inet" else wide_addresses)(groups),
        users=lambda: integers(users),
    )


# The classic text


def names(options: Options) -> Mapping[str, tuple[str, str]]:
    if options.numeric_hosts or options.structured:
        return {}
    return {"address_host": ("host", "address")}


def columns(options: Options) -> Iterator[Column]:
    def cells(texts: Sequence[str], hosts: Sequence[str | None]) -> list[str]:
        shown = host_texts(texts, hosts, options.numeric_hosts)
        return list(map(shown.__getitem__, texts))

    interface = "Interface       \n--------------- "
    yield Column(interface, "%-15s ", "ifname", dash_for_unknown, untrusted=True)
    yield Column("RefCnt \n------ ", "%-6s ", "users", dash_for_unknown)
    untrusted = not options.numeric_hosts
    yield Column("Group\n---------------------", "%s", "address address_host", cells, untrusted)


GROUPS = Listing("groups", Group, collect, columns, lambda _: "IPv6/IPv4 Group Memberships", names)
