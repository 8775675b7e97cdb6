"""--explain: what a rule of --diagnose, or a word that netstat prints, means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ..kernel.states import FILTER_WORDS
from ..options import Misuse, Options
from ..run import put
from ..stages.filters.terms import states_called
from . import RULES
from .glossary import INTERFACE_FLAGS, ROUTE_FLAGS, WORDS, Word
from .report import Page
from .rule import Rule, limit_words

Entry = Rule | Word
ENTRIES: tuple[Entry, ...] = (*RULES, *WORDS)
RULE = "Rules of --diagnose"
LIST = "words"  # asks for all of them


def explain(word: str, options: Options, out: BinaryIO, *_: object) -> int:
    """Print all meanings of a word, in whatever spelling; Misuse where there is none. Nothing is
    asked of the system."""
    page = Page(out, options.color)
    if word.strip() in ("", LIST):
        texts = words_by_subject(page)
    else:
        entries = entries_of(word)
        if not entries:
            raise Misuse(unknown(word))
        texts = []
        for entry in entries:
            texts += [""] if texts else []
            title = entry.name
            if len(entries) > 1 or len(title) == 1:
                title += f" ({subject(entry)})"
            texts.append(page.painted("information", title))
            for name, said in told_entry(entry):
                texts += page.paragraph(name, said)
    put(out, "".join(f"{text}\n" for text in texts).encode(), flush=True)
    return 0


def told_entry(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "Means", entry.means
    yield "Causes", entry.causes
    yield "To do", entry.advice
    if isinstance(entry, Rule):
        yield "Limits", limit_words(entry.limits, entry.thresholds)
        given = ", ".join(f"{name}={number:g}" for name, number in entry.thresholds.items())
        yield "Change", f"--limit {entry.name}.NAME=VALUE: {given}" if given else ""


def subject(entry: Entry) -> str:
    return RULE if isinstance(entry, Rule) else entry.subject


def words_by_subject(page: Page) -> list[str]:
    """All words by subject."""
    subjects: dict[str, dict[str, None]] = {}
    for entry in ENTRIES:
        subjects.setdefault(subject(entry), {})[entry.name] = None
    texts = ["`pynetstat --explain WORD` explains one of these:"]
    for title, names in subjects.items():
        texts += ["", page.painted("information", title)]
        texts += page.wrapped(", ".join(names), "    ")
    return texts


def plain_spelling(word: str) -> str:
    """closewait for `close-wait`, `Close Wait` and the like; `*:*` and `!` as they are."""
    return "".join(filter(str.isalnum, word)).lower() or word.strip()


def entries_of(word: str) -> list[Entry]:
    """All entries of this name: as it is written, else in another spelling, else the letters of
    flags (UG, BMRU)."""
    word = word.strip()
    exact = [entry for entry in ENTRIES if word in spellings(entry)]
    if exact:
        return exact
    if len(word) > 1:
        alike = [
            entry
            for entry in ENTRIES
            if plain_spelling(word) in map(plain_spelling, spellings(entry))
        ]
        states = states_called(plain_spelling(word)) or ()
        if not alike and len(states) == 1:
            (state,) = states
            name = next(name for name, spelling in FILTER_WORDS.items() if spelling == state)
            alike = [entry for entry in ENTRIES if entry.name == name]
        if alike:
            return alike
    for kind in (INTERFACE_FLAGS, ROUTE_FLAGS):
        letters = {entry.name: entry for entry in WORDS if entry.subject == kind}
        if word and set(word) <= letters.keys() and ("U" in word or "!" in word):
            return [letters[letter] for letter in dict.fromkeys(word)]
    return []


def spellings(entry: Entry) -> Sequence[str]:
    return (entry.name,) if isinstance(entry, Rule) else (entry.name, *entry.also)


def all_words() -> list[str]:
    return list(dict.fromkeys(entry.name for entry in ENTRIES))


def unknown(word: str) -> str:
    """What to say of a word that is not explained. Suggested is what differs by a letter or two,
    or begins or ends with the word."""
    from difflib import get_close_matches

    from ..text import safe

    names = {plain_spelling(name): name for entry in ENTRIES for name in spellings(entry)
             if len(plain_spelling(name)) > 2}  # fmt: skip
    asked = plain_spelling(word)
    near = get_close_matches(asked, names, 3, 0.8) if len(asked) > 2 else []
    if len(asked) > 3:
        near += [name for name in names if name.startswith(asked) or name.endswith(asked)]
    meant = [names[name] for name in dict.fromkeys(near)][:3]
    hint = f"; did you mean {' or '.join(meant)}?" if meant else ";"
    return f"--explain: no word `{safe(word)}'{hint} `pynetstat --explain words` lists them"
