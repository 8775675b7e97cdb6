"""--details: what is known of each process that holds a socket, from /proc alone."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from ..kernel.namespaces import network_namespaces
from ..kernel.proc import Proc
from ..listing import DETAILS, MORE_DETAILS
from ..table import Table
from .cgroups import NOWHERE, chain_texts, place_of_cgroup

COMMAND = 1 << 17  # bytes of a command line that are read; Linux takes 128 KiB in one argument
ANCESTORS = 8  # processes above a container's that may be its monitor
# What a runtime's monitor says of its container: conmon -c ID -n NAME
MONITOR = "conmon"
PROXY = "docker-proxy"


class Facts:
    """The processes of one round; each is read once."""

    def __init__(self, proc: Proc) -> None:
        self.proc = proc
        self.known: dict[int, dict[str, Any]] = {}
        self.names: dict[str, str | None] = {}
        self.targets: dict[str, dict[str, Any] | None] = {}

    def fill(self, table: Table) -> None:
        """Give a table, of which the holders are known, all fields of details."""
        holders = table["processes"]
        pids = table["pid"]
        rows = [row and self.processes(row) for row in holders]
        table.fields["details"] = rows
        first = [
            next((one for one in row or () if one["pid"] == pid), None)
            for row, pid in zip(rows, pids)
        ]
        for name in (*DETAILS, *MORE_DETAILS):
            if name not in ("details", "published_for"):
                table.fields[name] = [one and one[name] for one in first]
        table.fields["published_for"] = [
            one and self.published_for(one["pid"], one["program"]) for one in first
        ]

    def processes(self, holders: Sequence[Any]) -> list[dict[str, Any]]:
        """A holder for each process, with all of its descriptors."""
        found: dict[int, dict[str, Any]] = {}
        for pid, program, fd in holders:
            if pid not in found:
                found[pid] = {"pid": pid, "program": program, "fds": [], **self.process(pid)}
            if fd is not None:
                found[pid]["fds"].append(fd)
        return list(found.values())

    def process(self, pid: int) -> dict[str, Any]:
        """What /proc tells of a process; None where it is not allowed, or has ended."""
        if pid not in self.known:
            self.known[pid] = self.read(pid)
        return self.known[pid]

    def read(self, pid: int) -> dict[str, Any]:
        command = self.arguments(pid)
        started, parent = self.start_and_parent(pid)
        place = NOWHERE
        with suppress(OSError):
            place = place_of_cgroup(self.proc.read(f"{pid}/cgroup"))
        executable = None
        with suppress(OSError):
            executable = os.fsencode(os.readlink(self.proc.path(f"{pid}/exe"))).decode("latin-1")
        return {
            "command": " ".join(command) or None,
            "executable": executable,
            "parent": self.called(parent) if parent else None,
            "started_at": started,
            "unit": place.unit,
            "container": place.container,
            "container_name": self.container_name(pid, place.container, place.runtime),
            "runtime": place.runtime,
            "pod": place.pod,
            "containers": chain_texts(place.chain),
        }

    def arguments(self, pid: int) -> list[str]:
        """The command line of a process; empty for a kernel thread."""
        try:
            text = self.proc.read(f"{pid}/cmdline")[:COMMAND]
        except OSError:
            return []
        return text.rstrip("\0").split("\0") if text else []

    def start_and_parent(self, pid: int) -> tuple[str | None, int]:
        """When the process began (RFC 3339) and the pid of its parent, from /proc/PID/stat. The
        name in it, in parentheses, may hold anything."""
        try:
            words = self.proc.read(f"{pid}/stat").rpartition(")")[2].split()
            parent, ticks = int(words[1]), int(words[19])
        except (OSError, ValueError, IndexError):
            return None, 0
        if self.booted is None:
            return None, parent
        seconds = self.booted + ticks // os.sysconf("SC_CLK_TCK")
        text = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(seconds))
        return f"{text[:-2]}:{text[-2:]}", parent

    @cached_property
    def booted(self) -> int | None:
        """When the kernel began, in seconds since 1970: `btime 1764143000` of /proc/stat."""
        try:
            match = re.search(r"^btime (\d{1,12})$", self.proc.read("stat"), re.MULTILINE)
        except OSError:
            return None
        return int(match[1]) if match else None

    def called(self, pid: int) -> str:
        """`812/nginx`, as netstat names a process."""
        try:
            return f"{pid}/{self.comm(pid)}"
        except OSError:
            return str(pid)

    def comm(self, pid: int) -> str:
        return self.proc.read(f"{pid}/comm").removesuffix("\n")

    # Containers

    def container_name(self, pid: int, container: str | None, runtime: str | None) -> str | None:
        """The name that people gave a container, where its monitor's command line has it; with
        lxc, systemd-nspawn and their like the name is all there is."""
        if container is None:
            return None
        if not re.fullmatch("[0-9a-f]{64}", container):
            return container if runtime in ("lxc", "systemd-nspawn") else None
        if container not in self.names:
            self.names[container] = self.monitored_name(pid, container)
        return self.names[container]

    def monitored_name(self, pid: int, container: str) -> str | None:
        for _ in range(ANCESTORS):
            words = self.arguments(pid)
            if words and words[0].rpartition("/")[2] == MONITOR:
                return option(words, "-n") if option(words, "-c") == container else None
            pid = self.start_and_parent(pid)[1]
            if pid < 2:
                break
        return None

    def published_for(self, pid: int, program: str) -> dict[str, Any] | None:
        """The container that a port is published for: docker-proxy and conmon hold the port, and
        their command line says for whom."""
        if program == MONITOR:
            words = self.arguments(pid)
            container = option(words, "-c")
            name = option(words, "-n")
            return container and {  # type: ignore[return-value]
                **{"container": container, "container_name": name},
                **{"address": None, "port": None},
            }
        if program != PROXY:
            return None
        words = self.arguments(pid)
        address, port = option(words, "-container-ip"), option(words, "-container-port")
        if not address or not port or not port.isdecimal():
            return None
        if address not in self.targets:
            self.targets[address] = self.container_at(address)
        found = self.targets[address] or {"container": None, "container_name": None}
        return {**found, "address": address, "port": int(port)}

    def container_at(self, address: str) -> dict[str, Any] | None:
        """The container whose network namespace has this address."""
        for namespace in network_namespaces(self.proc):
            if namespace.own:
                continue
            for pid in namespace.pids:
                if self.has_address(pid, address):
                    found = self.process(pid)
                    if found["container"]:
                        return {name: found[name] for name in ("container", "container_name")}
        return None

    def has_address(self, pid: int, address: str) -> bool:
        """Of IPv4, `|-- 172.18.0.2` and on the next line `/32 host LOCAL`; of IPv6 the 32 digits
        that if_inet6 has."""
        with suppress(OSError, ValueError):
            if ":" in address:
                from socket import AF_INET6, inet_pton

                digits = inet_pton(AF_INET6, address).hex()
                return digits in self.proc.read(f"{pid}/net/if_inet6")
            text = self.proc.read(f"{pid}/net/fib_trie")
            return re.search(rf"\|-- {re.escape(address)}\n +/32 host LOCAL", text) is not None
        return False


def option(words: Sequence[str], name: str) -> str | None:
    """The word that follows an option."""
    place = words.index(name) + 1 if name in words else len(words)
    return words[place] if place < len(words) else None
