"""Reads files below a mounted /proc."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..options import Options

BLOCK = 1 << 19  # bytes of a table read at a time: some thousand rows


LINE = 8191  # netstat's line buffer: a longer line goes on as a further line


WHOLE = 1 << 25  # bytes of a table that is taken in one piece: more than any kernel has of it


# Windows would turn line ends around; and what is a pipe, in a copy of some /proc, has no end.
READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


# What netstat says to a user who may not look into every process
NOT_ALL = (
    "(Not all processes could be identified, non-owned process info\n"
    " will not be shown, you would have to be root to see it all.)"
)


NOTHING = '(No info could be read for "-p": geteuid()={} but you should be root.)'


class Stop(Exception):
    """A listing that cannot be given, and with it the end of the run.

    `message` is for stderr, `status` the exit status, `remark` what netstat prints on stdout.
    """

    def __init__(self, message: str, status: int = 1, remark: str = "") -> None:
        super().__init__(message)
        self.message, self.status, self.remark = message, status, remark


class Proc:
    """A mounted /proc: this machine's, a container's, a host's seen from a container, a capture.

    `warn` takes each notice (one line of text). `troubles` collects what could not be read
    although it was there; the run then ends with status 1, since something is missing. `unseen`
    is what this user may not see, as (what, reason, how many): no failure.
    """

    def __init__(self, root: str = "/proc", warn: Callable[[str], None] | None = None) -> None:
        self.root = root
        self.warn = warn or (lambda message: None)
        self.progress: Callable[[str], None] = lambda text: None  # told while it takes long
        self.troubles: list[str] = []
        self.unseen: list[tuple[str, str, int | None]] = []

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
            others = (f"{self.root}/1/net", folder)
            if self.root == "/proc":
                others = ("/proc/self/net", folder)
            return next((other for other in others if os.path.isdir(other)), folder)
        if self.root == "/proc":
            return folder
        first = f"{self.root}/1/net"
        try:
            here = os.stat(f"{folder}/dev").st_ino
            return folder if os.stat(f"{first}/dev").st_ino == here else first
        except OSError:  # of another PID namespace: there we are no process
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

    def trouble(self, path: str, error: OSError) -> None:
        """A file that is there but cannot be read to its end."""
        message = f"{path}: {reason(error)}"
        self.warn(message)
        self.troubles.append(message)

    def absent(
        self, options: Options, name: str, error: OSError, file: str, legacy: bool = False
    ) -> Stop | None:
        """netstat's rule for a table that cannot be opened: the end of the run, or nothing.

        Not there: silence, unless it was asked for by name (that ends the run) or -v is on.
        Any other reason ends it whatever was asked. For the legacy families (ipx, ax25, x25,
        netrom, rose) a file that may not be read is no missing one, and -4 or -6 silence
        nothing.
        """
        missing = (errno.ENOENT,) if legacy else (errno.ENOENT, errno.EACCES)
        if error.errno not in missing:
            return Stop(f"{self.path(file)}: {reason(error)}", 255)
        if error.errno != errno.ENOENT and not options.explicit:
            self.unseen.append(("table", f"{self.path(file)}: {reason(error)}", None))
        message = f"netstat: no support for `{name}' on this system."
        if options.quiet and not legacy:
            return None
        if options.explicit:
            return Stop(message)
        if options.verbose:
            self.warn(message)
        return None

    def blocks(self, name: str, size: int = BLOCK, most: int = 0) -> Iterator[str]:
        """The file in pieces that end where a line ends, one character per byte, up to `most`
        bytes where that is given.

        OSError when it cannot be opened (at once, before the first block is asked for).
        """
        descriptor = os.open(self.path(name), READ)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            most = size  # a device may have no end
        return self._blocks(self.path(name), descriptor, size, most or sys.maxsize)

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
                if most < 0:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
                # At the end of the file, and where a line fills the block, all of it goes.
                end = len(data) if wanted > 0 else data.rfind(b"\n") + 1 or len(data)
                rest = data[end:]
                yield data[:end].decode("latin-1")
        except OSError as error:
            if rest:
                yield rest.decode("latin-1")
            self.trouble(path, error)
        finally:
            os.close(descriptor)

    def text(self, name: str) -> str:
        """All of a table that is small, or not to be had by the row; not endless, though."""
        return "".join(self.blocks(name, most=WHOLE))

    def lines(self, name: str) -> Iterator[str]:
        """The lines of a file without their ends, one character per byte."""
        blocks = self.blocks(name)
        return (line for block in blocks for line in lines_of(block))

    def rare(self, name: str) -> Iterator[str]:
        """The lines of a table of a rare family. A directory in its place (x25 has become one)
        is an empty table, as it is to netstat."""
        return iter(()) if os.path.isdir(self.path(name)) else self.lines(name)

    def legacy(self, options: Options, name: str, file: str) -> Iterator[str] | None:
        """The lines of a rare family's table of sockets; None where it is passed over."""
        try:
            return self.rare(file)
        except OSError as error:
            stop = self.absent(options, name, error, file, legacy=True)
            if stop:
                raise stop from error
            return None

    def read(self, name: str) -> str:
        """A whole small file, one character per byte."""
        with open(self.path(name), "rb", opener=lambda path, _: os.open(path, READ)) as file:
            return file.read(1 << 24).decode("latin-1")

    def pids(self) -> list[str]:
        """The processes, in directory order, as netstat walks them."""
        return list(filter(str.isdecimal, os.listdir(self.root)))


def lines_of(block: str) -> Iterator[str]:
    """The lines of a block as netstat's buffer cuts them; what follows a NUL is not seen."""
    for line in block.removesuffix("\n").split("\n"):
        for start in range(0, len(line) or 1, LINE):
            yield line[start : start + LINE].partition("\0")[0]


def reason(error: OSError) -> str:
    """The errno text, as the C locale has it."""
    return os.strerror(error.errno) if error.errno else error.strerror or str(error)
