"""The terms of a filter: each a question that is put to whole fields of a table at once."""

from __future__ import annotations

import operator
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial, reduce

from ...kernel.bytecode import All, Condition, Either, States
from ...kernel.states import FILTER_WORDS
from ...table import Table
from ...text import decode_nested, printable_text

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from ...tuples import NamedTuple


class Term(NamedTuple):
    """A question: the fields it reads, and its answer for every row of a table.

    Where a value is unknown, or the listing has no such field, the answer is no. `parts` are
    the terms of a conjunction. `kernel` is what the kernel can check of it, where it can: a
    condition that each row meets for which the answer is yes.
    """

    fields: frozenset[str]
    mask: Callable[[Table], Sequence[bool]]
    parts: tuple[Term, ...] = ()
    kernel: Condition | None = None


def both(parts: Sequence[Term]) -> Term:
    if len(parts) == 1:
        return parts[0]
    flat = tuple(one for part in parts for one in part.parts or (part,))
    known = tuple(part.kernel for part in flat if part.kernel)
    return combined(operator.and_, flat)._replace(parts=flat, kernel=All(known) if known else None)


def any_term(parts: Sequence[Term]) -> Term:
    if len(parts) == 1:
        return parts[0]
    known = tuple(part.kernel for part in parts if part.kernel)
    every = known if len(known) == len(parts) else ()
    return combined(operator.or_, parts)._replace(kernel=Either(every) if every else None)


def combined(how: Callable[[Any, Any], Any], parts: Sequence[Term]) -> Term:
    def mask(table: Table) -> list[bool]:
        masks: list[Any] = [part.mask(table) for part in parts]
        return list(reduce(partial(map, how), masks))

    return Term(frozenset().union(*(part.fields for part in parts)), mask)


def negated(test: Term) -> Term:
    return Term(test.fields, lambda table: list(map(operator.not_, test.mask(table))))


def field_values(table: Table, name: str) -> Sequence[Any]:
    """A field, or nothing but None where the listing does not have it."""
    if name in table.fields or name in table.record._field_defaults:
        return table[name]
    return [None] * len(table)


def over(name: str, choose: Callable[[set[Any]], Any]) -> Term:
    """The rows whose value is among those that `choose` takes from the distinct ones."""

    def mask(table: Table) -> list[bool]:
        field = field_values(table, name)
        chosen = choose(set(field) - {None})
        return list(map(chosen.__contains__, field))

    return Term(frozenset({name}), mask)


# Numbers and text

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "gt": operator.gt,
    "le": operator.le,
    "ge": operator.ge,
}


def match_number(name: str, how: str, wanted: int) -> Term:
    compare = COMPARE[how]
    return over(name, lambda distinct: {value for value in distinct if compare(value, wanted)})


def match_text(name: str, how: str, wanted: str) -> Term:
    """`=`, `!=`, or `~` with a regular expression that is searched for."""
    meets: Callable[[str], Any] = partial(SAME.get(name, operator.eq), wanted)
    if how == "match":
        from .patterns import pattern

        meets = pattern(wanted)
    return over(
        name,
        lambda distinct: {
            value for value in distinct if bool(meets(decode_nested(value))) is (how != "ne")
        },
    )


def same_program(wanted: str, program: str) -> bool:
    """`nginx` is also the program that calls itself `nginx: worker process`."""
    return program == wanted or program.startswith(f"{wanted}:")


def same_protocol(wanted: str, proto: str) -> bool:
    """Written as the Proto column has it; `udplite` is spelled in full as well."""
    return proto.lower() == wanted.lower().replace("udplite", "udpl")


def same_unit(wanted: str, unit: str) -> bool:
    return unit in (wanted, f"{wanted}.service")


def same_container(wanted: str, container: str) -> bool:
    """The whole id, or its first twelve digits and more."""
    return container == wanted or (len(wanted) >= 12 and container.startswith(wanted))


def container(how: str, wanted: str) -> Term:
    """A container by its id, the beginning of that, or its name."""
    by_id, by_name = (match_text(name, how, wanted) for name in ("container", "container_name"))
    if how != "ne":
        return any_term([by_id, by_name])
    return both([by_id, negated(match_text("container_name", "eq", wanted))])


def same_windows_program(wanted: str, program: str) -> bool:
    """Windows minds neither the case nor `.exe`."""
    return program.lower().removesuffix(".exe") == wanted.lower().removesuffix(".exe")


def same_windows_user(wanted: str, user: str) -> bool:
    """Nor does it mind the case of a user, whose domain need not be written."""
    user = user.lower()
    return wanted.lower() in (user, user.rpartition("\\")[2])


