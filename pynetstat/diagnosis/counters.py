"""The counters of one moment."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import chain
from typing import Any

from ..collectors.linux.statistics import keyed, read_pairs
from ..kernel.decode import counters, numbers_from_hex
from ..kernel.neighbours import read_neighbours
from ..kernel.proc import Proc, reason
from ..listing import Stop
from ..options import LINUX, Options
from ..outcome import Outcome
from ..plan import Plan
from ..run import Run
from ..table import Table
from .rule import Blind

# The file that has the counters of a section. A section is what stands before the colon.
FILES = {
    "Ip": "net/snmp",
    "Tcp": "net/snmp",
    "Udp": "net/snmp",
    "TcpExt": "net/netstat",
    "Udp6": "net/snmp6",
    "TCP": "net/sockstat",
    "UDP": "net/sockstat",
    "Ip6": "net/snmp6",
    "softnet": "net/softnet_stat",
    "conntrack": "net/stat/nf_conntrack",
}

NEEDED = 10.0  # seconds since a neighbour was last asked for

# A row of /proc/net/udp as udp4_format_sock() prints it; its last field are datagrams dropped:
#   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
#  123: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 4242 2 0000 17
UDP = re.compile(
    r"^ *\d+: \S+ \S+ [0-9A-F]{2} [0-9A-F]{8}:([0-9A-F]{8}) \S+ \S+ +\d+ +\d+ (\d{1,18}) \d+ \S+"
    r" (\d{1,18}) *$",
    re.ASCII | re.MULTILINE,
)


class Counters:
    """The counters of one moment: by section and name, by interface, by UDP socket.

    What could not be read stands in `problems` by its file, and is a problem of those rules
    alone that ask for it.
    """

    def __init__(self, proc: Proc) -> None:
        self.outcome = Outcome()  # prints nothing: each rule says what it misses
        self.proc = proc
        proc.report = self.outcome.error
        self.values: dict[str, dict[str, int]] = {}
        self.problems: dict[str, str] = {}
        self.portable = not LINUX and proc.root == "/proc"
        if self.portable:
            self.enter_statistics()
        for name in () if self.portable else dict.fromkeys(FILES.values()):
            try:
                self.enter(name)
            except OSError as error:
                self.missing(name, error)
            self.notice(name)
        self.silent = self.neighbours()
        self.udp = {**self.udp_sockets("net/udp"), **self.udp_sockets("net/udp6")}
        self.interfaces = self.listed("net/dev", interfaces=True, all=True)

    def enter(self, name: str) -> None:
        if name in ("net/snmp", "net/netstat", "net/snmp6"):
            read = keyed if name == "net/snmp6" else read_pairs
            for section in read(self.proc, Options(), self.outcome, name):
                known = self.values.setdefault(section.title or "", {})
                known.update(zip(section["name"], section["value"]))
        elif name == "net/sockstat":
            self.values |= sockstat(self.proc.read(name))
        elif name == "net/softnet_stat":
            self.values["softnet"] = softnet(self.proc.read(name))
        else:
            self.values["conntrack"] = per_processor(self.proc.read(name))

    def enter_statistics(self) -> None:
        """The counters of -s, where there is no /proc."""
        for family in ("inet", "inet6"):
            for one in self.listed("-s", statistics=True, families=(family,)):
                if one.value is not None:
                    self.values.setdefault(one.section, {})[one.name] = one.value

    def missing(self, name: str, error: OSError) -> None:
        """A file that cannot be opened. Where there is no IPv6, nothing is wrong with it."""
        if not (name.endswith("6") and isinstance(error, FileNotFoundError)):
            self.problems[name] = f"{self.proc.path(name)}: {reason(error)}"

    def notice(self, name: str) -> None:
        """A file that is there, and that could not be read to its end."""
        if self.outcome.errors:
            self.problems[name] = self.outcome.errors.pop()

    def udp_sockets(self, name: str) -> dict[int, tuple[int, int]]:
        """Bytes that wait and datagrams dropped, by the socket's inode."""
        try:
            rows = UDP.findall("".join(self.proc.blocks(name)))
        except OSError as error:
            self.missing(name, error)
            return {}
        self.notice(name)
        waiting, inodes, dropped = zip(*rows) if rows else ((), (), ())
        return dict(zip(map(int, inodes), zip(numbers_from_hex(waiting), map(int, dropped))))

    def neighbours(self) -> set[str]:
        """The neighbours' addresses that do not answer and were asked for in the last seconds."""
        if self.proc.own:
            with suppress(OSError):
                return {
                    one.address for one in read_neighbours() if one.silent and one.used <= NEEDED
                }
        # IP address  HW type  Flags  HW address  Mask  Device: flags 0x0, no hardware address
        with suppress(OSError):
            rows = [line.split() for line in self.proc.read("net/arp").splitlines()[1:]]
            return {row[0] for row in rows if len(row) == 6 and row[2] == "0x0"}
        return set()

    @staticmethod
    def failed_attempts(proc: Proc) -> str:
        """Something that changes when an attempt to connect fails: `Tcp: 1 200 ...`, its counter
        AttemptFails, of /proc/net/snmp. Read often, so only what is needed."""
        try:
            rows = [line.split() for line in proc.read("net/snmp").splitlines()
                    if line.startswith("Tcp:")]  # fmt: skip
            return rows[1][rows[0].index("AttemptFails")]
        except (OSError, IndexError, ValueError):
            return ""

    def listed(self, name: str, **options: Any) -> list[Any]:
        """The records of a listing."""
        numeric = dict.fromkeys(("numeric_hosts", "numeric_ports", "numeric_users"), True)
        asked = Options(root=self.proc.root, format="records", **numeric, **options)
        outcome = Outcome(library=True)
        run = Run(Plan(asked), Proc(self.proc.root, outcome.error), outcome)
        try:
            tables = chain.from_iterable(tables for _, tables in run.gather())
            return list(chain.from_iterable(part for part in tables if isinstance(part, Table)))
        except Stop as stop:
            self.problems[name] = stop.message or f"{self.proc.path(name)}: it cannot be read"
            return []

    def value(self, section: str, name: str) -> int:
        known = self.values.get(section, {})
        if name in known:
            return known[name]
        if self.portable:
            raise Blind(f"this system has no counter {section} {name}", never=True)
        file = FILES[section]
        where = self.proc.path(file)
        raise Blind(
            self.problems.get(file, f"{where}: this kernel has no counter {section} {name}")
        )


