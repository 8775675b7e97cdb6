"""What the options take as values, from the text of the command line.

A message says what is wrong, with the word itself and what would be right.
"""

from __future__ import annotations

from ..formats import OWN
from ..options import Misuse, nearest

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

    from ..settings import Setting

LONGEST = 10**8  # seconds; what is longer the system's calls do not take


def converted(setting: Setting, value: Any) -> Any:
    """The value of an option, from its text where it takes one; Misuse says what is wrong."""
    convert = CONVERSIONS.get(setting.kind, text_value if setting.takes else None)
    return convert(setting, value) if convert else value


def fail(message: str) -> NoReturn:
    from ..text import printable_text

    raise Misuse(printable_text(message))


def wrong(what: str, value: str, valid: Iterable[str]) -> NoReturn:
    """Raise Misuse: the word is not among the valid ones."""
    valid = list(dict.fromkeys(valid))
    hint = nearest(value, valid) or f"; there are: {', '.join(valid)}"
    fail(f"no {what} `{value}'{hint}")


def text_value(setting: Setting, value: Any) -> Any:
    """Any text, or words, but not nothing."""
    if not value:
        fail(f"--{setting.long} is empty; it takes a value such as `{setting.example}'")
    return value


def choice(setting: Setting, value: str) -> str:
    """One of a few words."""
    if value not in setting.words:
        wrong(setting.long, value, setting.words)
    return value


def format_name(setting: Setting, value: str) -> str:
    """netstat's text, records, or one of tabulate's formats, which alone wants tabulate."""
    if value in OWN:
        return value
    from ..formats.markup import RAW

    if value in RAW:
        fail(f"{value} escapes no program's name; use {RAW[value]}")
    if value not in tabular_formats():
        wrong("format", value, format_names())
    return value


def format_names() -> list[str]:
    return list(dict.fromkeys((*OWN, *tabular_formats())))


def tabular_formats() -> list[str]:
    from tabulate import tabulate_formats

    from ..formats.markup import RAW

    return [name for name in tabulate_formats if name not in RAW]


def integer_value(setting: Setting, value: Any) -> int:
    """A whole number, from the least on where there is one."""
    least, name = setting.least, setting.long
    try:
        number = int(value)
    except ValueError:
        fail(f"`{value}' is no whole number; --{name} takes one such as {setting.example}")
    if least is not None and number < least:
        fail(f"`{value}' is too small; --{name} takes {least} or more")
    return number


def seconds_value(setting: Setting, value: Any) -> float:
    """A time that can be waited for."""
    name, least = setting.long, setting.least or 0
    try:
        time = float(value)
    except ValueError:
        fail(f"`{value}' is no number of seconds; --{name} takes one such as {setting.example}")
    if not least <= time <= LONGEST:  # nor is `nan`
        fail(f"`{value}' is no time to wait for; --{name} takes {least} to {LONGEST} seconds")
    return time


# What is more than text, by the kind of option.
CONVERSIONS: dict[str, Any] = {
    "choice": choice,
    "format": format_name,
    "integer": integer_value,
    "seconds": seconds_value,
    "selection": lambda setting, value: value or "",
}
