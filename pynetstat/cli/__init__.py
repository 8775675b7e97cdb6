"""The command line: click's options, read with getopt's manners, become Options."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import click
from click.core import ParameterSource

from .. import __version__
from ..listing import Stop
from ..options import Misuse, Options
from ..outcome import ignore
from ..settings import EXAMPLES, SETTINGS, SUMMARY, Setting
from .reading import End, Reading, defaults
from .types import TYPES

USAGE = "Usage: pynetstat [-r | -i | -g | -s | -M] [OPTIONS]    (pynetstat --help tells them all)"


class Netstat(click.Command):
    """A click command whose arguments are read once, as netstat's getopt reads them.

    click gives the entry point, help, completion, conversions and errors; the options are those
    of the table.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        half = ctx.resilient_parsing  # a shell that completes has only half of a line
        if half:
            super().parse_args(ctx, [])  # by which click learns how an option begins
        reading = Reading(strict="POSIXLY_CORRECT" in os.environ)
        try:
            for notice in reading.read(args):
                if not half:
                    warn(notice)
        except End as end:
            if not half:
                ctx.exit(self.end(ctx, end))
        ctx.params = defaults()
        for setting, value in reading.said.values():
            try:
                ctx.params[setting.field] = converted(setting, value, ctx)
                ctx.set_parameter_source(setting.field, ParameterSource.COMMANDLINE)
            except click.UsageError as error:
                if not half:
                    warn(f"{ctx.info_name}: {error.message}")
                    ctx.exit(misused("diagnose" in reading.said))
        return []

    def end(self, ctx: click.Context, end: End) -> int:
        """The command line itself ends the program: with a text, or for what is wrong with it;
        the exit status."""
        if end.show == "usage":
            message = f"{ctx.info_name}: {end.message}\n" if end.message else ""
            warn(message + USAGE)
        elif end.message:
            warn(end.message)
        try:
            if end.show == "help":
                tell(f"{ctx.get_help()}\n")
            elif end.show == "version":
                tell(f"pynetstat {__version__}\n")
        except Stop as stop:
            return stopped(stop)
        return end.status

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(setting.section for setting in SETTINGS):
            with formatter.section(section):
                found = [setting for setting in SETTINGS if setting.section == section]
                formatter.write_dl([(setting.usage, setting.help) for setting in found])
        with formatter.section("Examples"):
            formatter.write_dl(list(EXAMPLES), col_max=34)


def click_option(setting: Setting) -> click.Option:
    """The option as click knows it."""
    names = [f"-{setting.letter}"] * bool(setting.letter) + [f"--{setting.long}"]
    field = setting.long if setting.kind == "family" else setting.field
    more: dict[str, Any] = {"help": setting.help, "default": setting.default}
    if setting.kind == "count":
        more["count"] = True
    elif not setting.takes:
        more |= {"is_flag": True, "default": bool(setting.default)}
        more["flag_value"] = not setting.default
    else:
        more |= {"type": TYPES[setting.kind](setting), "multiple": setting.many}
        more["metavar"] = setting.metavar
    return click.Option([*names, field], **more)


def converted(setting: Setting, value: Any, ctx: click.Context) -> Any:
    """The value of an option from its text; UsageError says what is wrong with it."""
    return TYPES[setting.kind](setting).convert(value, None, ctx) if setting.takes else value


def run(**given: Any) -> None:
    """What the command does with the fields that its options gave."""
    diagnosis = given["diagnose"]
    try:
        if given.pop("json_schema"):
            sys.exit(print_schema())
        show = printer(given)
        watched = sys.stderr and sys.stderr.isatty()
        told = progress if watched else ignore
        status = show(settled(given), sys.stdout.buffer, warn, told)
    except Misuse as misuse:
        warn(f"pynetstat: {misuse}")
        status = misused(diagnosis)
    except Stop as stop:
        status = stopped(stop)
    sys.exit(status)


def misused(diagnosis: bool) -> int:
    """The exit status of a mistake. To a monitoring system 2 would be a critical finding."""
    return 3 if diagnosis else 2


def stopped(stop: Stop) -> int:
    """The status when stdout takes no more. What is left in its buffer gets a place to go, so
    that it is not complained of a second time."""
    if stop.message:
        warn(stop.message)
    with contextlib.suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def tell(text: str) -> None:
    """Text on stdout; Stop where it cannot be written."""
    from ..run import put

    put(sys.stdout.buffer, text.encode("utf-8"), flush=True)


def printer(given: dict[str, Any]) -> Callable[..., int]:
    """What prints: the listings, the diagnosis, or the explanation of a word."""
    word, diagnosis = given.pop("explain"), given.pop("diagnose")
    if word is not None:
        if diagnosis:
            raise Misuse("--diagnose and --explain exclude each other")
        from ..diagnosis.explain import explain

        return partial(explain, word)
    if diagnosis:
        from ..diagnosis import show as show_diagnosis

        if given["continuous"] or given["rounds"]:
            raise Misuse("--diagnose takes its two samples once: no -c, no --count")
        if given["perfdata"] and (given["json"] or given["format"] != "classic"):
            raise Misuse("--perfdata goes with the text; other formats have `values'")
        return show_diagnosis
    if given["format"] == "openmetrics":
        raise Misuse("openmetrics goes with --diagnose")
    for name in ("ignore", "limit", "perfdata"):
        if given[name]:
            raise Misuse(f"--{name} goes with --diagnose")
    from ..run import show

    return show


def print_schema() -> int:
    from importlib.resources import files

    tell(files("pynetstat").joinpath("schema.json").read_text("utf-8"))
    return 0


def settled(given: dict[str, Any]) -> Options:
    """The options, where -n stands for all three of --numeric-* and --json for a format."""
    if given.pop("numeric"):
        given |= {"numeric_hosts": True, "numeric_ports": True, "numeric_users": True}
    if given.pop("json"):
        if given["format"] not in ("classic", "json"):
            raise Misuse(f"--json and --format {given['format']} contradict each other")
        given["format"] = "json"
    return Options(**given)


def progress(text: str) -> None:
    """One line at the terminal that is written over, and wiped in the end."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def warn(message: str) -> None:
    """A notice on stderr, in printable text; where there is no stderr it is lost, never printed
    on stdout."""
    if sys.stderr is None:
        return
    lines = message.split("\n")
    if not all(line.isascii() and line.isprintable() for line in lines):
        from ..text import cleaned

        lines = list(map(cleaned, lines))
    with contextlib.suppress(OSError, ValueError):
        print("\n".join(lines), file=sys.stderr, flush=True)


main = Netstat(
    "pynetstat",
    callback=run,
    params=[click_option(setting) for setting in SETTINGS],
    help=SUMMARY,
    add_help_option=False,
)
