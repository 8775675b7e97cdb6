"""Internet and unix sockets as psutil tells them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from ...kernel.proc import NOT_ALL, NOTHING, Proc
from ...listing import Missing, Report, Stop
from ...options import Options
from ...table import Table
from ..linux import inet, unix
from . import failed, held_text, packed_address, same_address, unsupported
from .processes import LINUX, Processes, Way, owner_fields, psutil_module

# psutil's words that netstat does not have; the others are netstat's own.
STATES = {"NONE": None, "DELETE_TCB": "CLOSE"}
TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
FAMILIES = {"": socket.AF_INET, "6": socket.AF_INET6}
NOWHERE = {"": "0.0.0.0", "6": "::"}

ONLY_ROOT = "only root sees every process"


class Row(NamedTuple):
    """A socket, and who holds it: [(pid, descriptor)]."""

    connection: Any
    holders: list[tuple[int | None, int | None]]


# Whom to ask


class Source:
    """One run's sockets: psutil for the whole system or, where it refuses, for each process."""

    def __init__(self, outcome: Report, options: Options, way: Way, psutil: Any = None) -> None:
        self.outcome, self.options, self.way = outcome, options, way
        self.psutil = psutil or psutil_module()
        self.processes = Processes(self.psutil, way)

    def rows(self, kind: str) -> list[Row]:
        pairs = list(self.pairs(kind))
        if self.way.per_descriptor:
            return merged(pairs)
        return [
            Row(connection, [(pid or None, None if connection.fd == -1 else connection.fd)])
            for pid, connection in pairs
        ]

    def pairs(self, kind: str) -> Iterable[tuple[int | None, Any]]:
        """Each socket with its process; on Windows pid 0 means that the owner has exited."""
        try:
            found = self.psutil.net_connections(kind)
        except (self.psutil.AccessDenied, PermissionError):
            return self.by_process(kind)
        except (self.psutil.Error, OSError, RuntimeError) as error:
            failed(self.outcome, "psutil", error)
            return ()
        pairs = [(connection.pid, connection) for connection in found]
        if self.options.programs and self.way is LINUX:
            self.notice([pid for pid, _ in pairs])
        return pairs

    def by_process(self, kind: str) -> Iterator[tuple[int | None, Any]]:
        """Process by process; whole rows are missing where one may not be looked into."""
        denied = False
        for process in self.psutil.process_iter():
            ask = getattr(process, "net_connections", None) or process.connections
            try:
                for connection in ask(kind):
                    yield process.pid, connection
            except self.psutil.NoSuchProcess:  # ended meanwhile, or a zombie: it holds nothing
                continue
            except (self.psutil.Error, OSError, RuntimeError):
                denied = True
        if denied:
            self.outcome.warn(NOT_ALL)
            self.outcome.unseen("socket", ONLY_ROOT, None)

    def notice(self, pids: Sequence[int | None]) -> None:
        """What netstat says to a user who may not see everything."""
        if None in pids and os.geteuid() != 0:
            some = any(pid is not None for pid in pids)
            self.outcome.warn(NOT_ALL if some else NOTHING.format(os.geteuid()))
            self.outcome.unseen("owner", ONLY_ROOT, pids.count(None))


def merged(pairs: Iterable[tuple[int | None, Any]]) -> list[Row]:
    """Rows per descriptor as rows per socket.

    The same two ends are one socket, whoever holds it. Without a remote end two processes may
    have bound one address each for itself: there only the descriptors of one process are one.
    """
    found: dict[Any, Row] = {}
    for pid, connection in pairs:
        key = (connection.family, connection.type, connection.laddr, connection.raddr)
        key += (connection.status, None if connection.raddr else pid)  # type: ignore[assignment]
        row = found.setdefault(key, Row(connection, []))
        row.holders.append((pid, None if connection.fd == -1 else connection.fd))
    return list(found.values())


# Internet sockets


def collect(
    proc: Proc, options: Options, outcome: Report, way: Way = LINUX, psutil: Any = None
) -> Iterator[Table | Missing]:
    yield Table(inet.InetSocket, 0)  # the heading stands even where there is nothing to list
    asked = [name for name in options.protocols if name in TYPES]
    source = Source(outcome, options, way, psutil)
    rows: list[Row] = []
    if asked:
        kind = "inet" if len(asked) == 2 else asked[0]
        version = "" if len(options.versions) == 2 else options.versions[0] or "4"
        rows = source.rows(kind + version)
    yield from protocol_tables(options, partial(psutil_table, source, rows))


def protocol_tables(
    options: Options, give: Callable[[str, str], Table | None]
) -> Iterator[Table | Missing]:
    """The protocols in netstat's order, each as `give(protocol, version)` has it; None is a
    protocol that this system does not list."""
    for name in options.protocols:
        missing = False
        for version in options.versions:
            found = give(name, version)
            if found is not None:
                yield select_rows(found, name, version, options)
            missing = missing or (found is None and not version)
        missing = missing and options.lsof is None  # which names udplite where nobody did
        if missing and options.source == "psutil" and getattr(options, name):
            raise Stop(f"pynetstat: psutil lists no sockets of {name}; leave --source psutil out")
        if missing:
            yield unsupported(f"AF INET ({name})")


