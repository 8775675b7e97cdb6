"""The kinds of hardware: how each prints its address (netdevice(7))."""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from
from typing import NamedTuple


def lower(length: int) -> Callable[[bytes], str]:
    return lambda octets: octets[:length].hex(":")


def upper_hex(length: int, between: str) -> Callable[[bytes], str]:
    return lambda octets: octets[:length].hex(between).upper()


def unspecified(octets: bytes) -> str:
    """Sixteen bytes, of which netstat knows the first eight."""
    return octets.ljust(16, b"\0").hex("-").upper()


def call_sign(octets: bytes) -> str:
    """An amateur's call sign, shifted left by one bit, and the number of the station."""
    sign = bytes(octet >> 1 for octet in octets[:6]).partition(b" ")[0].decode("latin-1")
    station = (octets[6] & 0x1E) >> 1
    return f"{sign}-{station}".partition("\0")[0] if station else sign.partition("\0")[0]


class Kind(NamedTuple):
    """A kind of hardware: netstat's word and title, and how its address is written, if it is."""

    name: str
    title: str
    write: Callable[[bytes], str] | None = None


UNKNOWN = Kind("unspec", "UNSPEC", unspecified)


KINDS = {
    0: Kind("netrom", "AMPR NET/ROM", call_sign),
    1: Kind("ether", "Ethernet", lower(6)),
    3: Kind("ax25", "AMPR AX.25", call_sign),
    7: Kind("arcnet", "ARCnet", upper_hex(1, ":")),
    15: Kind("dlci", "Frame Relay DLCI", lambda octets: str(unpack_from("h", octets)[0])),
    27: Kind("eui64", "Generic EUI-64", upper_hex(8, ":")),
    256: Kind("slip", "Serial Line IP"),
    257: Kind("cslip", "VJ Serial Line IP"),
    258: Kind("slip6", "6-bit Serial Line IP"),
    259: Kind("cslip6", "VJ 6-bit Serial Line IP"),
    264: Kind("adaptive", "Adaptive Serial Line IP"),
    270: Kind("rose", "AMPR ROSE", lambda octets: octets[:5].hex()),
    271: Kind("x25", "generic X.25", lambda octets: octets.partition(b"\0")[0].decode("latin-1")),
    512: Kind("ppp", "Point-to-Point Protocol"),
    513: Kind("hdlc", "(Cisco)-HDLC"),
    516: Kind("lapb", "LAPB"),
    768: Kind("tunnel", "IPIP Tunnel", lambda octets: ""),
    770: Kind("frad", "Frame Relay Access Device"),
    772: Kind("loop", "Local Loopback"),
    774: Kind("fddi", "Fiber Distributed Data Interface", upper_hex(6, "-")),
    776: Kind("sit", "IPv6-in-IPv4"),
    780: Kind("hippi", "HIPPI", upper_hex(6, ":")),
    781: Kind("ash", "Ash"),
    782: Kind("ec", "Econet"),
    783: Kind("irda", "IrLAP", lambda octets: octets[3::-1].hex(":")),
}


COMPRESSING = (257, 259)


# The kinds whose addresses are known to fit in what was asked, and their length.
LENGTHS = {1: 6, 27: 8, 772: 6, 774: 6, 780: 6}


PORTS = ("unknown", "10base2", "10baseT", "AUI", "100baseT", "100baseTX", "100baseFX", "(null)")
