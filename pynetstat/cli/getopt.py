"""getopt's manners: how netstat reads a command line, option by option, left to right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..settings import FAMILY_OPTIONS, SETTINGS

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import NamedTuple

    from .manners import Manners
else:
    from ..tuples import NamedTuple

# netstat's long options in getopt's order, each with the letter that makes two of them the same.
# The order decides what an abbreviation means and what its complaint lists.
LONG = [(name, "AF") for name in FAMILY_OPTIONS] + [
    (setting.long, setting.letter or setting.long)
    for setting in sorted(SETTINGS, key=lambda setting: setting.netstat or 0)
    if setting.netstat
]
# -d does nothing; -? is answered with the usage.
SHORT = {setting.letter: setting.long for setting in SETTINGS if setting.letter}
SHORT |= {"d": "", "?": "?"}
# Our own long options, and whether each takes a value.
OWN = {
    setting.long: setting.takes
    for setting in SETTINGS
    if setting.netstat is None and setting.kind != "family"
}

# Options that may stand at the end of the line without their value, and what it is then.
ALONE = {"explain": "words", "lsof": ""}


class Bad(Exception):
    """An option that netstat does not know or that is used wrongly: exit status 3.

    `name` is the unknown long option, `letter` the letter; `hint`
    says what would be right.
    """

    def __init__(self, message: str, name: str = "", letter: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.name, self.letter, self.hint = name, letter, hint


class Word(NamedTuple):
    """One option as it was meant: its full name, and its value where it has one."""

    name: str
    value: str | None = None


def option_words(
    argv: Sequence[str],
    own: Mapping[str, bool],
    strict: bool = False,
    manners: Manners | None = None,
    ignored: list[str] | None = None,
) -> Iterator[Word]:
    """The options of a command line, in order; operands are passed over, as netstat does, and
    entered in `ignored`.

    `own` are our own long options, and whether each takes a value. netstat's abbreviations
    go before them. `strict` is POSIXLY_CORRECT: the first operand ends the options. `manners`
    are those of another system than Linux; there no operand is passed over.
    """
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            if manners:
                for operand in rest:
                    yield from manners.stray(operand)
            return
        if word.startswith("--"):
            yield long_option(word, rest, own)
        elif word[:6].lower() == "-stcp:":
            yield Word("-sTCP", word)
        elif len(word) > 1 and word.startswith(("-", "/") if manners and manners.slash else "-"):
            yield from short_options(word[1:], rest, manners)
        elif manners:
            yield from manners.stray(word)
        elif strict:
            return
        elif ignored is not None:
            ignored.append(word)


def short_options(letters: str, rest: list[str], manners: Manners | None = None) -> Iterator[Word]:
    while letters:
        letter, letters = letters[0], letters[1:]
        meant = manners.option(letter, letters, rest) if manners else None
        if meant:
            meaning, letters = meant
            yield from meaning
            continue
        if letter not in SHORT:
            raise Bad(f"invalid option -- '{letter}'", letter=letter)
        if letter == "A":
            if not letters and not rest:
                raise Bad("option requires an argument -- 'A'")
            yield Word("protocol", letters or rest.pop(0))
            return
        if SHORT[letter] in FAMILY_OPTIONS:
            yield Word("protocol", SHORT[letter])
        elif SHORT[letter]:
            yield Word(SHORT[letter])


def long_option(word: str, rest: list[str], own: Mapping[str, bool]) -> Word:
    typed, equals, value = word[2:].partition("=")
    name = resolve(typed, word, own, bool(equals), rest)
    takes = name == "protocol" or own.get(name, False)
    if equals and not takes:
        raise Bad(f"option '--{name}' doesn't allow an argument")
    if takes and not equals:
        if not rest and name not in ALONE:
            raise Bad(f"option '--{name}' requires an argument")
        alone = not rest or (name in ALONE and rest[0].startswith("-"))
        value = ALONE[name] if alone else rest.pop(0)
    if name in FAMILY_OPTIONS and name not in own:
        return Word("protocol", name) if name != "tcpip" else Word("tcpip")
    return Word(name, value if takes else None)


def resolve(
    typed: str, word: str, own: Mapping[str, bool], equals: bool, rest: Sequence[str]
) -> str:
    """The full name of a long option: exact, else netstat's abbreviation, else one of ours.

    `--program` has been netstat's `--programs` for ever; it is ours only where a name follows.
    """
    known = [name for name, _ in LONG]
    if typed == "program" and not equals and (not rest or rest[0].startswith("-")):
        return "programs"
    if typed in known or typed in own:
        return typed
    matches = [pair for pair in LONG if pair[0].startswith(typed)]
    if not matches:
        matches = [(name, name) for name in own if name.startswith(typed)]
    if not matches:
        raise Bad(f"unrecognized option '{word}'", typed)
    first = matches[0]
    others = [name for name, letter in matches[1:] if letter != first[1]]
    if others:
        listed = " ".join(f"'--{name}'" for name in (first[0], *others))
        raise Bad(f"option '{word}' is ambiguous; possibilities: {listed}")
    return first[0]
