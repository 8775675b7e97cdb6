"""Which process holds a socket: /proc/*/fd read once, as far as it is needed."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import NamedTuple

from .options import Options
from .proc import Proc
from .table import Table

NOT_ALL = (
    "(Not all processes could be identified, non-owned process info\n"
    " will not be shown, you would have to be root to see it all.)"
)
NOTHING = '(No info could be read for "-p": geteuid()={} but you should be root.)'


class Owner(NamedTuple):
    pid: int
    program: str
    text: str  # what netstat prints: `PID/NAME`, cut to 19 bytes, the pid as the folder has it
    context: str


class Owners:
    """The owners of one round, found process by process until every wanted inode has one.

    The first process in directory order that holds an inode is its owner, as in netstat.
    `holders` (every process and descriptor) is filled for structured formats alone, since it
    takes the whole of /proc.
    """

    def __init__(self, proc: Proc, options: Options) -> None:
        self.proc, self.options = proc, options
        self.every = options.structured
        self.first: dict[int, Owner] = {}
        self.holders: dict[int, list[tuple[int, str, int]]] = {}
        self.denied = False
        self.scan = self.processes()

    def attribute(self, tables: Sequence[Table]) -> None:
        """Give these tables pid and program (and with -Z the security context)."""
        wanted = {inode for table in tables for inode in table["inode"] if inode}
        wanted.difference_update(self.first)
        for inodes in self.scan:
            wanted.difference_update(inodes)
            if not wanted and not self.every:
                break
        self.notice()
        for table in tables:
            found: list[Owner | None] = list(map(self.first.get, table["inode"]))
            table.fields["pid"] = [owner and owner.pid for owner in found]
            table.fields["program"] = [owner and owner.program for owner in found]
            table.fields["owner"] = [owner and owner.text for owner in found]
            table.fields["context"] = [owner and owner.context for owner in found]
            if self.every:
                table.fields["processes"] = list(map(self.holders.get, table["inode"]))

    def processes(self) -> Iterator[Iterable[int]]:
        """Each process with its sockets' inodes, entered into `first` (and `holders`)."""
        try:
            pids = self.proc.pids()
        except OSError as error:
            self.denied = self.denied or isinstance(error, PermissionError)
            return
        for pid in pids:
            try:
                # Held open, so that a process that ends meanwhile cannot be taken for the one
                # that gets its number next: all that is below says "no such process" then.
                process = os.open(self.proc.path(pid), os.O_RDONLY | os.O_DIRECTORY)
            except OSError:
                continue
            try:
                yield self.enter(pid, process)
            except OSError as error:
                self.denied = self.denied or isinstance(error, PermissionError)
            finally:
                os.close(process)

    def enter(self, folder: str, process: int) -> Iterable[int]:
        sockets = descriptors(process)
        inodes = list(sockets.values())
        if not inodes:
            return ()
        try:
            program = program_name(process)
        except OSError:
            return ()
        pid, label = int(folder), context(process) if self.options.context else "-"
        owner = Owner(pid, program, f"{folder}/{program}"[:19], label)
        deque(map(self.first.setdefault, inodes, repeat(owner)), maxlen=0)
        if self.every:
            for descriptor, inode in zip(sockets, inodes):
                self.holders.setdefault(inode, []).append((pid, program, int(descriptor)))
        return inodes

    def notice(self) -> None:
        """What netstat says to a user who may not see everything."""
        if not self.denied and os.geteuid() != 0:
            # Stopped early: is there a process further on that we may not look into?
            deque(self.scan, maxlen=0)
        if self.denied:
            self.proc.warn(NOT_ALL if self.first else NOTHING.format(os.geteuid()))
            self.denied = False


def descriptors(process: int) -> dict[str, int]:
    """Descriptor -> inode, of those that are sockets (`3 -> socket:[4242]`)."""
    directory = os.open("fd", os.O_RDONLY | os.O_DIRECTORY, dir_fd=process)
    try:
        names = os.listdir(directory)
        pairs: list[tuple[str, str]] = []
        rest = zip(iter(names), map(partial(os.readlink, dir_fd=directory), names))
        while True:
            try:
                pairs.extend(rest)
                break
            except OSError:  # closed meanwhile: the next one
                continue
    finally:
        os.close(directory)
    found = {}
    for (name, link), match in zip(pairs, map(LINK.match, [link for _, link in pairs])):
        if match:
            found[name] = int(match[1])
        elif link.startswith(("socket:[", "[0000]:")) and name[:1].isdecimal():
            found.update((name, inode) for inode in odd_inode(link))
    return found


# `socket:[4242]`, as every kernel since 2.2 writes it. An inode of one digit is passed over, as
# netstat does; there is none.
LINK = re.compile(r"socket:\[([1-9][0-9]+)\]\Z", re.ASCII)
# `[0000]:4242` of older ones, and numbers in C's notation, which netstat reads too.
ODD = re.compile(r"(?:socket:\[(?=.{3})|\[0000\]:)[ \t]*\+?(0[xX][0-9a-fA-F]+|\d+)\]?\Z", re.ASCII)


def odd_inode(link: str) -> list[int]:
    match = ODD.match(link[:29])
    if match is None or link.startswith("socket:[") != link.endswith("]"):
        return []
    digits = match[1]
    if not digits.lower().startswith("0x"):
        digits = digits if digits[0] != "0" else "0o" + digits
    try:
        return [int(digits, 0)]
    except ValueError:
        return []


def program_name(process: int) -> str:
    """The first argument; of an absolute path what follows its last slash."""
    first = content(process, "cmdline", 511).partition(b"\0")[0].decode("latin-1")
    return first.rpartition("/")[2] if first.startswith("/") else first


def context(process: int) -> str:
    """The SELinux context; of a long one the end."""
    try:
        text = content(process, "attr/current", 4096).rstrip(b"\0\n").decode("latin-1")
    except OSError:
        return "-"
    return text if len(text) < 50 else text[-48:]


def content(process: int, name: str, size: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY, dir_fd=process)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)
