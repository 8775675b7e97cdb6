"""Which process holds a socket: /proc/*/fd is read once, until all sockets have owners."""

from __future__ import annotations

import contextlib
import errno
import gc
import math
import os
import re
import sys
import time
import typing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import repeat
from typing import Any, NamedTuple

from ..kernel.proc import NOT_ALL, NOTHING, READ, Proc, reason
from ..kernel.rights import is_root, lacking
from ..listing import Holder, Report
from ..options import Options
from ..table import Table, holdable
from ..text import decode_nested


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
    since it takes the whole of /proc. `crowd`: many sockets are to be expected.
    """

    def __init__(
        self,
        proc: Proc,
        options: Options,
        outcome: Report,
        every: bool = False,
        crowd: bool = False,
    ) -> None:
        self.proc, self.options, self.outcome, self.every = proc, options, outcome, every
        self.first: dict[int, Owner] = {}
        self.holders: dict[int, list[Holder]] = {}
        self.denied = False  # some process could not be read, and no notice was given of it yet
        self.refused = False  # the same, notice or not
        self.absent = ""  # why there is no list of processes
        self.failure = ""  # why the scan broke off
        self.latest = math.inf  # when the second look is to end
        self.cut = False  # it did not reach its end
        self.missing = 0  # sockets without an owner that have not been reported yet
        self.lost = 0  # the same, reported or not
        self.listeners = 0  # listeners among them
        self.folders: list[str] = []
        self.rings: list[tuple[Owner, list[int]]] = []  # sockets that io_uring holds for a process
        self.flights: int | None = None  # messages between processes that hold descriptors
        self.scan = self.together() if crowd else self.alone()
        self.more = self.second_look()

    def close(self) -> None:
        """End the scan, and its thread."""
        self.scan.close()

    def attribute(self, tables: Sequence[Table]) -> None:
        """Give these tables pid and program (and with -Z the security context)."""
        collecting = gc.isenabled()
        gc.disable()  # many small objects, all in use
        left: set[int] = set()
        try:
            left = self.find(tables)
        except OSError as error:
            self.broken_off(error.filename or self.proc.root, error)
        finally:
            if collecting:
                gc.enable()
        if left:  # not the listeners of others that were sought beside them
            left &= set().union(*(table["inode"] for table in tables))
        self.missing += len(left)
        self.lost += len(left)
        for table in tables if left else ():
            pairs = zip(table["inode"], table["state"])
            found = [inode for inode, state in pairs if inode in left and state in LISTENING]
            self.listeners += len(found)
        self.notice()
        for table in tables:
            self.fill(table, list(map(self.first.get, table["inode"])))

    def find(self, tables: Sequence[Table]) -> set[int]:
        """Go on with the scan until every inode of these tables has its owner; those that have
        none."""
        wanted = {inode for table in tables for inode in holdable(table) if inode}
        wanted.update(one.inode for table in tables for one in self.waiting(table) if one)
        if self.every:
            deque(self.scan, maxlen=0)
            deque(self.enter_rings(), maxlen=0)
        wanted.difference_update(self.first)
        self.latest = math.inf
        for scan in (self.scan, self.more):
            if not wanted or self.failure or self.absent:
                break
            for inodes in scan:
                wanted.difference_update(inodes)
                if not wanted:
                    break
            self.latest = time.monotonic() + SECOND_LOOK
        return wanted

    def fill(self, table: Table, found: list[Owner | None]) -> None:
        table.fields |= {
            "pid": lambda: [owner and owner.pid for owner in found],
            "program": lambda: [owner and owner.program for owner in found],
            "owner": lambda: [owner and owner.text for owner in found],
            "context": lambda: [owner and owner.context for owner in found],
        }
        if self.every:
            table.fields["processes"] = list(map(self.holders.get, table["inode"]))
            if any(self.waiting(table)):
                table.fields["listener"] = list(map(self.accepting, table["listener"]))

    def waiting(self, table: Table) -> Sequence[Any]:
        """The listeners at which connections wait that no program has accepted yet."""
        return table["listener"] if self.every and "listener" in table.fields else ()

    def accepting(self, listener: Any) -> Any:
        """A listener with the process that is to accept."""
        owner = self.first.get(listener.inode) if listener else None
        if owner is None:
            return listener
        return listener._replace(pid=owner.pid, program=decode_nested(owner.program))

    def processes(self) -> list[str]:
        """The processes in directory order, remembered for the second look."""
        if not hasattr(os, "O_DIRECTORY"):  # Windows: a copy of some /proc, without its links
            return []
        try:
            self.folders = self.proc.pids()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):  # a container may have no /proc
                self.absent = f"{self.proc.root}: {reason(error)}"
            else:
                self.broken_off(self.proc.root, error)
        return self.folders

    def broken_off(self, path: str, error: OSError) -> None:
        """The scan cannot go on; what was found until now is shown, and the status is 1."""
        self.failure = f"{path}: {reason(error)}"
        self.outcome.error(path, error)

    def alone(self) -> Generator:
        """Process by process; the inodes of each, once they are entered."""
        for folder in self.processes():
            yield self.enter(self.look(folder))

    def together(self) -> Generator:
        """The same with the help of a thread. Nearly all of the time goes into the kernel's
        readlink, 3 us a descriptor, during which Python lets the other thread run: 0.28 s
        instead of 0.42 for 100,000 descriptors on two idle processors, for 8 % more CPU time;
        no gain where both are busy.

        A thread ends with its process, whatever ends that. Where none can be started, or the two
        together run out of descriptors, one goes on alone.
        """
        import threading

        folders = self.processes()
        rest = deque(folders)
        found: dict[str, Holding | Exception | None] = {}

        def take() -> bool:
            """Read the next process, unless all are read or being read."""
            try:
                folder = rest.popleft()
            except IndexError:
                return False
            try:
                found[folder] = self.look(folder)
            except Exception as error:
                found[folder] = error
            return True

        def help_along() -> None:
            while take():
                pass

        thread = threading.Thread(target=help_along, daemon=True)
        with contextlib.suppress(RuntimeError):  # can't start new thread
            thread.start()
        try:
            for folder in folders:
                while folder not in found and take():
                    pass
                if folder not in found:  # the thread is reading it
                    thread.join()
                holding = found.pop(folder)
                if isinstance(holding, Exception):
                    if thread.ident is not None:
                        thread.join()
                    holding = self.look(folder)
                yield self.enter(holding)
        finally:
            rest.clear()  # the thread ends after the process that it is reading
            # Not started; or it collects garbage, of which this abandoned scan is a part.
            if thread.ident not in (None, threading.get_ident()):
                thread.join()

    def second_look(self) -> Generator:
        """For sockets that no process seemed to hold: processes that are new, and threads whose
        descriptors are not those of their process (unshare(CLONE_FILES)), or whose process's
        first thread has ended. netstat does not find these."""
        yield from self.enter_rings()
        known, seen = self.folders, set(self.folders)
        for folder in self.processes():
            if folder not in seen:
                yield self.enter(self.look(folder))
        for folder in known:
            for thread in self.threads(folder):
                yield self.enter(self.look(folder, f"/task/{thread}"))
            if self.cut:
                return

    def threads(self, folder: str) -> Iterator[str]:
        """The threads that have a table of descriptors which no thread before them has."""
        task = self.proc.path(f"{folder}/task")
        try:
            threads = os.listdir(task)
            tables = [folder]
            for thread in threads if len(threads) > 1 else ():
                if time.monotonic() > self.latest:
                    self.cut = True
                    return
                if thread == folder:
                    continue
                same = [same_table(thread, other) for other in tables] if self.proc.own else [None]
                if any(same):
                    continue
                if None in same and descriptor_numbers(f"{task}/{thread}") == descriptor_numbers(
                    f"{task}/{folder}"
                ):
                    continue  # most likely the same table
                tables.append(thread)
                yield thread
        except OSError as error:
            if error.errno in OURS:
                raise

    def look(self, folder: str, thread: str = "") -> Holding | None:
        """What one process holds, or one `/task/TID` of it. Its folder is held open meanwhile,
        so that a process that ends cannot be taken for the one that gets its number next."""
        path = self.proc.path(folder + thread)
        try:
            process = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            return unreadable(error, path)
        try:
            before = None
            for _ in range(TRIES):  # once more where it became another program meanwhile
                names, inodes, rings = descriptors(process)
                if rings:
                    self.note_rings(process, folder, rings)
                if not inodes:
                    return None
                program = program_name(process)
                if program == before:  # it was this program before and after
                    break
                if holds(process, names[0], inodes[0]) and holds(process, names[-1], inodes[-1]):
                    break
                before = program
            label = context(process) if self.options.context else "-"
            return folder, program, label, names if self.every else [], inodes
        except OSError as error:
            return unreadable(error, path)
        finally:
            os.close(process)

    def note_rings(self, process: int, folder: str, rings: Sequence[str]) -> None:
        """Remember the sockets that were registered with io_uring, which holds them even where
        their descriptors are closed."""
        inodes: list[int] = []
        for name in rings:
            with contextlib.suppress(OSError):
                text = bounded_content(process, f"fdinfo/{name}", 1 << 20).decode("latin-1")
                inodes += map(int, REGISTERED.findall(text))
        if inodes:
            program = program_name(process)
            label = context(process) if self.options.context else "-"
            owner = Owner(int(folder), program, f"{folder}/{program}"[:19], label)
            self.rings.append((owner, inodes))

    def enter_rings(self) -> Generator:
        """The processes for which io_uring holds sockets: holders without a descriptor."""
        for owner, inodes in self.rings:
            holder = Holder(owner.pid, decode_nested(owner.program), None)
            for inode in set(inodes):
                self.first.setdefault(inode, owner)
                if self.every and not any(
                    one.pid == owner.pid for one in self.holders.get(inode, ())
                ):
                    self.hold([inode], [holder])
            yield inodes

    def enter(self, holding: Holding | None) -> Iterable[int]:
        if holding is None:
            return ()
        folder, program, label, names, inodes = holding
        if not folder:
            self.denied = self.refused = True
            return ()
        owner = Owner(int(folder), program, f"{folder}/{program}"[:19], label)
        deque(map(self.first.setdefault, inodes, repeat(owner)), maxlen=0)
        if self.every:
            triples = zip(repeat(owner.pid), repeat(decode_nested(program)), map(int, names))
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
        if self.absent and self.missing:
            self.outcome.warn(f'(No info could be read for "-p": {self.absent}.)')
        if self.absent or self.failure:
            self.missing = self.listeners = 0
        if not self.denied and not is_root():
            # Stopped early: is there a process further on that we may not look into?
            with contextlib.suppress(OSError):  # out of descriptors, which was told
                deque(self.scan, maxlen=0)
        if self.denied and not is_root():
            self.outcome.warn(NOT_ALL if self.first else NOTHING.format(os.geteuid()))
            self.missing = 0
        self.denied = False

    def last_notice(self) -> None:
        """What netstat does not say: why sockets have no process although root asks. Where
        everything could be seen, it is said of listeners alone: the kernel has sockets too."""
        why = "; ".join(self.reasons())
        if self.missing and why:
            several = "" if self.missing == 1 else "s"
            self.outcome.warn(f"({self.missing} socket{several} without a process: {why}.)")
        elif self.listeners and is_root() and self.proc.own:
            several, them = ("", "it") if self.listeners == 1 else ("s", "them")
            self.outcome.warn(
                f"({self.listeners} listener{several} without a process: no process holds {them};"
                f" {ELSEWHERE}.)"
            )

    def flying(self) -> int:
        """How many descriptors wait in messages between processes (SCM_RIGHTS); the kernel tells
        in the receiver's /proc/PID/fdinfo: `scm_fds: 1`."""
        if self.flights is None:
            self.flights = sum(self.in_flight())
        return self.flights

    def in_flight(self) -> Iterator[int]:
        """How many descriptors wait in the messages of each unix socket, where all holders are
        known. 5 us for each of them."""
        try:
            lines = self.proc.lines("net/unix")
            inodes = {match[1] for match in map(UNIX_INODE.match, lines) if match}
        except OSError:
            return
        end = time.monotonic() + SECOND_LOOK
        for inode in inodes & {str(inode) for inode in self.holders}:
            for holder in self.holders[int(inode)]:
                if time.monotonic() > end:
                    return
                with contextlib.suppress(OSError):
                    text = self.proc.read(f"{holder.pid}/fdinfo/{holder.fd}")
                    yield int((re.search(r"^scm_fds:\s*(\d{1,9})$", text, re.M) or (0, 0))[1])
                    break

    def reasons(self) -> list[str]:
        """The observed reasons why sockets have no owner."""
        if self.absent:
            return [self.absent]
        found = unowned_reasons(self.proc, self.refused)
        if self.lost and self.flying():
            count = "1 descriptor is" if self.flights == 1 else f"{self.flights} descriptors are"
            found.append(f"{count} under way in messages between processes, perhaps of these")
        if self.failure:
            found.append("the processes could not be read to the end")
        if self.cut:
            found.append(f"there are more threads than can be read in {SECOND_LOOK:.0f} s")
        return found


