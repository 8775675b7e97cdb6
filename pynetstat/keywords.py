"""The keywords of the Python API, with their types, for whoever checks types.

They are the fields of Options that the table (settings.py) shares with the API; a test compares.
"""

from __future__ import annotations

from typing import TypedDict


class Keywords(TypedDict, total=False):
    """What may be given to sockets(), routes() and the others: the options of the command line."""

    tcp: bool
    udp: bool
    udplite: bool
    sctp: bool
    raw: bool
    icmp: bool
    packet: bool
    netlink: bool
    vsock: bool
    l2cap: bool
    rfcomm: bool
    families: tuple[str, ...]
    fib: bool
    table: str | None
    cache: bool
    all: bool
    listening: bool
    filter: str | None
    state: tuple[str, ...]
    port: str | None
    pid: int | None
    program: str | None
    user: str | None
    programs: bool
    context: bool
    verbose: bool
    details: bool
    tcp_info: bool
    memory: bool
    rates: bool
    sort: tuple[str, ...]
    interval: float
    ignore: tuple[str, ...]
    limit: tuple[str, ...]
    numeric_hosts: bool
    numeric_ports: bool
    numeric_users: bool
    symbolic: bool
    resolve_timeout: float
    netns: str | None
    root: str
    source: str
