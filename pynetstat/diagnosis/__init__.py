"""Which program is causing trouble: rules that look at the sockets and counters of a machine.

Each rule is a record (rule.py) beside the function that checks it. A rule that cannot check says
why; the others are checked all the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import Any, BinaryIO, NamedTuple

from .. import formats
from ..kernel.proc import NOT_ALL, NOTHING
from ..listing import Listing, Section
from ..options import EVERY_FIELD, Misuse, Options, nearest
from ..outcome import Outcome
from ..run import put
from ..settings import SETTINGS
from ..table import Table
from ..text import decode_nested
from . import attempts, connections, interfaces, kernel, listeners, ports, routes, udp
from .advice import advice_for
from .host import Host
from .place import UNENTERED, sampled_hosts
from .rule import SEVERITIES, Blind, Finding, Rule, Value, worst

# The worst kinds first; among findings of one severity this is their order.
RULES: tuple[Rule, ...] = (
    interfaces.INTERFACE_DOWN,
    routes.GATEWAY_SILENT,
    routes.NO_DEFAULT_ROUTE,
    routes.ROUTE_OVER_DOWN_INTERFACE,
    udp.DNS_SILENT,
    listeners.FILES_EXHAUSTED,
    listeners.LISTEN_OVERFLOW,
    listeners.WAITS_FOR_ACCEPT,
    connections.UNREAD_DATA,
    connections.CLOSE_WAIT_LEAK,
    ports.PORT_EXHAUSTION,
    ports.PORTS_GONE,
    attempts.SYN_SENT_STUCK,
    attempts.NOBODY_LISTENS,
    connections.UNACKNOWLEDGED_DATA,
    connections.PEER_NOT_READING,
    listeners.SYN_FLOOD,
    attempts.RETRANSMISSIONS,
    connections.LOSS_OF_ONE,
    attempts.RESETS,
    udp.UDP_DROPS,
    udp.UDP_NOBODY_LISTENS,
    interfaces.INTERFACE_ERRORS,
    interfaces.SOFTNET_DROPS,
    interfaces.BUFFER_DROPS,
    routes.FAMILY_BROKEN,
    routes.WRONG_INTERFACE,
    kernel.MEMORY_PRESSURE,
    kernel.CONNTRACK_FULL,
    ports.ORPHANS,
    ports.TIME_WAIT_FLOOD,
    listeners.SHARED_PORT,
    listeners.EXPOSED_LISTENERS,
)


class Judgement(NamedTuple):
    """What all rules found, worst first, the numbers they looked at, and the hosts: this machine,
    or each network namespace of --netns."""

    findings: list[Finding]
    values: list[Value]
    hosts: list[Host]

    @property
    def severity(self) -> str:
        return worst(finding.severity for finding in self.findings)

    @property
    def sockets(self) -> int:
        return sum(len(table) for host in self.hosts for table in host.tables)

    @property
    def other_places(self) -> dict[Any, int]:
        """The network namespaces of other processes where only our own was looked at, each with
        the lowest pid in it."""
        alone = len(self.hosts) == 1 and not self.hosts[0].given.netns
        return self.hosts[0].other_places if alone else {}


def judge(
    options: Options, outcome: Outcome, sampled: Callable[[Outcome], Iterator[Host]] | None = None
) -> Judgement:
    """`sampled` gives the hosts where they are not those of now."""
    findings: list[Finding] = []
    values: list[Value] = []
    judged = []
    for host in sampled(outcome) if sampled else sampled_hosts(options, outcome):
        judged.append(host)
        for rule in chosen_rules(options):
            if rule.whole_machine and options.netns == "all" and not host.place.own:
                continue  # our own namespace, which is there too, has it
            for one in applied(rule, host):
                if isinstance(one, Value):
                    values.append(one)
                else:
                    findings.append(one)
    for what, why, _ in outcome.hidden:
        if what == UNENTERED:
            findings.append(
                Finding("other-namespaces", "unknown", f"network namespace {why}", [], commands=[])
            )
    order = list(SEVERITIES)
    findings.sort(key=lambda one: order.index(one.severity))
    return Judgement(findings, values, judged)


def chosen_rules(options: Options) -> list[Rule]:
    """The rules but for those of --ignore, with the limits of --limit. Misuse where there is no
    such rule or limit."""
    from .limits import limited

    names = [rule.name for rule in RULES]
    for name in options.ignore:
        if name not in names:
            raise Misuse(
                f"no rule `{name}'{nearest(name, names)}; the rules are: {', '.join(names)}"
            )
    return limited([rule for rule in RULES if rule.name not in options.ignore], options.limit)


def known_here(commands: list[str], system: str) -> list[str]:
    """Those that this system has: off Linux our own alone, and on Windows without sudo."""
    if system.startswith("linux"):
        return commands
    bare = [command.removeprefix("sudo ") for command in commands]
    ours = [command.startswith("pynetstat ") for command in bare]
    return list(compress(bare if system == "win32" else commands, ours))


def applied(rule: Rule, host: Host) -> Iterator[Finding | Value]:
    """What one rule finds; if it cannot check, a finding that says why."""

    def complete(finding: Finding) -> Finding:
        return finding._replace(
            rule=rule.name,
            means=rule.means,
            advice=advice_for(rule.advice, sys.platform),
            thresholds=rule.thresholds,
            commands=[*map(host.place.command, known_here(finding.commands or [], sys.platform))],
            netns=place,
        )

    place = host.place.label or None
    try:
        if rule.whole_machine and not host.place.own:
            raise Blind("it looks at the whole machine, not at one network namespace", never=True)
        for one in rule.check(host, rule.thresholds):
            if isinstance(one, Value):
                yield one._replace(rule=rule.name, netns=place)
            else:
                yield complete(one)
    except Blind as blind:
        severity = "skipped" if blind.never else "unknown"
        yield complete(Finding("", severity, str(blind), [], commands=[]))
    except Exception as error:  # a failing rule must not stop the others
        reason = f"the rule failed: {type(error).__name__}: {error}"
        yield complete(Finding("", "unknown", reason, [], commands=[]))


def diagnose(
    options: Options, sampled: Callable[[Outcome], Iterator[Host]] | None = None
) -> list[Finding]:
    """What is found, worst first; a rule that could not check is there as "unknown", or as
    "skipped" if it never can in this place."""
    fitting(options)
    found = judge(options, Outcome(library=True), sampled).findings
    return [Finding(*map(decode_nested, finding)) for finding in found]


def show_diagnosis(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None],
    progress: Callable[[str], None],
    sampled: Callable[[Outcome], Iterator[Host]] | None = None,
) -> int:
    """Sample, print what was found, and give the exit status of a monitoring plugin."""
    fitting(options)
    if sampled is None:
        progress(f"Taking two samples, {options.interval:g} s apart ...")
    outcome = Outcome(each_message_once(warn), progress)
    judgement = judge(options, outcome, sampled)
    progress("")
    status = SEVERITIES[judgement.severity]
    if not status and outcome.errors:  # a table that broke off
        status = SEVERITIES["unknown"]
    if options.format == "openmetrics":
        from .metrics import diagnosis_metrics

        pieces = diagnosis_metrics(judgement, status)
    elif options.structured:
        whole = finding_sections(judgement, options, status)
        pieces = formats.find_renderer(options)(whole, options, outcome.incomplete)
    else:
        from .report import report

        pieces = report(judgement, options, outcome, out)
    for piece in pieces:
        put(out, piece)
    put(out, flush=True)
    return status


def each_message_once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """Print each message once, and not that programs cannot be seen, which the report says."""
    told = {NOT_ALL}

    def warn_once(message: str) -> None:
        if message not in told and not message.startswith(NOTHING[:20]):
            told.add(message)
            warn(message)

    return warn_once


# What the diagnosis heeds, and what asks for no more than it does anyway (-anpW)
USED = {
    "filter", "state", "port", "pid", "program", "user", "root", "source", "netns", "interval",
    "format",
    "columns", "color", "header", "ignore", "limit", "perfdata",
    "host", "hosts", "inventory", "forks", "host_timeout", "engine", "at", "record",
    "all", "programs", "wide", "resolve_timeout", "numeric_hosts", "numeric_ports", "numeric_users",
}  # fmt: skip


def fitting(options: Options) -> None:
    """Misuse where options do not go with --diagnose, or would do nothing."""
    if options.record is not None and options.at is None:
        raise Misuse("--record goes with --diagnose --at, which reads a recording")
    if options.forks and not options.elsewhere:
        raise Misuse("--forks is about other hosts; it needs --host")
    for setting in SETTINGS:
        if setting.kind == "family" or setting.field in USED:
            continue
        if getattr(options, setting.field, setting.default) != setting.default:
            raise Misuse(f"--{setting.long} does not go with --diagnose")
    headless = ("json", "jsonl", "openmetrics", *(() if options.columns else ("classic",)))
    if not options.header and options.format in headless:
        raise Misuse("--no-header has no effect: this output has no header")
    fields = (*(("host",) if options.elsewhere else ()), *Finding._fields)
    for name in () if options.columns == EVERY_FIELD else options.columns:
        if name not in fields:
            raise Misuse(f"no field `{name}' here; the fields are: {', '.join(fields)}")
    chosen_rules(options)


# For programs: the result in one row, what was found, what could not be checked, the values.


class Result(NamedTuple):
    """The whole in short. `seconds` lie between the samples; `other_netns` are network namespaces
    that were not looked at, where only our own was."""

    status: int
    severity: str
    summary: str
    seconds: float
    sockets: int
    findings: int
    other_netns: int


class NotChecked(NamedTuple):
    """A rule that could not be checked, and why. `failure`: it should have been possible. `netns`
    names the network namespace; null for our own."""

    rule: str
    reason: str | None = None
    failure: bool | None = None
    netns: str | None = None


def listing(name: str, record: Any) -> Listing:
    return Listing(name, record, lambda *_: iter(()), lambda _: (), lambda _: "")


def finding_sections(judgement: Judgement, options: Options, status: int) -> Iterator[Section]:
    from .report import headline

    found = [one for one in judgement.findings if one.severity not in ("unknown", "skipped")]
    blind = [one for one in judgement.findings if one.severity in ("unknown", "skipped")]
    severity = {0: "ok", 1: "warning", 2: "critical", 3: "unknown"}[status]
    seconds = round(max((host.seconds for host in judgement.hosts), default=0.0), 3)
    summary, others = headline(judgement.findings), len(judgement.other_places)
    result = Result(status, severity, summary, seconds, judgement.sockets, len(found), others)
    if not options.columns:
        yield Section(listing("result", Result), iter([finding_table(Result, [result])]))
    yield Section(listing("findings", Finding), iter([finding_table(Finding, found)]))
    if not options.columns:
        rows = [
            NotChecked(one.rule, one.summary, one.severity == "unknown", one.netns) for one in blind
        ]
        yield Section(listing("not_checked", NotChecked), iter([finding_table(NotChecked, rows)]))
        yield Section(listing("values", Value), iter([finding_table(Value, judgement.values)]))


def finding_table(record: Any, rows: Sequence[Any]) -> Table:
    columns = zip(*rows) if rows else ((),) * len(record._fields)
    return Table(record, len(rows), **dict(zip(record._fields, map(list, columns))))
