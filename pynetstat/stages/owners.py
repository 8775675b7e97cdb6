"""Which process holds a socket: /proc/*/fd read once, as far as it is needed."""

from __future__ import annotations

import contextlib
import errno
import gc
import marshal
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple

from ..kernel.proc import NOT_ALL, NOTHING, READ, Proc
from ..listing import Holder
from ..options import Options
from ..table import Table
from ..text import decode


class Owner(NamedTuple):
    """The process that netstat would print for a socket."""

    pid: int
    program: str
    text: str  # `PID/NAME`, cut to 19 bytes, the pid as its folder under /proc has it
    context: str


# What one process holds: its folder, program name, security context, descriptors, their inodes.
Holding = tuple[str, str, str, "list[str]", "list[int]"]
DENIED: Holding = ("", "", "", [], [])  # we may not look into it


class Owners:
    """The owners of one round, found process by process until every wanted inode has one.

    The first process in directory order that holds an inode is its owner, as in netstat.
    `holders` (all processes and descriptors) is filled where `every` is set, for records,
    since it takes the whole of /proc. `crowd`: many sockets are to be expected, and we may fork.
    """

    def __init__(
        self, proc: Proc, options: Options, every: bool = False, crowd: bool = False
    ) -> None:
        self.proc, self.options, self.every = proc, options, every
        self.first: dict[int, Owner] = {}
        self.holders: dict[int, list[Holder]] = {}
        self.denied = False
        self.missing = 0  # sockets that have no owner, as far as nothing was said of it
        self.scan = self.together() if crowd else self.alone()
        if crowd:
            next(self.scan)  # the helper starts now, while we read the sockets

    def attribute(self, tables: Sequence[Table]) -> None:
        """Give these tables pid and program (and with -Z the security context)."""
        collecting = gc.isenabled()
        gc.disable()  # so many small objects, and none of them garbage
        try:
            self.missing += self.find(tables)
        finally:
            if collecting:
                gc.enable()
        self.notice()
        for table in tables:
            self.fill(table, list(map(self.first.get, table["inode"])))

    def find(self, tables: Sequence[Table]) -> int:
        """Go on with the scan until every inode of these tables has its owner; how many have
        none."""
        wanted = {inode for table in tables for inode in table["inode"] if inode}
        if self.every:
            deque(self.scan, maxlen=0)
        wanted.difference_update(self.first)
        for inodes in self.scan:
            wanted.difference_update(inodes)
            if not wanted:
                break
        return len(wanted)

    def fill(self, table: Table, found: list[Owner | None]) -> None:
        table.fields |= {
            "pid": lambda: [owner and owner.pid for owner in found],
            "program": lambda: [owner and owner.program for owner in found],
            "owner": lambda: [owner and owner.text for owner in found],
            "context": lambda: [owner and owner.context for owner in found],
        }
        if self.every:
            table.fields["processes"] = list(map(self.holders.get, table["inode"]))

    def folders(self) -> list[str]:
        if not hasattr(os, "O_DIRECTORY"):  # Windows: a copy of some /proc, without its links
            return []
        try:
            return self.proc.pids()
        except OSError:
            self.denied = True
            return []

    def alone(self) -> Iterator[Iterable[int]]:
        """Process by process; the inodes of each, once they are entered."""
        for folder in self.folders():
            yield self.enter(self.look(folder))

    def together(self) -> Iterator[Iterable[int]]:
        """The same with the help of a second process: nearly all of the time goes into the
        kernel's readlink, 3 us a descriptor, and there is more than one processor."""
        folders = self.folders()
        helper = Helper(folders, self.look)
        yield ()
        found = helper.work()
        found |= helper.answer()
        for folder in folders:
            yield self.enter(found[folder] if folder in found else self.look(folder))

    def look(self, folder: str) -> Holding | None:
        """What one process holds. Its folder is held open meanwhile, so that a process that
        ends cannot be taken for the one that gets its number next."""
        try:
            process = os.open(self.proc.path(folder), os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):  # it is we who cannot, for all of them
                raise
            return DENIED if isinstance(error, PermissionError) else None  # hidepid=1
        try:
            for _ in range(2):  # once more where it became another program meanwhile
                names, inodes = descriptors(process)
                if not inodes:
                    return None
                program = program_name(process)
                if holds(process, names[0], inodes[0]) and holds(process, names[-1], inodes[-1]):
                    break
            label = context(process) if self.options.context else "-"
            return folder, program, label, names if self.every else [], inodes
        except OSError as error:
            return DENIED if isinstance(error, PermissionError) else None
        finally:
            os.close(process)

    def enter(self, holding: Holding | None) -> Iterable[int]:
        if holding is None:
            return ()
        folder, program, label, names, inodes = holding
        if not folder:
            self.denied = True
            return ()
        owner = Owner(int(folder), program, f"{folder}/{program}"[:19], label)
        deque(map(self.first.setdefault, inodes, repeat(owner)), maxlen=0)
        if self.every:
            triples = zip(repeat(owner.pid), repeat(decode(program)), map(int, names))
            self.hold(inodes, map(tuple.__new__, repeat(Holder), triples))
        return inodes

    def hold(self, inodes: list[int], holders: Iterable[Any]) -> None:
        """Add a process to the holders of its sockets; few sockets have more than one."""
        if len(set(inodes)) == len(inodes) and self.holders.keys().isdisjoint(inodes):
            self.holders.update(zip(inodes, map(list, zip(holders))))
        else:
            for inode, holder in zip(inodes, holders):
                self.holders.setdefault(inode, []).append(holder)

    def notice(self) -> None:
        """What netstat says to a user who may not see everything."""
        if not self.denied and hasattr(os, "geteuid") and os.geteuid() != 0:
            # Stopped early: is there a process further on that we may not look into?
            deque(self.scan, maxlen=0)
        if self.denied:
            self.proc.warn(NOT_ALL if self.first else NOTHING.format(os.geteuid()))
            self.denied, self.missing = False, 0

    def last_notice(self) -> None:
        """What netstat does not say: there are processes that are out of sight altogether."""
        why = self.missing and out_of_sight(self.proc)
        if why:
            several = "" if self.missing == 1 else "s"
            self.proc.warn(f"({self.missing} socket{several} without a process: {why}.)")


