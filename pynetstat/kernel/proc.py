"""Reads files below a mounted /proc."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from functools import cached_property

BLOCK = 1 << 19  # bytes of a table read at a time: some thousand rows
LINE = 8191  # netstat's line buffer: a longer line goes on as a further line
WHOLE = 1 << 25  # bytes of a table that is taken in one piece: more than any kernel has of it
# Windows would turn line ends around; and what is a pipe, in a copy of some /proc, has no end.
READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
READ |= getattr(os, "O_NOCTTY", 0)
# A table of more bytes is refused: 14 million sockets, where no kernel has seen more than a few.
MOST = 1 << 31

# What netstat says to a user who may not look into every process
NOT_ALL = (
    "(Not all processes could be identified, non-owned process info\n"
    " will not be shown, you would have to be root to see it all.)"
)
NOTHING = '(No info could be read for "-p": geteuid()={} but you should be root.)'


class Proc:
    """A mounted /proc: this machine's, a container's, a host's seen from a container, a capture.

    `report(path, error)` is called for a file that was opened and cannot be read to its end.
    """

    def __init__(
        self, root: str = "/proc", report: Callable[[str, OSError], None] | None = None
    ) -> None:
        # /proc/ and a link to /proc are /proc: there the kernel may be asked.
        self.root = "/proc" if same_folder(root, "/proc") else root
        self.report = report or (lambda path, error: None)

    def path(self, name: str) -> str:
        if name.startswith("net/"):
            return self.net + name[3:]
        return f"{self.root}/{name}"

    @cached_property
    def net(self) -> str:
        """The folder of the tables. `net` of a mounted /proc is a link to self/net: the network
        namespace of who reads.

        A /proc that shows processes alone (subset=pid) has no such link, but self/net. In the
        /proc of another place, such as a host's in a container, the tables of that place are
        those of its first process.
        """
        folder = f"{self.root}/net"
        try:
            os.readlink(folder)
        except OSError as error:
            if error.errno != errno.ENOENT:  # a folder: a copy, or of one process
                return folder
            process = f"{self.root}/{'self' if self.root == '/proc' else 1}"
            try:
                mounted = os.stat(self.root).st_dev == os.stat(process).st_dev
            except OSError:
                return folder
            return f"{process}/net" if mounted else folder  # not a tree that only looks like one
        if self.root == "/proc":
            return folder
        first = f"{self.root}/1/net"
        try:
            here = os.stat(f"{folder}/dev").st_ino
            return folder if os.stat(f"{first}/dev").st_ino == here else first
        except OSError:  # of another PID namespace, in which we have no pid
            return first if os.path.isdir(first) else folder

    @property
    def own(self) -> bool:
        """Is this the /proc of our own network namespace, so that the kernel itself may be
        asked (ioctl, netlink) and will speak of the same sockets and interfaces?"""
        if self.root != "/proc":
            return False
        try:
            ours = os.stat("/proc/self/net/dev")
            shown = os.stat(f"{self.net}/dev")
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == (shown.st_dev, shown.st_ino)

    def blocks(self, name: str, size: int = BLOCK, most: int = 0) -> Iterator[str]:
        """The file in pieces that end where a line ends, one character per byte, up to `most`
        bytes where that is given.

        OSError when it cannot be opened (at once, before the first block is asked for).
        """
        descriptor = os.open(self.path(name), READ)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            most = size  # a device may have no end
        return self._blocks(self.path(name), descriptor, size, most or MOST)

    def _blocks(self, path: str, descriptor: int, size: int, most: int) -> Iterator[str]:
        rest = b""
        try:
            # Not buffered by Python: /proc answers by the page, and each block is joined once.
            while True:
                parts = [rest]
                wanted = size - len(rest)
                while wanted > 0 and (part := os.read(descriptor, 1 << 16)):
                    parts.append(part)
                    wanted -= len(part)
                data = b"".join(parts)
                if not data:
                    return
                most -= len(data) - len(rest)
                # At the end of the file all of it goes.
                end = len(data) if wanted > 0 else data.rfind(b"\n") + 1
                rest = data[end:]
                if most < 0 or not end:  # no table has a line of a whole block
                    rest = b"" if most < 0 else rest
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
                yield data[:end].decode("latin-1")
        except OSError as error:
            if rest:
                yield rest.decode("latin-1")
            self.report(path, error)
        finally:
            os.close(descriptor)

    def text(self, name: str) -> str:
        """The whole file, at most WHOLE bytes; a larger one is reported."""
        return "".join(self.blocks(name, most=WHOLE))

    def lines(self, name: str) -> Iterator[str]:
        """The lines of a file without their ends, one character per byte."""
        blocks = self.blocks(name)
        return (line for block in blocks for line in lines_of(block))

    def rare(self, name: str) -> Iterator[str]:
        """The lines of a table of a rare family. A directory in its place (x25 has become one)
        is an empty table, as it is to netstat."""
        return iter(()) if os.path.isdir(self.path(name)) else self.lines(name)

    def read(self, name: str) -> str:
        """A whole small file, one character per byte."""
        return small_file(self.path(name)).decode("latin-1")

    def pids(self) -> list[str]:
        """The processes, in directory order, as netstat walks them."""
        return list(filter(str.isdecimal, os.listdir(self.root)))


def same_folder(path: str, other: str) -> bool:
    """True if both paths lead to the same folder, however they are written."""
    try:
        return path == other or os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def small_file(path: str, most: int = 1 << 24) -> bytes:
    """A whole small file, at most 16 MiB of it. A pipe in its place never makes us wait."""
    with open(path, "rb", buffering=0, opener=lambda path, _: os.open(path, READ)) as file:
        parts = []
        while most > 0 and (part := os.read(file.fileno(), min(most, 1 << 16))):
            parts.append(part)
            most -= len(part)
    return b"".join(parts)


def lines_of(block: str) -> Iterator[str]:
    """The lines of a block as netstat's buffer cuts them; what follows a NUL is not seen."""
    for line in block.removesuffix("\n").split("\n"):
        for start in range(0, len(line) or 1, LINE):
            yield line[start : start + LINE].partition("\0")[0]


def reason(error: OSError) -> str:
    """The errno text, as the C locale has it."""
    return os.strerror(error.errno) if error.errno else error.strerror or str(error)
