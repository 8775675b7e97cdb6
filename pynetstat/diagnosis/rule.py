"""Rules and their findings as records, and how numbers and programs are put into words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .host import Host

# Worst first, with the exit status of a monitoring plugin. What is only told raises none.
SEVERITIES = {"critical": 2, "warning": 1, "unknown": 3, "information": 0}

Owner = tuple["int | None", "str | None"]  # pid and program
Limits = Mapping[str, float]  # of a rule, by name


class Finding(NamedTuple):
    """What a rule has found.

    `severity` is critical, warning or information; it is unknown where the rule could not
    check, and then `summary` is the reason. `evidence` is rows with the same keys. `thresholds`
    are the limits that the rule compares with, by name.
    """

    rule: str
    severity: str
    summary: str
    evidence: list[dict[str, Any]] | None = None
    means: str | None = None
    advice: str | None = None
    thresholds: dict[str, float] | None = None


class Blind(Exception):
    """A rule cannot check; the text says why."""


class Limit(NamedTuple):
    """A number that a rule compares with, and in words what is compared with it."""

    name: str
    value: float
    words: str


class Rule(NamedTuple):
    """A kind of trouble: how it is found, and what a person needs to know about it.

    `check(host, limits)` yields findings; their rule, means, advice and thresholds are filled
    in by whoever calls it.
    """

    name: str
    check: Callable[[Host, Limits], Iterator[Finding]]
    means: str
    causes: str
    advice: str
    limits: tuple[Limit, ...] = ()

    @property
    def thresholds(self) -> dict[str, float]:
        return {limit.name: limit.value for limit in self.limits}


def found(severity: str, summary: str, evidence: Iterable[dict[str, Any]]) -> Finding:
    """A finding of the rule that yields it."""
    if summary.startswith(UNSEEN):
        summary = summary[0].upper() + summary[1:]
    return Finding("", severity, summary, list(evidence))


# Words


def limit_words(limits: Iterable[Limit]) -> str:
    """sockets 5 (connections of one program), share 0.1 (of all its connections)"""
    return ", ".join(f"{limit.name} {limit.value:,} ({limit.words})" for limit in limits)


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
