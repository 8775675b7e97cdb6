"""What the options take as values, and what the shell offers to complete them.

A message says what is wrong, with the word itself and what would be right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..formats import OWN
from ..formats.markup import RAW
from ..options import Options, nearest
from ..plan import wanted
from ..settings import DEFAULTS, Setting
from ..text import printable

LONGEST = 10**8  # seconds; what is longer the system's calls do not take

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType


class Text(ParamType):
    """Any text; a type of an option of the table."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.name = setting, setting.kind

    def fail(self, message: str, param: Any = None, ctx: Any = None) -> NoReturn:
        super().fail(printable(message), param, ctx)

    def words(self, ctx: click.Context) -> Iterable[str]:
        """What the shell offers."""
        return self.setting.words

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not value:
            setting = self.setting
            self.fail(f"--{setting.long} is empty; it takes a value such as `{setting.example}'")
        return value

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[Any]:
        said = incomplete.rpartition(",") if self.setting.many else ("", "", incomplete)
        before, comma, last = said
        words = [word for word in self.words(ctx) if word.lower().startswith(last.lower())]
        return offered([f"{before}{comma}{word}" for word in words])

    def wrong(self, what: str, value: str, valid: Iterable[str]) -> Any:
        """The message for a word that is none of the valid ones."""
        valid = list(dict.fromkeys(valid))
        hint = nearest(value, valid) or f"; there are: {', '.join(valid)}"
        self.fail(f"no {what} `{value}'{hint}")


class Choice(Text):
    """One of a few words."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value not in self.setting.words:
            self.wrong(self.setting.long, value, self.setting.words)
        return value


class Format(Text):
    """netstat's text, records, or one of tabulate's formats, which alone wants tabulate."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value in RAW:
            self.fail(f"{value} escapes no program's name; use {RAW[value]}")
        if value not in OWN and value not in tabular_formats():
            self.wrong("format", value, self.words(ctx))
        return value

    def words(self, ctx: Any) -> Iterable[str]:
        return dict.fromkeys((*OWN, *tabular_formats()))


class Integer(Text):
    """A whole number, from the least on where there is one."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        least, name = self.setting.least, self.setting.long
        try:
            number = int(value)
        except ValueError:
            example = self.setting.example
            self.fail(f"`{value}' is no whole number; --{name} takes one such as {example}")
        if least is not None and number < least:
            self.fail(f"`{value}' is too small; --{name} takes {least} or more")
        return number


class Seconds(Text):
    """A time that can be waited for."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        name, least = self.setting.long, self.setting.least or 0
        try:
            seconds = float(value)
        except ValueError:
            example = self.setting.example
            self.fail(f"`{value}' is no number of seconds; --{name} takes one such as {example}")
        if not least <= seconds <= LONGEST:  # nor is `nan`
            wanted = f"--{name} takes {least} to {LONGEST} seconds"
            self.fail(f"`{value}' is no time to wait for; {wanted}")
        return seconds


class Directory(Text):
    """A directory, which the shell completes."""

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="dir")]


class Fields(Text):
    """Fields of what the command line lists so far."""

    def words(self, ctx: click.Context) -> Iterable[str]:
        from .. import collectors

        options = Options(**{name: ctx.params[name] for name in DEFAULTS if name in ctx.params})
        found = [collectors.find(*key).record._fields for key in wanted(options)]
        return dict.fromkeys(name for names in found for name in names)


class States(Text):
    """The states that filters know, and their groups."""

    def words(self, ctx: click.Context) -> Iterable[str]:
        from ..stages.filters.terms import GROUPS, STATES

        return [*STATES, *GROUPS]


class Program(Text):
    """A program's name; the shell offers those that run now."""

    def words(self, ctx: click.Context) -> Iterable[str]:
        import psutil

        return sorted({one.info["name"] or "" for one in psutil.process_iter(["name"])})


class Term(Text):
    """A word that is explained."""

    def words(self, ctx: click.Context) -> Iterable[str]:
        from ..diagnosis.explain import words

        return words()


class Rules(Text):
    """Rules of the diagnosis."""

    def words(self, ctx: click.Context) -> Iterable[str]:
        from ..diagnosis import RULES

        return [rule.name for rule in RULES]


class Limits(Text):
    """Limits of the diagnosis; the shell offers each with its built-in value."""

    def words(self, ctx: click.Context) -> Iterable[str]:
        from ..diagnosis import RULES

        return [f"{rule.name}.{one.name}={one.value:g}" for rule in RULES for one in rule.limits]


# The type of each kind of option that takes a value.
TYPES: dict[str, type[Text]] = {
    "text": Text,
    "rules": Rules,
    "limits": Limits,
    "families": Text,
    "fields": Fields,
    "states": States,
    "program": Program,
    "term": Term,
    "choice": Choice,
    "format": Format,
    "integer": Integer,
    "seconds": Seconds,
    "directory": Directory,
}


def offered(words: list[str]) -> list[Any]:
    """Words for the shell to choose from."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words]


def tabular_formats() -> list[str]:
    from tabulate import tabulate_formats

    return [name for name in tabulate_formats if name not in RAW]