Generator = typing.Generator[Iterable[int], None, None]
LISTENING = {"LISTEN", "LISTENING"}  # the states of a listener (tcp, unix)
# Errors that are no process's: no descriptors left to us or to the machine, no memory, no such
# system call (a sandbox).
OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSYS)
ELSEWHERE = "the kernel itself may, or a message between processes"
SECOND_LOOK = 2.0  # seconds at most: a process may have any number of threads
INITIAL = 0xEFFFFFFC  # inode of the PID namespace of the machine itself (linux/proc_ns.h)


def unreadable(error: OSError, path: str) -> Holding | None:
    """What stands for a process that cannot be read. Where it is we who cannot, none can be read
    from now on: the error goes on, with the path."""
    if error.errno in OURS:
        raise OSError(error.errno, os.strerror(error.errno), path) from error
    return DENIED if isinstance(error, PermissionError) else None  # hidepid=1


def unowned_reasons(proc: Proc, refused: bool) -> list[str]:
    """Why sockets may have no owner, the surest reason first; none where every process of the
    machine could be read. `refused`: some could not.

    A line of /proc/self/mountinfo, the mount point its fifth field, its own options the last:
      29 1 0:26 / /proc rw,relatime - proc proc rw,hidepid=invisible
    """
    found = []
    if refused:
        found.append(
            (lacking() or "the kernel does not let this root user look into every process")
            if is_root()
            else "only root sees every process"
        )
    if not proc.own:  # a copy, or another place's
        return found
    with contextlib.suppress(OSError):
        mounts = [line.split() for line in proc.read("self/mountinfo").splitlines()]
        options = [words[-1] for words in mounts if words[4] == "/proc"][-1:]
        if not is_root() and options and re.search("hidepid=(?!0|off)", options[0]):
            found.append(
                "/proc is mounted with hidepid, and shows other users' processes to root alone"
            )
    with contextlib.suppress(OSError):
        if os.stat("/proc/self/ns/pid").st_ino != INITIAL:
            found.append(
                "processes outside of this PID namespace may hold them, and are not seen here"
            )
    return found


