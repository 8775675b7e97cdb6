"""Statistics: the counters of each protocol (`-s`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from errno import ENOENT
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from ...kernel.decode import LARGEST, counters
from ...kernel.proc import Proc, reason
from ...listing import Listing, Report, Stop
from ...options import PROTOCOLS, Options
from ...table import Remark, Table
from .sentences import SENTENCES


class Counter(NamedTuple):
    """A counter by the kernel's names: Counter("Tcp", "ActiveOpens", 7)."""

    section: str
    name: str
    value: int | None = None


Sentences = Mapping[str, Mapping[str, str]]


class CounterTable(Table):
    """The counters of one section, in the order of the file.

    `title` is None where the section was not asked for (and then there are no counters);
    `sentences` is None where netstat knows nothing of it.
    """

    def __init__(
        self,
        title: str | None,
        sentences: Sentences | None,
        names: Sequence[str] = (),
        values: Sequence[int] = (),
    ) -> None:
        sections = [title] * len(names)
        super().__init__(Counter, len(names), section=sections, name=names, value=values)
        self.title, self.sentences = title, sentences


# The sections that netstat has sentences for, and the option that asks for each.
SECTIONS = {
    "Ip": "raw",
    "Icmp": "raw",
    "Tcp": "tcp",
    "TcpExt": "tcp",
    "Udp": "udp",
    "Sctp": "sctp",
}
SECTIONS6 = {"Ip6": "raw", "Icmp6": "raw", "Tcp6": "tcp", "Udp6": "udp"}

WORDS = re.compile(r"[^ \t\v\f\r\n]+")


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    if options.families == ("inet6",):
        yield from version6(proc, options, outcome)
    elif options.families in ((), ("inet",)):
        yield from version4(proc, options, outcome)
    else:
        families = ",".join(options.families)
        complaint = "netstat: No statistics support for specified address family: "
        raise Stop("", remark=complaint + families)


