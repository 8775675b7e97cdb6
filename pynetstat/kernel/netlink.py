"""Netlink: one request to the kernel, and its answers, taken only from the kernel itself.

Any process with CAP_NET_ADMIN in the network namespace can send to our port, which
/proc/net/netlink shows. So the sender of each datagram, the random sequence number and every
length are checked. Whatever is not as the kernel does it is an OSError; the caller then reads
/proc instead.
"""

from __future__ import annotations

import _socket
import errno
import os
import sys
import time
from collections.abc import Iterator
from struct import Struct

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import NamedTuple, Protocol
else:
    from ..tuples import NamedTuple

    Protocol = object

SOCK_DIAG, ROUTE = 4, 0  # protocols (linux/netlink.h)
ERROR, DONE = 2, 3  # message types
REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
DUMP_INTERRUPTED = 0x10  # NLM_F_DUMP_INTR: the table changed while it was read
KERNEL = 0  # its port
HEADER = Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence number, port
ATTRIBUTE = Struct("=HH")  # struct nlattr: length, type
TYPE = 0x3FFF  # of an attribute, without the bits for "nested" and "network byte order"
CODE = Struct("=i")
ANSWER = 1 << 17  # bytes of a datagram; the kernel fills 32 KiB, and more for one long message
PATIENCE = 5.0  # seconds without an answer from the kernel, which answers within a system call
TRIES = 4  # of a dump that is interrupted by a change


class Link(Protocol):
    """What is used of a socket."""

    def send(self, data: bytes, /) -> int: ...

    def recvmsg(
        self, size: int, ancillary: int = ..., /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, object]: ...

    def getsockname(self) -> tuple[int, int]: ...


class Answer(NamedTuple):
    """The messages of one datagram, end to end. `length` is the length of each message where
    all are equally long, and 0 where they differ."""

    data: bytes
    length: int


class Socket(_socket.socket):
    """A socket that `with` closes. That of the module `socket` takes 2.2 ms of 20 to import."""

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def connect(protocol: int) -> Socket:
    """A netlink socket. It belongs to the network namespace that the thread is in now, and asks
    that namespace from then on, wherever the thread goes."""
    if not hasattr(_socket, "AF_NETLINK"):  # a system other than Linux
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    link = Socket(_socket.AF_NETLINK, _socket.SOCK_RAW, protocol)
    try:
        link.bind((0, 0))
        link.settimeout(PATIENCE)
    except BaseException:
        link.close()
        raise
    return link


def dump(link: Link, request: int, body: bytes, reply: int) -> Iterator[Answer]:
    """Everything that the kernel answers to a request for a dump, datagram by datagram.

    `request` and `reply` are message types; `body` follows the header of the request. OSError
    where the kernel refuses, where the table changed meanwhile (EINTR), where nothing comes, and
    where an answer is malformed (EPROTO). What was given until then is to be discarded. A
    link serves one dump after the other, and none after a failure.
    """
    number = int.from_bytes(os.urandom(4), sys.byteorder)
    port = link.getsockname()[0]
    link.send(HEADER.pack(HEADER.size + len(body), request, REQUEST_DUMP, number, 0) + body)
    latest = time.monotonic()
    while True:
        data, _, flags, sender = link.recvmsg(ANSWER)
        if not isinstance(sender, tuple) or sender[0] != KERNEL:
            if time.monotonic() - latest > PATIENCE:
                raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            continue  # not sent by the kernel
        if flags & _socket.MSG_TRUNC:
            raise malformed("truncated")
        latest = time.monotonic()
        length = even(data, (reply, number, port))
        if length:
            yield Answer(data, length)
            continue
        end, ended = walk(data, (reply, number, port))
        if end:
            yield Answer(data[:end], 0)
        if ended:
            return


def even(data: bytes, expected: tuple[int, int, int]) -> int:
    """The length of each message, where all have the same and the header that is expected; else
    0. 4 ms for 100,000 messages; walking from header to header takes 40."""
    if len(data) < HEADER.size:
        return 0
    length: int
    length, kind, flags, number, port = HEADER.unpack_from(data)
    if length < HEADER.size or length & 3 or len(data) % length:
        return 0
    if (kind, number, port) != expected or flags & DUMP_INTERRUPTED:
        return 0
    return length if uniform(data, length, 0, HEADER.size) else 0


def uniform(data: bytes, length: int, start: int, size: int) -> bool:
    """True if these bytes are the same in all messages of this length. Byte by byte: a slice of
    bytes costs least, a tenth of the integers in it."""
    for at in range(start, start + size):
        column = data[at::length]
        if column.count(column[0]) != len(column):
            return False
    return True


def walk(data: bytes, expected: tuple[int, int, int]) -> tuple[int, bool]:
    """Check header by header: how many bytes are messages of the dump, and whether it ends."""
    reply, *identity = expected
    at = 0
    while at < len(data):
        if at + HEADER.size > len(data):
            raise malformed("header cut off")
        length, kind, flags, *found = HEADER.unpack_from(data, at)
        if not HEADER.size <= length <= len(data) - at:
            raise malformed("length out of bounds")
        if found != identity:
            raise malformed("not the answer to this request")
        if flags & DUMP_INTERRUPTED:
            raise OSError(errno.EINTR, "the table changed while it was read")
        if kind in (ERROR, DONE):
            refusal = CODE.unpack_from(data, at + HEADER.size)[0] if length >= 20 else 0
            if refusal:  # DONE too carries one: a protocol that has no handler
                raise OSError(-refusal, os.strerror(-refusal) if refusal < 0 else "netlink")
            if kind == ERROR:
                raise malformed("an acknowledgement")
            return at, True
        if kind != reply:
            raise malformed("another type of message")
        at += length + 3 & ~3
    return len(data), False


def malformed(what: str) -> OSError:
    return OSError(errno.EPROTO, f"netlink: {what}")


def bodies(answer: Answer) -> Iterator[bytes]:
    """The messages of an answer without their headers."""
    data, at = answer.data, 0
    while at < len(data):
        length = HEADER.unpack_from(data, at)[0]
        yield data[at + HEADER.size : at + length]
        at += length + 3 & ~3


def attributes(body: bytes, start: int) -> dict[int, bytes]:
    """The attributes of a message from this byte on, by type; of one that repeats the last.
    OSError where one does not fit."""
    found = {}
    while start + ATTRIBUTE.size <= len(body):
        length, kind = ATTRIBUTE.unpack_from(body, start)
        if not ATTRIBUTE.size <= length <= len(body) - start:
            raise malformed("attribute out of bounds")
        found[kind & TYPE] = body[start + ATTRIBUTE.size : start + length]
        start += length + 3 & ~3
    return found


def whole_dump(protocol: int, request: int, body: bytes, reply: int) -> list[bytes]:
    """The bodies of a whole dump of our own network namespace, asked for again where a change
    interrupted it. For tables of moderate size."""
    for left in reversed(range(TRIES)):
        try:
            with connect(protocol) as link:
                return [
                    part for answer in dump(link, request, body, reply) for part in bodies(answer)
                ]
        except InterruptedError:
            if not left:
                raise
    raise AssertionError
