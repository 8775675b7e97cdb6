"""pynetstat: network connections, routes, interfaces, groups and statistics.

Every function takes the options of the command line as keywords, by the names of
`pynetstat.options.Options` (`listening=True`, `port="443"`, `filter="dport = 443"`), and gives
typed records. Nothing is printed, and no argument of the program is read.

    >>> import pynetstat
    >>> for socket in pynetstat.sockets(tcp=True, state=("listening",)):
    ...     _ = socket.local_address, socket.local_port, socket.recv_q

The keywords, each with its type and, where there is one, its unit. An option of the command line
that a text names is the keyword of that name (--interval: `interval`; -p: `programs`). Unlike
there, `numeric_hosts`, `numeric_ports` and `numeric_users` are True unless set, and so is `all` in
`sockets()`, `unix_sockets()`, `interfaces()` and `watch()`.

    tcp (bool): TCP sockets.
    udp (bool): UDP sockets.
    udplite (bool): UDP-Lite sockets.
    sctp (bool): SCTP endpoints and associations.
    raw (bool): Raw sockets.
    icmp (bool): Sockets that ping uses.
    packet (bool): Packet sockets: sniffers, DHCP clients.
    netlink (bool): Netlink sockets: who speaks with the kernel.
    vsock (bool): Sockets between a virtual machine and its host.
    l2cap (bool): Bluetooth L2CAP sockets.
    rfcomm (bool): Bluetooth RFCOMM sockets.
    families (str or several): Address families: inet, inet6, unix, ax25, ipx, netrom, rose,
        x25, ddp, bluetooth; each is an option too (--ax25).
    fib (bool): With -r: the routing table (default).
    table (str): With -r: the routes of this table (main, local, 100, ...), or of all.
    cache (bool): With -r: the route cache.
    all (bool): Listening and connected sockets; all interfaces.
    listening (bool): Only listening sockets.
    filter (str): Only rows that match an expression as ss has it: 'dport = 443 and program =
        firefox'.
    state (str or several): Rows in one of these states: established, listening, close-wait, ...
    port (int, str or several): Rows whose local or remote port is one of these.
    pid (int): Rows of this process.
    program (str): Only rows of the program of exactly this name; --filter 'program ~ NAME'
        finds a part.
    user (str): Rows of this user.
    programs (bool): PID and program of each socket.
    context (bool): SELinux context of each program.
    verbose (bool): Say which protocols are not there.
    details (bool): Every process that holds a socket, with its command line, start, systemd
        unit, container and pod; implies -p.
    tcp_info (bool): TCP's own numbers: round trip times, windows, retransmissions, bytes,
        congestion control.
    memory (bool): The memory of each socket, in bytes.
    rates (bool): Bytes per second of each tcp connection, from two looks --interval apart.
    sort (str or several): Sorted by these fields; -FIELD from the largest.
    interval (float): Seconds between rounds; implies -c. Default: 1.
    record (str): The folder of a recording. --at and --from read it (/var/log/pynetstat unless
        named); without them everything is recorded there, at every --interval. Here it goes
        with at alone; watch() takes neither.
    at (str): List, or --diagnose, what was recorded at a moment (03:12, -20m,
        2026-11-26T03:12:00), or last in a file.
    ignore (str or several): Rules of --diagnose to leave out: resets, no-default-route, ...
    limit (str or several): Another limit for a rule of --diagnose: close-wait-leak.sockets=50;
        --explain RULE names its limits.
    numeric_hosts (bool): Numbers for hosts.
    numeric_ports (bool): Numbers for ports.
    numeric_users (bool): Numbers for users.
    symbolic (bool): Hardware names (routes: numbers).
    resolve_timeout (float): Seconds for all names together; then numbers. Default: 5.
    netns (str): Another network namespace: its name, its container or the PID of a process in it;
        or all.
    proc (str): Where /proc is mounted.
    source (str): Where to read: auto (default), proc (/proc alone), netlink (the kernel),
        psutil.

Exceptions: `Unavailable` where a table that was asked for cannot be read or recorded, `Misuse` (a
ValueError) for options that make no sense, a bad filter among them, and TypeError for a keyword
that is no option.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing is not needed to run, and the command comes through here
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from typing_extensions import Unpack

    from .collectors.linux.groups import Group as Group
    from .collectors.linux.inet import InetSocket as InetSocket
    from .collectors.linux.interfaces import Interface as Interface
    from .collectors.linux.netlink import NetlinkSocket as NetlinkSocket
    from .collectors.linux.packet import PacketSocket as PacketSocket
    from .collectors.linux.routes import Route as Route
    from .collectors.linux.unix import UnixSocket as UnixSocket
    from .diagnosis.rule import Finding as Finding
    from .keywords import Keywords
    from .listing import Stop as Unavailable
    from .options import Misuse, Options
    from .overtime.changes import Change as Change
    from .results import Records as Records

__version__ = "2.0.0"
__all__ = [
    "Change",
    "Finding",
    "Group",
    "InetSocket",
    "Interface",
    "Misuse",
    "NetlinkSocket",
    "Options",
    "PacketSocket",
    "Records",
    "Route",
    "Unavailable",
    "UnixSocket",
    "diagnose",
    "diff",
    "groups",
    "interfaces",
    "netlink_sockets",
    "packet_sockets",
    "routes",
    "sockets",
    "statistics",
    "unix_sockets",
    "watch",
]


# The classes of the API, and the modules that have them.
EXPORTED = {
    "Change": "overtime.changes",
    "Misuse": "options",
    "Options": "options",
    "Records": "results",
    "InetSocket": "collectors.linux.inet",
    "UnixSocket": "collectors.linux.unix",
    "PacketSocket": "collectors.linux.packet",
    "NetlinkSocket": "collectors.linux.netlink",
    "Route": "collectors.linux.routes",
    "Interface": "collectors.linux.interfaces",
    "Group": "collectors.linux.groups",
    "Finding": "diagnosis.rule",
}


def __getattr__(name: str) -> Any:
    """The classes, once they are asked for: nothing stands before the command's own beginning,
    which is to let Ctrl-C through."""
    if name == "Unavailable":
        from .listing import Stop

        return Stop
    if name in EXPORTED:
        from importlib import import_module

        return getattr(import_module(f".{EXPORTED[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def sockets(**options: Unpack[Keywords]) -> Records[InetSocket]:
    """Internet sockets: tcp, udp, udplite, raw and sctp, of IPv4 and IPv6; all of them, unless
    `listening` is set. Queues in bytes, timers in milliseconds. Linux: the kernel's netlink and
    /proc/net; elsewhere psutil and the system's own tables. Raises `Unavailable` where a table that
    was asked for by name cannot be read.

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


