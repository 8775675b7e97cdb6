"""psutil, what it tells in another way on another system, and what it tells of processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ...listing import Holder, Stop
from ...options import Options
from . import held_text


class Way(NamedTuple):
    """What psutil tells in another way on another system; as it stands here: Linux."""

    commands: bool = True  # a program is called by its first argument, as netstat has it
    uids: bool = True  # users have numbers
    udp_peers: bool = True  # the table of udp has remote ends
    unix: bool = True  # there are unix sockets
    per_descriptor: bool = False  # a socket comes once for every descriptor that holds it
    mapped: bool = False  # ::ffff:127.0.0.1 comes as ::127.0.0.1


LINUX = Way()
MACOS = Way(commands=False, per_descriptor=True, mapped=True)
WINDOWS = Way(commands=False, uids=False, udp_peers=False, unix=False)


def psutil_module() -> Any:
    try:
        import psutil
    except (ImportError, NotImplementedError) as error:
        folder = os.path.dirname(__file__)  # empty where the program runs from memory
        if folder and not os.path.isdir(folder):  # a zipapp
            why = "its compiled part cannot be loaded from a zip file; install with pip"
        else:
            why = str(error)
        raise Stop(f"netstat: psutil cannot be used: {why}") from error
    return psutil


class Processes:
    """What psutil tells of processes; each is asked once."""

    def __init__(self, psutil: Any, way: Way) -> None:
        self.psutil, self.way = psutil, way
        self.programs: dict[int | None, str | None] = {None: None}
        self.uids: dict[int | None, int | None] = {None: None}
        self.users: dict[int | None, str | None] = {None: None}

    def ask(self, pid: int, what: str) -> Any:
        """None for what is refused, and for a process that has ended."""
        try:
            return getattr(self.psutil.Process(pid), what)()
        except (self.psutil.Error, OSError, RuntimeError):
            return None

    def names(self, pids: Iterable[int | None]) -> dict[int | None, str | None]:
        for pid in set(pids).difference(self.programs):
            self.programs[pid] = self.name(pid or 0)
        return self.programs

    def name(self, pid: int) -> str | None:
        """The first argument; of a path what follows its last slash. Elsewhere the system's own
        name for a program is the better one, and may be had when the arguments are refused."""
        if not self.way.commands:
            name = self.ask(pid, "name")
            if name:
                return held_text(name)
        command = self.arguments(pid) if self.way.commands else self.ask(pid, "cmdline")
        if command is None or not (command or self.way.commands):
            return None
        first = held_text(command[0]) if command else ""
        if self.way.commands and not first.startswith("/"):
            return first
        return first.replace("\\", "/").rpartition("/")[2]

    def arguments(self, pid: int) -> list[str] | None:
        """As the process has them; psutil cuts a title that a program has written at its
        blanks."""
        try:
            with open(f"{self.psutil.PROCFS_PATH}/{pid}/cmdline", "rb") as file:
                first = file.read(4096).partition(b"\0")[0]
        except (AttributeError, OSError):
            return self.ask(pid, "cmdline")  # type: ignore[no-any-return]
        return [first.decode("utf-8", "surrogateescape")] if first else []

    def user_ids(self, pids: Iterable[int | None]) -> dict[int | None, int | None]:
        for pid in set(pids).difference(self.uids):
            found = self.ask(pid or 0, "uids")
            self.uids[pid] = found.real if found else None
        return self.uids

    def user_names(self, pids: Iterable[int | None]) -> dict[int | None, str | None]:
        for pid in set(pids).difference(self.users):
            found = self.ask(pid or 0, "username")
            self.users[pid] = held_text(found) if found else None
        return self.users

    def services(self) -> dict[int | None, str]:
        """Which services of Windows run in each process: several share one svchost.exe."""
        found: dict[int | None, list[str]] = {}
        for service in getattr(self.psutil, "win_service_iter", tuple)():
            try:
                pid = service.pid()
            except (self.psutil.Error, OSError, RuntimeError):
                continue
            if pid:
                found.setdefault(pid, []).append(held_text(service.name()))
        return {pid: ",".join(sorted(names)) for pid, names in found.items()}


def owner_fields(
    processes: Processes, options: Options, holders: Sequence[Sequence[tuple[int | None, Any]]]
) -> dict[str, Any]:
    """The fields of -p and -e, as stages.owners has them for /proc."""
    pids = [several[0][0] for several in holders]
    fields: dict[str, Any] = {"pid": [None] * len(pids)}
    if processes.way.uids:
        fields["uid"] = lambda: list(map(processes.user_ids(pids).__getitem__, pids))
    else:
        fields["user"] = lambda: list(map(processes.user_names(pids).__getitem__, pids))
    if options.programs:
        names = processes.names({pid for several in holders for pid, _ in several})
        fields["pid"] = pids
        fields["program"] = list(map(names.__getitem__, pids))
        texts = {pid: owner_text(pid, names[pid]) for pid in set(pids)}
        fields["owner"] = list(map(texts.__getitem__, pids))
        if not processes.way.uids:
            fields["unit"] = lambda: list(map(processes.services().get, pids))
        if options.structured:
            fields["processes"] = [
                [Holder(pid, names[pid], fd) for pid, fd in several if pid is not None] or None
                for several in holders
            ]
    return fields


def owner_text(pid: int | None, program: str | None) -> str | None:
    """`PID/NAME`, cut to 19 bytes as netstat does."""
    return None if pid is None else f"{pid}/{'-' if program is None else program}"[:19]
