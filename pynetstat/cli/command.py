"""The click command: the entry point for programs and tests, and what the shell completes."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import click
from click.core import ParameterSource

from ..options import Misuse
from ..settings import SETTINGS, SUMMARY, Setting
from .action import fields_of_words, run
from .help import help_text
from .reading import End, Reading, defaults
from .types import TYPES
from .values import converted


class Netstat(click.Command):
    """A click command whose arguments are read once, as netstat's getopt reads them.

    click gives the entry point and completion; the options are those of the table.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:  # a shell that completes has only half of a line
            super().parse_args(ctx, [])  # by which click learns how an option begins
            self.half(ctx, args)
            return []
        try:
            ctx.params = fields_of_words(args, ctx.info_name or "")
        except SystemExit as end:
            ctx.exit(end.code)  # type: ignore[arg-type] # a number
        return []

    def half(self, ctx: click.Context, args: list[str]) -> None:
        """Take what is valid of an unfinished command line."""
        reading = Reading("POSIXLY_CORRECT" in os.environ, sys.platform)
        with contextlib.suppress(End):
            for _ in reading.read(args):
                pass
        ctx.params = defaults()
        for setting, value in reading.said.values():
            with contextlib.suppress(Misuse):
                ctx.params[setting.field] = converted(setting, value)
                ctx.set_parameter_source(setting.field, ParameterSource.COMMANDLINE)

    def get_help(self, ctx: click.Context) -> str:
        return help_text(ctx.info_name or "").rstrip()


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


main = Netstat(
    "pynetstat",
    callback=run,
    params=[click_option(setting) for setting in SETTINGS],
    help=SUMMARY,
    add_help_option=False,
)
