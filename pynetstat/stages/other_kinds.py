"""Which sockets of a process no table shows that was listed."""

from __future__ import annotations

import os
import re
from contextlib import suppress

from ..kernel.proc import Proc
from ..listing import Report
from ..options import Options

# Each kind with its option, the files that list it, and the word of a row that is the inode.
KINDS = (
    ("ping", "icmp", ("net/icmp", "net/icmp6"), 9),
    ("packet", "packet", ("net/packet",), 8),
    ("netlink", "netlink", ("net/netlink",), 9),
)
LINK = re.compile(r"socket:\[(\d{1,20})\]\Z", re.ASCII)


def warn_of_other_kinds(proc: Proc, options: Options, outcome: Report) -> None:
    """Report the sockets of --pid that an option which was not given would have listed."""
    inodes = held_inodes(proc, f"{options.pid}/fd")
    if not inodes:
        return
    counts, missing = [], []
    for name, option, files, place in KINDS:
        if getattr(options, option) or option in options.families:
            continue
        number = sum(len(inodes & listed_inodes(proc, file, place)) for file in files)
        if number:
            counts.append(f"{number} {name} socket{'' if number == 1 else 's'}")
            missing.append(f"--{option}")
    if counts:
        them = "them" if len(counts) > 1 or not counts[0].startswith("1 ") else "it"
        verb = "list" if len(missing) > 1 else "lists"
        outcome.warn(
            f"(Process {options.pid} also holds {' and '.join(counts)};"
            f" {' and '.join(missing)} {verb} {them}.)"
        )


def held_inodes(proc: Proc, folder: str) -> set[str]:
    found = set()
    with suppress(OSError):
        path = proc.path(folder)
        for name in os.listdir(path):
            with suppress(OSError):
                match = LINK.match(os.readlink(f"{path}/{name}"))
                if match:
                    found.add(match[1])
    return found


def listed_inodes(proc: Proc, file: str, place: int) -> set[str]:
    with suppress(OSError):
        rows = [line.split() for line in proc.lines(file)]
        return {row[place] for row in rows[1:] if len(row) > place}
    return set()
