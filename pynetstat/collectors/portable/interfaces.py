"""Interfaces as psutil tells them."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ...kernel.ioctl import Inet, Inet6, Link
from ...kernel.proc import Proc
from ...listing import Column, Report
from ...options import Options
from ...table import Table
from ..linux import interfaces
from . import failed, held_text, packed_address, same_address
from .processes import psutil_module


class More(NamedTuple):
    """What psutil does not tell of an interface: Linux's flags, and the prefix lengths of its
    IPv6 addresses."""

    bits: int
    lengths: Mapping[bytes, int]


NO_MORE = More(0, {})

BITS = {name: bit for bit, name in interfaces.FLAGS.items()}
UP, LOOPBACK = BITS["UP"], BITS["LOOPBACK"]
ETHERNET, LOOP = 1, 772  # kinds of hardware, by Linux's numbers

# psutil's counters by the names of `ip -j -s link`, received and sent
RECEIVED = {"bytes": "bytes_recv", "packets": "packets_recv", "errors": "errin"}
SENT = {"bytes": "bytes_sent", "packets": "packets_sent", "errors": "errout"}


def collect(
    proc: Proc,
    options: Options,
    outcome: Report,
    dropout: bool = True,
    psutil: Any = None,
    more: Mapping[str, More] = {},
) -> Iterator[Table]:
    """Those that are up, or all with -a; one of which psutil does not say is shown. `dropout`:
    are the packets counted that were dropped before they went out? `more` is what the system
    tells of an interface beside psutil, by its name."""
    yield Table(interfaces.Interface, 0)
    psutil = psutil or psutil_module()
    counters = ask_psutil(outcome, partial(psutil.net_io_counters, pernic=True, nowrap=False))
    states = ask_psutil(outcome, psutil.net_if_stats)
    addresses = ask_psutil(outcome, psutil.net_if_addrs)
    kinds = {held_text(name): name for name in (*states, *counters, *addresses)}
    names = [kinds[name] for name in interfaces.ordered(kinds)]
    if not options.all:
        names = [name for name in names if name not in states or is_up(states[name])]
    yield psutil_interface_table(psutil, names, counters, states, addresses, dropout, more)


def is_up(state: Any) -> bool:
    """True if it was set up. Without flags, psutil's isup is used, which also wants a carrier."""
    told = getattr(state, "flags", "")
    return "up" in told.split(",") if told else bool(state.isup)


def ask_psutil(outcome: Report, call: Any) -> dict[str, Any]:
    """psutil raises RuntimeError for all interfaces where one cannot be asked."""
    try:
        return call() or {}
    except (OSError, RuntimeError) as error:
        failed(outcome, "psutil", error)
        return {}


def psutil_interface_table(
    psutil: Any,
    names: Sequence[str],
    counters: Mapping[str, Any],
    states: Mapping[str, Any],
    addresses: Mapping[str, Sequence[Any]],
    dropout: bool,
    more: Mapping[str, More],
) -> Table:
    places = [addresses.get(name, ()) for name in names]
    beside = [more.get(held_text(name), NO_MORE) for name in names]
    inet = [ipv4(known) for known in places]
    inet6 = [ipv6(known, one.lengths) for known, one in zip(places, beside)]
    octets = [hardware(known, psutil.AF_LINK) for known in places]
    bits = [
        linux_flags(states.get(name), known, one.bits)
        for name, known, one in zip(names, inet, beside)
    ]
    mtus = [states[name].mtu if name in states else None for name in names]
    return Table(
        interfaces.Interface,
        len(names),
        ifname=list(map(held_text, names)),
        mtu=mtus,
        bits=bits,
        flags=[words_of_bits(number, interfaces.FLAGS) for number in bits],
        flags_str=[None if number is None else linux_flag_letters(number) for number in bits],
        address=[packed.hex(":") if packed else None for packed in octets],
        stats=[psutil_statistics(counters.get(name), dropout) for name in names],
        inet=inet,
        inet6=inet6,
        addr_info=list(map(interfaces.addresses_of_links, bits, inet, inet6)),
        link=list(map(link, bits, octets)),
    )


