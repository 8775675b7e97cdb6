"""The part of a filter that the kernel can check while it walks its table of tcp sockets.

A condition may let through more than the filter means: the filter is asked about every row that
the kernel gives. It must never hold back a row that the filter would keep.
"""

from __future__ import annotations

from functools import reduce
from operator import and_, or_
from struct import Struct

from . import netlink

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from ..tuples import NamedTuple


class Ports(NamedTuple):
    """The port at one end ("local" or "remote") is in this range, both ends included."""

    side: str
    first: int
    last: int


class Prefix(NamedTuple):
    """The address at one end begins with the first `length` bits of `packed`. The kernel takes
    an IPv4 address for the same one mapped into IPv6, as filters do."""

    side: str
    family: int
    packed: bytes
    length: int


class States(NamedTuple):
    """The state is one of this mask."""

    mask: int


class All(NamedTuple):
    parts: tuple[Condition, ...]


class Either(NamedTuple):
    parts: tuple[Condition, ...]


Condition = Ports | Prefix | States | All | Either

EVERY = 0xFFE  # the states 1 (ESTABLISHED) to 11 (CLOSING)
BYTECODE = 1  # INET_DIAG_REQ_BYTECODE (linux/inet_diag.h)
# struct inet_diag_bc_op: what to ask, and how many bytes to go on where it holds and where not.
# A port is the last number of a second such struct.
OP = Struct("=BBH")
JUMP = 1
LEAST = {"local": 2, "remote": 4}  # INET_DIAG_BC_S_GE and D_GE
MOST = {"local": 3, "remote": 5}
HOST = {"local": 7, "remote": 8}  # INET_DIAG_BC_S_COND and D_COND
# struct inet_diag_hostcond: family, bits of the prefix, port (-1: any); the address follows
PREFIX = Struct("=BBxxi")
REJECT = 4  # bytes beyond the end of the program
LONGEST = 8192  # bytes of a program; a longer one costs more than it saves


def states_of_condition(condition: Condition | None) -> int:
    """A mask of the states that rows can have."""
    if isinstance(condition, States):
        return condition.mask
    if isinstance(condition, All):
        return reduce(and_, map(states_of_condition, condition.parts), EVERY)
    if isinstance(condition, Either):
        return reduce(or_, map(states_of_condition, condition.parts), 0)
    return EVERY


def bytecode_attribute(condition: Condition | None) -> bytes:
    """The attribute of a request; empty where there is nothing to check."""
    rest = without_states(condition)
    code = program(rest, REJECT) if rest else b""
    if not code or len(code) > LONGEST:
        return b""
    return netlink.ATTRIBUTE.pack(netlink.ATTRIBUTE.size + len(code), BYTECODE) + code


def without_states(condition: Condition | None) -> Condition | None:
    """What is left for the program; None where any row may pass."""
    if isinstance(condition, (All, Either)):
        parts = tuple(part for one in condition.parts if (part := without_states(one)))
        if isinstance(condition, All):
            return All(parts) if parts else None
        return Either(parts) if len(parts) == len(condition.parts) else None
    return None if isinstance(condition, States) else condition


def program(condition: Condition, fail: int) -> bytes:
    """The operations for a condition. Where it holds, what follows them is next; otherwise what
    stands `fail` bytes behind them."""
    if isinstance(condition, All):
        code = b""
        for part in reversed(condition.parts):
            code = program(part, len(code) + fail) + code
        return code
    if isinstance(condition, Either):
        *others, last = condition.parts
        code = program(last, fail)
        for part in reversed(others):
            jump = OP.pack(JUMP, OP.size, min(OP.size + len(code), 0xFFFF))
            code = program(part, len(jump)) + jump + code
        return code
    if isinstance(condition, Ports):
        most = port_test(MOST[condition.side], condition.last, fail)
        return port_test(LEAST[condition.side], condition.first, len(most) + fail) + most
    if isinstance(condition, Prefix):
        wanted = PREFIX.pack(condition.family, condition.length, -1) + condition.packed
        size = OP.size + len(wanted)
        return OP.pack(HOST[condition.side], size, min(size + fail, 0xFFFF)) + wanted
    raise TypeError(condition)


def port_test(code: int, port: int, fail: int) -> bytes:
    size = 2 * OP.size
    return OP.pack(code, size, min(size + fail, 0xFFFF)) + OP.pack(0, 0, port)
