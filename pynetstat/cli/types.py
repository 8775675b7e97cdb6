"""What the options take as values, and what the shell offers to complete them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..formats.markup import RAW
from ..options import Options, listings, nearest

LONGEST = 1e8  # seconds; what is longer the system's calls do not take
OWN_FORMATS = ("classic", "json", "jsonl", "csv", "tsv")

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
        if value in RAW:
            safe = RAW[value]
            self.fail(f"{value} escapes no program's name; use {safe}", param, ctx)
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
        from ..diagnosis.explain import words

        start = incomplete.lower()
        return offered([word for word in words() if word.lower().startswith(start)])


def fields(ctx: click.Context) -> list[str]:
    """The fields of what the command line lists so far."""
    from .. import collectors

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

    return [name for name in tabulate_formats if name not in RAW]
