"""Statistics under Linux' names, on every system."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ...kernel.proc import Proc
from ...listing import Report
from ...options import Options
from ...table import Table
from ..linux import statistics
from . import failed

Counters = Mapping[str, int]
Sections = Iterable[tuple[str, Callable[[], Counters]]]

# Message types of ICMP and ICMPv6 by the names of /proc/net/snmp and snmp6, in their order
ICMP = {
    "DestUnreachs": 3,
    "TimeExcds": 11,
    "ParmProbs": 12,
    "SrcQuenchs": 4,
    "Redirects": 5,
    "Echos": 8,
    "EchoReps": 0,
    "Timestamps": 13,
    "TimestampReps": 14,
    "AddrMasks": 17,
    "AddrMaskReps": 18,
}
ICMP6 = {
    "DestUnreachs": 1,
    "PktTooBigs": 2,
    "TimeExcds": 3,
    "ParmProblems": 4,
    "Echos": 128,
    "EchoReplies": 129,
    "GroupMembQueries": 130,
    "GroupMembResponses": 131,
    "GroupMembReductions": 132,
    "RouterSolicits": 133,
    "RouterAdvertisements": 134,
    "NeighborSolicits": 135,
    "NeighborAdvertisements": 136,
    "Redirects": 137,
    "MLDv2Reports": 143,
}


def collect(
    proc: Proc, options: Options, outcome: Report, sections: Callable[[str], Sections]
) -> Iterator[Table]:
    """`sections(version)` gives each section with the function that asks for its counters; only
    those that will be printed are asked for. A section without counters is left out."""
    if options.families not in ((), ("inet",), ("inet6",)):
        yield from statistics.collect(proc, options, outcome)  # which refuses
        return
    version = "6" if options.families == ("inet6",) else ""
    for title, ask in sections(version):
        known = statistics.SECTIONS6 if title in statistics.SECTIONS6 else statistics.SECTIONS
        if statistics.section_asked(options, known, title).title is None:
            continue
        try:
            counters = ask()
        except (OSError, ValueError) as error:
            failed(outcome, title, error)
            continue
        if counters:
            names, values = list(counters), list(counters.values())
            yield statistics.section_asked(options, known, title, names, values)


def sum_of_parts(parts: Sequence[Counters]) -> dict[str, int]:
    """The sum of counters that are kept apart for IPv4 and IPv6."""
    return {name: sum(part.get(name, 0) for part in parts) for name in parts[0]} if parts else {}


def histogram(
    names: Mapping[str, int], prefix: str, received: Sequence[int], sent: Sequence[int]
) -> tuple[dict[str, int], dict[str, int]]:
    """The messages of each type, by their names: in, and out."""
    return (
        {f"{prefix}In{name}": received[kind] for name, kind in names.items()},
        {f"{prefix}Out{name}": sent[kind] for name, kind in names.items()},
    )


def by_type(prefix: str, received: Sequence[int], sent: Sequence[int]) -> dict[str, int]:
    """InType3: 4, for the types that there were."""
    found = {f"{prefix}InType{kind}": number for kind, number in enumerate(received) if number}
    for kind, number in enumerate(sent):
        if number:
            found[f"{prefix}OutType{kind}"] = number
    return found
