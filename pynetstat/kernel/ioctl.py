"""What the kernel tells of its interfaces by ioctl() (netdevice(7))."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from socket import AF_INET, SOCK_DGRAM, if_indextoname, inet_ntoa, socket
from struct import calcsize, pack, unpack, unpack_from
from typing import NamedTuple

SIOCGIFCONF = 0x8912


SIOCGIFFLAGS = 0x8913


SIOCGIFADDR = 0x8915


SIOCGIFDSTADDR = 0x8917


SIOCGIFBRDADDR = 0x8919


SIOCGIFNETMASK = 0x891B


SIOCGIFMTU = 0x8921


SIOCGIFHWADDR = 0x8927


SIOCGIFTXQLEN = 0x8942


SIOCGIFMAP = 0x8970


SIOCGKEEPALIVE = 0x89F1  # of SLIP alone


SIOCGOUTFILL = 0x89F3


# struct ifreq: a name and a union, whose largest part is struct ifmap.
MAP = "LLHBBB"


ENTRY = calcsize(f"16s{MAP}0L")


class Inet(NamedTuple):
    """The IPv4 address of an interface or of a label; None: not set."""

    address: str
    netmask: str | None = None
    broadcast: str | None = None
    destination: str | None = None


class Inet6(NamedTuple):
    address: str
    prefixlen: int | None
    scope: int  # the kind of the address, as the kernel numbers them


class Link(NamedTuple):
    """The hardware of an interface; `kind` is the kernel's ARPHRD number as a signed short, and
    `octets` are the first eight bytes of the address."""

    kind: int
    octets: bytes = bytes(8)
    queue: int = -1
    memory_start: int = 0
    memory_end: int = 0
    base: int = 0
    interrupt: int = 0
    dma: int = 0
    port: int = 0
    outfill: int = 0
    keepalive: int = 0


def device_name(index: int) -> str:
    """The name of an interface, one character per byte."""
    try:
        return if_indextoname(index).encode("utf-8", "surrogateescape").decode("latin-1")
    except OSError:  # gone meanwhile
        return f"if{index}"


def ask(request: int, names: Sequence[str]) -> list[bytes | OSError]:
    """What the kernel answers for each interface (the union of struct ifreq), or its refusal."""
    from fcntl import ioctl

    answers: list[bytes | OSError] = []
    with socket(AF_INET, SOCK_DGRAM) as door:
        for name in names:
            try:
                question = pack("16s24x", name.encode("latin-1"))
                answers.append(ioctl(door, request, question)[16:])
            except OSError as error:
                answers.append(error)
    return answers


def addressed() -> list[str]:
    """The names that have IPv4 addresses, labels such as eth0:1 among them."""
    from fcntl import ioctl

    room = 64 * ENTRY
    with socket(AF_INET, SOCK_DGRAM) as door:
        while True:
            entries = array("b", bytes(room))
            answer = ioctl(door, SIOCGIFCONF, pack("iP", room, entries.buffer_info()[0]))
            used = unpack("iP", answer)[0]
            if used <= room - ENTRY:  # there was room for one more: these are all
                break
            room *= 2
    filled = entries.tobytes()[:used]
    names = [filled[start : start + 16] for start in range(0, used, ENTRY)]
    return [name.partition(b"\0")[0].decode("latin-1") for name in names]


def ask_numbers(request: int, names: Sequence[str], form: str = "i") -> list[int | None]:
    """The number that each answer begins with; None where there is none."""
    answers = ask(request, names)
    return [unpack_from(form, answer)[0] if type(answer) is bytes else None for answer in answers]


def inets(names: Sequence[str]) -> list[list[Inet]]:
    """The IPv4 address of each, if it has one."""
    requests = (SIOCGIFADDR, SIOCGIFNETMASK, SIOCGIFBRDADDR, SIOCGIFDSTADDR)
    texts = [
        [inet_ntoa(answer[4:8]) if type(answer) is bytes else None for answer in answers]
        for answers in (ask(request, names) for request in requests)
    ]
    return [[Inet(address, *rest)] if address else [] for address, *rest in zip(*texts)]


def read_links(names: Sequence[str]) -> list[Link]:
    """The hardware of each; what the kernel does not tell is 0, as netstat has it."""
    answers = [ask(request, names) for request in (SIOCGIFHWADDR, SIOCGIFTXQLEN, SIOCGIFMAP)]
    found = []
    for name, hardware, queue, place in zip(names, *answers):
        kind, octets = unpack_from("h8s", hardware) if type(hardware) is bytes else (0, bytes(8))
        length = unpack_from("i", queue)[0] if type(queue) is bytes else -1
        parts = unpack_from(MAP, place) if type(place) is bytes else (0,) * 6
        outfill = keepalive = 0
        if kind in SERIAL:
            outfill = ask_numbers(SIOCGOUTFILL, [name], "L")[0] or 0
            keepalive = ask_numbers(SIOCGKEEPALIVE, [name], "L")[0] or 0
        found.append(Link._make((kind, octets, length, *parts, outfill, keepalive)))
    return found


SERIAL = (256, 257, 258, 259, 264)
