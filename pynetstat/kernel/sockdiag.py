"""The kernel's binary socket dump: a second way to the rows of /proc/net/tcp."""

from __future__ import annotations

import _socket as socket  # as netlink does
import sys
from array import array
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, islice
from struct import Struct, iter_unpack

from ..listing import Report
from . import netlink

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any, NamedTuple, TypeVar

    from ..options import Options
    from .proc import Proc

    T = TypeVar("T")
else:
    from ..tuples import NamedTuple

SOCK_DIAG_BY_FAMILY = 20
LISTEN = 10
ALL = 0xFFE  # the states 1 (ESTABLISHED) to 11 (CLOSING)
# The fields that are the same as in /proc. Not so the user and the counter of a half-open
# connection. A listener's Send-Q is its limit here and 0 there: it is given as 0.
TOLD_ALIKE = frozenset(
    (
        *("proto", "family", "state", "local_address", "local_port", "local_host"),
        *("local_service", "remote_address", "remote_port", "remote_host", "remote_service"),
        *("recv_q", "send_q", "inode", "pid", "program", "processes", "owner", "context"),
    )
)
TIMED = frozenset(("timer", "timer_text"))
# With these, where no connection is half-open: see socktimers. The last ones neither way tells.
TOLD_WITH_USERS = (
    TOLD_ALIKE
    | TIMED
    | {
        *("uid", "user", "dev", "dual_stack", "accept_queue", "backlog", "listener", "autobound"),
        *("local_addresses", "remote_addresses", "netns", "unit", "container", "pod"),
        *("published_for", "details", "tcp_info", "memory", "rate_in", "rate_out"),
    }
)
ROWS = 3000  # rows gathered into one table
HELD = 40  # such tables held back until the kernel has said that the dump is complete: 10 MB

# struct inet_diag_req_v2 (linux/inet_diag.h) with an empty inet_diag_sockid
REQUEST = Struct("=BBBxI48x")
# struct inet_diag_req, an older request that asks for tcp of both IP versions
TCPDIAG_GETSOCK = 18
REQUEST_BOTH = Struct("=52xI4x")
# struct unix_diag_req: family, states, and what to show
UNIX_REQUEST = Struct("=B3xI4xI8x")
UDIAG_SHOW_NAME, UDIAG_SHOW_PEER, UDIAG_SHOW_RQLEN = 0x1, 0x4, 0x10
UNIX_DIAG_NAME, UNIX_DIAG_PEER, UNIX_DIAG_RQLEN = 0, 2, 4
UNIX_LENGTH = 16  # of struct unix_diag_msg, without the attributes that follow
# struct nlmsghdr, then struct inet_diag_msg. The bytes at which its fields stand:
#   16 family  17 state  20 and 22 ports, 24 and 40 addresses (network order)
#   72 receive queue  76 send queue  80 uid  84 inode
LENGTH = 88  # of both, without the attributes that may follow


def tcp_sockets(
    proc: Proc,
    options: Options,
    outcome: Report,
    version: str,
    rest: dict[str, list[bytes]] | None = None,
) -> Iterator[tuple[int, dict[str, Any]]] | None:
    """The tcp sockets of one IP version as (length, fields); None where /proc has to serve.
    `rest` keeps what one walk for IPv4 and IPv6 has found of IPv6.

    The kernel walks the same tables in the same order as for /proc/net/tcp, so that what is
    printed is the same, byte for byte, for the fields of TOLD_ALIKE.
    """
    asked = options.source == "netlink"
    if not asked and (options.source != "auto" or not (options.dump or options.dump_users)):
        return None
    if not proc.own or (options.foreign and not (asked or options.dump)):
        return None
    wanted, condition = states_asked(options), b""
    given: Any = options.condition
    if given:
        from . import bytecode

        wanted &= bytecode.states_of_condition(given)
        condition = bytecode.bytecode_attribute(given)
    try:
        if options.dump_users:
            from .socktimers import decode_with_users, with_users

            users = with_users(version, wanted, condition, options.dump_timers, asked)
            if users is None:
                return None
            return map(decode_with_users, to_the_end(outcome, users))
        if rest is not None and version in rest:
            blocks = iter(rest.pop(version))
        elif rest is not None and condition and len(options.versions) == 2:
            blocks = rows_of_both(wanted, condition, rest)
        else:
            blocks = tcp_rows(version, wanted, condition=condition)
        held = list(islice(blocks, HELD))
    except OSError:
        return None
    return map(decode_messages, chain(held, to_the_end(outcome, blocks)))


def to_the_end(outcome: Report, blocks: Iterator[T]) -> Iterator[T]:
    """What is left of a long dump. Where that fails, rows have been given already: that some are
    missing is told."""
    try:
        yield from blocks
    except OSError as error:
        outcome.error("tcp sockets from netlink, the rest of them", error)