def linux_flags(state: Any, inet: Sequence[Inet], more: int = 0) -> int | None:
    """Linux's bits: the same words stand for other bits elsewhere. psutil tells no more on
    Windows than whether an interface is up."""
    if state is None:
        return None
    told = getattr(state, "flags", "").upper().replace("POINTTOPOINT", "POINTOPOINT")
    if told:
        return sum(BITS.get(word, 0) for word in set(told.split(",")))
    if not state.isup:
        return None
    loop = any(address.address.startswith("127.") for address in inet)
    return UP | BITS["RUNNING"] | (LOOPBACK if loop else 0) | more


def words_of_bits(number: int | None, names: Mapping[int, str]) -> list[str] | None:
    return None if number is None else interfaces.flag_words([number], names)[0]


def linux_flag_letters(number: int) -> str:
    return "".join(words_of_bits(number, interfaces.LETTERS) or [])


def psutil_statistics(count: Any, dropout: bool) -> dict[str, dict[str, int | None]] | None:
    """Linux's sixteen, as far as psutil has them; None without any."""
    if count is None:
        return None
    rx: dict[str, int | None] = dict.fromkeys(interfaces.RX)
    tx: dict[str, int | None] = dict.fromkeys(interfaces.TX)
    rx |= {name: getattr(count, theirs) for name, theirs in RECEIVED.items()}
    tx |= {name: getattr(count, theirs) for name, theirs in SENT.items()}
    rx["dropped"], tx["dropped"] = count.dropin, count.dropout if dropout else None
    return {"rx": rx, "tx": tx}


def ipv4(known: Sequence[Any]) -> list[Inet]:
    return [
        Inet(place.address, place.netmask, place.broadcast, place.ptp)
        for place in known
        if place.family == socket.AF_INET
    ]


def ipv6(known: Sequence[Any], lengths: Mapping[bytes, int]) -> list[Inet6]:
    """`lengths` are those of prefixes that psutil does not tell, by the address."""
    found = []
    for place in known:
        packed = packed_address(place.address) if place.family == socket.AF_INET6 else None
        if packed:
            mask = packed_address(place.netmask or "")
            length = int.from_bytes(mask, "big").bit_count() if mask else lengths.get(packed)
            found.append(Inet6(same_address(place.address), length, scope(packed)))
    return found


def scope(packed: bytes) -> int:
    """How far an address reaches, as Linux numbers it."""
    if packed[0] == 0xFE and packed[1] >= 0x80:
        return 0x20 if packed[1] < 0xC0 else 0x40
    if any(packed[:12]):
        return 0
    return 0x10 if packed[12:] == b"\0\0\0\1" else 0x80


def hardware(known: Sequence[Any], family: int) -> bytes:
    """00-0C-29-4F-8E-35 and 0:c:29:4f:8e:35 -> six bytes; of anything else, none."""
    for place in known:
        if place.family == family and place.address:
            parts = place.address.replace("-", ":").split(":")
            try:
                return bytes(int(part, 16) for part in parts)
            except ValueError:
                continue
    return b""


def link(bits: int | None, octets: bytes) -> Link | None:
    if bits is not None and bits & LOOPBACK:
        return Link(LOOP)
    return Link(ETHERNET, octets.ljust(8, b"\0")) if len(octets) == 6 else None


# The classic text


def columns(options: Options) -> Iterator[Column]:
    """Names may be longer than on Linux: they are printed whole, as wide as they look."""
    for column in interfaces.columns(options):
        wide = column.fields == "ifname"
        yield column._replace(format="%s ", cells=padded_names) if wide else column


def padded_names(names: Sequence[str]) -> list[str]:
    """Each name in 15 columns, or longer; a name has one character for each byte of its UTF-8."""
    texts = (name.encode("latin-1", "replace").decode("utf-8", "replace") for name in names)
    return [name + " " * (15 - len(text)) for name, text in zip(names, texts)]


INTERFACES = interfaces.INTERFACES._replace(collect=collect, columns=columns)
