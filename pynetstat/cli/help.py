"""The text of --help, made from the option table."""

from __future__ import annotations

import os
import sys
from textwrap import wrap

from ..options import LINUX
from ..settings import EXAMPLES, SETTINGS, SUMMARY

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from collections.abc import Iterator

TOPIC_NAMES = ("filters", "states", "columns", "formats", "diagnose")
NARROWEST, WIDEST = 50, 78
USAGE_COLUMN, COMMAND_COLUMN = 30, 34  # at most, of the left column


def help_text(name: str) -> str:
    """Usage, every option in its section, examples; as wide as the terminal, up to WIDEST."""
    width = help_width()
    lines = [f"Usage: {name} [OPTIONS]", "", *indented(SUMMARY, 2, width)]
    for section in dict.fromkeys(setting.section for setting in SETTINGS):
        found = [setting for setting in SETTINGS if setting.section == section]
        rows = [(setting.usage, setting.help) for setting in found]
        lines += ["", f"{section}:", *two_columns(rows, USAGE_COLUMN, width)]
    lines += ["", "Examples:", *two_columns([*EXAMPLES, *own_examples()], COMMAND_COLUMN, width)]
    lines += ["", f"{name} --help TOPIC tells more: {', '.join(TOPIC_NAMES)}."]
    return "".join(f"{line}\n" for line in lines)


def help_width() -> int:
    return max(min(terminal_width() - 2, WIDEST), NARROWEST)


def own_examples() -> list[tuple[str, str]]:
    """What the fingers of this system's users know; nothing on Linux."""
    if LINUX:
        return []
    from .manners import EXAMPLES_OF

    return EXAMPLES_OF.get(sys.platform, [])


def two_columns(rows: list[tuple[str, str]], most: int, width: int) -> Iterator[str]:
    """A list in two columns; what is too long for the left one has a line of its own."""
    left = min(max(len(term) for term, _ in rows), most) + 4
    for term, meaning in rows:
        first, *more = indented(meaning, left, width)
        if len(term) > left - 4:
            yield f"  {term}"
            yield first
        else:
            yield f"  {term}".ljust(left) + first[left:]
        yield from more


def indented(text: str, left: int, width: int) -> list[str]:
    margin = " " * left
    return wrap(
        text,
        width,
        initial_indent=margin,
        subsequent_indent=margin,
        break_on_hyphens=False,
    )


def terminal_width() -> int:
    """In columns; 80 where it is not known. (shutil tells it too, after 3 ms of imports.)"""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns[:6]):
        return int(columns[:6])
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return 80
