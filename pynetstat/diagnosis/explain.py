"""--explain: a word that --diagnose or a column uses, what causes it, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from ..kernel.proc import Proc
from ..kernel.states import FILTER_WORDS
from ..options import Misuse, Options
from ..run import put
from ..stages.filters.terms import states_called
from . import RULES
from .findings import limits, name_of, paragraphs, thresholds
from .report import Page
from .words import WORDS


def explain(word: str, options: Options, proc: Proc, out: BinaryIO) -> int:
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
    rule = next((rule for rule in RULES if name_of(rule) == name), None)
    meaning, causes, advice = paragraphs(rule) if rule else WORDS[name]
    yield "Means", meaning
    yield "Causes", causes
    yield "To do", advice
    yield "Limits", limits(thresholds(rule)) if rule else ""


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
    return [*map(name_of, RULES), *WORDS]


def unknown(word: str) -> str:
    from difflib import get_close_matches

    valid = {plain(name): name for name in words()}
    near = [valid[name] for name in get_close_matches(plain(word), valid, 3, 0.5)]
    meant = f"; did you mean {' or '.join(near)}?" if near else "."
    return f"--explain: no word `{word}'{meant}\nThere are: {', '.join(words())}"
