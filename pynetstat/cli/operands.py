"""Operands, which netstat ignores in silence: what their user may have meant."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..settings import FAMILIES, SETTINGS

FLAGS = {setting.long for setting in SETTINGS if not setting.takes}


def notice(ignored: Sequence[str], said: Collection[str]) -> str:
    """One line about the operands of a command line; `said` are the fields of its options."""
    words = ", ".join(f"`{word}`" for word in ignored)
    verb = "is" if len(ignored) == 1 else "are"
    meant = likely(ignored[0], said)
    return f"{words} {verb} ignored, as netstat does" + (
        f"; did you mean {meant}?" if meant else ""
    )


def likely(word: str, said: Collection[str]) -> str:
    """The option that a word most likely stands for; "" if unknown."""
    number = word.removeprefix(":")
    if number.isascii() and number.isdecimal() and 0 < int(number[:6]) < 65536:
        return f"--interval {number}" if "continuous" in said else f"--port {number}"
    if word in FLAGS:
        return f"--{word}"
    return f"-A {word}" if word in FAMILIES else ""