def unix_sockets(**options: Unpack[Keywords]) -> Records[UnixSocket]:
    """Unix sockets; all of them, unless `listening` is set.

    >>> {socket.proto for socket in unix_sockets()} <= {"unix"}
    True
    """
    options.setdefault("all", not options.get("listening"))
    return records("unix", **{**options, "families": ("unix",)})


def packet_sockets(**options: Unpack[Keywords]) -> Records[PacketSocket]:
    """Packet sockets: programs that receive or send whole frames.

    >>> {socket.proto for socket in packet_sockets()} <= {"packet"}
    True
    """
    return records("packet", **{**options, "families": ("packet",)})


def netlink_sockets(**options: Unpack[Keywords]) -> Records[NetlinkSocket]:
    """Netlink sockets, the kernel's own among them.

    >>> {socket.proto for socket in netlink_sockets()} <= {"netlink"}
    True
    """
    return records("netlink", **{**options, "families": ("netlink",)})


def routes(**options: Unpack[Keywords]) -> Records[Route]:
    """The main routing table; of IPv4, unless `families=("inet6",)` or `("inet", "inet6")` is
    given. Linux: /proc/net/route and ipv6_route, and netlink.

    >>> [route.gateway for route in routes() if route.dst == "nowhere"]
    []
    """
    return records("routes", "route_cache", route=True, **options)


def interfaces(**options: Unpack[Keywords]) -> Records[Interface]:
    """All interfaces with their addresses and counters (bytes and packets since the interface was
    created). Linux: /proc/net/dev, netlink and ioctl; elsewhere psutil.

    >>> [interface.ifname for interface in interfaces() if interface.ifname == "no such"]
    []
    """
    options.setdefault("all", True)
    return records("interfaces", interfaces=True, **options)


def groups(**options: Unpack[Keywords]) -> Records[Group]:
    """Multicast groups that the interfaces have joined, of IPv4 and IPv6.

    >>> {group.family for group in groups()} <= {"inet", "inet6"}
    True
    """
    return records("groups", groups=True, **options)


def statistics(**options: Unpack[Keywords]) -> dict[str, dict[str, int]]:
    """The kernel's counters by section and name, as it calls them. Linux: /proc/net/snmp, netstat
    and snmp6. Raises `Unavailable` where they cannot be read.

    >>> statistics().get("Tcp", {}).get("NoSuchCounter", 0)
    0
    """
    sections: dict[str, dict[str, int]] = {}
    for section, name, value in records("statistics", statistics=True, **options):
        counters = sections.setdefault(section, {})
        if name is not None:
            counters[name] = value
    return sections


