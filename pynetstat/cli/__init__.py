"""The command line: click's options, read with getopt's manners, become Options."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, NoReturn

import click

from .. import __version__
from ..kernel.proc import Proc, Stop
from ..options import FAMILIES, MODES, Misuse, Options, nearest
from .getopt import LONG, Bad, words
from .settings import EXAMPLES, OPTIONS, TITLE_PLACES

USAGE = "Usage: pynetstat [-r | -i | -g | -s | -M] [OPTIONS]    (pynetstat --help tells them all)"


class Netstat(click.Command):
    """A click command whose arguments are read as netstat's getopt reads them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            # A shell that completes has only half of a line; click knows how to take that.
            said = args if ctx.resilient_parsing else self.canonical(ctx, args)
            return super().parse_args(ctx, said)
        except click.UsageError as error:
            warn(f"{ctx.info_name}: {error.format_message()}")
            ctx.exit(2)
        except Stop as stop:
            ctx.exit(stopped(stop))

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
                    self.usage(ctx, error=word.name == "?")
                elif word.name == "version":
                    tell(f"pynetstat {__version__}\n")
                    ctx.exit(0)
                elif word.name == "tcpip":
                    warn("netstat.c: Internal Error `longopts 1 range'.")
                elif word.name == "protocol":
                    said += family_options(word.value or "", families)
                elif word.name == "context" and not selinux():
                    warn("SELinux is not enabled on this machine.")
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

    def usage(self, ctx: click.Context, error: bool) -> NoReturn:
        if error:
            wrong(ctx, "")
        tell(f"{ctx.get_help()}\n")
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
        warn(message)
    warn(USAGE)
    ctx.exit(3)


def family_options(value: str, families: list[str]) -> list[str]:
    """`inet,unix` -> --protocol inet --protocol unix; an unknown one ends the program."""
    said = []
    for word in value[:255].split(","):
        if word not in FAMILIES:
            warn(f"Unknown address family `{word}'.")
            click.get_current_context().exit(1)
        name = FAMILIES[word]
        if len(",".join(families)) + 1 + len(name) >= 256:
            warn("Too much address family arguments.")
            break
        families.append(name)
        said += ["--protocol", name]
    return said


def selinux() -> bool:
    """As the C library tells it: selinuxfs is mounted and there is a configuration."""
    return os.path.exists("/sys/fs/selinux/enforce") and os.path.exists("/etc/selinux/config")


def run(**given: Any) -> None:
    """Show network connections, routes, interfaces, groups and statistics."""
    del given["help"], given["version"]  # acted upon while the options were read
    try:
        if given.pop("json_schema"):
            sys.exit(print_schema())
        show = printer(given)
        proc = Proc(given["root"], warn)
        if sys.stderr and sys.stderr.isatty():
            proc.progress = progress
        status = show(settled(given), proc, sys.stdout.buffer)
    except Misuse as misuse:
        warn(f"pynetstat: {misuse}")
        status = 2
    except Stop as stop:
        status = stopped(stop)
    sys.exit(status)


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


def printer(given: dict[str, Any]) -> Callable[[Options, Proc, BinaryIO], int]:
    """What prints: the listings, the diagnosis, or the explanation of a word."""
    word, diagnosis = given.pop("explain"), given.pop("diagnose")
    if word is not None:
        from ..diagnosis.explain import explain

        return partial(explain, word)
    if diagnosis:
        from ..diagnosis import show as show_diagnosis

        if given["continuous"] or given["rounds"]:
            raise Misuse("--diagnose looks once (twice, --interval apart): no -c, no --count")
        return show_diagnosis
    from ..run import show

    return show


def print_schema() -> int:
    from importlib.resources import files

    tell(files("pynetstat").joinpath("schema.json").read_text("utf-8"))
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


for decorate in reversed(OPTIONS):
    run = decorate(run)
main: click.Command = click.command(cls=Netstat, add_help_option=False)(run)