SAME: dict[str, Callable[[str, str], bool]] = {
    "program": same_program,
    "proto": same_protocol,
    "unit": same_unit,
    "container": same_container,
}
if sys.platform == "win32":
    SAME |= {"program": same_windows_program, "user": same_windows_user}


def match_holder(name: str, how: str, one: Callable[[str], Term]) -> Term:
    """A question about the process that holds a socket: about every holder where all are known.

    `one(how)` asks it of the field; with `!=` no holder may be the one that was named.
    """
    first = one("eq" if how == "ne" else how)
    place = operator.itemgetter(0 if name == "pid" else 1)

    def mask(table: Table) -> list[bool]:
        answers = list(first.mask(table))
        holders = field_values(table, "processes")
        if any(holders):
            distinct = {place(holder) for some in holders if some for holder in some}
            column = list(distinct)
            asked = Table(table.record, len(column), **{name: column})
            chosen = {value for value, yes in zip(column, first.mask(asked)) if yes}
            answers = [
                yes or (bool(some) and not chosen.isdisjoint(map(place, some)))
                for yes, some in zip(answers, holders)
            ]
        if how != "ne":
            return answers
        return [
            value is not None and not yes for value, yes in zip(field_values(table, name), answers)
        ]

    return Term(frozenset({name, "processes"}), mask)


def user(how: str, wanted: str) -> Term:
    """By number where the system knows the name, otherwise by the name the table has."""
    if re.fullmatch(r"\d{1,10}", wanted, re.ASCII):
        return match_number("uid", how, int(wanted))
    try:
        import pwd

        return match_number("uid", how, pwd.getpwnam(wanted).pw_uid)
    except KeyError as error:
        raise ValueError(f"no user `{printable_text(wanted)}'") from error
    except (ImportError, ValueError, OSError):
        return match_text("user", how, wanted)


def device(how: str, wanted: str, refusal: Exception | None) -> Term:
    """The interface of a route, a group or a statistic, or the one that a socket is bound to: to
    none where it has none. `refusal`: why the latter cannot be known."""

    def mask(table: Table) -> list[bool]:
        names = {"dev", "ifname"}.intersection((*table.record._fields, *table.fields))
        sockets = "local_address" in table.record._fields
        if sockets and refusal:
            raise refusal
        if sockets and how == "ne" and "dev" in table.fields:
            return [value != wanted for value in table["dev"]]
        return list(match_text(min(names, default="dev"), how, wanted).mask(table))

    return Term(frozenset({"dev"}), mask)


# States

STATES = tuple(FILTER_WORDS.values())  # as the kernel numbers them, from 1
OTHER = ""  # a state that has none of these names
ALL = frozenset((*STATES, OTHER))
CONNECTED = ALL - {"listening", "closed"}
BUCKET = frozenset({"syn-recv", "time-wait"})
GROUPS = {
    "all": ALL,
    "connected": CONNECTED,
    "synchronized": CONNECTED - {"syn-sent"},
    "bucket": BUCKET,
    "big": ALL - BUCKET,
}
# Other spellings, without the - and _; the last line is unix sockets', as ss sees them.
SPELLINGS = {name.replace("-", ""): name for name in STATES} | {
    "estab": "established",
    "synrcvd": "syn-recv",
    "synreceived": "syn-recv",
    "close": "closed",
    "unconn": "closed",
    "unconnected": "closed",
    "listen": "listening",
    **{"free": "closed", "connecting": "syn-sent", "disconnecting": "closing"},
}


def states_called(name: str) -> frozenset[str] | None:
    """`ESTAB`, `fin_wait1`, `connected`; None for any other word."""
    plain = name.lower().replace("-", "").replace("_", "")
    if plain in GROUPS:
        return GROUPS[plain]
    return frozenset({SPELLINGS[plain]}) if plain in SPELLINGS else None


def state_name_of(value: str | None) -> str:
    """What a table has: netstat's names, raw sockets' numbers, none for a socket of its own."""
    if value is None:
        return "closed"
    if value.isdecimal():
        return STATES[int(value) - 1] if 0 < int(value) <= len(STATES) else OTHER
    plain = value.lower().replace("_", "").replace(" ", "")
    return "established" if plain == "connected" else SPELLINGS.get(plain, OTHER)


def match_state(wanted: frozenset[str]) -> Term:
    def mask(table: Table) -> list[bool]:
        if "state" not in table.record._fields:
            return [False] * len(table)
        field = field_values(table, "state")
        chosen = {value for value in set(field) if state_name_of(value) in wanted}
        return list(map(chosen.__contains__, field))

    numbers = [number for number, name in enumerate(STATES, 1) if name in wanted]
    return Term(frozenset({"state"}), mask, kernel=States(sum(1 << number for number in numbers)))
