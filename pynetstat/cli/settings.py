"""The option table: all that may be said on the command line, in the order of --help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..options import FAMILIES
from .types import Format, Program, Seconds, Term, Words

TITLE_WHAT = "What to list"
TITLE_ROWS = "Which rows"
TITLE_PRINT = "How to print"
TITLE_AGAIN = "Again and again"
TITLE_DIAGNOSE = "What is wrong"
TITLE_NAMES = "Names"
TITLE_PLACES = "Places and sources"
TITLE_HELP = "Help"

EXAMPLES = (
    ("pynetstat -apA inet", "All Internet sockets, and the program that holds each."),
    ("pynetstat -tlnp", "Who listens, in numbers."),
    ("pynetstat -tap --port 8080", "Who has to do with port 8080."),
    ("pynetstat -ta --count-by state", "How many connections are in each state."),
    ("pynetstat -tanp --state close-wait", "What a program has never closed."),
    ("pynetstat -tan --json | jq '.sockets[].remote_address'", "For scripts."),
    ("pynetstat --diagnose", "Which program is causing trouble."),
    ("pynetstat -ci", "The interfaces, again every second."),
)

STATE_WORDS = (
    "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "close",
    "close-wait", "last-ack", "listening", "closing", "connected", "synchronized",
)  # fmt: skip


class Option(click.Option):
    """An option with the title it stands under in --help."""

    def __init__(self, *args: Any, title: str = "", **more: Any) -> None:
        super().__init__(*args, **more)
        self.title = title


def option(*names: str, title: str, **more: Any) -> Callable[[Any], Any]:
    return click.option(*names, cls=Option, title=title, **more)


def flag(*names: str, title: str, help: str) -> Callable[[Any], Any]:
    return option(*names, title=title, help=help, is_flag=True)


OPTIONS = [
    flag("-r", "--route", title=TITLE_WHAT, help="Routing tables."),
    flag("-i", "--interfaces", title=TITLE_WHAT, help="Interfaces and their counters."),
    flag("-g", "--groups", title=TITLE_WHAT, help="Multicast groups, beside sockets."),
    flag("-s", "--statistics", title=TITLE_WHAT, help="Counters of each protocol."),
    flag("-M", "--masquerade", title=TITLE_WHAT, help="Masqueraded connections."),
    flag("-t", "--tcp", title=TITLE_WHAT, help="TCP sockets."),
    flag("-u", "--udp", title=TITLE_WHAT, help="UDP sockets."),
    flag("-U", "--udplite", title=TITLE_WHAT, help="UDP-Lite sockets."),
    flag("-S", "--sctp", title=TITLE_WHAT, help="SCTP endpoints and associations."),
    flag("-w", "--raw", title=TITLE_WHAT, help="Raw sockets."),
    flag("-2", "--l2cap", title=TITLE_WHAT, help="Bluetooth L2CAP sockets."),
    flag("-f", "--rfcomm", title=TITLE_WHAT, help="Bluetooth RFCOMM sockets."),
    option(
        "-A",
        "--protocol",
        "families",
        multiple=True,
        type=Words(completed=tuple(FAMILIES)),
        metavar="FAMILY,...",
        title=TITLE_WHAT,
        help="Address families: inet (-4), inet6 (-6), unix (-x), ax25, ipx, netrom, rose, x25,"
        " ddp, bluetooth; each is an option too (--inet).",
    ),
    flag("-F", "--fib", title=TITLE_WHAT, help="With -r: the table (default)."),
    flag("-C", "--cache", title=TITLE_WHAT, help="With -r: the cache."),
    flag("-a", "--all", title=TITLE_ROWS, help="Listening and connected sockets; all interfaces."),
    flag("-l", "--listening", title=TITLE_ROWS, help="Listening sockets alone."),
    option(
        "--filter",
        metavar="EXPR",
        title=TITLE_ROWS,
        help="Rows that meet it, in the manner of ss: 'dport = 443 and program = firefox'.",
    ),
    option(
        "--state",
        multiple=True,
        type=Words(completed=STATE_WORDS),
        metavar="STATE,...",
        title=TITLE_ROWS,
        help="Rows in one of these states: established, listening, close-wait, ...",
    ),
    option("--port", metavar="P[,P-Q]", title=TITLE_ROWS, help="Rows with such a port."),
    option("--pid", type=int, metavar="N", title=TITLE_ROWS, help="Rows of this process."),
    option("--program", type=Program(), title=TITLE_ROWS, help="Rows of this program."),
    option("--user", metavar="NAME", title=TITLE_ROWS, help="Rows of this user."),
    flag("--fail-if-empty", title=TITLE_ROWS, help="Exit with 1 where no row is left."),
    flag("-p", "--programs", title=TITLE_PRINT, help="PID and program of each socket."),
    option(
        "-e",
        "--extend",
        count=True,
        title=TITLE_PRINT,
        help="More: users and inodes, metrics (-ee all columns), interfaces in full.",
    ),
    flag("-o", "--timers", title=TITLE_PRINT, help="Timers of each socket."),
    flag("-W", "--wide", title=TITLE_PRINT, help="Do not cut addresses."),
    flag("-Z", "--context", title=TITLE_PRINT, help="SELinux context of each program."),
    flag("-v", "--verbose", title=TITLE_PRINT, help="Say which protocols are not there."),
    option(
        "--format",
        type=Format(),
        default="classic",
        metavar="NAME",
        title=TITLE_PRINT,
        help="classic (default), json, jsonl, csv, tsv, or a format of tabulate: simple, github,"
        " html, ...",
    ),
    flag("--json", title=TITLE_PRINT, help="The same as --format json."),
    option(
        "--columns",
        type=Words(),
        multiple=True,
        metavar="FIELD,...",
        title=TITLE_PRINT,
        help="These fields of the records, in this order.",
    ),
    option(
        "--sort",
        type=Words(),
        multiple=True,
        metavar="FIELD,...",
        title=TITLE_PRINT,
        help="Sorted by these fields; -FIELD from the largest.",
    ),
    option(
        "--no-header",
        "header",
        flag_value=False,
        default=True,
        is_flag=True,
        title=TITLE_PRINT,
        help="Rows alone, without heading and header.",
    ),
    option(
        "--count-by",
        type=Words(),
        multiple=True,
        metavar="FIELD,...",
        title=TITLE_PRINT,
        help="How many rows have each value; also remote_network/24.",
    ),
    option(
        "--top",
        type=click.IntRange(min=1),
        metavar="N",
        title=TITLE_PRINT,
        help="The N largest counts alone.",
    ),
    flag("--json-schema", title=TITLE_PRINT, help="The JSON Schema of --json, and nothing else."),
    flag("-c", "--continuous", title=TITLE_AGAIN, help="Again every second."),
    option(
        "--interval",
        type=Seconds(min=0),
        default=1.0,
        metavar="SECONDS",
        title=TITLE_AGAIN,
        help="The time between rounds; brings -c. Default: 1.",
    ),
    option(
        "--count",
        "rounds",
        type=click.IntRange(min=1),
        metavar="N",
        title=TITLE_AGAIN,
        help="N rounds, then the end; brings -c.",
    ),
    flag(
        "--diagnose",
        title=TITLE_DIAGNOSE,
        help="Look for trouble, twice, --interval apart, and name the program that makes it."
        " Status 0: none, 1: warning, 2: critical, 3: could not look.",
    ),
    option(
        "--explain",
        type=Term(),
        metavar="WORD",
        title=TITLE_DIAGNOSE,
        help="What a rule of --diagnose, or a state like CLOSE_WAIT, means.",
    ),
    flag("-n", "--numeric", title=TITLE_NAMES, help="No names: numbers for hosts, ports, users."),
    flag("--numeric-hosts", title=TITLE_NAMES, help="Numbers for hosts."),
    flag("--numeric-ports", title=TITLE_NAMES, help="Numbers for ports."),
    flag("--numeric-users", title=TITLE_NAMES, help="Numbers for users."),
    flag("-N", "--symbolic", title=TITLE_NAMES, help="Hardware names (routes: numbers)."),
    option(
        "--resolve-timeout",
        type=Seconds(min=0),
        default=5.0,
        metavar="SECONDS",
        title=TITLE_NAMES,
        help="Time for all names together; then numbers. Default: 5.",
    ),
    option(
        "--proc",
        "root",
        default="/proc",
        metavar="DIR",
        type=click.Path(),
        title=TITLE_PLACES,
        help="Where /proc is mounted.",
    ),
    option(
        "--source",
        type=click.Choice(["auto", "proc", "netlink", "psutil"]),
        default="auto",
        title=TITLE_PLACES,
        help="Whom to ask.",
    ),
    flag("-h", "--help", title=TITLE_HELP, help="This text."),
    flag("-V", "--version", title=TITLE_HELP, help="The version."),
]