def version4(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    """What cannot be opened is said, but it is no failure: that is netstat's rule. Records have
    what there is, and tell what is missing."""
    files = [
        ("net/snmp", partial(read_pairs, proc, options, outcome, "net/snmp")),
        ("net/netstat", partial(read_pairs, proc, options, outcome, "net/netstat")),
        ("net/sctp/snmp", partial(sctp, proc, options)),
    ]
    if options.structured:
        yield from as_far_as_possible(
            proc, outcome, files, optional=("net/netstat", "net/sctp/snmp")
        )
        return
    try:
        yield from files[0][1]()
    except OSError as error:
        outcome.warn(f"cannot open {proc.path('net/snmp')}: {reason(error)}")
        return
    for _, read in files[1:]:
        with suppress(OSError):
            yield from read()


def version6(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    """IPv6 has files of its own but for tcp, which both versions share."""
    files = [
        ("net/snmp6", partial(keyed, proc, options, outcome, "net/snmp6")),
        ("net/snmp", partial(read_pairs, proc, options, outcome, "net/snmp", only="Tcp")),
    ]
    if options.structured:
        yield from as_far_as_possible(proc, outcome, files)
        return
    for name, read in files:
        try:
            yield from read()
        except OSError as error:
            outcome.warn(f"cannot open {proc.path(name)}: {reason(error)}")
            return


def as_far_as_possible(
    proc: Proc,
    outcome: Report,
    files: Iterable[tuple[str, Callable[[], Iterator[Table]]]],
    optional: Sequence[str] = (),
) -> Iterator[Table]:
    """Each file that can be read; that one cannot makes the status 1, and where none can there is
    no list. A kernel may be without the optional ones."""
    failures = []
    found = False
    for name, read in files:
        try:
            yield from read()
            found = True
        except OSError as error:
            if name not in optional or error.errno != ENOENT:
                failures.append((proc.path(name), error))
    if failures and not found:
        raise Stop(f"{failures[0][0]}: {reason(failures[0][1])}")
    for failure in failures:
        outcome.error(*failure)


def lines_of_counters(proc: Proc, name: str) -> list[str]:
    """The lines of a file, however long they are."""
    text = proc.text(name)
    return [line.partition("\0")[0] for line in text.removesuffix("\n").split("\n")]


def section_asked(
    options: Options,
    known: Mapping[str, str],
    title: str,
    names: Sequence[str] = (),
    values: Sequence[int] = (),
) -> CounterTable:
    """A section, without counters if it was not asked for. One that netstat does not know is
    always given."""
    if title not in known:
        return CounterTable(title, None, names, values)
    asked = [protocol for protocol in PROTOCOLS if getattr(options, protocol)]
    if asked and known[title] not in asked:
        return CounterTable(None, {})
    return CounterTable(title, SENTENCES.get(title, {}), names, values)


def read_pairs(
    proc: Proc, options: Options, outcome: Report, name: str, only: str = ""
) -> Iterator[CounterTable]:
    """/proc/net/snmp and netstat as snmp_seq_show() and netstat_seq_show() print them: names
    in one line, values in the next.

    Udp: InDatagrams NoPorts InErrors
    Udp: 700 1 0
    """
    rest = iter(lines_of_counters(proc, name))
    for header in rest:
        if not header:
            continue
        values = next(rest, None)
        if values is None:
            return
        title, colon, keys = header.partition(":")
        _, second, numbers = values.partition(":")
        if not (colon and second):
            if not only:
                outcome.warn(f"Problem while parsing {proc.path(name)}")
            return
        if title.startswith(only):
            names = WORDS.findall(keys)
            found = counters(numbers)[: len(names)]
            missing = len(names) - len(found)
            yield section_asked(options, SECTIONS, title, names, found + [0] * missing)


def sctp(proc: Proc, options: Options) -> Iterator[CounterTable]:
    """/proc/net/sctp/snmp as sctp_snmp_seq_show() prints it: a name and a value a line."""
    words = [WORDS.findall(line) for line in lines_of_counters(proc, "net/sctp/snmp")]
    words = [pair for pair in words if len(pair) > 1]
    values = [sum(counters(pair[1])[:1]) for pair in words]
    yield section_asked(options, SECTIONS, "Sctp", [pair[0] for pair in words], values)


def keyed(proc: Proc, options: Options, outcome: Report, name: str) -> Iterator[CounterTable]:
    """/proc/net/snmp6 as snmp6_seq_show() prints it: a name and a value a line, where the
    beginning of the name tells the section.

    Icmp6InMsgs                          9
    UdpLite6InErrors                     2
    """
    title = ""
    names: list[str] = []
    values: list[int] = []
    for words in map(WORDS.findall, lines_of_counters(proc, name)):
        if not words:
            continue
        if not title or title not in words[0]:
            if title:
                yield section_asked(options, SECTIONS6, title, names, values)
            title = "".join(words[0].partition("6")[:2])
            names, values = [], []
        names.append(words[0])
        values.append(sum(counters(" ".join(words[1:]))[:1]))
    if title:
        yield section_asked(options, SECTIONS6, title, names, values)


# The classic text

TITLES = {"in": "ICMP input histogram:", "out": "ICMP output histogram:"}

Sentence = tuple[str, str]
Values = Iterable[tuple[str, "int | None"]]


def statistics_text(tables: Iterable[Table | Remark], options: Options) -> Iterator[str]:
    """A heading a section, a line a counter.

    How far a line is indented, and whether a histogram needs its title, depends on the last
    sentence; a section that netstat does not know takes that over from the one before it.
    """
    mode = ""
    for table in tables:
        if isinstance(table, Remark):
            yield table
            continue
        for title, sentences, values in counter_sections(table):
            if title is not None:
                yield f"{title}:"
            if sentences is not None:
                mode = ""
            mode = yield from paragraph(by_name(sentences or {}), values, mode)


def counter_sections(table: Table) -> Iterator[tuple[str | None, Sentences | None, Values]]:
    """A table as it was read is one section; any other may hold several."""
    if isinstance(table, CounterTable):
        yield table.title, table.sentences, zip(table["name"], table["value"])
        return
    rows = zip(table["section"], table["name"], table["value"])
    for title, group in groupby(rows, itemgetter(0)):
        yield title, SENTENCES.get(title), [row[1:] for row in group]


def by_name(sentences: Sentences) -> dict[str, Sentence]:
    return {name: (kind, said) for kind, texts in sentences.items() for name, said in texts.items()}


def paragraph(
    sentences: Mapping[str, Sentence], values: Values, mode: str
) -> Generator[str, None, str]:
    """`mode` is the histogram that the last sentence belonged to, if any; the new one is given
    back. A histogram has its title even where nothing follows."""
    for name, value in values:
        kind, sentence = sentences.get(name, ("", ""))
        if not kind:
            if value:
                yield f"{indent(mode)}{name}: {value & LARGEST}"
        elif kind != "hidden":
            if kind in TITLES and kind != mode:
                yield indent(mode) + TITLES[kind]
            mode = kind if kind in TITLES else ""
            if value or kind == "always":
                yield indent(mode) + sentence % ("-" if value is None else value & LARGEST)
    return mode


def indent(mode: str) -> str:
    return " " * (8 if mode else 4)


STATISTICS = Listing(
    "statistics", Counter, collect, lambda options: (), lambda options: "", text=statistics_text
)
