"""The command line: click's options, read with getopt's manners, become Options."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from . import __version__
from .getopt import Bad, words
from .options import FAMILIES, MODES, Options
from .proc import Proc

TITLE_WHAT = "What to list"
TITLE_ROWS = "Which rows"
TITLE_PRINT = "How to print"
TITLE_AGAIN = "Again and again"
TITLE_NAMES = "Names"
TITLE_PLACES = "Places and sources"

USAGE = "Usage: pynetstat [-r | -i | -g | -s | -M] [OPTIONS]    (pynetstat --help tells them all)\n"


class Option(click.Option):
    """An option with the title it stands under in --help."""

    def __init__(self, *args: Any, title: str = "", **more: Any) -> None:
        super().__init__(*args, **more)
        self.title = title


class Netstat(click.Command):
    """A click command whose arguments are read as netstat's getopt reads them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self.canonical(ctx, args))

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
            wrong(ctx, f"{ctx.info_name}: {bad}")
        if sum(said.count(f"--{mode}") for mode in MODES) > 1:
            wrong(ctx, f"{ctx.info_name}: -r, -i, -s and -M exclude each other; give one of them")
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
        metavar="FAMILY,...",
        title=TITLE_WHAT,
        help="Address families: inet (-4), inet6 (-6), unix (-x), ax25, ipx, netrom, rose, x25,"
        " ddp, bluetooth; each is an option too (--inet).",
    ),
    flag("-F", "--fib", title=TITLE_WHAT, help="With -r: the table (default)."),
    flag("-C", "--cache", title=TITLE_WHAT, help="With -r: the cache."),
    flag("-a", "--all", title=TITLE_ROWS, help="Listening and connected sockets; all interfaces."),
    flag("-l", "--listening", title=TITLE_ROWS, help="Listening sockets alone."),
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
    flag("-c", "--continuous", title=TITLE_AGAIN, help="Again every second."),
    flag("-n", "--numeric", title=TITLE_NAMES, help="No names: numbers for hosts, ports, users."),
    flag("--numeric-hosts", title=TITLE_NAMES, help="Numbers for hosts."),
    flag("--numeric-ports", title=TITLE_NAMES, help="Numbers for ports."),
    flag("--numeric-users", title=TITLE_NAMES, help="Numbers for users."),
    flag("-N", "--symbolic", title=TITLE_NAMES, help="Hardware names (routes: numbers)."),
    option(
        "--resolve-timeout",
        type=click.FloatRange(min=0),
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
]


def main(**given: Any) -> None:
    """Show network connections, routes, interfaces, groups and statistics."""
    from .run import show

    sys.exit(show(settled(given), Proc(given["root"], warn), sys.stdout.buffer))


def settled(given: dict[str, Any]) -> Options:
    """-n is all three of --numeric-*; -Z brings -p; a filter brings the stage it asks."""
    if given.pop("numeric"):
        given |= {"numeric_hosts": True, "numeric_ports": True, "numeric_users": True}
    given["programs"] = given["programs"] or given["context"]
    return Options(**given)


def warn(message: str) -> None:
    """A notice on stderr; where there is none, it is lost without harm."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(message, file=sys.stderr, flush=True)


for decorate in reversed(OPTIONS):
    main = decorate(main)
main = click.command(cls=Netstat, add_help_option=False)(main)
