"""How `host:port` is written in its column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat

from ..options import Options
from ..table import host_texts


def numbered(wide: bool, addresses: Sequence[str], ports: Sequence[int]) -> list[str]:
    """`host:port` in numbers, cut to its column or whole with -W."""
    texts = port_texts(ports)
    after = list(map(texts.__getitem__, ports))
    if ":" in "".join(set(addresses)):
        shown = host_texts(addresses, repeat(None), numeric=True)
        addresses = list(map(shown.__getitem__, addresses))
    return fit(addresses, after, wide)


def named(options: Options) -> Callable[..., list[str]]:
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


def port_texts(ports: Sequence[int | None]) -> dict[int | None, str]:
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
