"""The command line: click's options, read with getopt's manners, become Options."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import click

from . import __version__
from .getopt import LONG, Bad, words
from .options import FAMILIES, MODES, Misuse, Options, listings, nearest
from .proc import Proc, Stop

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

LONGEST = 1e8  # seconds; what is longer the system's calls do not take
OWN_FORMATS = ("classic", "json", "jsonl", "csv", "tsv")
STATE_WORDS = (
    "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "close",
    "close-wait", "last-ack", "listening", "closing", "connected", "synchronized",
)  # fmt: skip

USAGE = "Usage: pynetstat [-r | -i | -g | -s | -M] [OPTIONS]    (pynetstat --help tells them all)\n"


class Option(click.Option):
    """An option with the title it stands under in --help."""

    def __init__(self, *args: Any, title: str = "", **more: Any) -> None:
        super().__init__(*args, **more)
        self.title = title


class Netstat(click.Command):
    """A click command whose arguments are read as netstat's getopt reads them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            # A shell that completes has only half of a line; click knows how to take that.
            said = args if ctx.resilient_parsing else self.canonical(ctx, args)
            return super().parse_args(ctx, said)
        except click.UsageError as error:
            click.echo(f"{ctx.info_name}: {error.format_message()}", err=True)
            ctx.exit(2)

    def canonical(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The same options in full, acted upon in order as netstat does: --help, --version, a
        bad option and an unknown family end the program where they stand."""
        own = {
            name[2:]: not getattr(option, "is_flag", False) and not getattr(option, "count", False)
            for option in self.get_params(ctx)
            for name in option.opts
            if name.startswith("--")
        }
        said: list[str] = []
        families: list[str] = []
        try:
            for word in words(args, own, strict="POSIXLY_CORRECT" in os.environ):
                if word.name in ("help", "?"):
                    self.tell(ctx, error=word.name == "?")
                elif word.name == "version":
                    click.echo(f"pynetstat {__version__}")
                    ctx.exit(0)
                elif word.name == "tcpip":
                    click.echo("netstat.c: Internal Error `longopts 1 range'.", err=True)
                elif word.name == "protocol":
                    said += family_options(word.value or "", families)
                elif word.name == "context" and not selinux():
                    click.echo("SELinux is not enabled on this machine.", err=True)
                    ctx.exit(1)
                else:
                    said.append(f"--{word.name}")
                    said += [] if word.value is None else [word.value]
        except Bad as bad:
            known = [name for name, _ in LONG] + list(own)
            hint = nearest(bad.name, known, "--{}") if bad.name else ""
            wrong(ctx, f"{ctx.info_name}: {bad}{hint}")
        if sum(said.count(f"--{mode}") for mode in MODES) > 1:
            wrong(ctx, f"{ctx.info_name}: -r, -i, -s and -M exclude each other; give one of them")
        if "--diagnose" in said and any(f"--{mode}" in said for mode in MODES):
            wrong(ctx, f"{ctx.info_name}: --diagnose looks at everything; -r, -i, -s and -M do not")
        return said

    def tell(self, ctx: click.Context, error: bool) -> NoReturn:
        if error:
            wrong(ctx, "")
        click.echo(ctx.get_help())
        ctx.exit(0)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record:
                groups.setdefault(getattr(param, "title", "") or TITLE_PLACES, []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)
        with formatter.section("Examples"):
            formatter.write_dl(list(EXAMPLES), col_max=34)


def wrong(ctx: click.Context, message: str) -> NoReturn:
    """A command line that makes no sense: what is wrong, the short usage, status 3."""
    if message:
        click.echo(message, err=True)
    click.echo(USAGE, err=True, nl=False)
    ctx.exit(3)


def family_options(value: str, families: list[str]) -> list[str]:
    """`inet,unix` -> --protocol inet --protocol unix; an unknown one ends the program."""
    said = []
    for word in value[:255].split(","):
        if word not in FAMILIES:
            click.echo(f"Unknown address family `{word}'.", err=True)
            click.get_current_context().exit(1)
        name = FAMILIES[word]
        if len(",".join(families)) + 1 + len(name) >= 256:
            click.echo("Too much address family arguments.", err=True)
            break
        families.append(name)
        said += ["--protocol", name]
    return said


def selinux() -> bool:
    """As the C library tells it: selinuxfs is mounted and there is a configuration."""
    return os.path.exists("/sys/fs/selinux/enforce") and os.path.exists("/etc/selinux/config")


if TYPE_CHECKING:
    Text = click.ParamType[str]
else:
    Text = click.ParamType


class Words(Text):
    """Words with commas between them."""

    name = "words"

    def __init__(self, completed: tuple[str, ...] = ()) -> None:
        self.completed = completed

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[Any]:
        before, comma, last = incomplete.rpartition(",")
        words = self.completed or fields(ctx)
        return offered([f"{before}{comma}{word}" for word in words if word.startswith(last)])


class Format(Text):
    """netstat's text, records, or one of tabulate's formats, which alone wants tabulate."""

    name = "format"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value not in OWN_FORMATS and value not in tabular_formats():
            valid = [*OWN_FORMATS, *tabular_formats()]
            hint = nearest(value, valid)
            self.fail(f"no format `{value}'{hint}; there are: {', '.join(valid)}", param, ctx)
        return value

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[Any]:
        names = [*OWN_FORMATS, *tabular_formats()]
        return offered([name for name in names if name.startswith(incomplete)])


class Seconds(click.FloatRange):
    """A time that can be waited for."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        seconds = super().convert(value, param, ctx)
        if not seconds <= LONGEST:  # nor is `nan`
            self.fail(f"{value!r} is no time to wait for", param, ctx)
        return seconds


class Program(Text):
    """A program's name; the shell offers those that run now."""

    name = "program"

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[Any]:
        import psutil

        names = {process.info["name"] or "" for process in psutil.process_iter(["name"])}
        return offered([name for name in sorted(names) if name.startswith(incomplete)])


class Term(Text):
    """A word that is explained."""

    name = "word"

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[Any]:
        from .diagnosis.explain import words

        start = incomplete.lower()
        return offered([word for word in words() if word.lower().startswith(start)])


def fields(ctx: click.Context) -> list[str]:
    """The fields of what the command line lists so far."""
    from . import collectors

    given = dict(ctx.params, families=tuple(ctx.params.get("families") or ()))
    options = Options(**{name: given[name] for name in given if name in Options.__annotations__})
    found = [collectors.find(*key).record._fields for key in listings(options)]
    return list(dict.fromkeys(name for names in found for name in names))


def offered(words: list[str]) -> list[Any]:
    """Words for the shell to choose from."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words]


def tabular_formats() -> list[str]:
    from tabulate import tabulate_formats

    return list(tabulate_formats)


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


def run(**given: Any) -> None:
    """Show network connections, routes, interfaces, groups and statistics."""
    del given["help"], given["version"]  # acted upon while the options were read
    if given.pop("json_schema"):
        sys.exit(print_schema())
    try:
        if sys.stdout is None:  # `>&-`
            raise Stop("pynetstat: standard output: closed")
        show = printer(given)
        proc = Proc(given["root"], warn)
        if sys.stderr and sys.stderr.isatty():
            proc.progress = progress
        status = show(settled(given), proc, sys.stdout.buffer)
    except Misuse as misuse:
        warn(f"pynetstat: {misuse}")
        status = 2
    except Stop as stop:  # of the output, which takes no more
        if stop.message:
            warn(stop.message)
        with contextlib.suppress(
            OSError, AttributeError
        ):  # what is left in its buffer has a place to go
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def printer(given: dict[str, Any]) -> Callable[[Options, Proc, BinaryIO], int]:
    """What prints: the listings, the diagnosis, or the explanation of a word."""
    word, diagnosis = given.pop("explain"), given.pop("diagnose")
    if word is not None:
        from .diagnosis.explain import explain

        return partial(explain, word)
    if diagnosis:
        from .diagnosis import show as show_diagnosis

        if given["continuous"] or given["rounds"]:
            raise Misuse("--diagnose looks once (twice, --interval apart): no -c, no --count")
        return show_diagnosis
    from .run import show

    return show


def print_schema() -> int:
    from importlib.resources import files

    click.echo(files("pynetstat").joinpath("schema.json").read_text("utf-8"), nl=False)
    return 0


def settled(given: dict[str, Any]) -> Options:
    """-n is all three of --numeric-*; -Z brings -p; a filter brings the stage it asks."""
    if given.pop("numeric"):
        given |= {"numeric_hosts": True, "numeric_ports": True, "numeric_users": True}
    given["programs"] = given["programs"] or given["context"]
    if given.pop("json"):
        given["format"] = "json"
    if given["rounds"] or given["interval"] != 1.0:
        given["continuous"] = True
    for name in ("columns", "sort", "count_by", "state"):
        given[name] = tuple(word for words in given[name] for word in words.split(",") if word)
    return Options(**given)


def progress(text: str) -> None:
    """One line at the terminal that is written over, and wiped in the end."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def warn(message: str) -> None:
    """A notice on stderr; where there is none, it is lost without harm."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(message, file=sys.stderr, flush=True)


for decorate in reversed(OPTIONS):
    run = decorate(run)
main: click.Command = click.command(cls=Netstat, add_help_option=False)(run)