INITIAL = 0xEFFFFFFC  # inode of the PID namespace of the machine itself (linux/proc_ns.h)


def out_of_sight(proc: Proc) -> str:
    """Why this /proc does not show every process of the machine; nothing where it does.

    A line of /proc/self/mountinfo, the mount point its fifth field, its own options the last:
      29 1 0:26 / /proc rw,relatime - proc proc rw,hidepid=invisible
    """
    if not proc.own:  # a copy, or another place's
        return ""
    try:
        if os.stat("/proc/self/ns/pid").st_ino != INITIAL:
            return "processes outside of this PID namespace are not to be seen"
        with open("/proc/self/mountinfo", "rb") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return ""
    options = [words[-1] for words in mounts if words[4] == b"/proc"][-1:]
    if os.geteuid() != 0 and options and re.search(rb"hidepid=(?!0|off)", options[0]):
        return "/proc is mounted with hidepid, and shows other users' processes to root alone"
    return ""


class Helper:
    """A second process that takes its share of the folders, one by one as we do.

    The list of folders is a file without a name whose offset both share: who reads next gets
    the next. What the helper does not bring, should it die, is left to be looked at again.
    """

    WIDTH = 24  # bytes of an entry of the list

    def __init__(self, folders: Sequence[str], look: Callable[[str], Holding | None]) -> None:
        self.look = look
        self.list = os.memfd_create("folders")
        os.write(self.list, "".join([f"{folder:<{self.WIDTH}}" for folder in folders]).encode())
        os.lseek(self.list, 0, os.SEEK_SET)
        self.reading, writing = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            try:
                with open(writing, "wb") as file:
                    marshal.dump(self.work(), file)
            finally:
                os._exit(0)
        os.close(writing)

    def work(self) -> dict[str, Holding | None]:
        found = {}
        while entry := os.read(self.list, self.WIDTH):
            folder = entry.decode().rstrip()
            found[folder] = self.look(folder)
        return found

    def answer(self) -> dict[str, Holding | None]:
        os.close(self.list)
        with open(self.reading, "rb") as file:
            data = file.read()
        with contextlib.suppress(ChildProcessError):  # a caller of the API may reap all children
            os.waitpid(self.child, 0)
        try:
            found: dict[str, Holding | None] = marshal.loads(data)
        except (EOFError, ValueError, TypeError):
            return {}
        return found


def descriptors(process: int) -> tuple[list[str], list[int]]:
    """The descriptors that are sockets (`3 -> socket:[4242]`), and their inodes."""
    directory = os.open("fd", os.O_RDONLY | os.O_DIRECTORY, dir_fd=process)
    try:
        names = list(filter(str.isdecimal, os.listdir(directory)))
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
    found, inodes = [], []
    for (name, link), match in zip(pairs, map(LINK.match, [link for _, link in pairs])):
        if match:
            found.append(name)
            inodes.append(int(match[1]))
        elif link.startswith(("socket:[", "[0000]:")) and (inode := odd_inode(link)):
            found.append(name)
            inodes.append(inode)
    return found, inodes


def holds(process: int, name: str, inode: int) -> bool:
    """Is this still so? What a process holds is closed when it becomes another program."""
    try:
        match = LINK.match(os.readlink(f"fd/{name}", dir_fd=process))
    except OSError:
        return False
    return match is None or int(match[1]) == inode


# `socket:[4242]`, as every kernel since 2.2 writes it. An inode of one digit is passed over, as
# netstat does; there is none.
LINK = re.compile(r"socket:\[([1-9][0-9]{1,18})\]\Z", re.ASCII)
# `[0000]:4242` of older ones, and numbers in C's notation, which netstat reads too.
ODD = re.compile(r"(?:socket:\[(?=.{3})|\[0000\]:)[ \t]*\+?(0[xX][0-9a-fA-F]+|\d+)\]?\Z", re.ASCII)


def odd_inode(link: str) -> int | None:
    match = ODD.match(link[:29])
    if match is None or link.startswith("socket:[") != link.endswith("]"):
        return None
    digits = match[1]
    if not digits.lower().startswith("0x"):
        digits = digits if digits[0] != "0" else "0o" + digits
    try:
        inode = int(digits, 0)
    except ValueError:
        return None
    return inode if inode < (1 << 64) - 1 else None


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
    descriptor = os.open(name, READ, dir_fd=process)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)
