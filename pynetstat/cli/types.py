"""The option's values as click's types, and what the shell offers to complete them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from ..options import Misuse, Options
from ..plan import wanted_listings
from ..settings import DEFAULTS, Setting
from .values import converted, format_names

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType


class Text(ParamType):
    """Any text; a type of an option of the table."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.name = setting, setting.kind

    def words(self, ctx: click.Context) -> Iterable[str]:
        """What the shell offers."""
        return self.setting.words

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return converted(self.setting, value)
        except Misuse as misuse:
            self.fail(str(misuse), param, ctx)

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[Any]:
        said = incomplete.rpartition(",") if self.setting.many else ("", "", incomplete)
        before, comma, last = said
        words = [word for word in self.words(ctx) if word.lower().startswith(last.lower())]
        return offered([f"{before}{comma}{word}" for word in words])


class Format(Text):
    """A format's name."""

    def words(self, ctx: Any) -> Iterable[str]:
        return format_names()


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
        found = [collectors.find_listing(*key).record._fields for key in wanted_listings(options)]
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
        from ..diagnosis.explain import all_words

        return all_words()


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
    "hosts": Text,
    "families": Text,
    "fields": Fields,
    "states": States,
    "program": Program,
    "term": Term,
    "selection": Text,
    "choice": Text,
    "format": Format,
    "integer": Text,
    "seconds": Text,
    "directory": Directory,
}


def offered(words: list[str]) -> list[Any]:
    """Words for the shell to choose from."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words]
