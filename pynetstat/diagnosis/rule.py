"""Rules and their findings as records, and how numbers and programs are put into words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..tuples import content_hash, plain_dict

if TYPE_CHECKING:
    from .host import Host

# Worst first, with the exit status of a monitoring plugin. Information and what a place never
# tells raise none.
SEVERITIES = {"critical": 2, "warning": 1, "unknown": 3, "information": 0, "skipped": 0}

Owner = tuple["int | None", "str | None"]  # pid and program
Limits = Mapping[str, float]  # of a rule, by name


class Finding(NamedTuple):
    """What a rule has found.

    `severity` is critical, warning or information. It is unknown where the rule could not
    check, and skipped where it never can in this place; then `summary` is the reason.
    `evidence` is rows with the same keys. `commands` show more or mend it. `thresholds` are the
    limits that the rule compares with, by name. `netns` names the network namespace; it is None
    for our own.
    """

    rule: str
    severity: str
    summary: str
    evidence: list[dict[str, Any]] | None = None
    means: str | None = None
    advice: str | None = None
    commands: list[str] | None = None
    thresholds: dict[str, float] | None = None
    netns: str | None = None

    def __hash__(self) -> int:
        return content_hash(self)

    def to_dict(self) -> dict[str, Any]:
        return plain_dict(self)


class Value(NamedTuple):
    """A number that a rule looked at, found or not, and the limits from which it is trouble."""

    rule: str
    name: str
    value: float
    warning: float | None = None
    critical: float | None = None
    netns: str | None = None


def value(
    name: str, number: float, warning: float | None = None, critical: float | None = None
) -> Value:
    """A value of the rule that yields it."""
    return Value("", name, number, warning, critical)


class Blind(Exception):
    """A rule cannot check; the text says why.

    `never`: it never can in this place, so that this is no failure: what only the kernel tells of
    its own network namespace, when /proc of another place is read.
    """

    def __init__(self, reason: str, never: bool = False) -> None:
        super().__init__(reason)
        self.never = never


class Limit(NamedTuple):
    """A number that a rule compares with, and the words around it: "from {:,} connections"."""

    name: str
    value: float
    words: str

    def told(self, value: float) -> str:
        return self.words.format(value)


class Rule(NamedTuple):
    """A kind of trouble: how it is found, and what a person needs to know about it.

    `check(host, limits)` yields findings and the values it looked at; the rule's name, means,
    advice and thresholds are filled in by whoever calls it. With `whole_machine` it looks at what
    all network namespaces share, and is checked in our own only.
    """

    name: str
    check: Callable[[Host, Limits], Iterator[Finding | Value]]
    means: str
    causes: str
    advice: str
    limits: tuple[Limit, ...] = ()
    whole_machine: bool = False

    @property
    def thresholds(self) -> dict[str, float]:
        return {limit.name: limit.value for limit in self.limits}


def finding_of(
    severity: str,
    summary: str,
    evidence: Iterable[dict[str, Any]] = (),
    commands: Iterable[str] = (),
) -> Finding:
    """A finding of the rule that yields it."""
    summary = summary[:1].upper() + summary[1:] if summary.startswith(UNSEEN) else summary
    return Finding("", severity, summary, list(evidence), None, None, list(commands))


# Words


def limit_words(limits: Iterable[Limit], values: Limits) -> str:
    """From 5 connections of one program in CLOSE_WAIT, and 10% of its connections; ..."""
    text = "; ".join(limit.told(values[limit.name]) for limit in limits)
    return text[:1].upper() + text[1:]


def plural(number: float, noun: str) -> str:
    """1 connection, 12,345 connections, 2 addresses"""
    ending = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{'' if number == 1 else ending}"


def percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


UNSEEN = "a program that cannot be seen from here"


def others(owners: Sequence[Any], noun: str = "program", same: str = "do the same") -> str:
    """What follows the worst of several: "; 2 more programs do the same"."""
    more = len(owners) - 1
    same = "does the same" if more == 1 and same == "do the same" else same
    return f"; {plural(more, f'more {noun}')} {same}".rstrip() if more > 0 else ""


def endpoint_of(address: str | None, port: int | None) -> str:
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
        return endpoint_of(address, port)
    addresses = Counter(address for address, _ in counted)
    return str(addresses.most_common(1)[0][0])


def peers(ends: Iterable[tuple[Any, ...]]) -> str:
    """10.0.0.1:80, or "60 hosts, such as 10.0.0.1" where no host stands out."""
    counted = Counter(ends)
    hosts = Counter(address for address, _ in counted.elements())
    address, times = hosts.most_common(1)[0]
    if len(hosts) > 1 and times < 0.5 * sum(hosts.values()):
        return f"{len(hosts):,} hosts, such as {address}"
    (_, port), most = Counter({one: n for one, n in counted.items() if one[0] == address}
                              ).most_common(1)[0]  # fmt: skip
    return endpoint_of(address, port) if most > 0.5 * times else str(address)


def worst(severities: Iterable[str]) -> str:
    present = set(severities)
    return next((severity for severity in SEVERITIES if severity in present), "information")