# The number of kcmp() on machines of 64 bits.
KCMP = {"x86_64": 312, "aarch64": 272, "riscv64": 272, "ppc64le": 354, "s390x": 343}
KCMP_FILES = 2


@cache
def system_call() -> Any:
    """The C library's syscall(), where the number of kcmp() is known."""
    if os.uname().machine not in KCMP or sys.maxsize < 1 << 32:
        return None
    try:
        import ctypes

        return ctypes.CDLL(None).syscall
    except (ImportError, OSError, AttributeError):
        return None


def same_table(one: str, other: str) -> bool | None:
    """True if two threads share their table of descriptors; None where the kernel does not tell."""
    call = system_call()
    order = call(KCMP[os.uname().machine], int(one), int(other), KCMP_FILES, 0, 0) if call else -1
    return order == 0 if order >= 0 else None


def descriptor_numbers(thread: str) -> list[str] | None:
    """The numbers of its descriptors; None for one that has ended, or that is another user's."""
    try:
        return os.listdir(f"{thread}/fd")
    except OSError as error:
        if error.errno in OURS:
            raise
        return None


def descriptors(process: int) -> tuple[list[str], list[int], list[str]]:
    """The descriptors that are sockets (`3 -> socket:[4242]`), their inodes, and the descriptors of
    io_uring."""
    directory = os.open("fd", os.O_RDONLY | os.O_DIRECTORY, dir_fd=process)
    try:
        names = list(filter(str.isdecimal, os.listdir(directory)))
        pairs, closed = descriptor_links(directory, names)
        if closed:  # what was opened in their place is to be found too
            old = set(names)
            os.lseek(directory, 0, os.SEEK_SET)
            new = [name for name in os.listdir(directory) if name.isdecimal() and name not in old]
            pairs += descriptor_links(directory, new)[0]
    finally:
        os.close(directory)
    found, inodes, rings = [], [], []
    for (name, link), match in zip(pairs, map(LINK.match, [link for _, link in pairs])):
        if match:
            found.append(name)
            inodes.append(int(match[1]))
        elif link.startswith(("socket:[", "[0000]:")) and (inode := odd_inode(link)):
            found.append(name)
            inodes.append(inode)
        elif link == "anon_inode:[io_uring]":
            rings.append(name)
    return found, inodes, rings


