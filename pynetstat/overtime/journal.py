"""The files of a recording: lines of JSON in members of gzip, a file for each hour.

A line has what changed since the line before; a key line, which begins each member, has all. A
line is on the disk before the next is made, so that a crash loses one interval at most. What is
cut off or damaged is read up to there.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

from ..kernel.proc import reason
from ..listing import Stop

HOUR = 3600.0  # seconds that a file holds
MEMBER = 600.0  # seconds that a member of it holds: as much is read to find a moment
LEVEL = 6
PIECE = 1 << 16
LONGEST = 1 << 29  # bytes of a line: 700,000 sockets
NAME = re.compile(r"pynetstat-(\d{8}T\d{6})\.(\d{3})Z\.jsonl\.gz\Z", re.ASCII)
NOT_FOLLOWED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Journal:
    """Writes the files of a folder, and removes the oldest: those that end more than `seconds`
    ago, and what all together has beyond `size` bytes."""

    def __init__(self, folder: str, seconds: float, size: int) -> None:
        self.folder, self.seconds, self.size = folder, seconds, size
        self.handle = self.lock = -1
        self.name = ""  # of the file that is written
        self.begun = self.member = 0.0  # when the file and its member began
        self.packer: Any = None
        self.torn = False  # was a piece written in part?
        try:
            with suppress(FileExistsError):
                os.makedirs(folder, mode=0o700)
            self.lock = os.open(
                os.path.join(folder, ".lock"), os.O_WRONLY | os.O_CREAT | NOT_FOLLOWED, 0o600
            )
            lock_file(self.lock)
        except BlockingIOError as error:
            raise Stop(f"pynetstat: {folder}: another pynetstat records here") from error
        except OSError as error:
            raise Stop(f"pynetstat: {error.filename or folder}: {reason(error)}") from error

    def whole_next(self, moment: float) -> bool:
        """True if the next line has to be a key line."""
        return self.handle < 0 or not 0 <= moment - self.member < MEMBER

    def write(self, line: dict[str, Any], moment: float) -> None:
        """Put a line on the disk. OSError where that fails; the next line has then to be a key
        line, and begins a file of its own."""
        try:
            if line["key"]:
                self.begin_member(moment)
            text = json.dumps(line, separators=(",", ":")) + "\n"
            self.put(self.packer.compress(text.encode()) + self.packer.flush(zlib.Z_SYNC_FLUSH))
            getattr(os, "fdatasync", os.fsync)(self.handle)
        except OSError:
            self.end_file(finish=False)
            raise
        self.remove_old(moment)

    def begin_member(self, moment: float) -> None:
        """A file that was not finished is never gone on with: what would follow the tear could
        not be read."""
        if self.handle >= 0 and not 0 <= moment - self.begun < HOUR - MEMBER / 2:
            self.end_file()
        if self.handle < 0:
            stamp = datetime.fromtimestamp(moment, timezone.utc).strftime("%Y%m%dT%H%M%S")
            name = f"pynetstat-{stamp}.{int(moment % 1 * 1000):03d}Z.jsonl.gz"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOT_FOLLOWED
            self.handle = os.open(os.path.join(self.folder, name), flags, 0o600)
            self.begun, self.name, self.torn = moment, name, False
        else:
            self.put(self.packer.flush())
        self.packer = zlib.compressobj(LEVEL, wbits=31)
        self.member = moment

    def put(self, piece: bytes) -> None:
        self.torn = True  # until all of it is written; a signal may come between
        while piece:
            piece = piece[os.write(self.handle, piece) :]
        self.torn = False

    def end_file(self, finish: bool = True) -> None:
        """Close the file; where it is not finished, it is read up to its last whole line."""
        if self.handle < 0:
            return
        with suppress(OSError):
            if finish and not self.torn:
                self.put(self.packer.flush())
            elif not os.fstat(self.handle).st_size:
                os.unlink(os.path.join(self.folder, self.name))
        os.close(self.handle)
        self.handle = -1

    def close(self) -> None:
        self.end_file()
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def remove_old(self, moment: float) -> None:
        """A file ends where the next one begins; the one that is written stays."""
        with suppress(OSError):
            names = [name for name in journal_names(self.folder) if name != self.name]
            names.append(self.name)  # the newest, even if the clock was set back
            sizes = [os.lstat(os.path.join(self.folder, name)).st_size for name in names]
            for name, following in pairwise(names):
                if moment - began_at(following) <= self.seconds and sum(sizes) <= self.size:
                    break
                os.unlink(os.path.join(self.folder, name))
                sizes = sizes[1:]


def lock_file(handle: int) -> None:
    """BlockingIOError where another process holds it; Windows has no such lock."""
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def journal_names(folder: str) -> list[str]:
    """The files of a recording, the oldest first. OSError where the folder cannot be read."""
    return sorted(name for name in os.listdir(folder) if is_journal(name))


def is_journal(name: str) -> bool:
    """True for the name of a file of a recording."""
    try:
        return began_at(name) >= 0
    except ValueError:
        return False


def began_at(name: str) -> float:
    """When a file begins, by its name, in seconds since 1970. ValueError for any other name."""
    match = NAME.match(name)
    if match is None:
        raise ValueError(name)
    moment = datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)
    return moment.timestamp() + int(match[2]) / 1000


def lines_of_file(path: str, warn: Callable[[str], None]) -> Iterator[bytes]:
    """The whole lines of a file, up to where it ends or is damaged, which is told."""
    rest: list[bytes] = []  # of a line that goes on
    size = 0
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            for part in members_of(file):
                *lines, last = part.split(b"\n")
                if lines:
                    yield b"".join([*rest, lines[0]])
                    yield from lines[1:]
                    rest, size = [], 0
                rest.append(last)
                size += len(last)
                if size > LONGEST:
                    raise zlib.error("a line has no end")
    except zlib.error:
        warn(f"pynetstat: {path}: damaged; what follows there cannot be read")
    except OSError as error:
        raise Stop(f"pynetstat: {path}: {reason(error)}") from error


def members_of(file: Any) -> Iterator[bytes]:
    """What is in the members of a gzip file, in pieces; zlib.error where it is damaged."""
    opener = zlib.decompressobj(31)
    data = b""
    while data := data or file.read(PIECE):
        yield opener.decompress(data, 1 << 20)
        data = opener.unconsumed_tail
        if opener.eof:
            data, opener = opener.unused_data, zlib.decompressobj(31)


class Line:
    """A line that was read: its moment in seconds since 1970, and what it says."""

    def __init__(self, text: bytes) -> None:
        """ValueError for what no recorder has written."""
        found = json.loads(text)
        try:
            self.ts: str = found["ts"]
            self.moment = datetime.fromisoformat(self.ts).timestamp()
            self.key, self.interval = bool(found["key"]), float(found["interval"])
            self.begins = bool(found.get("begins"))
            self.parts: list[str] = list(found["parts"])
            self.opened: list[dict[str, Any]] = list(found["opened"])
            self.changed: list[dict[str, Any]] = list(found["changed"])
            self.closed: list[int] = list(found["closed"])
            self.files: dict[str, str] = dict(found["files"])
            self.incomplete: list[dict[str, Any]] = list(found["incomplete"])
            self.host, self.privileged = str(found["host"]), bool(found["privileged"])
            fine = all(type(row["n"]) is int for row in (*self.opened, *self.changed))
            fine = fine and all(type(row["in"]) is str for row in self.opened)
            fine = fine and all(type(number) is int for number in self.closed)
            fine = fine and all(isinstance(text, (str, type(None))) for text in self.files.values())
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("no line of a recording") from error
        if not fine:
            raise ValueError("no line of a recording")


HEAD = re.compile(rb'\{"ts":"([^"]{19,40})","key":(true|false),')


def lines_from(path: str, start: float, warn: Callable[[str], None]) -> Iterator[Line]:
    """The lines of a file from the last key line at or before `start` on, or from the first.
    What follows a damaged line has no beginning, and is left out up to the next key line."""
    whole = True
    for text in texts_from(path, start, warn):
        try:
            line = Line(text)
        except ValueError:
            if whole:
                warn(f"pynetstat: {path}: damaged; up to {int(MEMBER / 60)} minutes are left out")
            whole = False
            continue
        whole = whole or line.key
        if whole:
            yield line


def texts_from(path: str, start: float, warn: Callable[[str], None]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    passed = False
    for text in lines_of_file(path, warn):
        head = HEAD.match(text)
        if head and not passed:
            with suppress(ValueError):
                passed = datetime.fromisoformat(head[1].decode()).timestamp() > start
            if head[2] == b"true" and not passed:
                waiting = []
        waiting.append(text)
        if passed:
            yield from waiting
            waiting = []
    yield from waiting
