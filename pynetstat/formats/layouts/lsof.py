"""The layout of lsof -i: a row for each descriptor that a process has of a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ...listing import Section
from ...options import Options
from ...table import Table
from ...text import safe
from .ends import End, encoded_lines, socket_ends, whole_table

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from ...tuples import NamedTuple

HEADER = ("COMMAND", "PID", "USER", "FD", "TYPE", "DEVICE", "SIZE/OFF", "NODE", "NAME")


class Row(NamedTuple):
    """The cells of a row in print."""

    command: str
    pid: str
    user: str
    descriptor: str
    type: str
    device: str
    size: str
    node: str
    name: str


def render(
    sections: Iterable[Section], options: Options, incomplete: Callable[[], Any] | None = None
) -> Iterator[bytes]:
    found: list[tuple[int, int, Row]] = []
    for listing, tables in sections:
        if listing.name == "sockets":
            found += lsof_rows(whole_table(tables, listing.record), options)
    found.sort(key=lambda row: row[:2])
    yield encoded_lines(aligned([row for _, _, row in found], options.header))


def lsof_rows(table: Table, options: Options) -> Iterator[tuple[int, int, Row]]:
    pairs = zip(
        table["holders"],
        table["proto"],
        table["state"],
        table["inode"],
        table["family"],
        table["user"],
        table["uid"],
        socket_ends(table, "local", options),
        socket_ends(table, "remote", options),
    )
    for holders, proto, state, inode, family, user, uid, local, remote in pairs:
        tcp = proto.startswith("tcp")
        name = f"{lsof_end(local)}->{lsof_end(remote)}" if remote.port else lsof_end(local)
        name += f" ({state})" if tcp else " "
        for holder, command, holding in holders:
            row = Row(
                safe(command),
                str(holder.pid),
                holding or safe(user or str(uid)),
                "" if holder.fd is None else f"{holder.fd}u",
                "IPv6" if family == "inet6" else "IPv4",
                "" if inode is None else str(inode),
                "0t0",
                proto.rstrip("6").upper(),
                name,
            )
            yield holder.pid, holder.fd or 0, row


def lsof_end(end: End) -> str:
    host = end.host.removeprefix("::ffff:") if end.inside else end.host
    return f"{f'[{host}]' if ':' in host else host or '*'}:{end.port or '*'}"


def aligned(found: Sequence[Row], header: bool) -> Iterator[str]:
    """Each column as wide as its widest cell."""
    lines = [Row(*HEADER), *found] if found else []
    if not lines:
        return
    width = [max(map(len, cells)) for cells in zip(*lines)]
    number = max([4, *(len(row.descriptor) - 1 for row in found)])
    for at, row in enumerate(lines):
        if at == 0 and not header:
            continue
        text = f"{row.descriptor} " if at == 0 else row.descriptor
        descriptor = f"{text:>{number + 1}} "
        yield (
            f"{row.command:<{width[0]}} {row.pid:>{width[1]}} {row.user:>{width[2]}} {descriptor}"
            f" {row.type:>{width[4]}} {row.device:>{width[5]}} {row.size:>{width[6]}}"
            f" {row.node:>{width[7]}} {row.name}"
        )