def unix_names(proc: Proc, options: Options) -> set[tuple[str, str]]:
    """The unix sockets that there are, by inode and name as /proc/net/unix would write them
    (" @x", or nothing); empty where the kernel is not to be asked, or refuses.

    Here a name has a length, whatever is in it: there a line end in it starts a new line.
    """
    if options.source not in ("auto", "netlink") or not proc.own:
        return set()
    body = UNIX_REQUEST.pack(socket.AF_UNIX, 0xFFFFFFFF, UDIAG_SHOW_NAME)
    kind = SOCK_DIAG_BY_FAMILY
    try:
        return set(map(unix_name, netlink.whole_dump(netlink.SOCK_DIAG, kind, body, kind)))
    except OSError:
        return set()


def unix_name(message: bytes) -> tuple[str, str]:
    """struct unix_diag_msg (linux/unix_diag.h): the inode is its second word."""
    inode = str(int.from_bytes(message[4:8], sys.byteorder))
    name = netlink.attributes(message, UNIX_LENGTH).get(UNIX_DIAG_NAME)
    if name is None:
        return inode, ""
    name = b"@" + name[1:].replace(b"\0", b"@") if name[:1] == b"\0" else name[:-1]
    return inode, " " + name.decode("latin-1")


class UnixDetail(NamedTuple):
    """What only unix_diag tells of a unix socket. `name` is as the kernel has it: an abstract one
    begins with a NUL."""

    name: bytes | None
    peer: int | None  # the inode of the socket that it is connected to
    waiting: int | None  # of a listener: connections that wait to be accepted
    backlog: int | None


def unix_details(proc: Proc, options: Options) -> dict[int, UnixDetail]:
    """The unix sockets by inode; empty where the kernel is not to be asked, or refuses."""
    if options.source not in ("auto", "netlink") or not proc.own:
        return {}
    show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN
    body = UNIX_REQUEST.pack(socket.AF_UNIX, 0xFFFFFFFF, show)
    kind = SOCK_DIAG_BY_FAMILY
    try:
        return dict(map(unix_detail, netlink.whole_dump(netlink.SOCK_DIAG, kind, body, kind)))
    except OSError:
        return {}


def unix_detail(message: bytes) -> tuple[int, UnixDetail]:
    inode = int.from_bytes(message[4:8], sys.byteorder)
    found = netlink.attributes(message, UNIX_LENGTH)
    name = found.get(UNIX_DIAG_NAME)
    if name and name[:1] != b"\0":
        name = name[:-1]
    peer = int.from_bytes(found.get(UNIX_DIAG_PEER, b""), sys.byteorder) or None
    queue = found.get(UNIX_DIAG_RQLEN, b"")
    waiting = backlog = None
    if len(queue) == 8 and message[2] == LISTEN:
        waiting, backlog = (int.from_bytes(part, sys.byteorder) for part in (queue[:4], queue[4:]))
    return inode, UnixDetail(name, peer, waiting, backlog)


def states_asked(options: Options) -> int:
    """The kernel's own selection, as a mask of states."""
    listening = 1 << LISTEN
    if options.all:
        return ALL
    return listening if options.listening else ALL & ~listening


def tcp_rows(
    version: str,
    states: int,
    link: netlink.Link | None = None,
    protocol: int = socket.IPPROTO_TCP,
    condition: bytes = b"",
) -> Iterator[bytes]:
    """The kernel's messages for the sockets of one protocol and IP version, of LENGTH bytes each,
    some thousand together. OSError as of `netlink.dump`.

    `link` may be a socket of another network namespace; `condition`, an attribute of the
    request, tells the kernel which ones to give.
    """
    if link is None:
        with netlink.connect(netlink.SOCK_DIAG) as link:
            yield from tcp_rows(version, states, link, protocol, condition)
            return
    body = REQUEST.pack(family_of(version), protocol, 0, states) + condition
    parts: list[bytes] = []
    gathered = 0
    for answer in netlink.dump(link, SOCK_DIAG_BY_FAMILY, body, SOCK_DIAG_BY_FAMILY):
        cut = cut_rows(answer)
        parts += cut
        gathered += sum(map(len, cut)) // LENGTH
        if gathered >= ROWS:
            yield b"".join(parts)
            parts, gathered = [], 0
    if parts:
        yield b"".join(parts)