def sockstat(text: str) -> dict[str, dict[str, int]]:
    """/proc/net/sockstat as sockstat_seq_show() prints it; memory is in pages.

    TCP: inuse 27 orphan 0 tw 12 alloc 31 mem 4
    """
    found = {}
    for line in text.splitlines():
        title, _, rest = line.partition(":")
        words = rest.split()
        found[title] = {
            name: value for name, word in zip(words[::2], words[1::2]) for value in counters(word)
        }
    return found


def per_processor(text: str) -> dict[str, int]:
    """/proc/net/stat/nf_conntrack as ct_cpu_seq_show() prints it: names in a line, and in
    hexadecimal a line for each processor. Their sums, which mean nothing for `entries`."""
    header, _, rest = text.partition("\n")
    names = header.split()
    found = dict.fromkeys(names, 0)
    for row in re.findall("^[0-9a-f ]+$", rest, re.MULTILINE):
        for name, value in zip(names, numbers_from_hex(row.split())):
            found[name] += value
    return found


def softnet(text: str) -> dict[str, int]:
    """/proc/net/softnet_stat as softnet_seq_show() prints it, a line for each processor: packets
    processed, dropped since the queue was full, and how often the time for them ran out."""
    found = {"processed": 0, "dropped": 0, "time_squeeze": 0}
    for row in re.findall("^[0-9a-f ]+$", text, re.MULTILINE):
        for name, value in zip(found, numbers_from_hex(row.split())):
            found[name] += value
    return found
