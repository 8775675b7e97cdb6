"""--diagnose of many hosts: the worst host first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from .. import formats
from ..diagnosis import RULES, NotChecked, Result, fitting, listing
from ..diagnosis.report import Page, severity_of
from ..diagnosis.rule import SEVERITIES, Finding, Value, plural
from ..listing import Listing, Section
from ..options import Misuse, Options
from ..outcome import Outcome
from ..run import put
from ..stages.machines import with_host
from ..table import Table, joined
from ..text import safe
from .check import Answer
from .hosts import Host, asked_hosts
from .run import HERE, Answers
from .ssh import Call, ended_with_us

PARTS = (("result", Result), ("findings", Finding), ("not_checked", NotChecked), ("values", Value))
SHOWN = 10  # names of hosts in the first line


class Diagnosis(NamedTuple):
    """What one host has found, and what it could not check."""

    host: str
    findings: list[Finding]
    answer: Answer

    @property
    def severity(self) -> str:
        return severity_of(self.findings)


def show_hosts_diagnosis(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None],
    progress: Callable[[str], None],
) -> int:
    """Let each host diagnose itself, and print the worst first; the exit status is that of the
    worst, and 3 where nothing is wrong but a host gave no answer."""
    fitting(options)
    if options.perfdata or options.format in ("openmetrics", "prometheus"):
        raise Misuse("--perfdata and metrics of --diagnose are of one machine; leave --host out")
    hosts = asked_hosts(options)
    outcome = Outcome(warn, progress)
    sections = [with_host(listing(*part)) for part in PARTS]
    calls = [Call(host, *asked(host, options, sections)) for host in hosts]
    answers = Answers(calls, options, outcome)
    with ended_with_us(answers.board):
        answers.wait_for_all()
    found = [diagnosis_of(answer) for host in hosts if (answer := answers.found[host.name])]
    order = list(SEVERITIES)
    found.sort(key=lambda one: order.index(one.severity))
    status = next((SEVERITIES[one.severity] for one in found if SEVERITIES[one.severity]), 0)
    if not status and (outcome.lost or outcome.failed):
        status = SEVERITIES["unknown"]
    if options.structured:
        whole = merged_sections(found, sections, options)
        pieces = formats.find_renderer(options)(whole, options, outcome.incomplete)
    else:
        lines = text_of_all(found, outcome, len(hosts), Page(out))
        pieces = iter(["".join(f"{line}\n" for line in lines).encode("latin-1", "replace")])
    for piece in pieces:
        put(out, piece)
    put(out, flush=True)
    return status


def asked(
    host: Host, options: Options, sections: list[Listing]
) -> tuple[Answer, dict[str, Any], float]:
    given = {
        name: value
        for name, value in vars(options).items()
        if name not in HERE and getattr(Options, name) != value
    }
    request = {"options": {**given, "host": [host.name], "format": "jsonl"}, "diagnose": True}
    answer = Answer(host.name, sections, options.replace(format="jsonl", columns=()), ())
    return answer, request, options.host_timeout + options.interval


def diagnosis_of(answer: Answer) -> Diagnosis:
    """The findings of a host as the report has them. What to do is said in our words: a host is
    not trusted to name commands."""
    rules = {rule.name: rule for rule in RULES}
    findings = []
    for table in answer.sections[1]:
        for row in table if isinstance(table, Table) else ():
            rule = rules.get(row.rule)
            told = {"means": rule.means, "advice": rule.advice} if rule else {}
            fields = {name: washed(getattr(row, name)) for name in Finding._fields}
            same = [one for one in fields["evidence"] if [*one] == [*fields["evidence"][0]]]
            own = {"evidence": same, "means": None, "advice": None, "commands": []}
            findings.append(Finding(**{**fields, **own, **told}))
    for table in answer.sections[2]:
        for row in table if isinstance(table, Table) else ():
            severity = "unknown" if row.failure else "skipped"
            found = Finding(washed(row.rule), severity, washed(row.reason), [])
            findings.append(found._replace(netns=washed(row.netns)))
    return Diagnosis(answer.host, findings, answer)


def washed(value: Any) -> Any:
    """A value with each text in it harmless."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, dict):
        return {washed(name): washed(one) for name, one in value.items()}
    return [washed(one) for one in value] if isinstance(value, (list, tuple)) else value


def merged_sections(
    found: Sequence[Diagnosis], sections: Sequence[Listing], options: Options
) -> Iterator[Section]:
    """The sections of all hosts, each row with its host; with --columns the findings alone."""
    for place, one in enumerate(sections):
        if options.columns and one.name != "findings":
            continue
        tables = [table for host in found for table in host.answer.sections[place]]
        rows = [table for table in tables if isinstance(table, Table)]
        yield Section(one, iter([joined(one.record, rows)]))


def text_of_all(
    found: Sequence[Diagnosis], outcome: Outcome, many: int, page: Page
) -> Iterator[str]:
    """The first line is the whole in short; then each host that has trouble, with its findings."""
    bad = [one for one in found if SEVERITIES[one.severity]]
    good = [one.host for one in found if not SEVERITIES[one.severity]]
    lost = f"; {plural(len(outcome.lost), 'host')} gave no answer" if outcome.lost else ""
    if bad:
        worst = bad[0].severity
        names = [one.host for one in bad if one.severity == worst]
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        text = f"{worst.upper()}: {', '.join(names[:SHOWN])}{more}"
        text += f"; trouble on {len(bad):,} of {plural(many, 'host')}"
        yield page.painted(worst, f"{text}{lost}")
    elif lost:
        text = f"UNKNOWN: nothing wrong on {len(good):,} of {plural(many, 'host')}"
        yield page.painted("unknown", f"{text}{lost}")
    else:
        yield f"OK: nothing wrong was found on {plural(many, 'host')}"
    explained: set[str] = set()  # what a rule means is said once
    for one in bad:
        yield ""
        yield page.painted(one.severity, f"Host {one.host}")
        told = [
            finding._replace(means=None, advice=None) if finding.rule in explained else finding
            for finding in one.findings
            if finding.severity != "information"
        ]
        explained |= {finding.rule for finding in told}
        yield from page.findings(told)
        yield from page.unknown([one for one in told if one.severity == "unknown"])
    if bad and good:
        yield ""
        yield from page.wrapped(f"Nothing wrong on: {', '.join(good)}", "    ", "")
    yield ""
    yield from page.wrapped(
        "What else each host lists (exposed-listeners, ...), and the commands that show more: "
        "`pynetstat --diagnose` on it, or --json.",
        "",
    )
