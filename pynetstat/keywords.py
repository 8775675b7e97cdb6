"""The keywords of the Python API, with their types, for whoever checks types.

They are the fields of Options that the table (settings.py) shares with the API; a test compares.
Where the command line takes a list of words, a word or several are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    families: str | Sequence[str]
    fib: bool
    table: str | None
    cache: bool
    all: bool
    listening: bool
    filter: str | None
    state: str | Sequence[str]
    port: int | str | Sequence[int | str] | None
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
    sort: str | Sequence[str]
    interval: float
    record: str | None
    at: str | None
    ignore: str | Sequence[str]
    limit: str | Sequence[str]
    numeric_hosts: bool
    numeric_ports: bool
    numeric_users: bool
    symbolic: bool
    resolve_timeout: float
    netns: str | None
    root: str
    proc: str
    source: str
