"""The man pages, made from the option table, the topics of --help and two documents.

In a checkout: python -m pynetstat.cli.manpage
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from .. import __version__
from ..settings import EXAMPLES, SETTINGS, SUMMARY
from . import topics
from .topics import HEADING, TERM, VERBATIM, Piece

PACKAGE = Path(__file__).parents[1]
# Documents that the page has whole, by the heading that it gives them
DOCUMENTS = {"RECORDING": "recording.md", "DIFFERENCES": "differences.md"}

ABOUT = """
pynetstat shows network connections, routing tables, interfaces, multicast groups and protocol
statistics. Without an option that netstat never had, it prints the text of net-tools netstat 2.10,
byte for byte; DIFFERENCES lists the few deliberate exceptions.
Options may be bundled, abbreviated and mixed with operands, which are ignored, as getopt(3)
has it.
"""

STATUS = (
    ("0", "All went well."),
    ("1", "A table that was asked for is not there, or could not be read to its end; an unknown"
          " address family; the output could not be written; nothing matched under"
          " --fail-if-empty. Under --diagnose: a warning."),
    ("2", "A filter, field or format that makes no sense. Under --diagnose: something critical."),
    ("3", "An option that does not exist or is used wrongly. Under --diagnose: could not check,"
          " or any mistake."),
    ("255", "A table is there but cannot be opened."),
)  # fmt: skip

FILES = (
    ("/proc/net/*, /proc/*/fd", "Where all of it is read on Linux; another place with --proc."),
    ("/etc/services, /etc/protocols, /etc/networks", "Names of ports, protocols and networks."),
)

ENVIRONMENT = (
    ("POSIXLY_CORRECT", "The first operand ends the options."),
    ("NO_COLOR", "No colour, whatever the terminal can do."),
    ("_PYNETSTAT_COMPLETE", "bash_source, zsh_source, fish_source: prints the completion."),
)


DIAGNOSIS = """
pynetstat --diagnose takes two samples of all sockets, queues and counters, and says what is
wrong, worst first. Each rule compares numbers with limits. --ignore RULE leaves a rule out,
--limit RULE.NAME=N changes a limit, --interval SECONDS looks longer. The exit status is 0 where
nothing was found, 1 for a warning, 2 for something critical, 3 where a rule could not check.
"""


def roff(text: str) -> str:
    """Text as roff takes it: no line that is taken for a request, no backslash, no hyphenation."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in lines)


def page() -> Iterator[str]:
    """pynetstat(1)"""
    yield f'.TH PYNETSTAT 1 "" "pynetstat {__version__}" "User Commands"'
    yield f".SH NAME\npynetstat \\- {roff(SUMMARY.lower().rstrip('.'))}"
    yield ".SH SYNOPSIS\n.B pynetstat\n[\\-r | \\-i | \\-g | \\-s | \\-M] [\\fIOPTIONS\\fR]"
    yield f".SH DESCRIPTION\n{roff(ABOUT.strip())}"
    section = ""
    for setting in SETTINGS:
        if setting.section != section:
            section = setting.section
            yield f'.SH "{roff(section).upper()}"'
        yield from page_entry(setting.usage, setting.help)
    yield ".SH EXAMPLES"
    for command, meaning in EXAMPLES:
        yield from page_entry(command, meaning)
    for name, pieces in (
        ("FILTERS", topics.filters()),
        ("STATES", topics.states()),
        ("FORMATS", topics.formats()),
        ("FIELDS", topics.columns()),
    ):
        yield f".SH {name}"
        yield from written_pieces(pieces)
    for name, entries in (
        ("EXIT STATUS", STATUS),
        ("FILES", FILES),
        ("ENVIRONMENT", ENVIRONMENT),
    ):
        yield f'.SH "{name}"'
        for word, meaning in entries:
            yield from page_entry(word, meaning)
    for name, file in DOCUMENTS.items():
        yield f".SH {name}"
        yield from whole_document((PACKAGE.parent / ".docs" / file).read_text("utf-8"))
    yield '.SH "SEE ALSO"\n.BR pynetstat\\-diagnose (7),\n.BR netstat (8),\n.BR ss (8),'
    yield ".BR lsof (8),\n.BR proc (5)"
    yield ".SH COPYRIGHT\nThe pynetstat authors. MIT licence."


def rules_page() -> Iterator[str]:
    """pynetstat-diagnose(7)"""
    yield f'.TH PYNETSTAT\\-DIAGNOSE 7 "" "pynetstat {__version__}" "Miscellanea"'
    yield ".SH NAME\npynetstat\\-diagnose \\- the rules of pynetstat \\-\\-diagnose"
    yield f".SH DESCRIPTION\n{roff(DIAGNOSIS.strip())}"
    yield ".SH RULES"
    yield from written_pieces(topics.diagnose())
    yield '.SH "SEE ALSO"\n.BR pynetstat (1)'


def page_entry(term: str, meaning: str) -> Iterator[str]:
    yield f".TP\n.B {roff(term)}\n{roff(meaning)}"


def written_pieces(pieces: Iterable[Piece]) -> Iterator[str]:
    for kind, name, text in pieces:
        if kind == TERM:
            yield from page_entry(name, text)
        elif kind == HEADING:
            yield f'.SS "{roff(text)}"'
        elif kind == VERBATIM:
            yield f".PP\n.nf\n{roff(text)}\n.fi"
        else:
            yield f".PP\n{roff(text)}"


def whole_document(markdown: str) -> Iterator[str]:
    """The headings, paragraphs, lists and examples of a document, without its title."""
    for number, part in enumerate(re.split(r"^```.*\n", markdown, flags=re.MULTILINE)):
        if number % 2:
            yield f".PP\n.nf\n{roff(part.rstrip())}\n.fi"
        else:
            for block in part.split("\n\n")[0 if number else 1 :]:
                yield from document_block(block.strip())


def document_block(block: str) -> Iterator[str]:
    """One paragraph, or all entries of a list."""
    for part in re.split(r"^- ", block, flags=re.MULTILINE):
        text = roff(" ".join(part.split()).replace("`", "").strip("*#").strip())
        if not text:
            continue
        bullet, title = block.startswith("- "), block.startswith(("**", "## "))
        yield f'.SS "{text}"' if title else f".IP \\(bu 2\n{text}" if bullet else f".PP\n{text}"


PAGES = {"pynetstat.1": page, "pynetstat-diagnose.7": rules_page}

if __name__ == "__main__":
    for name, written in PAGES.items():
        (PACKAGE / name).write_text("\n".join(written()) + "\n", "utf-8")
