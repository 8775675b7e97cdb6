"""pynetstat: network connections, routes, interfaces, groups and statistics.

Every function takes the options of the command line as keywords, by the names of
`pynetstat.options.Options` (`listening=True`, `port="443"`, `filter="dport = 443"`), and gives
typed records. Nothing is printed, and no argument of the program is read.

    >>> import pynetstat
    >>> for socket in pynetstat.sockets(tcp=True, state=("listening",)):
    ...     _ = socket.local_address, socket.local_port, socket.recv_q

Exceptions: `Unavailable` where a table that was asked for cannot be read, `Misuse` (a
ValueError) for options that make no sense, a bad filter among them, and TypeError for a keyword
that is no option.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing is not needed to run, and the command comes through here
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from typing_extensions import Unpack

    from .collectors.linux.groups import Group
    from .collectors.linux.inet import InetSocket
    from .collectors.linux.interfaces import Interface
    from .collectors.linux.netlink import NetlinkSocket
    from .collectors.linux.packet import PacketSocket
    from .collectors.linux.routes import Route
    from .collectors.linux.unix import UnixSocket
    from .diagnosis.rule import Finding
    from .keywords import Keywords
    from .listing import Stop as Unavailable
    from .options import Misuse, Options

__version__ = "2.0.0"
__all__ = [
    "Misuse",
    "Options",
    "Unavailable",
    "diagnose",
    "groups",
    "interfaces",
    "netlink_sockets",
    "packet_sockets",
    "routes",
    "sockets",
    "statistics",
    "unix_sockets",
]


def __getattr__(name: str) -> Any:
    """The classes, once they are asked for: nothing stands before the command's own beginning,
    which is to let Ctrl-C through."""
    if name == "Unavailable":
        from .listing import Stop

        return Stop
    if name in ("Misuse", "Options"):
        from . import options

        return getattr(options, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def sockets(**options: Unpack[Keywords]) -> Iterator[InetSocket]:
    """Internet sockets: tcp, udp, udplite, raw and sctp, of IPv4 and IPv6; all of them, unless
    `listening` is set. Queues in bytes, timers in milliseconds.

    `programs=True` adds `pid`, `program` and `processes` (every holder); names are asked for
    with `numeric_hosts=False` and `numeric_ports=False`.

    >>> listeners = list(sockets(tcp=True, listening=True))
    >>> all(socket.state == "LISTEN" for socket in listeners)
    True
    """
    protocols = ("tcp", "udp", "udplite", "raw", "sctp", "icmp")
    if not any(options.get(name) for name in protocols):
        options.setdefault("families", ("inet", "inet6"))
    options.setdefault("all", not options.get("listening"))
    return records("sockets", **options)


def unix_sockets(**options: Unpack[Keywords]) -> Iterator[UnixSocket]:
    """Unix sockets; all of them, unless `listening` is set.

    >>> {socket.proto for socket in unix_sockets()} <= {"unix"}
    True
    """
    options.setdefault("all", not options.get("listening"))
    return records("unix", **{**options, "families": ("unix",)})


def packet_sockets(**options: Unpack[Keywords]) -> Iterator[PacketSocket]:
    """Packet sockets: programs that receive or send whole frames.

    >>> {socket.proto for socket in packet_sockets()} <= {"packet"}
    True
    """
    return records("packet", **{**options, "families": ("packet",)})


def netlink_sockets(**options: Unpack[Keywords]) -> Iterator[NetlinkSocket]:
    """Netlink sockets, the kernel's own among them.

    >>> {socket.proto for socket in netlink_sockets()} <= {"netlink"}
    True
    """
    return records("netlink", **{**options, "families": ("netlink",)})


def routes(**options: Unpack[Keywords]) -> Iterator[Route]:
    """The main routing table; of IPv4, unless `families=("inet6",)` or both are named.

    >>> [route.gateway for route in routes() if route.dst == "nowhere"]
    []
    """
    return records("routes", "route_cache", route=True, **options)


def interfaces(**options: Unpack[Keywords]) -> Iterator[Interface]:
    """All interfaces with their addresses and counters (bytes and packets since they are there).

    >>> [interface.ifname for interface in interfaces() if interface.ifname == "no such"]
    []
    """
    options.setdefault("all", True)
    return records("interfaces", interfaces=True, **options)


def groups(**options: Unpack[Keywords]) -> Iterator[Group]:
    """Multicast groups that the interfaces have joined, of IPv4 and IPv6.

    >>> {group.family for group in groups()} <= {"inet", "inet6"}
    True
    """
    return records("groups", groups=True, **options)


def statistics(**options: Unpack[Keywords]) -> dict[str, dict[str, int]]:
    """The kernel's counters by section and name, as it calls them.

    >>> statistics().get("Tcp", {}).get("NoSuchCounter", 0)
    0
    """
    sections: dict[str, dict[str, int]] = {}
    for section, name, value in records("statistics", statistics=True, **options):
        counters = sections.setdefault(section, {})
        if name is not None:
            counters[name] = value
    return sections


def diagnose(**options: Unpack[Keywords]) -> list[Finding]:
    """What is wrong with this machine's network, and which program makes it so; worst first.

    Takes two samples, `interval` seconds apart (default 1). Filters (`program="nginx"`) narrow
    what is said of sockets; `ignore=("resets",)` leaves rules out, `limit=("resets.share=0.5",)`
    gives them other limits. A rule that could not check is there with the severity "unknown", one
    that never can in this place with "skipped".

    >>> findings = diagnose(interval=0.1)
    >>> {one.severity for one in findings} <= {"critical", "warning", "information", "unknown"}
    True
    """
    from .diagnosis import diagnose
    from .options import Options

    return diagnose(Options(**options))


def plainly(name: str, value: Any) -> Any:
    """A keyword's value as the command line would have it: `port=443`, `port=[80, 443]` and
    `state="listening"` are what they say. Misuse for what only a command line can honour."""
    from .options import Misuse
    from .settings import BY_FIELD, OUTPUT

    setting = BY_FIELD.get(name)
    if setting is None:
        return value  # which Options refuses
    if setting.reach == OUTPUT:
        raise Misuse(f"{name}= says how text is written; the API gives records")
    if setting.many and isinstance(value, str):
        return tuple(word for word in value.split(",") if word)
    if setting.many and isinstance(value, list):
        return tuple(value)
    if name == "port" and isinstance(value, (int, list, tuple)):
        return ",".join(map(str, value if isinstance(value, (list, tuple)) else [value]))
    return value


def records(*names: str, **keywords: Any) -> Iterator[Any]:
    """The records of the listings of these names; in numbers, unless names are asked for."""
    from itertools import chain

    from .kernel.proc import Proc
    from .options import Options
    from .outcome import Outcome
    from .plan import Plan
    from .run import Run, tables_alone

    for name in ("numeric_hosts", "numeric_ports", "numeric_users"):
        keywords.setdefault(name, True)
    keywords = dict(zip(keywords, map(plainly, keywords, keywords.values())))
    plan = Plan(Options(format="records", **keywords))
    outcome = Outcome(library=True)
    run = Run(plan, Proc(plan.options.root, outcome.error), outcome)
    tables = (
        table
        for listing, tables in run.gather()
        for table in tables_alone(tables)
        if listing.name in names  # families may bring other listings along
    )
    return chain.from_iterable(map(made_at_once, tables))  # in C, from table to table


def made_at_once(table: Any) -> list[Any]:
    """The records of a table, some thousand, made without looking for garbage meanwhile: of
    100,000 records with their owners that took 0.5 s of 1.4."""
    import gc

    collecting = gc.isenabled()
    gc.disable()
    try:
        return list(table)
    finally:
        if collecting:
            gc.enable()
