"""Which program is causing trouble: rules that look at the sockets and counters of a machine.

Each rule is a function whose docstring tells what it means, what causes it and what to do; what
it compares with are constants beside it. A rule that cannot look says why, and never keeps the
others from looking.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from .. import formats
from ..kernel.proc import NOT_ALL, NOTHING, Proc
from ..listing import Listing
from ..options import Misuse, Options
from ..run import put
from ..table import Table
from ..text import decode
from . import connections, kernel, listeners, network, ports
from .findings import SEVERITIES, Blind, Finding, Rule, advice, name_of, thresholds, worst
from .host import Host

RULES: tuple[Rule, ...] = (
    connections.close_wait_leak,
    connections.unread_data,
    connections.unacknowledged_data,
    listeners.listen_overflow,
    ports.port_exhaustion,
    ports.time_wait_flood,
    connections.syn_sent_stuck,
    listeners.syn_flood,
    connections.retransmissions,
    connections.resets,
    network.udp_drops,
    network.interface_errors,
    kernel.memory_pressure,
    ports.orphans,
    kernel.conntrack_full,
    network.no_default_route,
    network.route_over_down_interface,
    listeners.exposed_listeners,
)


def judge(host: Host) -> list[Finding]:
    """What all rules find, worst first."""
    findings = [finding for rule in RULES for finding in applied(rule, host)]
    order = list(SEVERITIES)
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def applied(rule: Rule, host: Host) -> Iterator[Finding]:
    """What one rule finds, and why it could not look, should it break off."""
    name = name_of(rule)
    try:
        for finding in rule(host):
            yield finding._replace(rule=name, advice=advice(rule), thresholds=thresholds(rule))
    except Blind as blind:
        yield Finding(name, "unknown", str(blind), [], advice(rule), thresholds(rule))
    except Exception as error:  # whatever a rule stumbles over, the others go on
        reason = f"the rule failed: {type(error).__name__}: {error}"
        yield Finding(name, "unknown", reason, [], advice(rule), thresholds(rule))


def diagnose(options: Options, proc: Proc) -> list[Finding]:
    """What is found, worst first; a rule that could not look is there as "unknown"."""
    return [Finding(*map(decode, finding)) for finding in judge(Host(options, quiet(proc), True))]


def show(options: Options, proc: Proc, out: BinaryIO) -> int:
    """Look, print what was found, and give the exit status of a monitoring plugin."""
    fitting(options)
    host = Host(options, quiet(proc))
    findings = judge(host)
    if options.structured:
        pieces = formats.find(options)(sections(findings), options, host.run.incomplete)
    else:
        from .report import report

        pieces = report(findings, host, out)
    for piece in pieces:
        put(out, piece)
    put(out, flush=True)
    partly = ["unknown"] if host.proc.troubles else []  # a table that broke off
    return SEVERITIES[worst([*partly, *(finding.severity for finding in findings)])]


def quiet(proc: Proc) -> Proc:
    """The same door, but that programs are not seen is told by the report, not beside it; and
    what is wrong with a table is told once, though it is read twice."""
    told = {NOT_ALL}

    def warn(message: str) -> None:
        if message not in told and not message.startswith(NOTHING[:20]):
            told.add(message)
            proc.warn(message)

    return Proc(proc.root, warn)


def fitting(options: Options) -> None:
    """What makes no sense here is the user's mistake."""
    if options.sort or options.count_by or options.top:
        raise Misuse("--sort, --count-by and --top do not go with --diagnose")
    for name in options.columns:
        if name not in Finding._fields:
            raise Misuse(f"no field `{name}' here; the fields are: {', '.join(Finding._fields)}")


# For programs: two arrays, of what was found and of what could not be looked at.


class Blindness(NamedTuple):
    """A rule that could not look, and why."""

    rule: str
    reason: str | None = None


def listing(name: str, record: Any) -> Listing:
    return Listing(name, record, lambda *_: iter(()), lambda _: (), lambda _: "")


def sections(findings: list[Finding]) -> Iterator[tuple[Listing, Iterator[Table]]]:
    seen = [finding for finding in findings if finding.severity != "unknown"]
    blind = [Blindness(*finding[::2][:2]) for finding in findings if finding.severity == "unknown"]
    yield listing("findings", Finding), iter([table(Finding, seen)])
    yield listing("could_not_look", Blindness), iter([table(Blindness, blind)])


def table(record: Any, rows: Sequence[Any]) -> Table:
    columns = zip(*rows) if rows else ((),) * len(record._fields)
    return Table(record, len(rows), **dict(zip(record._fields, map(list, columns))))
