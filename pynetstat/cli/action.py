"""What a command line does: it is read, it becomes Options, and the listing is printed."""

from __future__ import annotations

import os
import sys

from .. import __version__
from ..listing import Stop
from ..options import Misuse, Options
from ..outcome import ignore
from .reading import End, Reading, defaults
from .values import converted

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

USAGE = "Usage: pynetstat [-r | -i | -g | -s | -M] [OPTIONS]    (pynetstat --help tells them all)"


def fields_of_words(words: Sequence[str], name: str) -> dict[str, Any]:
    """Every field with its value, as the words of a command line say it; SystemExit where they
    end the program. `name` is the program's, for messages."""
    reading = Reading("POSIXLY_CORRECT" in os.environ, sys.platform)
    try:
        for notice in reading.read(words):
            warn(notice)
    except End as end:
        sys.exit(end_program(end, name))
    if reading.ignored and sys.stderr.isatty():  # scripts see no difference
        from . import operands

        warn(f"{name}: {operands.notice(reading.ignored, reading.said)}")
    given = defaults()
    try:
        for setting, value in reading.said.values():
            given[setting.field] = converted(setting, value)
    except Misuse as misuse:
        warn(f"{name}: {misuse}")
        sys.exit(misused("diagnose" in reading.said))
    return given


def end_program(end: End, name: str) -> int:
    """The command line itself ends the program: with a text, or for what is wrong with it;
    the exit status."""
    if end.show == "usage":
        message = f"{name}: {end.message}\n" if end.message else ""
        warn(message + USAGE)
    elif end.message:
        warn(end.message)
    try:
        if end.show == "help":
            if end.topic:
                return tell_topic(end.topic, name)
            from .help import help_text

            tell(help_text(name))
        elif end.show == "version":
            tell(f"pynetstat {__version__} (compatible with net-tools 2.10)\n")
    except Stop as stop:
        return stopped(stop)
    return end.status


def tell_topic(topic: str, name: str) -> int:
    from .help import help_width
    from .topics import no_topic, topic_text

    text = topic_text(topic, help_width())
    if text is None:
        warn(f"{name}: {no_topic(topic)}")
        return misused(False)
    tell(text)
    return 0


def run(**given: Any) -> None:
    """Do what the fields of a command line ask for; SystemExit with the status."""
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
    from contextlib import suppress  # here, and below: 0.4 ms of every start

    with suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def tell(text: str) -> None:
    """Text on stdout; Stop where it cannot be written."""
    from ..run import put

    put(sys.stdout.buffer, text.encode("utf-8"), flush=True)


def printer(given: dict[str, Any]) -> Callable[..., int]:
    """What prints: the listings, the diagnosis, or the explanation of a word."""
    word, diagnosis = given.pop("explain"), given.pop("diagnose")
    elsewhere = any(given[name] for name in ("host", "hosts", "inventory"))
    if word is not None:
        if diagnosis:
            raise Misuse("--diagnose and --explain exclude each other")
        from functools import partial

        from ..diagnosis.explain import explain

        return partial(explain, word)
    if diagnosis:
        from ..diagnosis import show_diagnosis as show_diagnosis

        if given["continuous"] or given["rounds"]:
            raise Misuse("--diagnose takes its two samples once: no -c, no --count")
        for name in ("events", "save", "diff", "fail_on_change"):
            if given[name]:
                raise Misuse(f"--{name.replace('_', '-')} goes with a listing, not with --diagnose")
        if given["format"] == "prometheus":
            raise Misuse("--diagnose has its metrics as openmetrics, which goes for both")
        if given["perfdata"] and (given["json"] or given["format"] != "classic"):
            raise Misuse("--perfdata goes with the text; other formats have `values'")
        if given["at"] is not None:
            from ..overtime.past_host import show_past_diagnosis

            return show_past_diagnosis
        if elsewhere:
            from ..fleet.diagnoses import show_hosts_diagnosis

            return show_hosts_diagnosis
        return show_diagnosis
    if given["at"] is not None:
        from ..overtime.past import show_past

        return show_past
    if given["since"] is not None:
        from ..overtime.past_events import show_past_events

        return show_past_events
    if given["record"] is not None:
        from ..overtime.recording import show_recording

        return show_recording
    if given["watch"]:
        from ..overtime.screen import show_screen

        return show_screen
    if given["events"]:
        from ..overtime.events import show_events as show_events

        return show_events
    if given["save"] or given["diff"]:
        from ..overtime.snapshot import show_snapshot as show_snapshot

        if elsewhere:
            from functools import partial

            from ..fleet.run import show_hosts

            return partial(show_snapshot, show=show_hosts)
        return show_snapshot
    if elsewhere:
        from ..fleet.run import show_hosts

        return show_hosts
    from ..run import show

    return show


def print_schema() -> int:
    from importlib.resources import files

    tell(files("pynetstat").joinpath("schema.json").read_text("utf-8"))
    return 0


def settled(given: dict[str, Any]) -> Options:
    """The options, where -n stands for all three of --numeric-* and --json for a format."""
    if given.pop("numeric"):
        given |= {"numeric_hosts": True, "numeric_ports": True}
        # lsof's -n and -P are of hosts and ports; its users have names
        given["numeric_users"] |= given["lsof"] is None
    if given.pop("json"):
        if given["format"] not in ("classic", "json"):
            raise Misuse(f"--json and --format {given['format']} contradict each other")
        given["format"] = "json"
    return Options(**given)


def progress(text: str) -> None:
    """One line at the terminal that is written over, and wiped in the end."""
    from contextlib import suppress

    with suppress(OSError, ValueError):
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


OURS = "pynetstat: "  # how our own messages begin


def called() -> str:
    """The name of the program: netstat where it was called so, by a link or a mount."""
    stem = os.path.basename(sys.argv[0] if sys.argv else "").removesuffix(".exe")
    return "netstat" if stem == "netstat" else "pynetstat"


def warn(message: str) -> None:
    """A notice on stderr, in printable text; where there is no stderr it is lost, never printed
    on stdout."""
    if sys.stderr is None:
        return
    from contextlib import suppress

    if message.startswith(OURS):
        message = called() + message.removeprefix("pynetstat")
    lines = message.split("\n")
    if not all(line.isascii() and line.isprintable() for line in lines):
        from ..text import cleaned

        lines = list(map(cleaned, lines))
    with suppress(OSError, ValueError):
        print("\n".join(lines), file=sys.stderr, flush=True)
