"""Findings as text for people: the worst first, every sentence one that needs no other."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from ..formats.colour import in_colour
from ..options import Options
from ..outcome import Outcome
from ..text import safe
from .rule import Finding, plural, worst

if TYPE_CHECKING:
    from . import Judgement

COLOURS = {"critical": "1;31", "warning": "1;33", "unknown": "1;35", "information": "1;36"}
ROWS = 10  # of evidence; json has them all
WIDTH = 100
INDENT = 4


def report(
    judgement: Judgement, options: Options, outcome: Outcome, out: BinaryIO
) -> Iterator[bytes]:
    """The first line is the whole in short, as a monitoring system shows it."""
    page, findings = Page(out, options.color), judgement.findings
    first = page.painted(severity_of(findings), headline(findings))
    if options.perfdata:
        first += f" | {performance(judgement)}"
    lines = [
        first,
        *page.findings(findings),
        *page.unknown(findings),
        *page.footing(judgement, outcome),
    ]
    yield "".join(f"{line}\n" for line in lines).encode("latin-1", "replace")


def severity_of(findings: Sequence[Finding]) -> str:
    return worst(one.severity for one in findings)


def headline(findings: Sequence[Finding]) -> str:
    """CRITICAL: nginx (pid 812) does not accept connections at ...; also WARNING: udp-drops"""
    bad = [one for one in findings if one.severity in ("critical", "warning")]
    unknown = uncheckable([one for one in findings if one.severity == "unknown"])
    if not bad:
        return unknown or "OK: nothing wrong was found"
    text = f"{bad[0].severity.upper()}: {where(bad[0])}{safe(bad[0].summary)}"
    for severity in ("critical", "warning"):
        rules = dict.fromkeys(one.rule for one in bad[1:] if one.severity == severity)
        text += f"; also {severity.upper()}: {', '.join(rules)}" if rules else ""
    return f"{text}; {unknown}" if unknown else text


def uncheckable(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    rules = list(dict.fromkeys(one.rule for one in findings))
    named = ", ".join(rules) if len(rules) <= 3 else f"{len(rules)} rules"
    return f"UNKNOWN: {named} could not be checked ({safe(findings[0].summary)})"


def where(finding: Finding) -> str:
    return f"in network namespace {safe(finding.netns)}: " if finding.netns else ""


def performance(judgement: Judgement) -> str:
    """'close-wait-leak.sockets'=9;20;1000 ..., as the plugins of Nagios and Icinga give it."""

    def number(limit: float | None) -> str:
        return "" if limit is None else f"{limit:.15g}"

    words = []
    for one in judgement.values:
        limits = f"{number(one.warning)};{number(one.critical)}".rstrip(";")
        name = f"{one.netns}/{one.rule}" if one.netns else one.rule
        name = safe(f"{name}.{one.name}").replace("'", "?").replace("=", "?")
        text = f"'{name}'={number(one.value)}"
        words.append(f"{text};{limits}" if limits else text)
    return " ".join(words)


class Page:
    """How wide the text is, and whether in colour."""

    def __init__(self, out: BinaryIO, colour: str = "auto") -> None:
        terminal = out.isatty()
        self.colour = in_colour(colour, terminal)
        self.width = max(min(shutil.get_terminal_size().columns, WIDTH), 40) if terminal else WIDTH

    def painted(self, severity: str, text: str) -> str:
        code = COLOURS.get(severity)
        return f"\033[{code}m{text}\033[0m" if self.colour and code else text

    def findings(self, findings: Sequence[Finding]) -> Iterator[str]:
        for finding in findings:
            if finding.severity in ("unknown", "skipped"):
                continue
            yield ""
            title = f"{finding.severity.upper()} {finding.rule}"
            if finding.netns:
                title += f" in network namespace {safe(finding.netns)}"
            yield self.painted(finding.severity, title)
            yield from self.wrapped(safe(finding.summary), " " * INDENT)
            yield ""
            if finding.evidence:
                yield from self.rows(finding.evidence)
                yield ""
            yield from self.paragraph("Means", finding.means or "")
            yield from self.paragraph("To do", finding.advice or "")
            for number, command in enumerate(finding.commands or ()):
                yield f"{' ' * INDENT}{'Run' if not number else '':<8}{safe(command)}"

    def unknown(self, findings: Sequence[Finding]) -> Iterator[str]:
        """The rules that could not check, by the reason."""
        for severity, title in (
            ("unknown", "UNKNOWN: these rules could not check"),
            ("skipped", "Not checked, since this place does not tell it"),
        ):
            reasons: dict[str, dict[str, None]] = {}
            for finding in findings:
                if finding.severity == severity:
                    text = f"{where(finding) if severity == 'unknown' else ''}{finding.summary}"
                    reasons.setdefault(text, {})[finding.rule] = None
            if reasons:
                yield ""
                yield from (self.painted(severity, line) for line in self.wrapped(title, ""))
            for reason, rules in reasons.items():
                text = f"{', '.join(rules)}: {safe(reason)}"
                yield from self.wrapped(text, " " * (INDENT + 4), " " * INDENT)

    def paragraph(self, name: str, words: str) -> Iterator[str]:
        if words:
            yield from self.wrapped(words, " " * (INDENT + 8), f"{' ' * INDENT}{name:<8}")

    def wrapped(self, text: str, indent: str, first: str | None = None) -> list[str]:
        return textwrap.wrap(
            text,
            self.width,
            initial_indent=indent if first is None else first,
            subsequent_indent=indent,
            break_on_hyphens=False,
            break_long_words=False,
        )

    def rows(self, evidence: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """A small table that fits the page: what is not known in any row has no column; if it is
        too wide, headers take several lines, then long text is cut, then the last columns are left
        out."""
        names = [name for name in evidence[0] if any(is_known(row[name]) for row in evidence)]
        shown = evidence[:ROWS]
        columns = [Cells(name, [row[name] for row in shown]) for name in names]
        room = self.width - INDENT
        if table_width(columns) > room:
            for column in columns:
                column.header = column.header[0].split()
        while columns and table_width(columns) > room:
            widest = max(columns, key=lambda one: 0 if one.number else one.width)
            if widest.number or widest.width <= NARROW:
                columns.pop()
            else:
                widest.cut(max(widest.width - (table_width(columns) - room), NARROW))
        height = max((len(one.header) for one in columns), default=0)
        for row in zip(*[one.lines(height) for one in columns]):
            yield " " * INDENT + "  ".join(row).rstrip()
        left = len(evidence) - len(shown)
        if left or len(columns) < len(names):
            more = f"and {left:,} more " if left else ""
            yield f"{' ' * INDENT}{more}(--json has everything)"

    def footing(self, judgement: Judgement, outcome: Outcome) -> Iterator[str]:
        yield ""
        text = plural(judgement.sockets, "socket")
        if any(host.given.netns for host in judgement.hosts):
            text += f" in {plural(len(judgement.hosts), 'network namespace')}"
        seconds = max((host.seconds for host in judgement.hosts), default=0.0)
        past = judgement.hosts[0].given.at if judgement.hosts else None
        if past:
            text += f", in two rounds of a recording, {seconds:.1f} s apart."
        else:
            text += f", in two samples within {seconds:.1f} s. A longer interval sees more:"
            text += " `--interval 10`."
        yield from self.wrapped(text, "")
        for missing in outcome.incomplete():
            if missing["what"] == "owner":
                text = f"{plural(missing['count'], 'socket')} of programs that are not known:"
                text += f" {missing['reason']}."
                if hasattr(os, "geteuid") and os.geteuid():
                    text += " With `sudo` they are named."
                yield from self.wrapped(text, "")
        if others := judgement.other_places:
            text = f"{plural(len(others), 'other network namespace')} (containers, ...)"
            text += " was" if len(others) == 1 else " were"
            text += " not looked at. `sudo pynetstat --diagnose --netns all` looks at all."
            yield from self.wrapped(text, "")
        yield from self.wrapped(
            "`pynetstat --explain WORD` tells more: of a rule and its limits, of a state like"
            " CLOSE_WAIT, or of any word that netstat prints.",
            "",
        )


NARROW = 12  # columns of a cut text


class Cells:
    """A column of the table of evidence."""

    def __init__(self, name: str, values: Sequence[Any]) -> None:
        self.number = all(isinstance(value, (int, float, type(None))) for value in values)
        self.header = [name.replace("_", " ").upper()]
        self.texts = [report_cell(name, value) for value in values]

    @property
    def width(self) -> int:
        return max(map(len, (*self.header, *self.texts)))

    def cut(self, width: int) -> None:
        self.texts = [
            text if len(text) <= width else f"{text[: width - 2]}.." for text in self.texts
        ]

    def lines(self, height: int) -> list[str]:
        """All cells, below a header of so many lines."""
        side, width = ">" if self.number else "<", self.width
        header = [""] * (height - len(self.header)) + self.header
        return [f"{text:{side}{width}}" for text in (*header, *self.texts)]


def table_width(columns: Sequence[Cells]) -> int:
    return sum(one.width + 2 for one in columns) - 2


def is_known(value: Any) -> bool:
    return value is not None


def report_cell(name: str, value: Any) -> str:
    """A cell: numbers in full, untrusted text cleaned, a dash for None."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    counted = isinstance(value, int) and name not in ("pid", "port")
    return f"{value:,}" if counted else safe(str(value))
