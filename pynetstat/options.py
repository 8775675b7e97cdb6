"""What the command line, or a caller of the API, asks for."""

from __future__ import annotations

import sys

from .settings import DEFAULTS

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

PROTOCOLS = ("tcp", "sctp", "udp", "udplite", "raw")  # in the order of netstat's sections
LINUX = sys.platform.startswith("linux")
NAMED = (*PROTOCOLS, "icmp")  # with those that are listed only where they are named
OTHERS = ("packet", "netlink", "vsock")  # families that netstat does not know
MODES = ("masquerade", "statistics", "route", "interfaces")  # the first one given wins


class Misuse(ValueError):
    """Options that make no sense; the text says what is wrong and what would be right."""


EVERY_FIELD = ("all",)  # --columns all
# tabulate's formats that are drawn on a terminal, and rendered by nothing
DRAWN = frozenset(
    (
        *("plain", "simple", "simple_grid", "simple_outline", "grid", "rounded_grid", "outline"),
        *("rounded_outline", "heavy_grid", "heavy_outline", "mixed_grid", "mixed_outline"),
        *("double_grid", "double_outline", "fancy_grid", "fancy_outline", "presto", "pretty"),
        "psql",
    )
)


class Options:
    """Every option by the name that the command line and the API share; frozen.

    The defaults are those of the option table. A plain class, since a named tuple of so many
    fields takes 2 ms to make at every start.
    """

    # which listing
    route: bool
    interfaces: bool
    groups: bool
    statistics: bool
    masquerade: bool
    # which sockets
    families: tuple[str, ...]
    tcp: bool
    sctp: bool
    udp: bool
    udplite: bool
    raw: bool
    icmp: bool
    packet: bool
    netlink: bool
    vsock: bool
    l2cap: bool
    rfcomm: bool
    all: bool
    listening: bool
    # what is shown of them
    extend: int
    timers: bool
    programs: bool
    context: bool
    verbose: bool
    wide: bool
    numeric_hosts: bool
    numeric_ports: bool
    numeric_users: bool
    symbolic: bool
    cache: bool
    fib: bool
    table: str | None
    # again and again
    continuous: bool
    interval: float
    rounds: int | None
    events: bool
    watch: bool
    save: str | None
    diff: str | None
    fail_on_change: bool
    # a recording
    record: str | None
    keep: str | None
    at: str | None
    since: str | None
    until: str | None
    # which rows
    filter: str | None
    state: tuple[str, ...]
    port: str | None
    pid: int | None
    program: str | None
    user: str | None
    # how it is printed
    format: str
    columns: tuple[str, ...]
    color: str
    sort: tuple[str, ...]
    header: bool
    layout: str
    lsof: str | None
    fail_if_empty: bool
    count_by: tuple[str, ...]
    top: int | None
    # what else is told of sockets, and of which namespaces
    netns: str | None
    details: bool
    tcp_info: bool
    memory: bool
    rates: bool
    # whom to ask
    root: str
    source: str
    resolve_timeout: float
    internals: tuple[str, ...] = ()  # fields of kernel/internals.py that are read (Plan decides)
    foreign: bool = False  # is it another namespace than ours that is read?
    # other hosts
    host: tuple[str, ...]
    hosts: str | None
    inventory: str | None
    forks: int | None
    host_timeout: float
    engine: str
    answering: bool = False  # is this a host that is asked? `host` is then its name
    # the diagnosis
    ignore: tuple[str, ...]
    limit: tuple[str, ...]
    perfdata: bool
    # what Plan decides
    tcp_states: tuple[str, ...] = ()  # with --lsof: which rows of tcp (Plan fills it)
    dump: bool = True  # may tcp sockets be read from the kernel's dump?
    dump_users: bool = False  # the same with users, where no connection is half-open
    dump_timers: bool = False  # and with timers
    condition: object = None  # what the kernel can check of the filter
    recorded: dict[str, object] | None = (
        None  # with --at: when, where and by whom the rows were read, as JSON has it
    )

    def __init__(self, **given: Any) -> None:
        unknown = given.keys() - Options.__annotations__.keys()
        if unknown:
            raise TypeError(f"no such option: {', '.join(sorted(unknown))}")
        self.__dict__.update(given)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"options are frozen; replace({name}=...) gives others")

    def replace(self, **changes: Any) -> Options:
        """The same options but for these."""
        return Options(**{**self.__dict__, **changes})

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols asked for, or all of them where only a family was named."""
        asked = tuple(name for name in NAMED if getattr(self, name))
        if not asked and (self.inet or self.inet6 or not self.explicit):
            return PROTOCOLS
        return asked

    @property
    def inet(self) -> bool:
        return "inet" in self.families

    @property
    def inet6(self) -> bool:
        return "inet6" in self.families

    @property
    def skip_missing(self) -> bool:
        """-4 or -6 without a protocol: protocols that are not there are skipped."""
        return (self.inet or self.inet6) and not any(getattr(self, name) for name in NAMED)

    @property
    def explicit(self) -> bool:
        """True if the user named a family or protocol; otherwise what is missing is skipped."""
        named = {"inet", "inet6", "unix", "ipx", "ax25", "netrom", "x25", "rose", "bluetooth"}
        named.update(OTHERS)
        flags = (*NAMED, *OTHERS, "groups", "l2cap", "rfcomm")
        return not named.isdisjoint(self.families) or any(getattr(self, flag) for flag in flags)

    @property
    def drawn(self) -> bool:
        """True if the rows are a table for a terminal, and not for a browser or a program."""
        if self.layout or self.lsof is not None:
            return False
        if self.format == "classic":
            return bool(self.columns or self.count_by)
        return self.format in DRAWN

    @property
    def silent(self) -> bool:
        """True if missing tables are skipped without a message."""
        modes = any(getattr(self, mode) for mode in MODES)
        return not modes and (self.skip_missing or not (self.explicit or self.verbose))

    @property
    def versions(self) -> tuple[str, ...]:
        """The halves of the Internet: "" for IPv4 and "6" for IPv6."""
        if self.inet == self.inet6:
            return ("", "6")
        return ("",) if self.inet else ("6",)

    @property
    def elsewhere(self) -> bool:
        """True if other hosts are asked."""
        named = self.host or self.hosts is not None or self.inventory is not None
        return bool(named) and not self.answering

    @property
    def filtered(self) -> bool:
        """True if rows are chosen by more than netstat's own rule."""
        return (
            bool(self.filter or self.state or self.port or self.program or self.user)
            or self.pid is not None
        )

    @property
    def sort_keys(self) -> tuple[str, ...]:
        return tuple(key.removeprefix("-") for key in self.sort)

    @property
    def repeated(self) -> bool:
        """-c, but for the statistics, which netstat gives once whatever is asked."""
        return self.continuous and not self.statistics

    @property
    def structured(self) -> bool:
        """True if records with all their fields are given instead of netstat's text."""
        other = self.columns or self.count_by or self.layout or self.lsof is not None
        return self.format != "classic" or bool(other)


for name in DEFAULTS:
    setattr(Options, name, DEFAULTS[name])


def nearest(word: str, valid: Iterable[str], quote: str = "`{}'") -> str:
    """ "; did you mean `state'?", where a valid word is near enough."""
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), list(valid), 1)
    return f"; did you mean {quote.format(near[0])}?" if near else ""
