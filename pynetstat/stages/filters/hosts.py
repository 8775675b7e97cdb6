"""Ports and hosts in a filter: how they are written, and the rows they meet."""

from __future__ import annotations

import re
import sys
from _socket import (  # as kernel/netlink does
    AF_INET,
    AF_INET6,
    gaierror,
    getaddrinfo,
    getservbyname,
    inet_ntop,
    inet_pton,
)
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import repeat

from ...kernel.bytecode import Either, Ports, Prefix
from ...kernel.proc import reason, small_file
from ...table import Table
from ...text import decode_nested
from .terms import Term, any_term, both, match_number, negated, over

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from ...tuples import NamedTuple

# Ports


def match_port(name: str, how: str, text: str) -> Term:
    """`80`, `:80` or a service; a service has one number for tcp and may have one for udp."""
    wanted = port_numbers(text.removeprefix(":"))
    if how == "ne":
        return over(name, lambda distinct: distinct - wanted)
    side = name.removesuffix("_port")
    return any_term(
        [
            match_number(name, how, one)._replace(kernel=port_condition(side, how, one))
            for one in sorted(wanted)
        ]
    )


def port_condition(side: str, how: str, number: int) -> Ports | None:
    spans = {
        "eq": (number, number),
        "lt": (0, number - 1),
        "le": (0, number),
        "gt": (number + 1, 65535),
        "ge": (number, 65535),
    }
    first, last = spans[how]
    return Ports(side, first, last) if first <= last else None


def port_numbers(text: str) -> set[int]:
    if text.isascii() and text.isdigit() and len(text) < 10:
        if int(text) > 65535:
            raise ValueError("a port is at most 65535")
        return {int(text)}
    found = set()
    for protocol in ("tcp", "udp"):
        try:
            found.add(getservbyname(text, protocol))
        except (OSError, ValueError):  # unknown, or text that no C library would take
            continue
    if not found:
        raise ValueError(f"no such service: `{text}'; a port is a number, :80 or a service")
    return found


def ports_of_text(text: str) -> set[int]:
    """The ports of `80,https,1000-2000`. 0 is the remote port of a listener."""
    wanted: set[int] = set()
    spans = 0  # one bit for each port, since thousands of ranges may overlap
    for item in dict.fromkeys(map(str.strip, text.split(","))):
        span = re.fullmatch(r"(\d{1,9})-(\d{1,9})", item, re.ASCII)
        if span is None:
            wanted |= port_numbers(item.removeprefix(":"))
            continue
        first, last = map(int, span.groups())
        if first > last or last > 65535:
            raise ValueError(f"`{item}' is no range of ports: the lower one first, up to 65535")
        spans |= (2 << last) - (1 << first)
    wanted |= {port for port, bit in enumerate(reversed(f"{spans:b}")) if bit == "1"}
    if wanted <= {0}:
        raise ValueError("0 is no port")
    return wanted - {0}


def either_port(text: str) -> Term:
    wanted = ports_of_text(text)
    spans = ranges(wanted)
    return any_term(
        [
            over(f"{side}_port", lambda distinct: wanted)._replace(
                kernel=Either(tuple(Ports(side, first, last) for first, last in spans))
            )
            for side in ("local", "remote")
        ]
    )


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """{80, 81, 443} -> [(80, 81), (443, 443)]"""
    found: list[tuple[int, int]] = []
    for one in sorted(numbers):
        if found and found[-1][1] == one - 1:
            found[-1] = found[-1][0], one
        else:
            found.append((one, one))
    return found


AUTOBOUND = "@[0-9a-f]{5}"  # what the kernel calls an unnamed unix socket: @0001a


def autobound(root: str) -> Term:
    """Sockets whose port, or name, the kernel chose: those with a port of the range that it
    chooses from, but for those of which it tells that their program chose it."""
    first, last = port_range(root)
    chosen = frozenset(range(first, last + 1))
    guessed = over("local_port", lambda distinct: chosen)
    named = over("path", lambda paths: set(filter(re.compile(AUTOBOUND).fullmatch, paths)))

    def mask(table: Table) -> Sequence[bool]:
        if "peer_path" in table.record._fields:  # an unnamed unix socket is bound to nothing yet
            names = named.mask(table)
            return [yes or path is None for yes, path in zip(names, table["path"])]
        if "autobound" not in table.fields:
            return guessed.mask(table)
        known = zip(table["autobound"], guessed.mask(table))
        return [guess and told is not False for told, guess in known]

    return Term(guessed.fields | named.fields, mask)


