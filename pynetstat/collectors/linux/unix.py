"""Unix sockets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from ...cells import blank, dash_for_unknown, owner_columns, which
from ...kernel import sockdiag
from ...kernel.decode import decimals, numbers_from_hex
from ...kernel.proc import Proc, lines_of
from ...listing import MORE_DETAILS, Column, Listing, Missing, Report
from ...options import Options
from ...table import Table
from ...tuples import content_hash, plain_dict

if TYPE_CHECKING:
    from ...kernel.sockdiag import UnixDetail


class UnixSocket(NamedTuple):
    """A unix socket; `path` is its whole name, of an abstract one with @ for each NUL.

    What netlink alone tells is None without it: `peer_inode` and `peer_path`, the socket that it is
    connected to, and the `accept_queue` and `backlog` of a listener. `abstract` is None where a
    name begins with @ and nothing tells whether that is a NUL or a file's own @.
    """

    proto: str
    type: str | None = None
    state: str | None = None
    flags: list[str] | None = None
    refcnt: int | None = None
    inode: int | None = None
    path: str | None = None
    abstract: bool | None = None
    peer_inode: int | None = None
    peer_path: str | None = None
    accept_queue: int | None = None
    backlog: int | None = None
    pid: int | None = None
    program: str | None = None
    processes: list[Any] | None = None
    netns: str | None = None
    unit: str | None = None
    container: str | None = None
    pod: str | None = None
    published_for: dict[str, Any] | None = None
    details: list[dict[str, Any]] | None = None

    @staticmethod
    def more() -> Mapping[str, str]:
        return MORE_DETAILS

    def __hash__(self) -> int:
        return content_hash(self)

    def to_dict(self) -> dict[str, Any]:
        return plain_dict(self)


# A row of /proc/net/unix as unix_seq_show() prints it; the name may hold anything but a NUL:
#   Num       RefCount Protocol Flags    Type St Inode Path
#   ffff8883059d9c28: 00000002 00000000 00010000 0001 01 23094 /run/u0
BEFORE = r"^[0-9a-f]+: ([0-9A-F]{8}) ([0-9A-F]{8}) ([0-9A-F]{8}) ([0-9A-F]{4}) ([0-9A-F]{2}) +(\d+)"
START = re.compile(BEFORE, re.MULTILINE)
ROW = re.compile(BEFORE + r"((?: [^\n\0]*)?)\n", re.MULTILINE)
LONGEST = 111  # a blank, the 109 bytes that a name can have, and the line end
# The same with all the freedom that netstat allows.
LOOSE = re.compile(
    r"\s*(?:(?:0x)?[0-9A-Fa-f]+|\(nil\)):\s*([0-9A-Fa-f]+)\s+([0-9A-Fa-f]+)\s+([0-9A-Fa-f]+)"
    r"\s+([0-9A-Fa-f]+)\s+([0-9A-Fa-f]+)(?:\s+(\d+)(\s.*)?)?",
    re.ASCII | re.DOTALL,
)
OLD = re.compile(
    r"\s*(?:(?:0x)?[0-9A-Fa-f]+|\(nil\)):\s*([0-9A-Fa-f]+)\s+([0-9A-Fa-f]+)\s+([0-9A-Fa-f]+)"
    r"\s+([0-9A-Fa-f]+)\s+([0-9A-Fa-f]+)(?:\s+(.*))?",
    re.ASCII | re.DOTALL,
)
WORD = re.compile(r"\S*", re.ASCII)

TYPES = {1: "STREAM", 2: "DGRAM", 3: "RAW", 4: "RDM", 5: "SEQPACKET"}
STATES = {0: "FREE", 2: "CONNECTING", 3: "CONNECTED", 4: "DISCONNECTING"}
FLAGS = {0x10000: "ACC", 0x20000: "W", 0x40000: "N"}
ACCEPTING = 0x10000


def collect(proc: Proc, options: Options, outcome: Report) -> Iterator[Table]:
    """/proc/net/unix; an ancient kernel's table without inodes has them as its paths.

    A name may hold a line end, and what follows it look like a row: where the kernel tells of
    its sockets by netlink too, only the rows of these are shown.
    """
    yield Table(UnixSocket, 0)
    known = sockdiag.unix_names(proc, options)
    details = None
    if known and (options.structured or options.filtered or options.sort):
        details = cache(partial(sockdiag.unix_details, proc, options))
    seen: set[tuple[str, str]] = set()
    try:
        blocks = proc.blocks("net/unix")
    except OSError as error:
        raise Missing("AF UNIX", proc.path("net/unix"), error) from error
    heading = None
    for block in blocks:
        if heading is None:
            heading, _, block = block.partition("\n")
        if "Inode" not in heading and options.structured:
            block, rows = "", old_rows(outcome, block)
        else:
            rows = ROW.findall(block)
        pairs = {(row[5], row[6]) for row in rows}
        whole = len(pairs) == len(rows) == block.count("\n")
        if known and not (whole and pairs <= known and pairs.isdisjoint(seen)):
            known |= sockdiag.unix_names(proc, options)
            rows = genuine("".join([block, *blocks]), known - seen)
        elif block and (len(rows) != block.count("\n") or not block.endswith("\n")):
            rows = loose_unix_rows(outcome, block)
        if rows:
            yield decode_unix_rows(list(zip(*rows)), "Inode" in heading, options, details)
        seen |= pairs


def genuine(text: str, known: set[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Row by row, where a name holds a line end, or sockets came and went meanwhile: the rows
    of sockets that the kernel has told of, with their whole names, each once.

    A connection that waits to be accepted has no inode yet, and the name of its listener.
    """
    rows, at = [], 0
    names = {name for _, name in known}
    while at < len(text):
        match = START.match(text, at)
        at = text.find("\n", at) + 1 or len(text)
        if match is None:
            continue
        *fields, code, inode = match.groups()
        for name in possible(text, match.end()):
            waiting = inode == "0" and code in ("02", "04") and name in names
            if waiting or (inode, name) in known:
                rows.append((*fields, code, inode, name))
                known.discard((inode, name))
                at = match.end() + len(name) + 1
                break
    return rows


