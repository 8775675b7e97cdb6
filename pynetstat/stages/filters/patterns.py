"""Regular expressions that cannot hang the program.

`re` tries every way of matching, and a stranger chooses the text: `(a+)+$` takes longer than
anybody waits for a name of forty letters. Here all ways are followed at once, so that the time is
at most the length of the text times that of the expression. Python's own parser reads the
expression, and Python's own `re` judges each single character and each place (`^`, `\\b`).
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

LARGEST = 2000  # states
REMEMBERED = 10_000  # steps remembered before starting afresh
ACCEPT = 0
REFUSED = "one with a look-around, a back-reference or a possessive repeat could take for ever"
TOO_LARGE = "it is too large"


def pattern(wanted: str) -> Callable[[str], bool]:
    """A function that tells whether the expression is found in a text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Automaton(wanted).search
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"a regular expression, but {error}") from error


class Automaton:
    """The states of an expression. A state waits for a character, or leads on without one:
    everywhere, or only at places of a kind."""

    def __init__(self, expression: str) -> None:
        modern = sys.version_info >= (3, 11)
        self.parser: Any = import_module("re._parser" if modern else "sre_parse")
        self.compiler: Any = import_module("re._compiler" if modern else "sre_compile")
        tree = self.parser.parse(expression)
        self.tree = tree
        self.waiting: dict[int, tuple[Callable[[str], Any], int]] = {}
        self.leading: dict[int, tuple[int | None, Sequence[int]]] = {}  # (place, states)
        self.places: list[Callable[[str, int], Any]] = []
        self.count = 1
        self.steps: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        self.closures: dict[tuple[Any, ...], frozenset[int]] = {}
        self.start = self.sequence(tree, ACCEPT, lambda piece: piece)

    # From the tree to states, from the end to the beginning

    def new(self) -> int:
        self.count += 1
        if self.count > LARGEST:
            raise ValueError(f"a regular expression, but {TOO_LARGE}")
        return self.count

    def lead(self, states: Sequence[int], place: int | None = None) -> int:
        state = self.new()
        self.leading[state] = place, states
        return state

    def sequence(self, pieces: Any, after: int, within: Callable[[Any], Any]) -> int:
        for piece in reversed(list(pieces)):
            after = self.piece(piece, after, within)
        return after

    def piece(self, piece: Any, after: int, within: Callable[[Any], Any]) -> int:
        """The state in which a piece of the tree begins that goes on in the state `after`."""
        parser = self.parser
        kind, value = piece
        if kind in (parser.LITERAL, parser.NOT_LITERAL, parser.ANY, parser.IN):
            state = self.new()
            self.waiting[state] = self.alone(within(piece)).match, after
            return state
        if kind is parser.AT:
            self.places.append(self.alone(within(piece)).match)
            return self.lead([after], len(self.places) - 1)
        if kind is parser.BRANCH:
            return self.lead([self.sequence(way, after, within) for way in value[1]])
        if kind is parser.SUBPATTERN:
            _, added, removed, pieces = value
            return self.sequence(pieces, after, self.flagged(added, removed, within))
        if kind in (parser.MAX_REPEAT, parser.MIN_REPEAT):
            least, most, pieces = value
            return self.repeat(least, most, pieces, after, within)
        raise ValueError(f"a regular expression, but {REFUSED}")

    def repeat(
        self, least: int, most: int, pieces: Any, after: int, within: Callable[[Any], Any]
    ) -> int:
        if most == self.parser.MAXREPEAT:
            state = self.new()
            self.leading[state] = None, [self.sequence(pieces, state, within), after]
        else:
            state = after
            for _ in range(most - least):
                state = self.lead([self.sequence(pieces, state, within), after])
        for _ in range(least):
            state = self.lead([self.sequence(pieces, state, within)])
        return state

    def flagged(
        self, added: int, removed: int, within: Callable[[Any], Any]
    ) -> Callable[[Any], Any]:
        """(?i:...) holds for each piece within."""
        if not added and not removed:
            return within
        kind = self.parser.SUBPATTERN
        return lambda piece: within((kind, (None, added, removed, self.subpattern(piece))))

    def subpattern(self, piece: Any) -> Any:
        return self.parser.SubPattern(self.tree.state, [piece])

    def alone(self, piece: Any) -> re.Pattern[str]:
        found: re.Pattern[str] = self.compiler.compile(self.subpattern(piece), 0)
        return found

    # Searching

    def search(self, text: str) -> bool:
        """True if the expression matches anywhere in the text."""
        begin = frozenset({self.start})
        states: frozenset[int] = begin
        for place in range(len(text) + 1):
            held = tuple(bool(match(text, place)) for match in self.places)
            states = self.closure(states, held)
            if ACCEPT in states:
                return True
            if place < len(text):
                states = self.step(states, text[place]) | begin
        return False

    def closure(self, states: frozenset[int], held: tuple[bool, ...]) -> frozenset[int]:
        """These states, and those they lead to without a character where these places are."""
        key = states, held
        if key in self.closures:
            return self.closures[key]
        found, rest = set(states), list(states)
        while rest:
            place, following = self.leading.get(rest.pop(), (None, ()))
            if place is None or held[place]:
                rest += [state for state in following if state not in found]
                found.update(following)
        if len(self.closures) > REMEMBERED:
            self.closures.clear()
        self.closures[key] = frozenset(found)
        return self.closures[key]

    def step(self, states: frozenset[int], letter: str) -> frozenset[int]:
        key = states, letter
        if key not in self.steps:
            if len(self.steps) > REMEMBERED:
                self.steps.clear()
            ways = [self.waiting[state] for state in states if state in self.waiting]
            self.steps[key] = frozenset(after for match, after in ways if match(letter))
        return self.steps[key]
