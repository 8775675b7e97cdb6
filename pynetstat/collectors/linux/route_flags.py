"""The flags of routes: their names, and netstat's letters for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# linux/route.h and linux/ipv6_route.h
UP, GATEWAY, HOST, REJECT = 0x1, 0x2, 0x4, 0x200
CACHE, ANYCAST, LOCAL = 0x1000000, 0x100000, 0x80000000
FLAGS = {
    UP: "up",
    GATEWAY: "gateway",
    HOST: "host",
    0x8: "reinstate",
    0x10: "dynamic",
    0x20: "modified",
    0x40: "mtu",
    0x80: "window",
    0x100: "irtt",
    REJECT: "reject",
    0x400: "notcached",
    0x10000: "default",
    0x20000: "allonlink",
    0x40000: "addrconf",
    0x80000: "prefix_rt",
    ANYCAST: "anycast",
    0x200000: "nonexthop",
    0x400000: "expires",
    0x800000: "routeinfo",
    CACHE: "cache",
    0x2000000: "flow",
    0x4000000: "policy",
    0x40000000: "pcpu",
    LOCAL: "local",
}

# In netstat's order. In IPv4 a `!` takes the place of the letters before it.
LETTERS = {
    UP: "U", GATEWAY: "G", REJECT: "!", HOST: "H", 0x8: "R", 0x10: "D", 0x20: "M", 0x10000: "d",
    0x20000: "a", 0x40000: "c", 0x200000: "o", 0x400000: "e", CACHE: "c", 0x2000000: "f",
    0x4000000: "p", LOCAL: "l", 0x40: "u", 0x80: "w", 0x100: "i", 0x400: "n",
}  # fmt: skip
LETTERS6 = {
    UP: "U", REJECT: "!", GATEWAY: "G", HOST: "H", 0x10000: "D", 0x40000: "A", CACHE: "C",
    0x20000: "a", 0x400000: "e", 0x20: "m", 0x200000: "n", 0x2000000: "f",
}  # fmt: skip

Names = tuple[str, ...]


def flag_names(field: Sequence[int]) -> list[Names]:
    names = {bits: tuple(name for bit, name in FLAGS.items() if bits & bit) for bits in set(field)}
    return list(map(names.__getitem__, field))


def flag_letters(field: Sequence[int], table: Mapping[int, str], replace: bool) -> list[str]:
    texts = {}
    for bits in set(field):
        text = "".join([letter for bit, letter in table.items() if bits & bit])
        texts[bits] = text[text.find("!") :] if replace and "!" in text else text
    return list(map(texts.__getitem__, field))