def possible(text: str, start: int) -> list[str]:
    """What the name here may be, the longest first: it ends at one of the line ends."""
    parts = text[start : start + LONGEST].split("\n")[:-1]
    return list(accumulate(parts, "{}\n{}".format))[::-1]


def loose_unix_rows(outcome: Report, block: str) -> list[tuple[str, ...]]:
    """Line by line, where a block holds something that no kernel prints."""
    rows = []
    for line in lines_of(block):
        match = LOOSE.match(line)
        if match is None:
            outcome.warn("warning, got bogus unix line.")
            continue
        *numbers_, inode, path = match.groups()
        rows.append((*numbers_, inode or "0", path or ""))
    return rows


def old_rows(outcome: Report, block: str) -> list[tuple[str, ...]]:
    """The rows of a table without inodes, as very old kernels have it: the path follows."""
    rows = []
    for line in lines_of(block):
        match = OLD.match(line)
        if match:
            *numbers_, path = match.groups()
            rows.append((*numbers_, "0", f" {path}" if path else ""))
        elif line:
            outcome.warn("warning, got bogus unix line.")
    return rows


def decode_unix_rows(
    columns: Sequence[Sequence[str]],
    inodes: bool,
    options: Options,
    details: Callable[[], Mapping[int, UnixDetail]] | None = None,
) -> Table:
    refcnt, proto, flags, kind, code, inode, path = columns
    flag, state = numbers_from_hex(flags), numbers_from_hex(code)
    paths = [text[1:] or None for text in path]
    table = Table(
        UnixSocket,
        len(refcnt),
        proto=lambda: ["??" if number else "unix" for number in numbers_from_hex(proto)],
        type=lambda: [TYPES.get(number, "UNKNOWN") for number in numbers_from_hex(kind)],
        state=lambda: unix_states(state, flag),
        flags=lambda: flag_lists(flag),
        refcnt=lambda: numbers_from_hex(refcnt),
        inode=lambda: decimals(inode),
        path=paths,
        abstract=lambda: [None if not name or name[:1] == "@" else False for name in paths],
    )
    if details:
        table.fields |= unix_detail_fields(details, table)
    if not inodes:
        table.fields["inode"] = [None] * len(inode)
        if not options.structured:  # netstat takes the one for the other
            table.fields["path"] = list(inode)
    if options.all:
        return table
    listening = [number == 1 and bool(bits & ACCEPTING) for number, bits in zip(state, flag)]
    return table.keep(listening if options.listening else map(False.__eq__, listening))


