"""The long form of an interface (`-ie`): a block of lines, as netstat writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ...kernel.ioctl import Inet, Inet6, Link
from .hardware import COMPRESSING, KINDS, PORTS, UNKNOWN

BROADCAST, POINTOPOINT, PORTSEL, AUTOMEDIA = 0x2, 0x10, 0x2000, 0x4000
COMPATIBLE = 0x80
SCOPES = {0x0: "global", 0x20: "link", 0x40: "site", 0x10: "host"}


class Block(NamedTuple):
    """What the block is made of; None is not known, and `counters` are receive's eight and
    transmit's eight in the order of /proc/net/dev."""

    ifname: str
    bits: int | None
    flags: Sequence[str] | None
    mtu: int | None
    inet: Sequence[Inet] | None
    inet6: Sequence[Inet6] | None
    link: Link | None
    counters: Sequence[Any] | None


def longform_lines(block: Block) -> Iterator[str]:
    bits = block.bits or 0
    yield first_line(block)
    for inet in block.inet or ():
        yield inet_line(inet, bits)
    for inet6 in block.inet6 or ():
        scopes = scope_list(inet6.scope)
        length = "-" if inet6.prefixlen is None else inet6.prefixlen
        shown = f"{inet6.address}  prefixlen {length}  scopeid 0x{inet6.scope:x}{scopes}"
        yield f"        inet6 {shown}"
    if block.link:
        yield hardware_line(block.link)
        if bits & PORTSEL:
            chosen = "autoselect" if bits & AUTOMEDIA else ""
            yield f"        media {longform_port(block.link.port)}{chosen}"
    if block.counters:
        yield from counter_lines(block.counters, block.link)
    if block.link:
        yield from device_line(block.link)
    yield ""


def first_line(block: Block) -> str:
    """As netstat prints them: without flags the bracket stays open, and where no flag has a
    name there is no bracket."""
    number = "-" if block.bits is None else block.bits
    names = f"<{','.join(block.flags)}>" if block.flags else "<" if block.bits == 0 else ""
    mtu = "-" if block.mtu is None else block.mtu
    line = f"{block.ifname}: flags={number}{names}  mtu {mtu}"
    if block.link and (block.link.outfill or block.link.keepalive):
        line += f"  outfill {block.link.outfill}  keepalive {block.link.keepalive}"
    return line


def inet_line(inet: Inet, bits: int) -> str:
    line = f"        inet {inet.address}  netmask {inet.netmask or NOT_SET}"
    if bits & BROADCAST:
        line += f"  broadcast {inet.broadcast or NOT_SET}"
    if bits & POINTOPOINT:
        line += f"  destination {inet.destination or NOT_SET}"
    return line


NOT_SET = "[NONE SET]"


def scope_list(scope: int) -> str:
    rest = scope & ~COMPATIBLE
    names = ["compat"] if scope & COMPATIBLE else []
    names += [name for bit, name in SCOPES.items() if rest & bit or bit == rest]
    return f"<{','.join(names)}>" if names else ""


def hardware_line(link: Link) -> str:
    kind = KINDS.get(link.kind, UNKNOWN)
    address = f" {kind.write(link.octets)}" if kind.write else ""
    queue = "" if link.queue == -1 else f"  txqueuelen {link.queue}"
    return f"        {kind.name}{address}{queue}  ({kind.title})"


def longform_port(number: int) -> str:
    return PORTS[number] if number < len(PORTS) else str(number)


def counter_lines(counters: Sequence[Any], link: Link | None) -> Iterator[str]:
    """Single and double blanks, and the colon, are netstat's."""
    rx, tx = counters[:8], counters[8:]
    compressing = link is not None and link.kind in COMPRESSING
    yield f"        RX packets {rx[1]}  bytes {rx[0]} ({size(rx[0])})"
    if compressing:
        yield f"        RX compressed:{rx[6]}"
    yield f"        RX errors {rx[2]}  dropped {rx[3]}  overruns {rx[4]}  frame {rx[5]}"
    yield f"        TX packets {tx[1]}  bytes {tx[0]} ({size(tx[0])})"
    if compressing:
        yield f"        TX compressed {tx[7]}"
    errors = f"errors {tx[2]}  dropped {tx[3]} overruns {tx[4]}"
    yield f"        TX {errors}  carrier {tx[6]}  collisions {tx[5]}"


UNITS = ((60, "EiB"), (50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB"))


def size(count: Any) -> str:
    """1536 -> 1.5 KiB; cut, not rounded, and a unit begins above its own size."""
    if type(count) is not int:
        return "-"
    power, unit = next((unit for unit in UNITS if count > 1 << unit[0]), (0, "B"))
    # netstat has no room for ten times an exbibyte: it divides by a tenth of one.
    tenths = count // 115292150460684697 if power == 60 else count * 10 >> power
    return f"{tenths // 10}.{tenths % 10} {unit}"


def device_line(link: Link) -> Iterator[str]:
    """Where the card sits, on machines and drivers that tell; trailing blanks are netstat's."""
    if not (link.interrupt or link.memory_start or link.dma or link.base >= 0x100):
        return
    line = "        device "
    if link.interrupt:
        line += f"interrupt {link.interrupt}  "
    if link.base >= 0x100:
        line += f"base 0x{link.base:x}  "
    if link.memory_start:
        line += f"memory 0x{link.memory_start:x}-{link.memory_end:x}  "
    if link.dma:
        line += f"  dma 0x{link.dma:x}"
    yield line
