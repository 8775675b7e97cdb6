"""Names for numbers: hosts, networks, services, users; each distinct value once."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..kernel.proc import small_file
from ..options import Options
from ..table import Remark, Table

if TYPE_CHECKING:
    from ..outcome import Outcome

PATIENCE = 1.0  # seconds before a user at a terminal is told what takes so long
WORKERS = 64  # hosts asked for at the same time
REMEMBERED = 1 << 16  # names remembered before starting afresh: `-c` runs for months

NAMELESS = {None: None, "0.0.0.0": None, "::": None}  # what is never asked for

# Whose services a protocol's ports are; udplite has udp's, and sctp none.
SERVICES = {"tcp": "tcp", "tcp6": "tcp", "udp": "udp", "udp6": "udp", "udpl": "udp"}
SERVICES |= {"udpl6": "udp", "raw": "raw", "raw6": "raw"}


class Names:
    """The names of one run, remembered from round to round."""

    def __init__(self, options: Options, outcome: Outcome) -> None:
        self.options, self.outcome = options, outcome
        self.hosts: dict[str | None, str | None] = dict(NAMELESS)
        self.users: dict[int | None, str | None] = {None: None}
        self.asked = False
        self.workers: list[Any] = []  # threads that ask for hosts
        self.services: dict[str, dict[int, str]] | None = None
        self.networks: dict[str, str] | None = None

    def resolve(
        self, tables: Iterable[Table | Remark], wanted: Mapping[str, tuple[str, str]]
    ) -> Iterator[Table | Remark]:
        """Add the wanted fields: {"local_host": ("host", "local_address")}.

        All tables are read before the first host is asked for, so that all are asked at once.
        """
        sources = [source for kind, source in wanted.values() if kind in ("host", "hosts")]
        if sources:
            tables = list(tables)
            self.ask({address for table in tables for address in addresses_in(table, sources)})
        for table in tables:
            if isinstance(table, Table):
                for name, (kind, source) in wanted.items():
                    if source in table.fields:
                        table.fields[name] = self.field(kind, source, table)
            yield table

    def field(self, kind: str, source: str, table: Table) -> Any:
        values = table[source]
        if kind == "host":
            return lambda: list(map(self.hosts.get, values))
        if kind == "hosts":
            return lambda: [tuple(map(self.hosts.get, several)) for several in values]
        if kind == "network":
            return lambda: list(map(self.network_names().get, values))
        if kind == "user":
            return lambda: list(map(self.user_names(set(values)).__getitem__, values))
        protocols = table["proto"][:1]
        services = self.service_names().get(SERVICES.get(protocols[0], ""), {}) if protocols else {}
        return lambda: list(map(services.get, values))

    # Hosts

    def ask(self, addresses: set[str]) -> None:
        """Ask for all that are not known, in parallel, with one deadline for all of them.

        A name that does not come in time is not waited for again; should it come later, the
        next round has it.
        """
        if len(self.hosts) > REMEMBERED:
            self.hosts = dict(NAMELESS)
        new = addresses.difference(self.hosts)
        if not new or self.options.resolve_timeout <= 0:
            return
        import contextlib
        from queue import Empty, SimpleQueue
        from threading import Thread

        deadline = time.monotonic() + self.options.resolve_timeout
        waiting = iter(sorted(new))
        answers: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
        hosts = self.hosts

        def work() -> None:
            for address in waiting:
                if time.monotonic() > deadline:
                    break
                hosts[address] = name = self.host_name(address)
                answers.put((address, name))

        # Those of an earlier round may still wait for a name server that does not answer.
        self.workers = [thread for thread in self.workers if thread.is_alive()]
        idle = WORKERS - len(self.workers)
        if not idle:
            return
        for _ in range(min(idle, len(new))):
            thread = Thread(target=work, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads here: those that run do the work
                break
            self.workers.append(thread)
        if not self.workers:
            return
        came, told = 0, False
        while came < len(new) and time.monotonic() < deadline:
            left = deadline - time.monotonic()
            with contextlib.suppress(Empty):
                answers.get(timeout=max(0.0, min(left, 0.2)))
                came += 1
            if left < self.options.resolve_timeout - PATIENCE:
                self.outcome.progress(f"{came} of {len(new)} names, {left:.0f} s left")
                told = True
        if told:
            self.outcome.progress("")
        for address in new:
            hosts.setdefault(address, None)
        if not self.asked and sys.platform.startswith("linux") and not any(map(hosts.get, new)):
            self.lack("/etc/resolv.conf", "hosts stay numbers")
        self.asked = True

    def host_name(self, address: str) -> str | None:
        """The system's own answer, whole, or None; IPv4 names are cut to 127 bytes."""
        import socket

        try:
            if ":" in address:
                name = name_text(socket.getnameinfo((address, 0, 0, 0), 0)[0])
                return None if name == address or len(name) > 127 else name
            if address.startswith("0."):  # netstat takes it for the number of a network
                return self.network_names().get(address)
            return name_text(socket.gethostbyaddr(address)[0])[:127]
        except UnicodeDecodeError as error:  # a name that is not UTF-8: it has the bytes
            return error.object.decode("latin-1")[:127]
        except (OSError, UnicodeError):
            return None

    # Files

    def lack(self, path: str, effect: str) -> None:
        """Report a missing file of names, once."""
        if not os.path.exists(system_path(path)):
            self.outcome.warn(f"({path}: {os.strerror(errno.ENOENT)}; {effect}.)")

    def service_names(self) -> dict[str, dict[int, str]]:
        """Port -> service for tcp and udp, and for raw the protocols' names."""
        if self.services is None:
            self.services = {"tcp": {}, "udp": {}, "raw": {}}
            self.lack("/etc/services", "ports stay numbers")
            for name, number, protocol in entries("/etc/services", "/"):
                if protocol in self.services and number & 0xFFFF:  # port 0 has no service
                    self.services[protocol][number & 0xFFFF] = name[:63]
            for name, number, _ in entries("/etc/protocols", ""):
                if number & 0xFFFF:
                    self.services["raw"][number & 0xFFFF] = name[:63]
        return self.services

    def network_names(self) -> dict[str, str]:
        """/etc/networks: `loopback 127.0.0.0`; the first entry of a number wins."""
        if self.networks is None:
            self.networks = {}
            for words in words_of("/etc/networks"):
                address = network_number(words[1])
                if address is not None:
                    self.networks.setdefault(address, words[0])
        return self.networks

    def user_names(self, uids: set[int | None]) -> dict[int | None, str | None]:
        if len(self.users) > REMEMBERED:
            self.users = {None: None}
        new = uids.difference(self.users)
        if new:
            try:
                import pwd
            except ImportError:  # Windows has no such numbers
                return self.users | dict.fromkeys(new)
            for uid in new:
                try:
                    self.users[uid] = name_text(pwd.getpwuid(uid or 0).pw_name)
                except (KeyError, OverflowError, OSError):
                    self.users[uid] = None
        return self.users


