"""Filters: which rows to keep, said in the manner of ss or by an option of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from ...kernel.bytecode import Condition
from ...listing import DETAILS, MORE_DETAILS, OWNED
from ...options import Options
from ...table import Table
from .grammar import FilterError, Parser, no_state
from .hosts import either_port
from .terms import (
    Term,
    both,
    match_holder,
    match_number,
    match_state,
    match_text,
    states_called,
    user,
)

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Filter", "FilterError", "from_options", "parse"]

# What is known of a socket only when its owner, or a name, has been asked for.
LATE = OWNED | {"user", *DETAILS, *MORE_DETAILS}


class Filter:
    """Which rows to keep: those that meet every one of the parts.

    `names_state`: a state was named, so that netstat's own choice of rows (no listeners
    without -a or -l) is not to be made.
    """

    def __init__(self, parts: Iterable[Term], names_state: bool = False) -> None:
        self.parts, self.names_state = tuple(parts), names_state

    @property
    def fields(self) -> frozenset[str]:
        """The fields of a record that it reads."""
        return frozenset().union(*(part.fields for part in self.parts))

    @property
    def kernel(self) -> Condition | None:
        """What the kernel can check of it."""
        return both(self.parts).kernel if self.parts else None

    def mask(self, table: Table) -> Sequence[bool]:
        """For every row of a table: is it to be kept?"""
        return both(self.parts).mask(table) if self.parts else [True] * len(table)

    def keep(self, table: Table) -> Table:
        return table.keep(self.mask(table)) if self.parts else table

    def check(self, record: Any) -> None:
        """FilterError where it asks something that this listing cannot answer."""
        self.mask(Table(record, 0))

    def split(self, late: frozenset[str] = LATE) -> tuple[Filter, Filter]:
        """The parts that can be asked at once, and those that wait for the late fields."""
        early = [part for part in self.parts if late.isdisjoint(part.fields)]
        rest = [part for part in self.parts if not late.isdisjoint(part.fields)]
        return Filter(early, self.names_state), Filter(rest, self.names_state)


def parse(
    expression: str, root: str = "/proc", untold: str = "", elsewhere: bool = False
) -> Filter:
    """The filter that an expression describes; FilterError where it describes none. `untold`:
    why the device of a socket is not known, if it is not. `elsewhere`: another host answers it,
    by its own names of users, hosts and services."""
    return Filter(*Parser(expression, root, untold, elsewhere).filter())


def without_netlink(options: Options) -> str:
    """Why the kernel cannot be asked by netlink; empty where it can."""
    if not sys.platform.startswith("linux"):
        return "this system does not tell"
    if options.root != "/proc":
        return "the kernel tells it of its own sockets, not of a copy of /proc"
    if options.source not in ("auto", "netlink"):
        return f"--source {options.source} does not tell"
    return ""


def from_options(options: Options) -> Filter | None:
    """--filter, --state, --port, --pid, --program and --user: every one has to be met."""
    parts: list[Term] = []
    names_state = bool(options.state)
    if options.filter is not None:
        untold = "" if options.elsewhere else without_netlink(options)
        given = parse(options.filter, options.root, untold, options.elsewhere)
        parts += given.parts
        names_state = names_state or given.names_state
    if options.state:
        parts.append(match_state(named_states(options.state)))
    known_there = partial(match_text, "user", "eq")  # to the host that is asked
    for name, value, make in (
        ("port", options.port, either_port),
        ("pid", options.pid, process_number),
        ("program", options.program, process_name),
        ("user", options.user, known_there if options.elsewhere else partial(user, "eq")),
    ):
        if value is not None:
            parts.append(shorthand(name, value, make))
    return Filter(parts, names_state) if parts else None


def shorthand(name: str, value: Any, make: Callable[[Any], Term]) -> Term:
    option = f"--{name} "
    shown = f"{option}{value}"
    if value == "":
        raise FilterError(shown, len(option), len(option), "expected a value")
    try:
        return make(value)
    except ValueError as error:
        raise FilterError(shown, len(option), len(shown), str(error)) from error


def named_states(names: Iterable[str]) -> frozenset[str]:
    """--state established,time-wait: any of them."""
    found: frozenset[str] = frozenset()
    for name in names:
        for word in map(str.strip, name.split(",")):
            states = states_called(word)
            if states is None:
                shown = f"--state {word}"
                raise FilterError(shown, len("--state "), len(shown), no_state(word))
            found |= states
    return found


def process_number(wanted: int) -> Term:
    return match_holder("pid", "eq", lambda how: match_number("pid", how, wanted))


def process_name(wanted: str) -> Term:
    return match_holder("program", "eq", lambda how: match_text("program", how, wanted))
