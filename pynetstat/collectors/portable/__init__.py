"""macOS, Windows and psutil: the same listings, filled by other means than /proc.

psutil tells of sockets and interfaces on every system; `macos` and `windows` read what the
system itself gives where psutil has nothing. What a system does not tell is None.
"""

from __future__ import annotations

import errno
import socket
from struct import Struct

from ...kernel.proc import reason
from ...listing import Missing, Report

GROUPS = Struct(">8H")


def unsupported(name: str) -> Missing:
    """A listing that this system does not have is a missing table."""
    return Missing(name, "", FileNotFoundError(errno.ENOENT, "not on this system"))


def said(error: Exception) -> str:
    """What an error says; bytes that are not what we know are a ValueError."""
    text = reason(error) if isinstance(error, OSError) else str(error)
    return text or type(error).__name__


def failed(outcome: Report, name: str, error: Exception) -> None:
    """The system refused the call, or its answer has an unknown form."""
    outcome.error(name, OSError(0, said(error)))


def held_text(text: str) -> str:
    """Text of the system as this program holds it: one character per byte of its UTF-8."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError:  # half a character, which Windows allows in a name
        return text.encode("utf-8", "replace").decode("latin-1")


def wide_text(data: bytes, start: int = 0) -> str:
    """The UTF-16 text of Windows that starts here and ends before its NUL."""
    text = data[start:].decode("utf-16-le", "replace").partition("\0")[0]
    return held_text(text)


def packed_text(packed: bytes) -> str:
    """4 or 16 bytes as Linux prints them: other systems have a spelling of their own."""
    return ".".join(map(str, packed)) if len(packed) == 4 else ipv6_text(packed)


def ipv6_text(packed: bytes) -> str:
    """The first longest run of two or more zero groups becomes `::`; IPv4 inside is dotted."""
    groups = GROUPS.unpack(packed)
    start = length = 0
    for first in range(8):
        zeros = next((at for at in range(first, 8) if groups[at]), 8) - first
        if zeros > max(length, 1):
            start, length = first, zeros
    if start == 0 and (length == 6 or (length == 5 and groups[5] == 0xFFFF)):
        return ("::" if length == 6 else "::ffff:") + ".".join(map(str, packed[12:]))
    texts = [f"{group:x}" for group in groups]
    if not length:
        return ":".join(texts)
    return ":".join(texts[:start]) + "::" + ":".join(texts[start + length :])


def mask_text(prefix: int) -> str:
    """24 -> 255.255.255.0"""
    return packed_text(((0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF).to_bytes(4, "big"))


def packed_address(text: str) -> bytes | None:
    """The bytes of an address in any system's spelling, without its zone (`fe80::1%en0`)."""
    bare = text.partition("%")[0]
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in bare else socket.AF_INET, bare)
    except (OSError, ValueError):
        return None


def same_address(text: str) -> str:
    """An address in Linux's spelling; other text stays as it is."""
    packed = packed_address(text)
    return held_text(text) if packed is None else packed_text(packed)