def port_range(root: str) -> tuple[int, int]:
    if root == "/proc" and not sys.platform.startswith("linux"):
        return 49152, 65535
    path = f"{root}/sys/net/ipv4/ip_local_port_range"
    try:
        first, last = map(int, small_file(path, 100).split())
    except OSError as error:
        raise ValueError(f"autobound: {path}: {reason(error)}") from error
    except ValueError as error:
        raise ValueError(f"autobound: {path}: two numbers expected") from error
    return first, last


# Hosts


class Network(NamedTuple):
    """The addresses of a family that share their first `length` bits."""

    family: int
    number: int  # those bits
    length: int

    @property
    def shift(self) -> int:
        return (32 if self.family == AF_INET else 128) - self.length

    def texts(self) -> set[str]:
        """A single address as it stands in a table, as IPv4 and mapped into IPv6."""
        packed = self.number.to_bytes(4 if self.family == AF_INET else 16, "big")
        text = inet_ntop(self.family, packed)
        return {text, f"::ffff:{text}"} if self.family == AF_INET else {text}

    def prefix(self, side: str) -> Prefix:
        """The condition that the address at one end lies in it."""
        packed = (self.number << self.shift).to_bytes(4 if self.family == AF_INET else 16, "big")
        return Prefix(side, self.family, packed, self.length)

    @property
    def whole(self) -> bool:
        """True for a single address that is never followed by %interface."""
        return self.shift == 0 and not (self.family == AF_INET6 and self.number >> 118 == 0x3FA)


HOST = (  # compiled when it is used, as FAMILY: 0.8 ms
    r"(?:\[(?P<six>[^\]]*)\](?P<tail>/\d+)?|(?P<bare>[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*"
    r"(?:%[\w.-]+)?(?:/\d+)?)|(?P<name>[^:\[\]]*))(?::(?P<port>[^:]*))?"
)
NOT_A_HOST = (
    "expected a host: 192.0.2.1, 10.0.0.0/8, [2001:db8::]/32, a name, *, or one of them with :PORT"
)


def host(side: str, how: str, text: str) -> Term:
    """`192.0.2.1:443`, `193.233.7/24`, `[::1]:80`, `*`, `:80`, `localhost`, `/run/*`."""
    term = host_term(side, text)
    if how == "eq":
        return term

    known = [over(name, lambda distinct: distinct) for name in sorted(term.fields)]
    return both([any_term(known), negated(term)]) if known else negated(term)


# The families that a filter of ss may name before a host, and those that have no table here.
FAMILY = r"(inet6?|unix|link|packet|netlink|vsock|tipc|xdp|sctp|dccp):(?!:)"


def host_term(side: str, text: str) -> Term:
    family = re.match(FAMILY, text)
    if text[:1] in "/@" or (family and family[1] == "unix") or re.match(r"\*[^:]", text):
        return unix_path(side, text.removeprefix("unix:"))
    if family and family[1] not in ("inet", "inet6"):
        raise ValueError(f"`{family[0]}' is not known before a host; inet:, inet6: and unix: are")
    if family:
        one = over("family", lambda distinct: {family[1]})
        rest = text.removeprefix(family[0])
        if rest in ("", "*"):
            return one
        # An address has a family of its own: inet:127.0.0.1 meets ::ffff:127.0.0.1 too.
        term = host_term(side, rest)
        return term if f"{side}_address" in term.fields else both([one, term])
    match = re.fullmatch(HOST, text, re.ASCII)
    if match is None:
        raise ValueError(NOT_A_HOST)
    tests = []
    six = match["six"] if match["six"] is not None else match["bare"]
    if six is not None:
        networks = [network(AF_INET6, six + (match["tail"] or ""))]
        tests.append(match_networks(side, networks))
    elif match["name"] not in ("", "*"):
        tests.append(match_networks(side, networks_named(match["name"])))
    if match["port"] not in (None, "*"):
        tests.append(match_port(f"{side}_port", "eq", match["port"]))
    return both(tests) if tests else Term(frozenset(), lambda table: [True] * len(table))


def network(family: int, text: str) -> Network:
    """An address, or the beginning of one with the number of its bits."""
    address, slash, bits = text.partition("/")
    if family == AF_INET6:  # a zone (fe80::1%12) is not compared: few systems tell it
        address = address.partition("%")[0]
    width = 32 if family == AF_INET else 128
    length = int(bits) if slash and re.fullmatch(r"\d{1,3}", bits, re.ASCII) else width
    try:
        packed = int.from_bytes(inet_pton(family, address), "big")
    except (OSError, ValueError):
        raise ValueError(f"`{address}' is no IPv{4 if width == 32 else 6} address") from None
    if length > width or (slash and not bits.isdecimal()):
        raise ValueError(f"a prefix length is a number up to {width}")
    return Network(family, packed >> (width - length), length)