def diagnose(**options: Unpack[Keywords]) -> Records[Finding]:
    """What is wrong with this machine's network, and which program makes it so; worst first.

    Takes two samples, `interval` seconds apart (default 1). Filters (`program="nginx"`) narrow
    what is said of sockets; `ignore=("resets",)` leaves rules out, `limit=("resets.share=0.5",)`
    gives them other limits. A rule that could not check is there with the severity "unknown", one
    that never can in this place with "skipped".

    >>> findings = diagnose(interval=0.1)
    >>> {one.severity for one in findings} <= {
    ...     "critical", "warning", "information", "unknown", "skipped"}
    True
    """
    from .options import Options
    from .results import Records

    asked = Options(**meant(options))
    if asked.at is not None:
        from .overtime.past_host import diagnose_past as diagnose
    else:
        from .diagnosis import diagnose
    return Records(diagnose(asked))


def watch(**options: Unpack[Keywords]) -> Iterator[Change]:
    """What happens to Internet sockets from now on: each `Change` has `event` (opened, closed or
    changed), `ts` (RFC 3339), `row` and `previous` as dicts. It never ends; a round is every
    `interval` seconds (default 1). What lives shorter than that is not seen.

    >>> import itertools
    >>> changes = watch(tcp=True, listening=True, interval=0.1)
    >>> [change.event for change in itertools.islice(changes, 0)]
    []
    """
    from .options import Options
    from .outcome import Outcome
    from .overtime.events import Watching
    from .plan import Plan

    numbers = ("numeric_hosts", "numeric_ports", "numeric_users")
    keywords: dict[str, Any] = {**dict.fromkeys(numbers, True), **options}
    if not any(keywords.get(name) for name in ("tcp", "udp", "udplite", "raw", "sctp", "icmp")):
        keywords.setdefault("families", ("inet", "inet6"))
    keywords.setdefault("all", not keywords.get("listening"))
    asked = Options(**{**meant(keywords), "events": True})
    Plan(asked)  # mistakes: here
    watching = Watching(asked, Outcome(library=True))
    return (change for _, changes in watching.rounds() for change in changes)


def diff(before: Iterable[Any], after: Iterable[Any]) -> Records[Change]:
    """What differs between two lists of records, as `sockets()` or `routes()` gave them: each
    `Change` has `event` (added, removed or changed), `row` and `previous` as dicts. Owners,
    queues and counters, which move by themselves, do not count. TypeError for records of two kinds.

    >>> diff(routes(), routes())
    []
    """
    from .overtime.changes import record_changes
    from .results import Records
    from .run import now

    return Records(record_changes(before, after, now()))


def meant(keywords: Any) -> dict[str, Any]:
    """The keywords as Options has them; `proc` is the option's name for `root`."""
    from .options import Misuse

    given = {"root" if name == "proc" else name: value for name, value in keywords.items()}
    if given.get("record") is not None and given.get("at") is None:
        raise Misuse("record= names the folder that at= reads; --record DIR makes a recording")
    return dict(zip(given, map(plainly, given, given.values())))


def plainly(name: str, value: Any) -> Any:
    """A keyword's value as the command line would have it: `port=443`, `port=[80, 443]` and
    `state="listening"` are what they say. Misuse for what only a command line can honour."""
    from .options import Misuse
    from .settings import AGAIN, BY_FIELD, OUTPUT

    setting = BY_FIELD.get(name)
    if setting is None:
        return value  # which Options refuses
    if setting.reach == OUTPUT and setting.section == AGAIN:
        raise Misuse(f"{name}= is of the command line alone (--{setting.long})")
    if setting.reach == OUTPUT:
        raise Misuse(f"{name}= says how text is written; the API gives records")
    if setting.many and isinstance(value, str):
        return tuple(word for word in value.split(",") if word)
    if setting.many and isinstance(value, list):
        return tuple(value)
    if name == "port" and isinstance(value, (int, list, tuple)):
        return ",".join(map(str, value if isinstance(value, (list, tuple)) else [value]))
    return value


def records(*names: str, **keywords: Any) -> Records[Any]:
    """The records of the listings of these names; in numbers, unless names are asked for."""
    from itertools import chain

    from .kernel.proc import Proc
    from .options import Options
    from .outcome import Outcome
    from .plan import Plan
    from .results import Records
    from .run import Run, tables_alone

    for name in ("numeric_hosts", "numeric_ports", "numeric_users"):
        keywords.setdefault(name, True)
    options = Options(format="records", **meant(keywords))
    plan = Plan(options)
    outcome = Outcome(library=True)

    def found(run: Run) -> Records[Any]:
        tables = (
            table
            for listing, tables in run.gather()
            for table in tables_alone(tables)
            if listing.name in names  # families may bring other listings along
        )
        return Records(chain.from_iterable(map(made_at_once, tables)))  # in C, from table to table

    if options.at is not None:
        from .overtime.past import damage_told, past_run

        with damage_told():
            return found(past_run(options, outcome))
    return found(Run(plan, Proc(plan.options.root, outcome.error), outcome))


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
