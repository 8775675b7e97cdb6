"""The man page, made from the option table.

python -m pynetstat.cli.manpage > pynetstat/pynetstat.1
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import __version__
from ..settings import EXAMPLES, SETTINGS, SUMMARY

ABOUT = """
pynetstat shows network connections, routing tables, interfaces, multicast groups and protocol
statistics. Without one of the options under OUTPUT that netstat never had, its text is that of
net-tools netstat 2.10, byte for byte; the few deliberate differences are listed in README.md.
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


def roff(text: str) -> str:
    """Text as roff takes it: no line that is taken for a request, no backslash, no hyphenation."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in lines)


def page() -> Iterator[str]:
    yield f'.TH PYNETSTAT 1 "" "pynetstat {__version__}" "User Commands"'
    yield f".SH NAME\npynetstat \\- {roff(SUMMARY.lower().rstrip('.'))}"
    yield ".SH SYNOPSIS\n.B pynetstat\n[\\-r | \\-i | \\-g | \\-s | \\-M] [\\fIOPTIONS\\fR]"
    yield f".SH DESCRIPTION\n{roff(ABOUT.strip())}"
    section = ""
    for setting in SETTINGS:
        if setting.section != section:
            section = setting.section
            yield f'.SH "{roff(section).upper()}"'
        yield f".TP\n.B {roff(setting.usage)}\n{roff(setting.help)}"
    yield ".SH EXAMPLES"
    for command, meaning in EXAMPLES:
        yield f".TP\n.B {roff(command)}\n{roff(meaning)}"
    for name, entries in (
        ("EXIT STATUS", STATUS),
        ("FILES", FILES),
        ("ENVIRONMENT", ENVIRONMENT),
    ):
        yield f'.SH "{name}"'
        for word, meaning in entries:
            yield f".TP\n.B {roff(word)}\n{roff(meaning)}"
    yield '.SH "SEE ALSO"\n.BR netstat (8),\n.BR ss (8),\n.BR lsof (8),\n.BR proc (5)'


if __name__ == "__main__":
    print("\n".join(page()))