def rows_of_both(states: int, condition: bytes, rest: dict[str, list[bytes]]) -> Iterator[bytes]:
    """As `tcp_rows`, those of IPv4, by one walk for both IP versions; those of IPv6 are in `rest`
    when it has ended, unless they are too many to be kept.

    The kernel gives them mixed, each version in its own order. Where a condition leaves few rows
    the walk is most of the cost, 10 ms for 100,000 sockets; to part many costs as much again.
    """
    parts: list[bytes] = []
    kept: list[bytes] = []
    with netlink.connect(netlink.SOCK_DIAG) as link:
        body = REQUEST_BOTH.pack(states) + condition
        for answer in netlink.dump(link, TCPDIAG_GETSOCK, body, TCPDIAG_GETSOCK):
            rows = b"".join(cut_rows(answer))
            for at in range(0, len(rows), LENGTH):
                own = kept if rows[at + 16] == socket.AF_INET6 else parts
                own.append(rows[at : at + LENGTH])
            if len(parts) >= ROWS:
                yield b"".join(parts)
                parts = []
            del kept[HELD * ROWS + 1 :]
    if parts:
        yield b"".join(parts)
    if len(kept) <= HELD * ROWS:
        rest["6"] = [b"".join(kept[at : at + ROWS]) for at in range(0, len(kept), ROWS)]


def family_of(version: str) -> int:
    return socket.AF_INET6 if version else socket.AF_INET


def cut_rows(answer: netlink.Answer) -> list[bytes]:
    """The messages of one answer without their attributes."""
    data, length = answer
    if length == LENGTH:
        return [data]
    if length > LENGTH:  # sockets of one state give messages of one length
        return [data[at : at + LENGTH] for at in range(0, len(data), length)]
    rows, at = [], 0
    while at < len(data):
        size = netlink.HEADER.unpack_from(data, at)[0]
        if size < LENGTH:
            raise netlink.malformed("message too short")
        rows.append(data[at : at + LENGTH])
        at += size + 3 & ~3
    return rows


_texts: dict[int, dict[Any, str]] = {socket.AF_INET: {}, socket.AF_INET6: {}}
REMEMBERED = 1 << 14  # distinct addresses remembered before starting afresh


def decode_messages(packed: bytes) -> tuple[int, dict[str, Any]]:
    """Messages -> the number of rows, and the fields that inet's table has.

    Each field is a stride through the messages: 10 ms for 100,000 sockets, where unpacking
    them row by row takes 60.
    """
    halves, words = memoryview(packed).cast("H"), memoryview(packed).cast("I")
    state = packed[17::LENGTH]
    sending = words[76 // 4 :: LENGTH // 4].tolist()
    if LISTEN in state:  # there the kernel gives the limit of waiting connections
        sending = [0 if code == LISTEN else size for code, size in zip(state, sending)]
    here, there = addresses_in_messages(packed, 24), addresses_in_messages(packed, 40)
    return len(state), {
        "code": state,
        "local_address": here,
        "local_port": host_order(halves[20 // 2 :: LENGTH // 2]),
        "remote_address": there,
        "remote_port": host_order(halves[22 // 2 :: LENGTH // 2]),
        "recv_q": words[72 // 4 :: LENGTH // 4].tolist(),
        "send_q": sending,
        "inode": words[84 // 4 :: LENGTH // 4].tolist(),
    }


def addresses_in_messages(packed: bytes, at: int) -> list[str]:
    """The addresses that start at this byte of each message; each distinct one is written once."""
    family = packed[16] if packed else socket.AF_INET
    texts = _texts[family]
    if len(texts) > REMEMBERED:
        texts.clear()
    keys: Sequence[Any]
    if family == socket.AF_INET:
        keys = memoryview(packed).cast("I")[at // 4 :: LENGTH // 4].tolist()
        new: list[Any] = list(set(keys).difference(texts))
        bare: list[bytes] = [key.to_bytes(4, sys.byteorder) for key in new]
    else:
        keys = [field[0] for field in iter_unpack(f"{at}x16s{LENGTH - 16 - at}x", packed)]
        new = bare = list(set(keys).difference(texts))
    texts.update(zip(new, map(partial(socket.inet_ntop, family), bare)))
    return list(map(texts.__getitem__, keys))


def host_order(ports: memoryview) -> list[int]:
    words = array("H", ports.tobytes())
    if sys.byteorder == "little":
        words.byteswap()
    return words.tolist()


def listener_limits(proc: Proc) -> dict[int, int]:
    """How many connections may wait for each tcp listener to accept them, by its inode; what
    /proc does not tell. Empty where the kernel is not to be asked, or refuses."""
    found: dict[int, int] = {}
    if not proc.own:
        return found
    for version in ("", "6"):
        try:
            for packed in tcp_rows(version, 1 << LISTEN):
                words = memoryview(packed).cast("I")
                limits, inodes = words[76 // 4 :: LENGTH // 4], words[84 // 4 :: LENGTH // 4]
                found.update(zip(inodes.tolist(), limits.tolist()))
        except OSError:
            continue
    return found
