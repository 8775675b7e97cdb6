"""The kernel's hexadecimal and decimal numbers, a whole field at a time."""

from __future__ import annotations

import sys
from _socket import AF_INET6, inet_ntoa, inet_ntop  # as netlink does
from array import array
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import starmap
from struct import iter_unpack


def numbers_from_hex(field: Sequence[str]) -> list[int]:
    """Hexadecimal numbers, signed 64 bit as netstat holds them."""
    widths = set(map(len, field))
    if widths == {8}:
        words = array("I", bytes.fromhex("".join(field)))
        if sys.byteorder == "little":
            words.byteswap()
        return words.tolist()
    if max(widths, default=0) < 16:
        return [int(digits, 16) for digits in field]
    values = [min(int(digits, 16), 0xFFFFFFFFFFFFFFFF) for digits in field]
    return [value - (1 << 64) if value >> 63 else value for value in values]


def ports_from_hex(field: Sequence[str]) -> list[int]:
    """Four hexadecimal digits each."""
    if set(map(len, field)) <= {4}:
        words = array("H", bytes.fromhex("".join(field)))
        if sys.byteorder == "little":
            words.byteswap()
        return words.tolist()
    return [int(digits, 16) & 0xFFFF for digits in field]


def unpacked(field: Iterable[str], digits: int) -> bytes:
    """32-bit words as the kernel prints them (native order), in network order."""
    padded = "".join([text.zfill(digits)[-digits:] for text in field])
    words = array("I", bytes.fromhex(padded))
    if words.itemsize != 4:  # pragma: no cover - no such machine is known
        raise RuntimeError("unsigned int is not 32 bit here")
    if sys.byteorder == "little":
        words.byteswap()
    return words.tobytes()


_addresses: dict[str, str] = {}


REMEMBERED = 1 << 14  # distinct values remembered before starting afresh: `-c` runs for months


ipv6_text = partial(inet_ntop, AF_INET6)


def addresses_from_hex(field: Sequence[str]) -> list[str]:
    """0100007F -> 127.0.0.1, and 32 digits -> IPv6; each distinct one once."""
    if len(_addresses) > REMEMBERED:
        _addresses.clear()
    new = set(field).difference(_addresses)
    if new:
        short = [text for text in new if len(text) <= 8]
        long = [text for text in new if len(text) > 8]
        _addresses.update(zip(short, starmap(inet_ntoa, iter_unpack("4s", unpacked(short, 8)))))
        _addresses.update(zip(long, starmap(ipv6_text, iter_unpack("16s", unpacked(long, 32)))))
    return list(map(_addresses.__getitem__, field))


def wide_addresses(field: Sequence[str]) -> list[str]:
    """fe80..01 -> fe80::1: 32 digits in network order, as IPv6's own tables have them."""
    distinct = list(set(field))
    packed = iter_unpack("16s", bytes.fromhex("".join(distinct)))
    texts = dict(zip(distinct, starmap(ipv6_text, packed)))
    return list(map(texts.__getitem__, field))


LARGEST = 0xFFFFFFFFFFFFFFFF


COUNTERS = r"(?:[ \t\n\v\f\r]*[-+]?[0-9]+)*"


def counters(text: str) -> list[int]:
    """Decimal numbers one after the other, up to the first word that is none; too large is the
    largest of 64 bits, as C's strtoull() has it."""
    import re  # not at every start (see text.py)

    words = re.findall("[-+]?[0-9]+", re.match(COUNTERS, text)[0])  # type: ignore[index]
    if max(map(len, words), default=0) < 20:
        return list(map(int, words))
    # Not by int() alone: what no 64 bits hold may have any number of digits.
    digits = [word.lstrip("+-0") or "0" for word in words]
    sizes = [LARGEST if len(text) > 20 else min(int(text), LARGEST) for text in digits]
    return [
        -size if word[0] == "-" and size < LARGEST else size for word, size in zip(words, sizes)
    ]


def integers(field: Sequence[str]) -> list[int]:
    """Decimal numbers as C's int has them: of 64 bits the lower half, with its sign."""
    if max(map(len, field), default=0) < 10:
        return list(map(int, field))
    # Not by int() alone: what no 64 bits hold may have any number of digits.
    values = [max(-(1 << 63), min(int(text[:40]), (1 << 63) - 1)) for text in field]
    return [((value + (1 << 31)) & 0xFFFFFFFF) - (1 << 31) for value in values]


def decimals(field: Sequence[str]) -> list[int]:
    """Decimal numbers as the record has them: up to 64 bits, and what no kernel has the largest."""
    if max(map(len, field), default=0) < 20:
        return list(map(int, field))
    # Not by int() alone: what no 64 bits hold may have any number of digits.
    return [max(-LARGEST, min(int(text[:40]), LARGEST)) for text in field]
