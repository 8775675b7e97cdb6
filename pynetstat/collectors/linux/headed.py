"""Tables of the kernel that name their columns in the first line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from ...kernel.proc import Proc, lines_of
from ...listing import Report

WORDS = re.compile(r"[^ \t|]+")
WORD = re.compile(r"\s*\S+", re.ASCII)
NUMBER = re.compile(r"\s*([-+]?\d+)", re.ASCII)
ADDRESS = re.compile(r"\s*([0-9A-Fa-f]{1,8})(?!\S)", re.ASCII)
PIECES = {
    "Iface": re.compile(r"\s*(\S{1,15})", re.ASCII),
    "Flags": re.compile(r"\s*([0-9A-Fa-f]+)", re.ASCII),
    **dict.fromkeys(("Destination", "Gateway", "Mask", "Source", "SpecDst"), ADDRESS),
}


class Lacking(LookupError):
    """A column that is not there, or not where it belongs."""


class Heading:
    """The columns of a table by its first line: the needed ones must be there, in this order;
    others may stand among them. A row with fewer than `least` of them is skipped."""

    def __init__(self, line: str, needed: Sequence[str], least: int) -> None:
        self.needed, self.least = needed, least
        self.pieces: list[re.Pattern[str]] = []
        place = 0
        for word in WORDS.findall(line):
            if place < len(needed) and word == needed[place]:
                self.pieces.append(PIECES.get(word, NUMBER))
                place += 1
            elif place < len(needed):
                self.pieces.append(WORD)
        if place < len(needed):
            raise Lacking(needed[place])
        self.plain = len(self.pieces) == len(needed)

    def read(self, line: str) -> tuple[str, ...] | None:
        """The needed words of a line, with zeros for what lacks at its end."""
        found: list[str] = []
        position = 0
        for piece in self.pieces:
            match = piece.match(line, position)
            if match is None:
                break
            position = match.end()
            found += match.groups()
        if len(found) < self.least:
            return None
        return (*found, *"0" * (len(self.needed) - len(found)))


def read_lines(
    outcome: Report, name: str, block: str, first: int, read: Callable[[str], Any]
) -> list[Any]:
    """Line by line, where a block holds something that no kernel of today prints."""
    rows = []
    for number, line in enumerate(lines_of(block), first):
        row = read(line)
        if row is not None:
            rows.append(row)
        elif line.strip(" \t\n\v\f\r"):
            outcome.warn(f"warning, got bogus {name} line {number}.")
    return rows


def read_rows(proc: Proc, outcome: Report, name: str, row: re.Pattern[str]) -> Iterator[list[Any]]:
    """The rows of a table below its heading, block by block; other lines are reported."""
    first = 1
    for block in proc.blocks(f"net/{name}"):
        if first == 1:
            block = block.partition("\n")[2]
        rows = row.findall(block)
        if block and (len(rows) != block.count("\n") or not block.endswith("\n")):
            rows = read_lines(outcome, name, block, first, partial(groups_of, row))
        first += block.count("\n") + 1
        if rows:
            yield rows


def groups_of(row: re.Pattern[str], line: str) -> tuple[str, ...] | None:
    match = row.match(f"{line}\n")
    return match.groups() if match else None
