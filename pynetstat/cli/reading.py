"""A command line as what it says: each option of the table with its value as it was typed.

It needs no library. Options are acted upon in order as netstat does: --help, --version, a bad
option and an unknown family end the program where they stand.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from ..options import MODES, nearest
from ..settings import FAMILIES, SETTINGS, Setting
from .getopt import LONG, OWN, Bad, Word, option_words

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any

    from .manners import Manners

BY_NAME = {setting.long: setting for setting in SETTINGS}
PROTOCOL = BY_NAME["protocol"]


class End(Exception):
    """The command line ends the program, with this exit status.

    `show` is what is printed: "help" (on a `topic`, if one was named), "version", the short
    "usage" after the message, or nothing but the message.
    """

    def __init__(self, status: int, message: str = "", show: str = "", topic: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.show, self.topic = status, message, show, topic


class Reading:
    """What a command line says: `said` has each option by its field, with its value.

    The value is text as it was typed where the option takes one value, else what Options has:
    True, a count, a tuple of words. `strict` is POSIXLY_CORRECT: the first operand ends the
    options. `system` is sys.platform; off Linux a system has manners of its own.
    """

    def __init__(self, strict: bool = False, system: str = "linux") -> None:
        self.strict = strict
        self.system = system
        self.later: list[Word] = []  # what depends on the rest of the line
        self.said: dict[str, tuple[Setting, Any]] = {}
        self.modes = 0
        self.ignored: list[str] = []  # operands
        self.unfinished: tuple[Setting, int] | None = None  # `--columns proto, state`

    def read(self, argv: Sequence[str]) -> Iterator[str]:
        """Read it to its end, or to what ends the program (End); what netstat notes on the way."""
        try:
            manners = other_manners(argv, self.system)
            for word in option_words(argv, OWN, self.strict, manners, self.ignored):
                if word.name == "help":
                    raise End(0, show="help", topic=topic_of(argv))
                yield from self.act(word)
        except Bad as bad:
            raise End(3, f"{bad}{hint(bad)}", "usage") from bad
        self.settle()
        if self.modes > 1 and sum(field in self.said for field in MODES) == 1:
            mode = next(BY_NAME[field].letter for field in MODES if field in self.said)
            raise End(3, f"-{mode} is there twice; give it once", "usage")
        if self.modes > 1:
            raise End(3, "-r, -i, -s and -M exclude each other; give one of them", "usage")
        if self.modes and "diagnose" in self.said:
            message = "--diagnose looks at everything; -r, -i, -s and -M do not"
            raise End(3, message, "usage")

    def act(self, word: Word) -> Iterator[str]:
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
        elif word.name.startswith("-"):
            self.later.append(word)
        else:
            self.say(BY_NAME[word.name], word.value)

    def say(self, setting: Setting, text: str | None) -> None:
        before = self.value(setting)
        value: Any = text
        if setting.many:
            words = [word.strip() for word in (text or "").split(",")]
            value = (*before, *filter(None, words))
            if setting.netstat is None and words[-1] == "" != text:
                self.unfinished = setting, len(self.ignored)
        elif setting.field == "port" and before:
            value = f"{before},{text}"  # --port 80 --port 443
        elif setting.kind == "count":
            value = before + 1
        elif setting.kind == "flag":
            value = not setting.default
        self.said.pop(setting.field, None)  # the order is that of the last time
        self.said[setting.field] = setting, value
        self.modes += setting.field in MODES

    def settle(self) -> None:
        """Lists with a blank after a comma; letters of other systems whose meaning depends on the
        rest of the line."""
        while self.unfinished and len(self.ignored) > self.unfinished[1]:
            (setting, at), self.unfinished = self.unfinished, None
            word = self.ignored.pop(at)
            self.say(setting, word)
            if word.endswith(","):
                self.unfinished = setting, at
        for name, text in self.later:
            if name == "-I":
                for field in ("interfaces", "all"):
                    if field not in self.said:
                        self.say(BY_NAME[field], None)
                before = self.value(BY_NAME["filter"])
                row = f'dev = "{text}"'
                self.say(BY_NAME["filter"], f"({before}) and {row}" if before else row)
            elif name == "-L":
                self.said.pop("all", None)
            elif name == "-sTCP":
                if "lsof" not in self.said:
                    raise End(3, f"`{text}' is lsof's; it goes with --lsof", "usage")
                words = f"{self.value(BY_NAME['lsof'])} {text}"
                self.said["lsof"] = BY_NAME["lsof"], words
            elif name == "-b" and "interfaces" in self.said:
                self.say(BY_NAME["extend"], None)

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


def topic_of(argv: Sequence[str]) -> str:
    """`--help filters` -> filters: what follows a --help or -h at the end of the line."""
    if len(argv) < 2 or not argv[-2].startswith("-") or argv[-1].startswith("-"):
        return ""
    return argv[-1] if argv[-2] == "-h" or "--help".startswith(argv[-2]) else ""


def other_manners(argv: Sequence[str], system: str) -> Manners | None:
    """None on Linux without --as: letters mean what net-tools says."""
    if system.startswith("linux") and not any(word.startswith("--as") for word in argv):
        return None
    from .manners import manners_of

    return manners_of(argv, system)


# Words that people try, and what they are called.
ELSEWHERE_CALLED = {
    "output": "--format",
    "csv": "--format csv",
    "follow": "--events",
    "changes": "--events or --diff",
    "unit": "--filter 'unit = NAME'",
    "container": "--filter 'container = NAME'",
    "namespace": "--netns",
    "remote": "--host",
    "where": "--filter",
    "fields": "--columns",
    "limit-rows": "--top",
    "processes": "--programs",
}


def hint(bad: Bad) -> str:
    """What would be right instead of what is not known."""
    if bad.name in ELSEWHERE_CALLED:
        return f"; it is {ELSEWHERE_CALLED[bad.name]} here"
    if bad.name:
        return nearest(bad.name, [*(name for name, _ in LONG), *OWN], "--{}")
    if bad.letter:
        from .manners import ELSEWHERE

        known = ELSEWHERE.get(bad.letter)
        return f"; {known}" if known else ""
    return bad.hint


def defaults() -> dict[str, Any]:
    """Every field as it is where nothing is said."""
    kept = [one for one in SETTINGS if one.kind not in ("family", "immediate")]
    return {setting.field: setting.default for setting in kept}


def selinux() -> bool:
    """As the C library tells it: selinuxfs is mounted and there is a configuration."""
    return os.path.exists("/sys/fs/selinux/enforce") and os.path.exists("/etc/selinux/config")