def addresses_in(table: Table | Remark, sources: list[str]) -> Iterator[str]:
    if isinstance(table, Table):
        for source in sources:
            if source in table.fields:
                for value in set(table[source]):
                    if isinstance(value, tuple):
                        yield from value
                    else:
                        yield value


def name_text(name: str) -> str:
    """A name as this program holds text: one character per byte."""
    return name.encode("utf-8", "surrogateescape").decode("latin-1")


def system_path(path: str) -> str:
    """/etc/services, and where Windows has it: there /etc/protocols is called protocol."""
    if os.name != "nt":
        return path
    name = path.rpartition("/")[2].replace("protocols", "protocol")
    root = os.environ.get("SYSTEMROOT", r"C:\Windows")
    return rf"{root}\System32\drivers\etc\{name}"


def words_of(path: str) -> Iterator[list[str]]:
    """The lines of a file of the system that have at least two words; # starts a comment."""
    try:
        lines = small_file(system_path(path)).split(b"\n")
    except OSError:
        return
    for line in lines:
        words = line.partition(b"#")[0].split()  # of bytes: at the blanks of the C locale
        if len(words) > 1:
            yield [word.decode("latin-1") for word in words]


def entries(path: str, separator: str) -> Iterator[tuple[str, int, str]]:
    """`ssh 22/tcp` -> ("ssh", 22, "tcp"); the number as C writes it. The last entry wins."""
    for words in words_of(path):
        number, found, protocol = words[1].partition(separator) if separator else (words[1], "", "")
        value = c_number(number.removeprefix("+"))
        if value is not None and (found or not separator):
            yield words[0], value, protocol.lstrip("/")


def c_number(digits: str) -> int | None:
    """Decimal, 0x hexadecimal or 0 octal."""
    try:
        if digits[:2] in ("0x", "0X"):
            return int(digits[2:], 16)
        return int(digits, 8 if digits[:1] == "0" and len(digits) > 1 else 10)
    except ValueError:
        return None


def network_number(number: str) -> str | None:
    """10.1 -> 10.1.0.0"""
    parts = [c_number(part) for part in number.split(".")]
    if len(parts) > 4 or any(part is None or not 0 <= part <= 255 for part in parts):
        return None
    return ".".join(map(str, parts + [0] * (4 - len(parts))))
