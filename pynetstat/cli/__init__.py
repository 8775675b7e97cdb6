"""The command line: click's options, read with getopt's manners, become Options."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

import click
from click.core import ParameterSource

from .. import __version__
from ..kernel.proc import Proc, Stop
from ..options import Misuse, Options
from ..settings import EXAMPLES, SETTINGS, SUMMARY, Setting
from .reading import End, Reading, defaults
from .types import TYPES

USAGE = "Usage: pynetstat [-r | -i | -g | -s | -M] [OPTIONS]    (pynetstat --help tells them all)\n"


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
                    click.echo(notice, err=True)
        except End as end:
            if not half:
                self.end(ctx, end)
        ctx.params = defaults()
        for setting, value in reading.said.values():
            try:
                ctx.params[setting.field] = converted(setting, value, ctx)
                ctx.set_parameter_source(setting.field, ParameterSource.COMMANDLINE)
            except click.UsageError as error:
                if not half:
                    click.echo(f"{ctx.info_name}: {error.message}", err=True)
                    ctx.exit(misused("diagnose" in reading.said))
        return []

    def end(self, ctx: click.Context, end: End) -> None:
        """The command line itself ends the program: with a text, or for what is wrong with it."""
        if end.show == "usage":
            message = f"{ctx.info_name}: {end.message}\n" if end.message else ""
            click.echo(message + USAGE, err=True, nl=False)
        elif end.message:
            click.echo(end.message, err=True)
        elif end.show == "help":
            click.echo(ctx.get_help())
        elif end.show == "version":
            click.echo(f"pynetstat {__version__}")
        ctx.exit(end.status)

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
    if given.pop("json_schema"):
        sys.exit(print_schema())
    diagnosis = given["diagnose"]
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
        status = misused(diagnosis)
    except Stop as stop:  # of the output, which takes no more
        if stop.message:
            warn(stop.message)
        # What is left in its buffer gets a place to go.
        with contextlib.suppress(OSError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def misused(diagnosis: bool) -> int:
    """The exit status of a mistake. To a monitoring system 2 would be a critical finding."""
    return 3 if diagnosis else 2


def printer(given: dict[str, Any]) -> Callable[[Options, Proc, BinaryIO], int]:
    """What prints: the listings, the diagnosis, or the explanation of a word."""
    word, diagnosis = given.pop("explain"), given.pop("diagnose")
    if word is not None:
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


main = Netstat(
    "pynetstat",
    callback=run,
    params=[click_option(setting) for setting in SETTINGS],
    help=SUMMARY,
    add_help_option=False,
)
