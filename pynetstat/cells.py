"""Cells that several listings share: host:port, users, what is unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat

from .listing import Column
from .options import Options

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any


def which(options: Options) -> str:
    if options.all:
        return "(servers and established)"
    return "(only servers)" if options.listening else "(w/o servers)"


def owner_columns(options: Options) -> Iterator[Column]:
    """-p and -Z, for Internet and unix sockets alike."""
    if options.programs:
        yield Column(" PID/Program name    ", " %-20s", "owner", dash_for_unknown, untrusted=True)
    if options.context:  # the header is one byte narrower than the cells
        yield Column(
            f"{' Security Context':<50}", " %-50s", "context", dash_for_unknown, untrusted=True
        )


def dash_for_unknown(field: Sequence[Any]) -> Iterable[Any]:
    """What the system does not tell is a dash."""
    return field if None not in field else ["-" if value is None else value for value in field]


def blank(field: Sequence[Any]) -> Iterable[Any]:
    return [value or "" for value in field] if None in field else field


def signed(number: int) -> int:
    """The low 32 bits, as C's int has them."""
    return ((number + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def user_cells(uids: Sequence[int | None], users: Sequence[str | None]) -> Iterable[Any]:
    """The name, or else the number; a system may have the one without the other."""
    pairs = list(zip(uids, users))
    texts = {pair: pair[1] for pair in set(pairs)}
    for uid, user in texts:
        if user is None:
            texts[uid, user] = "-" if uid is None else str(signed(uid))
    return map(texts.__getitem__, pairs)


def host_texts(
    addresses: Sequence[str], hosts: Iterable[str | None], numeric: bool
) -> dict[str, str]:
    """What is printed for each distinct address: its name, or its number as netstat has it.

    `::` is `[::]` where names are asked for; a mapped ::ffff:10.0.0.8 loses what precedes
    its last colon.
    """
    shown = {}
    for address, host in dict(zip(addresses, hosts)).items():
        text = address if host is None else host
        if ":" in address:
            if address == "::" and not numeric:
                text = "[::]"
            elif address.startswith("::ffff:") and "." in address and "." in text:
                start = text.partition(".")[0]
                text = text[start.rfind(":") + 1 :]
        shown[address] = text
    return shown


def numbered_ends(options: Options) -> Callable[..., Sequence[Iterable[str]]]:
    """`host:port` in numbers as it is printed, cut to its column or whole with -W.

    Mostly in two parts, "127.0.0.1" and ":22           ": that takes a look-up for each, 11 ms
    for 100,000 of them; joining and padding them one by one takes 28. The texts of ports are
    remembered, by the width that the host leaves: under -c 4 ms of a round of 10,000 sockets.
    """

    def texts(addresses: Sequence[str], ports: Sequence[int]) -> Sequence[Iterable[str]]:
        distinct = set(addresses)
        if ":" in "".join(distinct):
            shown = host_texts(addresses, repeat(None), numeric=True)
            addresses = list(map(shown.__getitem__, addresses))
            distinct = set(shown.values())
        if max(map(len, distinct), default=0) > LONGEST_HOST:
            numbers = port_texts(ports)
            cells = fit(addresses, list(map(numbers.__getitem__, ports)), options.wide)
            return [map("%-23s ".__mod__, cells)]
        if sum(map(len, _ports.values())) > REMEMBERED:
            _ports.clear()
        new = set(ports)
        sizes = set(map(len, distinct))
        for size in sizes:
            pad_ports(_ports.setdefault(size, {}), 22 - size, new)
        if len(sizes) == 1:
            return addresses, map(_ports[sizes.pop()].__getitem__, ports)
        rest = {address: _ports[len(address)] for address in distinct}
        pairs = zip(map(rest.__getitem__, addresses), ports)
        return addresses, [after[port] for after, port in pairs]

    return texts


_ports: dict[int, dict[int | None, str]] = {}
LONGEST_HOST = 17  # bytes that leave room for any port in a column of 23
REMEMBERED = 1 << 17  # texts of ports, before starting afresh


def pad_ports(texts: dict[int | None, str], width: int, ports: set[int]) -> None:
    """Add ":22           ", what follows a host up to the next column, for each new port."""
    new = ports.difference(texts)
    if new:
        numbers = port_texts(new)
        texts.update(zip(new, map(f":%-{width}s ".__mod__, map(numbers.__getitem__, new))))


def named_ends(options: Options) -> Callable[..., list[str]]:
    """`host:port` with names for those that have one."""

    def cells(
        addresses: Sequence[str],
        ports: Sequence[int],
        hosts: Sequence[str | None],
        services: Sequence[str | None],
    ) -> list[str]:
        shown = host_texts(addresses, hosts, options.numeric_hosts)
        numbers = port_texts(ports)
        after = [
            numbers[port] if service is None else service for port, service in zip(ports, services)
        ]
        return fit(list(map(shown.__getitem__, addresses)), after, options.wide)

    return cells


_port_texts: dict[int | None, str] = {0: "*", None: "*"}


def port_texts(ports: Iterable[int | None]) -> dict[int | None, str]:
    """What is printed for each port: its number, and `*` for none."""
    new = set(ports).difference(_port_texts)
    _port_texts.update(zip(new, map(str, new)))
    return _port_texts


def fit(hosts: Sequence[str], ports: Sequence[str], wide: bool) -> list[str]:
    """netstat's cut: the port keeps 18 bytes, the host what is left of 22, its beginning.

    With -W the whole is cut to 127 bytes, which may swallow the port.
    """
    texts = list(map(":".join, zip(hosts, ports)))
    if max(map(len, texts), default=0) <= 23:
        return texts
    if wide:
        return [text[:127] for text in texts]
    for number, text in enumerate(texts):
        if len(text) > 23:
            port = ports[number][:18]
            texts[number] = hosts[number][: 22 - len(port)] + ":" + port
    return texts
