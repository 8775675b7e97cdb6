"""What a person restarts: the script that a program runs, and the unit or container it is in."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ..kernel.proc import Proc
from ..stages.cgroups import place_of_cgroup

# Programs that run a script: the script's name is what tells them apart.
INTERPRETERS = {
    "python", "pypy", "perl", "ruby", "node", "nodejs", "php", "java", "bash", "sh", "dash", "lua",
    "Rscript", "deno", "bun", "tclsh", "guile", "mono", "dotnet", "beam.smp",
}  # fmt: skip
WITH_VALUE = {"-W", "-X", "-cp", "-classpath", "--class-path", "-I", "-r", "--require"}
STATES = {"T": "stopped", "t": "stopped by a debugger", "Z": "a zombie", "D": "waiting for a disk"}


class Process(NamedTuple):
    """`command` is program and script (`python3 shop.py`), where the program runs one; `unit` a
    systemd unit or a container."""

    command: str | None = None
    unit: str | None = None
    state: str | None = None  # in words, where it does not run
    parent: int | None = None
    exe: str | None = None


def process(proc: Proc, pid: int) -> Process:
    """What /proc tells of a process; what it does not tell is None."""
    stat = process_file(proc, f"{pid}/stat").rpartition(")")[2].split()
    return Process(
        script_of(process_file(proc, f"{pid}/cmdline")),
        unit(process_file(proc, f"{pid}/cgroup")),
        STATES.get(stat[0]) if stat else None,
        int(stat[1]) if len(stat) > 1 and stat[1].isdecimal() else None,
        executable(proc, pid),
    )


def process_file(proc: Proc, name: str) -> str:
    try:
        return proc.read(name)
    except (OSError, ValueError):
        return ""


def executable(proc: Proc, pid: int) -> str | None:
    try:
        return os.readlink(proc.path(f"{pid}/exe"))
    except OSError:
        return None


def descriptors_open(proc: Proc, pid: int) -> int | None:
    """How many file descriptors a process has; None where that cannot be seen."""
    path = proc.path(f"{pid}/fd")
    try:
        return os.stat(path).st_size or len(os.listdir(path))  # the size: since Linux 6.2
    except OSError:
        return None


def descriptors_allowed(proc: Proc, pid: int) -> int | None:
    """How many it may have; None where that cannot be seen.

    Max open files            1024                 524288               files
    """
    found = re.search(r"^Max open files +(\d{1,18}) ", process_file(proc, f"{pid}/limits"), re.M)
    return int(found[1]) if found else None


def script_of(line: str) -> str | None:
    """`python3 shop.py` of `/usr/bin/python3\\0-u\\0/srv/shop.py\\0--port\\08080\\0`; None where no
    script is run."""
    words = line.rstrip("\0").split("\0")
    name = words[0].rpartition("/")[2]
    if re.sub(r"[\d.]+$", "", name) not in INTERPRETERS and name not in INTERPRETERS:
        return None
    rest = iter(words[1:])
    for word in rest:
        if word in ("-m", "-jar"):
            script = next(rest, "")
            shown = script if word == "-m" else script.rpartition("/")[2]
            return f"{name} {word} {shown}" if script else None
        if word in ("-c", "-e", "--eval", "-"):
            return None
        if word in WITH_VALUE:
            next(rest, None)
        elif word and not word.startswith("-"):
            return f"{name} {word.rpartition('/')[2]}"
    return None


def unit(text: str) -> str | None:
    """The container, or else the systemd service, of /proc/PID/cgroup."""
    place = place_of_cgroup(text)
    if place.container:
        return f"container {place.container[:12]}"
    return place.unit if place.unit and place.unit.endswith(".service") else None