def descriptor_links(directory: int, names: list[str]) -> tuple[list[tuple[str, str]], bool]:
    """The descriptors with what they are, and whether some were closed meanwhile."""
    pairs: list[tuple[str, str]] = []
    rest = zip(iter(names), map(partial(os.readlink, dir_fd=directory), names))
    while True:
        try:
            pairs.extend(rest)
            return pairs, len(pairs) < len(names)
        except OSError as error:
            if error.errno in OURS or (isinstance(error, PermissionError) and not pairs):
                raise
            # Closed meanwhile: the next one.


def holds(process: int, name: str, inode: int) -> bool:
    """True if this is still so. What a process holds is closed when it becomes another program."""
    try:
        link = os.readlink(f"fd/{name}", dir_fd=process)
    except OSError:
        return False
    match = LINK.match(link)
    return (int(match[1]) if match else odd_inode(link)) == inode


# `socket:[4242]`, as every kernel since 2.2 writes it. An inode of one digit is passed over, as
# netstat does; there is none.
LINK = re.compile(r"socket:\[([1-9][0-9]{1,18})\]\Z", re.ASCII)
# A file that io_uring holds, in its /proc/PID/fdinfo/N: `    0: socket:[4242]`
REGISTERED = re.compile(r"^ *\d+: socket:\[(\d{1,19})\]$", re.ASCII | re.MULTILINE)
# A row of /proc/net/unix: the inode is its seventh word.
UNIX_INODE = re.compile(r"(?:\S+ +){6}(\d{1,19})(?: |$)", re.ASCII)
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
    first = bounded_content(process, "cmdline", 511).partition(b"\0")[0].decode("latin-1")
    return first.rpartition("/")[2] if first.startswith("/") else first


def context(process: int) -> str:
    """The SELinux context; of a long one the end."""
    try:
        text = bounded_content(process, "attr/current", 4096).rstrip(b"\0\n").decode("latin-1")
    except OSError:
        return "-"
    return text if len(text) < 50 else text[-48:]


def bounded_content(process: int, name: str, size: int) -> bytes:
    descriptor = os.open(name, READ, dir_fd=process)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


TRIES = 4  # to read the descriptors of a process that changes its program meanwhile
CROWD = 50_000  # sockets from which a second thread is worth its start


def crowded(proc: Proc) -> bool:
    """True if there are so many sockets that two threads should search for their owners.

    `sockets: used 1234` is the first line of /proc/net/sockstat.
    """
    try:
        used = proc.read("net/sockstat").split()[2]
    except (OSError, IndexError):
        return False
    return used.isdecimal() and int(used[:9]) >= CROWD and (os.cpu_count() or 1) > 1
