"""The command within the test's own process, under every version of click that we run with."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from click import Command
from click.testing import CliRunner, Result

# click 8.1 mixes stderr into stdout unless it is told not to; 8.2 knows no such parameter.
SEPARATE: dict[str, Any] = {}
if "mix_stderr" in inspect.signature(CliRunner).parameters:
    SEPARATE["mix_stderr"] = False


def invoke(main: Command, words: Sequence[str], **more: Any) -> Result:
    """click's Result of these words, with stdout and stderr apart."""
    return CliRunner(**SEPARATE).invoke(main, words, **more)