def networks_named(text: str) -> list[Network]:
    """An IPv4 address, of which the last octets may be missing (193.233.7/24), or a name."""
    address, slash, bits = text.partition("/")
    if re.fullmatch(r"\d+(\.\d+){0,3}", address, re.ASCII):
        octets = ".".join((address.split(".") + ["0"] * 3)[:4])
        return [network(AF_INET, octets + slash + bits)]
    if slash:
        raise ValueError("a prefix length goes with an address, not with a name")
    try:
        found = {(entry[0], str(entry[4][0])) for entry in getaddrinfo(text, None)}
    except gaierror as error:
        raise ValueError(f"`{text}' cannot be resolved: {error.strerror}") from error
    except (OSError, ValueError) as error:  # also what cannot be a name: UnicodeError
        raise ValueError(f"`{text}' cannot be resolved") from error
    networks = [
        network(family, address.partition("%")[0])
        for family, address in sorted(found)
        if family in (AF_INET, AF_INET6)
    ]
    if not networks:
        raise ValueError(f"`{text}' has no address")
    return networks


def match_networks(side: str, networks: Sequence[Network]) -> Term:
    """The rows with an address in one of the networks at this end; a multi-homed end has
    several, and of a route the destination counts."""
    whole = set().union(*(one.texts() for one in networks if one.whole))
    wide = [one for one in networks if not one.whole]
    field, several = f"{side}_address", f"{side}_addresses"
    fields = {field} if side == "local" else {field, "dst"}

    def choose(distinct: Iterable[str]) -> set[str]:
        return whole.union(*(inside(distinct, one) for one in wide))

    def mask(table: Table) -> Sequence[bool]:
        if side == "remote" and "dst" in table.record._fields:
            return over("dst", lambda routes: within(routes, networks)).mask(table)
        if several not in table.fields:
            return over(field, choose).mask(table)
        lists = table[several]
        chosen = choose({address for some in set(lists) if some for address in some})
        return [bool(some) and not chosen.isdisjoint(some) for some in lists]

    prefixes = tuple(one.prefix(side) for one in networks)
    return Term(frozenset(fields), mask, kernel=Either(prefixes) if prefixes else None)


def within(routes: Iterable[str], networks: Sequence[Network]) -> set[str]:
    """Those of the destinations (10.1.0.0/16, 192.0.2.1) that are part of a network."""
    return {route for route in routes if any(lies_in(route, one) for one in networks)}


def inside(distinct: Iterable[str], network: Network) -> set[str]:
    """Those of the addresses that lie in the network; an IPv4 one holds mapped ones too."""
    shift, wanted = network.shift, network.number
    if network.family == AF_INET6:
        texts = bare = [text for text in distinct if ":" in text]
    else:
        mapped = [text for text in distinct if text.startswith("::ffff:") and "." in text]
        plain = [text for text in distinct if ":" not in text]
        texts, bare = plain + mapped, plain + [text[7:] for text in mapped]
    from_bytes: Any = int.from_bytes
    pack = partial(inet_pton, network.family)
    try:
        numbers = list(map(from_bytes, map(pack, bare), repeat("big")))
    except (OSError, ValueError):
        return {text for text, one in zip(texts, bare) if lies_in(one, network)}
    return {text for text, number in zip(texts, numbers) if number >> shift == wanted}


def lies_in(text: str, network: Network) -> bool:
    """fe80::1%lo0, or the network 10.1.0.0/16 of a route; None for anything else."""
    address, _, bits = text.partition("/")
    try:
        packed = inet_pton(network.family, address.partition("%")[0])
        length = int(bits or 128)
    except (OSError, ValueError):
        return False
    number = int.from_bytes(packed, "big")
    return length >= network.length and number >> network.shift == network.number


def unix_path(side: str, pattern: str) -> Term:
    """A shell pattern over the names of unix sockets, or of those that they are connected to,
    without regard to case, as ss has it; `*` is every unix socket, named or not."""
    from fnmatch import translate

    field = "path" if side == "local" else "peer_path"
    if pattern in ("*", ""):
        return Term(
            frozenset({"path"}),
            lambda table: ["peer_path" in table.record._fields] * len(table),
        )
    like = re.compile(translate(pattern), re.IGNORECASE)
    return over(
        field, lambda distinct: {path for path in distinct if like.match(decode_nested(path))}
    )
