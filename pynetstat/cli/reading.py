"""A command line as what it says: each option of the table with its value as it was typed.

It needs no library. Options are acted upon in order as netstat does: --help, --version, a bad
option and an unknown family end the program where they stand.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from ..options import MODES, nearest
from ..settings import FAMILIES, SETTINGS, Setting
from .getopt import LONG, OWN, Bad, Word, words

BY_NAME = {setting.long: setting for setting in SETTINGS}
PROTOCOL = BY_NAME["protocol"]


class End(Exception):
    """The command line ends the program, with this exit status.

    `show` is what is printed: "help", "version", the short "usage" after the message, or nothing
    but the message.
    """

    def __init__(self, status: int, message: str = "", show: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.show = status, message, show


class Reading:
    """What a command line says: `said` has each option by its field, with its value.

    The value is text as it was typed where the option takes one value, else what Options has:
    True, a count, a tuple of words. `strict` is POSIXLY_CORRECT: the first operand ends the
    options.
    """

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.said: dict[str, tuple[Setting, Any]] = {}
        self.modes = 0

    def read(self, argv: Sequence[str]) -> Iterator[str]:
        """Read it to its end, or to what ends the program (End); what netstat notes on the way."""
        try:
            for word in words(argv, OWN, self.strict):
                yield from self.act(word)
        except Bad as bad:
            known = [*(name for name, _ in LONG), *OWN]
            hint = nearest(bad.name, known, "--{}") if bad.name else ""
            raise End(3, f"{bad}{hint}", "usage") from bad
        if self.modes > 1:
            raise End(3, "-r, -i, -s and -M exclude each other; give one of them", "usage")
        if self.modes and "diagnose" in self.said:
            message = "--diagnose looks at everything; -r, -i, -s and -M do not"
            raise End(3, message, "usage")

    def act(self, word: Word) -> Iterator[str]:
        if word.name == "help":
            raise End(0, show="help")
        if word.name == "?":
            raise End(3, show="usage")
        if word.name == "version":
            raise End(0, show="version")
        if word.name == "context" and not selinux():
            raise End(1, "SELinux is not enabled on this machine.")
        if word.name == "tcpip":
            yield "netstat.c: Internal Error `longopts 1 range'."
        elif word.name == "protocol":
            yield from self.name_families(word.value or "")
        else:
            self.say(BY_NAME[word.name], word.value)

    def say(self, setting: Setting, text: str | None) -> None:
        before = self.value(setting)
        value: Any = text
        if setting.many:
            value = (*before, *(one for one in (text or "").split(",") if one))
        elif setting.kind == "count":
            value = before + 1
        elif setting.kind == "flag":
            value = not setting.default
        self.said.pop(setting.field, None)  # the order is that of the last time
        self.said[setting.field] = setting, value
        self.modes += setting.field in MODES

    def value(self, setting: Setting) -> Any:
        return self.said[setting.field][1] if setting.field in self.said else setting.default

    def name_families(self, text: str) -> Iterator[str]:
        """`inet,unix`; an unknown family ends the program."""
        for word in text[:255].split(","):
            if word not in FAMILIES:
                raise End(1, f"Unknown address family `{word}'.")
            name = FAMILIES[word]
            if len(",".join(self.value(PROTOCOL))) + 1 + len(name) >= 256:
                yield "Too much address family arguments."
                return
            self.say(PROTOCOL, name)


def defaults() -> dict[str, Any]:
    """Every field as it is where nothing is said."""
    kept = [one for one in SETTINGS if one.kind not in ("family", "immediate")]
    return {setting.field: setting.default for setting in kept}


def selinux() -> bool:
    """As the C library tells it: selinuxfs is mounted and there is a configuration."""
    return os.path.exists("/sys/fs/selinux/enforce") and os.path.exists("/etc/selinux/config")
