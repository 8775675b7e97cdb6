"""--explain: a word that --diagnose or a column uses, what causes it, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from ..kernel.states import FILTER_WORDS
from ..options import Misuse, Options
from ..run import put
from ..stages.filters.terms import states_called
from . import RULES
from .glossary import WORDS, Word
from .report import Page
from .rule import Rule, limit_words

ENTRIES: dict[str, Rule | Word] = {
    **{rule.name: rule for rule in RULES},
    **{word.name: word for word in WORDS},
}


def explain(word: str, options: Options, out: BinaryIO, *_: object) -> int:
    """Print what is known of a rule or a state, in whatever spelling; Misuse where there is no
    such word. Nothing is asked of the system."""
    name = known(word)
    if name is None:
        raise Misuse(unknown(word))
    page = Page(out)
    texts = [page.painted("information", name)]
    for title, said in told(name):
        texts += page.paragraph(title, said)
    put(out, "".join(f"{text}\n" for text in texts).encode(), flush=True)
    return 0


def told(name: str) -> Iterator[tuple[str, str]]:
    entry = ENTRIES[name]
    yield "Means", entry.means
    yield "Causes", entry.causes
    yield "To do", entry.advice
    if isinstance(entry, Rule):
        yield "Limits", limit_words(entry.limits)


def plain(word: str) -> str:
    return "".join(filter(str.isalnum, word)).lower()


def known(word: str) -> str | None:
    """CLOSE_WAIT for `close-wait`, `Close Wait` and the like."""
    names = {plain(name): name for name in words()}
    states = states_called(plain(word)) or ()
    if len(states) == 1:
        (state,) = states
        return next(name for name, word in FILTER_WORDS.items() if word == state)
    return names.get(plain(word))


def words() -> list[str]:
    return list(ENTRIES)


def unknown(word: str) -> str:
    from difflib import get_close_matches

    valid = {plain(name): name for name in words()}
    near = [valid[name] for name in get_close_matches(plain(word), valid, 3, 0.5)]
    meant = f"; did you mean {' or '.join(near)}?" if near else "."
    return f"--explain: no word `{word}'{meant}\nThere are: {', '.join(words())}"
