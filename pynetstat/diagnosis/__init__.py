"""Which program is causing trouble: rules that look at the sockets and counters of a machine.

Each rule is a record (rule.py) beside the function that checks it. A rule that cannot check says
why; the others are checked all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from .. import formats
from ..kernel.proc import NOT_ALL, NOTHING
from ..listing import Listing, Section
from ..options import Misuse, Options
from ..outcome import Outcome
from ..run import put
from ..table import Table
from ..text import decode
from . import connections, kernel, listeners, network, ports
from .host import Host
from .rule import SEVERITIES, Blind, Finding, Rule, worst

RULES: tuple[Rule, ...] = (
    connections.CLOSE_WAIT_LEAK,
    connections.UNREAD_DATA,
    connections.UNACKNOWLEDGED_DATA,
    listeners.LISTEN_OVERFLOW,
    ports.PORT_EXHAUSTION,
    ports.TIME_WAIT_FLOOD,
    connections.SYN_SENT_STUCK,
    listeners.SYN_FLOOD,
    connections.RETRANSMISSIONS,
    connections.RESETS,
    network.UDP_DROPS,
    network.INTERFACE_ERRORS,
    kernel.MEMORY_PRESSURE,
    ports.ORPHANS,
    kernel.CONNTRACK_FULL,
    network.NO_DEFAULT_ROUTE,
    network.ROUTE_OVER_DOWN_INTERFACE,
    listeners.EXPOSED_LISTENERS,
)


def judge(host: Host) -> list[Finding]:
    """What all rules find, worst first."""
    findings = [finding for rule in RULES for finding in applied(rule, host)]
    order = list(SEVERITIES)
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def applied(rule: Rule, host: Host) -> Iterator[Finding]:
    """What one rule finds; if it cannot check, a finding that says why."""

    def complete(finding: Finding) -> Finding:
        return finding._replace(
            rule=rule.name, means=rule.means, advice=rule.advice, thresholds=rule.thresholds
        )

    try:
        for finding in rule.check(host, rule.thresholds):
            yield complete(finding)
    except Blind as blind:
        yield complete(Finding(rule.name, "unknown", str(blind), []))
    except Exception as error:  # whatever happens in a rule, the others are checked
        reason = f"the rule failed: {type(error).__name__}: {error}"
        yield complete(Finding(rule.name, "unknown", reason, []))


def diagnose(options: Options) -> list[Finding]:
    """What is found, worst first; a rule that could not look is there as "unknown"."""
    host = Host(options, Outcome(library=True))
    return [Finding(*map(decode, finding)) for finding in judge(host)]


def show(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None],
    progress: Callable[[str], None],
) -> int:
    """Look, print what was found, and give the exit status of a monitoring plugin."""
    fitting(options)
    host = Host(options, Outcome(once(warn), progress))
    findings = judge(host)
    if options.structured:
        pieces = formats.find(options)(sections(findings), options, host.outcome.incomplete)
    else:
        from .report import report

        pieces = report(findings, host, out)
    for piece in pieces:
        put(out, piece)
    put(out, flush=True)
    partly = ["unknown"] if host.outcome.errors else []  # a table that broke off
    return SEVERITIES[worst([*partly, *(finding.severity for finding in findings)])]


def once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """Print each message once, and not that programs cannot be seen, which the report says."""
    told = {NOT_ALL}

    def warn_once(message: str) -> None:
        if message not in told and not message.startswith(NOTHING[:20]):
            told.add(message)
            warn(message)

    return warn_once


def fitting(options: Options) -> None:
    """What makes no sense here is the user's mistake."""
    if options.sort or options.count_by or options.top:
        raise Misuse("--sort, --count-by and --top do not go with --diagnose")
    for name in options.columns:
        if name not in Finding._fields:
            raise Misuse(f"no field `{name}' here; the fields are: {', '.join(Finding._fields)}")


# For programs: two arrays, of what was found and of what could not be checked.


class NotChecked(NamedTuple):
    """A rule that could not be checked, and why."""

    rule: str
    reason: str | None = None


def listing(name: str, record: Any) -> Listing:
    return Listing(name, record, lambda *_: iter(()), lambda _: (), lambda _: "")


def sections(findings: list[Finding]) -> Iterator[Section]:
    seen = [finding for finding in findings if finding.severity != "unknown"]
    blind = [
        NotChecked(finding.rule, finding.summary)
        for finding in findings
        if finding.severity == "unknown"
    ]
    yield Section(listing("findings", Finding), iter([table(Finding, seen)]))
    yield Section(listing("not_checked", NotChecked), iter([table(NotChecked, blind)]))


def table(record: Any, rows: Sequence[Any]) -> Table:
    columns = zip(*rows) if rows else ((),) * len(record._fields)
    return Table(record, len(rows), **dict(zip(record._fields, map(list, columns))))
