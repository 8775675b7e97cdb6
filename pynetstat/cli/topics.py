"""The topics of `--help TOPIC`, which the man page has too, made from the program's own tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from textwrap import dedent
from typing import Any

from ..options import nearest

# A piece of a topic: a heading, a paragraph, a text to be printed as it stands, or a term with
# its meaning.
Piece = tuple[str, str, str]
HEADING, TEXT, VERBATIM, TERM = "heading", "text", "verbatim", "term"

GRAMMAR = """
    FILTER  { state S | exclude S }  [ EXPR ]
    EXPR    EXPR or EXPR | EXPR and EXPR | EXPR EXPR (and)
            | not EXPR | ( EXPR ) | TERM
    TERM    NAME [OP] VALUE
    OP      = != < > <= >=  (or eq ne lt gt le ge);  ~ REGEX
"""
HOSTS = """HOST is an address, a prefix (10.0.0.0/8, [2001:db8::]/32), either with a port
    (192.0.2.1:443), a host name, one of these after inet: or inet6:, or a pattern of the names of
    unix sockets (/run/*, @app, unix:*)."""
BINDING = """`not` binds tighter than `and`, `and` tighter than `or`. A term about something that
    is not known, or that a listing does not have, matches no row. ~ takes a regular expression as
    Python writes them, without look-arounds and back-references. With a state, -l and -a choose
    no rows."""
LISTINGS = {
    "sockets": "InetSocket", "unix": "UnixSocket", "packet": "PacketSocket",
    "netlink": "NetlinkSocket", "vsock": "VsockSocket", "routes": "Route",
    "interfaces": "Interface", "groups": "Group", "masquerade": "Masqueraded",
}  # fmt: skip
OPTION_OF = {
    "sockets": "-t -u -w -S", "unix": "-x", "packet": "--packet", "netlink": "--netlink",
    "vsock": "--vsock", "routes": "-r", "interfaces": "-i", "groups": "-g", "masquerade": "-M",
}  # fmt: skip
FORMATS = (
    ("classic", "netstat's text; the default."),
    ("json, jsonl", "One object; one object per line."),
    ("csv, tsv", "With a header; no cell begins a formula of a spreadsheet."),
    ("openmetrics, prometheus", "Counts for Prometheus, in its new and its old text format."),
    (
        "simple, github, html, rst, ...",
        "Tables, as tabulate draws them. Names are escaped in those"
        " that a browser or a typesetter renders; unsafehtml and latex_raw are refused.",
    ),
)


def filters() -> Iterator[Piece]:
    from ..stages.filters.grammar import SIGNS, TERMS, further_fields

    signs = {name: sign for sign, name in SIGNS.items()}
    yield TEXT, "", "--filter takes an expression in the manner of ss:"
    yield VERBATIM, "", dedent(GRAMMAR).strip("\n")
    for name, (operators, value) in TERMS.items():
        allowed = " ".join(signs[operator] for operator in operators)
        yield TERM, name, f"{value}; {allowed}" if value else "the kernel chose the local port"
    yield TEXT, "", " ".join(HOSTS.split())
    yield TEXT, "", " ".join(BINDING.split())
    names = ", ".join(sorted(further_fields()))
    yield TEXT, "", f"Fields of --details, --tcp-info, --memory and --rates are terms too: {names}."


def states() -> Iterator[Piece]:
    from ..stages.filters.terms import GROUPS, STATES

    yield TEXT, "", f"--state, and `state` in a filter, take: {', '.join(STATES)}."
    for name, members in GROUPS.items():
        found = [state for state in STATES if state in members]
        yield TERM, name, ", ".join(found)
    yield TEXT, "", "netstat's spellings (CLOSE_WAIT) are taken too."


def columns() -> Iterator[Piece]:
    yield TEXT, "", "--columns, --sort and --count-by take these fields; records have them all."
    definitions = schema_document()["$defs"]
    for listing, record in LISTINGS.items():
        yield HEADING, "", f"{listing} ({OPTION_OF[listing]})"
        for name, field in definitions[record]["properties"].items():
            yield TERM, name, typed_meaning(field)
    socket = definitions["InetSocket"]["properties"]
    for option in ("tcp_info", "memory"):
        yield HEADING, "", f"within {option}, and by its own name in filters"
        for name, field in socket[option]["properties"].items():
            yield TERM, name, typed_meaning(field)
    yield HEADING, "", "within details"
    for name, field in definitions["process"]["properties"].items():
        yield TERM, name, typed_meaning(field)
    yield TEXT, "", "--count-by also takes remote_network/24 and the like."


def formats() -> Iterator[Piece]:
    yield TEXT, "", "--format takes:"
    for name, meaning in FORMATS:
        yield TERM, name, meaning


def diagnose() -> Iterator[Piece]:
    from ..diagnosis import RULES
    from ..diagnosis.rule import limit_words

    yield TEXT, "", "The rules of --diagnose. --ignore leaves rules out; --limit changes a limit."
    for rule in RULES:
        yield HEADING, "", rule.name
        yield TERM, "Means", rule.means
        yield TERM, "Causes", rule.causes
        yield TERM, "To do", rule.advice
        if rule.limits:
            yield TERM, "Limits", limit_words(rule.limits, rule.thresholds)
            names = [f"{rule.name}.{limit.name}={limit.value:g}" for limit in rule.limits]
            yield TERM, "--limit", ", ".join(names)


TOPICS: dict[str, Callable[[], Iterator[Piece]]] = {
    "filters": filters,
    "states": states,
    "columns": columns,
    "fields": columns,
    "formats": formats,
    "diagnose": diagnose,
}


def schema_document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        files("pynetstat").joinpath("schema.json").read_text("utf-8")
    )
    return found


def typed_meaning(field: dict[str, Any]) -> str:
    """The type of a field of the schema, and its meaning."""
    kinds = field.get("type", field.get("$ref", "").rpartition("/")[2])
    words = kinds if isinstance(kinds, list) else [kinds]
    kind = next((word for word in words if word and word != "null"), "")
    kind = {"object": "object", "objects": "list", "names": "list", "array": "list"}.get(kind, kind)
    return f"({kind}) {field.get('description', '')}".strip()


def topic_text(topic: str, width: int) -> str | None:
    """A topic for a terminal; None where there is no such topic."""
    from .help import indented, two_columns

    if topic not in TOPICS:
        return None
    lines: list[str] = []
    terms: list[tuple[str, str]] = []

    def flush() -> None:
        if terms:
            lines.extend(two_columns(terms, 24, width))
            terms.clear()

    for kind, name, text in TOPICS[topic]():
        if kind == TERM:
            terms.append((name, text))
            continue
        flush()
        lines.extend([""] * bool(lines and lines[-1]))
        if kind == VERBATIM:
            lines.extend(f"  {line}" for line in text.split("\n"))
            lines.append("")
        elif kind == HEADING:
            lines.append(f"{text}:")
        else:
            lines.extend([*indented(text, 0, width), ""])
    flush()
    return "\n".join(lines).rstrip("\n") + "\n"


def no_topic(topic: str) -> str:
    """What to say to a topic that there is not."""
    hint = nearest(topic, TOPICS) or f"; the topics are: {', '.join(TOPICS)}"
    return f"no help on `{topic}'{hint}"