def unix_detail_fields(
    details: Callable[[], Mapping[int, UnixDetail]], table: Table
) -> dict[str, Callable[[], list[Any]]]:
    """The fields that the kernel tells by netlink, asked for when one is first wanted."""
    plain: Any = table.fields["abstract"]

    def each(name: str) -> list[Any]:
        found = map(details().get, table["inode"])
        return [one and getattr(one, name) for one in found]

    def abstract() -> list[Any]:
        names = each("name")
        return [
            name[:1] == b"\0" if name else guessed if path is not None else None
            for name, guessed, path in zip(names, plain(), table["path"])
        ]

    def peer_path() -> list[Any]:
        found = [details().get(peer) for peer in each("peer")]
        return [one and one.name and written_name(one.name) for one in found]

    return {
        "abstract": abstract,
        "peer_inode": partial(each, "peer"),
        "peer_path": peer_path,
        "accept_queue": partial(each, "waiting"),
        "backlog": partial(each, "backlog"),
    }


def written_name(name: bytes) -> str:
    """A name as /proc/net/unix has it, one character per byte."""
    name = b"@" + name[1:].replace(b"\0", b"@") if name[:1] == b"\0" else name
    return name.decode("latin-1")


def unix_states(numbers: Sequence[int], flags: Sequence[int]) -> list[str | None]:
    """State 1 is a listener's where connections are accepted, and no state otherwise."""
    names: dict[tuple[int, int], str | None] = {}
    for number, bits in set(zip(numbers, flags)):
        names[number, bits] = STATES.get(number, "UNKNOWN")
        if number == 1:
            names[number, bits] = "LISTENING" if bits & ACCEPTING else None
    return list(map(names.__getitem__, zip(numbers, flags)))


def flag_lists(numbers: Sequence[int]) -> list[list[str]]:
    names = {bits: [name for bit, name in FLAGS.items() if bits & bit] for bits in set(numbers)}
    return list(map(names.__getitem__, numbers))


# The classic text


def heading(options: Options) -> str:
    return f"Active UNIX domain sockets {which(options)}"


def columns(options: Options) -> Iterator[Column]:
    yield Column("Proto ", "%-5s ", "proto")
    yield Column("RefCnt ", "%-6s ", "refcnt", dash_for_unknown)
    yield Column("Flags       ", "%-11s ", "flags", flag_cells)
    yield Column("Type       ", "%-10s ", "type", dash_for_unknown)
    yield Column("State         ", "%-13s ", "state", blank)
    yield Column("I-Node  ", "%-8s", "inode", dash_for_unknown)
    yield from owner_columns(options)
    yield Column(" Path", " %s", "path", path_cells, untrusted=True)


def flag_cells(flags: Sequence[Sequence[str] | None]) -> Iterable[str]:
    return [
        "-" if names is None else "[ " + "".join(f"{name} " for name in names) + "]"
        for names in flags
    ]


def path_cells(paths: Sequence[str | None]) -> Iterable[str]:
    """The first word: netstat cuts a path at its first blank."""
    return [WORD.match(path.lstrip(" \t\v\f\r"))[0] if path else "" for path in paths]  # type: ignore[index]


def unix_columns_below(options: Options) -> Iterator[Column]:
    if options.details:
        from .holders import holder_lines

        yield from holder_lines(options)


SOCKETS = Listing("unix", UnixSocket, collect, columns, heading, below=unix_columns_below)