def select_rows(table: Table, name: str, version: str, options: Options) -> Table:
    """netstat's own choice, by the remote end; a socket that is bound and no more, which Linux
    does not list, is neither a server nor connected."""
    if options.all:
        return table
    if name == "tcp":
        alone = [not port for port in table["remote_port"]]
    else:
        alone = [address in (None, NOWHERE[version]) for address in table["remote_address"]]
    if not options.listening:
        return table.keep(map(False.__eq__, alone))
    return table.keep(
        [no_peer and state != "CLOSE" for no_peer, state in zip(alone, table["state"])]
    )


def psutil_table(source: Source, rows: Sequence[Row], name: str, version: str) -> Table | None:
    """One protocol's sockets, in the order of their ports."""
    if name not in TYPES:
        return None
    kind, family, nowhere = TYPES[name], FAMILIES[version], (NOWHERE[version], 0)
    rows = [row for row in rows if (row[0].type, row[0].family) == (kind, family)]
    ends = [(row[0].laddr or nowhere, row[0].raddr or nowhere) for row in rows]
    words = [str(row[0].status) for row in rows]
    places = [
        (here[1], here[0], there[1], there[0], word) for (here, there), word in zip(ends, words)
    ]
    order = sorted(range(len(rows)), key=places.__getitem__)
    rows, ends = [rows[at] for at in order], [ends[at] for at in order]
    words = [words[at] for at in order]
    texts = {text: linux_spelling(text, source.way) for pair in ends for text, _ in pair}
    fields: dict[str, Any] = {
        "local_address": [texts[here[0]] for here, _ in ends],
        "local_port": [here[1] for here, _ in ends],
        "remote_address": [texts[there[0]] for _, there in ends],
        "remote_port": [there[1] for _, there in ends],
        "remote_shown": [texts[there[0]] for _, there in ends],
        "state": [STATES.get(word, word) for word in words],
        "timer_text": ["-"] * len(rows),
    }
    if name == "udp":
        fields["state"] = ["ESTABLISHED" if there != nowhere else None for _, there in ends]
        if not source.way.udp_peers:
            fields |= {"remote_address": [None] * len(rows), "remote_port": [None] * len(rows)}
    fields |= owner_fields(source.processes, source.options, [row.holders for row in rows])
    return inet.inet_table(inet.TABLES[name], version, len(rows), **fields)


def linux_spelling(text: str, way: Way) -> str:
    """In Linux's spelling, as a socket of this system's psutil must be read."""
    if way.mapped and ":" in text:
        packed = packed_address(text)
        if packed and not any(packed[:12]) and int.from_bytes(packed, "big") > 1:
            return "::ffff:" + ".".join(map(str, packed[12:]))
    return same_address(text)


# Unix sockets

UNIX_TYPES = {"SOCK_STREAM": "STREAM", "SOCK_DGRAM": "DGRAM", "SOCK_SEQPACKET": "SEQPACKET"}


def collect_unix_by_psutil(
    proc: Proc, options: Options, outcome: Report, way: Way = LINUX, psutil: Any = None
) -> Iterator[Table]:
    if not way.unix:
        raise unsupported("AF UNIX")
    yield Table(unix.UnixSocket, 0)
    source = Source(outcome, options, way, psutil)
    rows = sorted(source.rows("unix"), key=unix_place)
    paths = [held_text(row.connection.laddr or "") or None for row in rows]
    found = Table(
        unix.UnixSocket,
        len(rows),
        proto=["unix"] * len(rows),
        type=[unix_type(row.connection.type) for row in rows],
        path=paths,
        abstract=[None if not path or path[:1] == "@" else False for path in paths],
        **owner_fields(source.processes, options, [row.holders for row in rows]),
    )
    if options.listening and not options.all:
        found = found.keep([may_listen(row.connection) for row in rows])
        if way is LINUX:
            outcome.warn(
                "(psutil does not tell which unix sockets listen; those with a path are shown.)"
            )
            outcome.unseen("socket", "psutil does not tell which unix sockets listen", None)
    yield found


def unix_place(row: Row) -> tuple[Any, ...]:
    pid, descriptor = row.holders[0]
    return (row.connection.laddr or "", pid or 0, descriptor or 0)


def unix_type(kind: Any) -> str:
    return UNIX_TYPES.get(getattr(kind, "name", ""), "UNKNOWN")


def may_listen(connection: Any) -> bool:
    """psutil has no states here. What has a name of its own and no peer may be a server."""
    named = bool(connection.laddr) and not connection.raddr
    return named and unix_type(connection.type) in ("STREAM", "SEQPACKET")


INET = inet.SOCKETS._replace(collect=collect, owned=True)
UNIX = unix.SOCKETS._replace(collect=collect_unix_by_psutil, owned=True)
