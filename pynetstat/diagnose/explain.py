"""--explain: a word that --diagnose or a column uses, what causes it, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from ..filters.terms import states_called
from ..options import Misuse
from . import RULES
from .findings import name_of, paragraphs, thresholds
from .report import Page
from .words import WORDS


def explain(word: str, page: Page) -> Iterator[str]:
    """The lines about a rule or a state, in whatever spelling; Misuse where there is no such."""
    for rule in RULES:
        if plain(name_of(rule)) == plain(word):
            yield name_of(rule)
            meaning, causes, advice = paragraphs(rule)
            yield from lines(page, meaning, causes.removeprefix("Causes: "), advice)
            limits = thresholds(rule).items()
            shown = ", ".join(f"{name} {value:,}" for name, value in limits)
            yield from page.paragraph("Limits", shown)
            return
    name = known(word)
    if name is None:
        raise Misuse(unknown(word))
    yield name
    yield from lines(page, *WORDS[name])


def lines(page: Page, meaning: str, causes: str, advice: str) -> Iterator[str]:
    yield from page.paragraph("Means", meaning)
    yield from page.paragraph("Causes", causes)
    yield from page.paragraph("To do", advice.removeprefix("Do: "))


def plain(word: str) -> str:
    return "".join(filter(str.isalnum, word)).lower()


def known(word: str) -> str | None:
    """CLOSE_WAIT for `close-wait`, `Close Wait` and the like."""
    names = {plain(name): name for name in WORDS}
    states = states_called(plain(word)) or ()
    if len(states) == 1:
        state = plain(next(iter(states)))
        return names.get({"closed": "close", "listening": "listen"}.get(state, state))
    return names.get(plain(word))


def words() -> list[str]:
    return [*map(name_of, RULES), *WORDS]


def unknown(word: str) -> str:
    from difflib import get_close_matches

    valid = {plain(name): name for name in words()}
    near = [valid[name] for name in get_close_matches(plain(word), valid, 3, 0.5)]
    meant = f"; did you mean {' or '.join(near)}?" if near else "."
    return f"--explain: no word `{word}'{meant}\nThere are: {', '.join(words())}"


