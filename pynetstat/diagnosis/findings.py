"""What a rule says: its findings, and how numbers and programs are put into words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .host import Host

# Worst first, with the exit status of a monitoring plugin. What is only told raises none.
SEVERITIES = {"critical": 2, "warning": 1, "unknown": 3, "information": 0}

Owner = tuple["int | None", "str | None"]  # pid and program


class Finding(NamedTuple):
    """What a rule has found: how bad it is, one sentence, the evidence, and what to do next.

    `severity` is critical, warning or information; it is unknown where the rule could not look,
    and then the summary is the reason. The evidence is rows of the same keys. `thresholds` are the
    constants that the rule compares with, by name.
    """

    rule: str
    severity: str
    summary: str
    evidence: list[dict[str, Any]] | None = None
    advice: str | None = None
    thresholds: dict[str, float] | None = None


class Blind(Exception):
    """A rule cannot look; the text says why."""


Rule = Callable[["Host"], Iterator[Finding]]


def name_of(rule: Rule) -> str:
    """close_wait_leak -> close-wait-leak"""
    return getattr(rule, "__name__", "").replace("_", "-")


def paragraphs(rule: Rule) -> list[str]:
    """The docstring's three: what it means, what causes it, what to do; each on one line."""
    texts = [" ".join(text.split()) for text in (rule.__doc__ or "").split("\n\n")]
    texts = [text.removeprefix("Causes: ").removeprefix("Do: ") for text in (*texts, "", "")]
    return [text[:1].upper() + text[1:] for text in texts[:3]]


def advice(rule: Rule) -> str:
    return paragraphs(rule)[2]


def thresholds(rule: Rule) -> dict[str, float]:
    """The constants that the rule's own lines name, so that what is shown is what is used."""

    def named(code: CodeType) -> Iterator[str]:
        yield from code.co_names
        for inner in code.co_consts:  # comprehensions and functions within
            if isinstance(inner, CodeType):
                yield from named(inner)

    if not isinstance(rule, FunctionType):
        return {}
    used = set(named(rule.__code__))
    return {
        name: value
        for name, value in rule.__globals__.items()
        if name in used and name.isupper() and isinstance(value, (int, float))
    }


def limits(thresholds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:,}" for name, value in thresholds.items())


def found(severity: str, summary: str, evidence: Iterable[dict[str, Any]]) -> Finding:
    """What a rule yields; its name, advice and thresholds are added to it."""
    if summary.startswith(UNSEEN):
        summary = summary[0].upper() + summary[1:]
    return Finding("", severity, summary, list(evidence))


# Words


def count(number: float, noun: str) -> str:
    """1 connection, 12,345 connections, 2 addresses"""
    plural = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


UNSEEN = "a program that cannot be seen from here"


def who(owner: Owner) -> str:
    pid, program = owner
    if pid is None:
        return UNSEEN
    return f"{program or 'a program without a name'} (pid {pid})"


def others(owners: Sequence[Any], noun: str = "program") -> str:
    """What follows the worst of several: "; 2 more programs do the same"."""
    more = len(owners) - 1
    return f"; {count(more, f'more {noun}')} alike" if more > 0 else ""


def end(address: str | None, port: int | None) -> str:
    """127.0.0.1:80, [::1]:80"""
    shown = f"[{address}]" if address and ":" in address else f"{address}"
    return f"{shown}:{port}"


def by_owner(rows: Iterable[tuple[Any, ...]]) -> dict[Owner, list[tuple[Any, ...]]]:
    """Rows that begin with pid and program, by these two; the program with most rows first."""
    groups: dict[Owner, list[tuple[Any, ...]]] = {}
    for row in rows:
        groups.setdefault((row[0], row[1]), []).append(row)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def mostly(ends: Iterable[tuple[Any, ...]]) -> str:
    """The most frequent of these ends; where no port comes twice, the most frequent address."""
    counted = Counter(ends)
    (address, port), times = counted.most_common(1)[0]
    if times > 1 or len(counted) == 1:
        return end(address, port)
    addresses = Counter(address for address, _ in counted)
    return str(addresses.most_common(1)[0][0])


def owned(owner: Owner, **more: Any) -> dict[str, Any]:
    """A row of evidence about a program."""
    return {"program": owner[1], "pid": owner[0], **more}


def worst(severities: Iterable[str]) -> str:
    present = set(severities)
    return next((severity for severity in SEVERITIES if severity in present), "information")
