"""Findings as text for people: the worst first, every sentence one that needs no other."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from ..text import safe
from .host import Host
from .rule import Finding, count, limit_words, worst

COLOURS = {"critical": "1;31", "warning": "1;33", "unknown": "1;35", "information": "1;36"}
ROWS = 10  # of evidence; json has them all
WIDTH = 100
INDENT = 4


def report(findings: Sequence[Finding], host: Host, out: BinaryIO) -> Iterator[bytes]:
    """The first line is the whole in short, as a monitoring system shows it."""
    page = Page(out)
    lines = [page.heading(findings, host), *page.findings(findings), *page.unknown(findings)]
    lines += page.footing(host)
    yield "".join(f"{line}\n" for line in lines).encode("latin-1", "replace")


class Page:
    """How wide, and whether in colour: NO_COLOR, a pipe and a dumb terminal have none."""

    def __init__(self, out: BinaryIO) -> None:
        terminal = out.isatty()
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
        self.colour = terminal and not plain
        self.width = max(min(shutil.get_terminal_size().columns, WIDTH), 40) if terminal else WIDTH

    def painted(self, severity: str, text: str) -> str:
        return f"\033[{COLOURS[severity]}m{text}\033[0m" if self.colour else text

    def heading(self, findings: Sequence[Finding], host: Host) -> str:
        """CRITICAL: listen-overflow; WARNING: udp-drops"""
        rules: dict[str, list[str]] = {}
        for finding in findings:
            if finding.severity != "information":
                rules.setdefault(finding.severity, []).append(finding.rule)
        if not rules:
            return "OK: nothing wrong was found"
        parts = (f"{severity.upper()}: {', '.join(names)}" for severity, names in rules.items())
        return self.painted(worst(rules), "; ".join(parts))

    def findings(self, findings: Sequence[Finding]) -> Iterator[str]:
        for finding in findings:
            if finding.severity == "unknown":
                continue
            yield ""
            yield self.painted(finding.severity, f"{finding.severity.upper()} {finding.rule}")
            yield from self.wrapped(safe(finding.summary), " " * INDENT)
            yield ""
            if finding.evidence:
                yield from self.rows(finding.evidence)
                yield ""
            for name, words in self.told(finding):
                yield from self.paragraph(name, words)

    def unknown(self, findings: Sequence[Finding]) -> Iterator[str]:
        """The rules that could not look, by the reason."""
        reasons: dict[str, list[str]] = {}
        for finding in findings:
            if finding.severity == "unknown":
                reasons.setdefault(finding.summary, []).append(finding.rule)
        if reasons:
            yield ""
            yield self.painted("unknown", "UNKNOWN: these rules could not look")
        for reason, rules in reasons.items():
            text = f"{', '.join(rules)}: {safe(reason)}"
            yield from self.wrapped(text, " " * (INDENT + 4), " " * INDENT)

    def told(self, finding: Finding) -> Iterator[tuple[str, str]]:
        from . import RULES

        yield "Means", finding.means or ""
        yield "To do", finding.advice or ""
        rule = next(rule for rule in RULES if rule.name == finding.rule)
        yield "Limits", limit_words(rule.limits)

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
        """A small table; what is not known in any row has no column."""
        names = [name for name in evidence[0] if any(known(row[name]) for row in evidence)]
        shown = evidence[:ROWS]
        columns = []
        for name in names:
            cells = [cell(name, row[name]) for row in shown]
            number = all(isinstance(row[name], (int, type(None))) for row in shown)
            title = name.replace("_", " ").upper()
            width = max(map(len, (title, *cells)))
            columns.append([f"{text:>{width}}" if number else f"{text:<{width}}"
                            for text in (title, *cells)])  # fmt: skip
        for row in zip(*columns):
            yield " " * INDENT + "  ".join(row).rstrip()
        if len(evidence) > len(shown):
            yield f"{' ' * INDENT}and {len(evidence) - len(shown):,} more (--json has them all)"

    def footing(self, host: Host) -> Iterator[str]:
        yield ""
        sockets = count(sum(map(len, host.tables)), "socket")
        yield from self.wrapped(f"Looked at {sockets}, twice within {host.seconds:.1f} s.", "")
        for missing in host.outcome.incomplete():
            if missing["what"] == "owner":
                text = f"{count(missing['count'], 'socket')} of programs that are not known:"
                text += f" {missing['reason']}."
                if hasattr(os, "geteuid") and os.geteuid():
                    text += " With `sudo` they are named."
                yield from self.wrapped(text, "")
        yield from self.wrapped(
            "`pynetstat --explain WORD` tells more: of a rule, or of a state like CLOSE_WAIT.", ""
        )


def known(value: Any) -> bool:
    return value is not None


def cell(name: str, value: Any) -> str:
    """Numbers in full, what a stranger wrote made harmless, a dash for what is not known."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    counted = isinstance(value, int) and name not in ("pid", "port")
    return f"{value:,}" if counted else safe(str(value))
