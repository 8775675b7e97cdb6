"""--diagnose --at: what the rules look at, from two rounds of a recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import chain
from typing import Any, BinaryIO

from ..diagnosis import diagnose, show_diagnosis
from ..diagnosis.counters import Counters
from ..diagnosis.host import Host, socket_options
from ..diagnosis.place import Place
from ..diagnosis.program import Process
from ..diagnosis.rule import Blind, Finding
from ..kernel.proc import Proc
from ..options import Misuse, Options
from ..outcome import Outcome, ignore
from ..plan import Plan
from ..settings import BY_FIELD, DEFAULTS
from ..table import Table
from .past import Past, PastProc, PastRun, damage_told, plain_options, recording_of
from .rows import Row

# Fields of TCP as the rules call them, where a recording has another name
NAMES = {"rtt": "rtt_us", "min_rtt": "min_rtt_us", "rwnd_limited": "rwnd_limited_us"}


class PastCounters(Counters):
    """The counters of a past moment."""

    def __init__(self, past: Past) -> None:
        self.past = past
        super().__init__(PastProc(past))

    def listed(self, name: str, **options: Any) -> list[Any]:
        numeric = dict.fromkeys(("numeric_hosts", "numeric_ports", "numeric_users"), True)
        plan = Plan(Options(format="records", **numeric, **options))
        run = PastRun(plan, self.past, Outcome(library=True))
        tables = chain.from_iterable(tables for _, tables in run.gather())
        return list(chain.from_iterable(part for part in tables if isinstance(part, Table)))


class PastPlace(Place):
    """The machine, as it was."""

    def __init__(self, moment: str) -> None:
        super().__init__(Proc("/proc"))
        self.moment = moment

    def command(self, line: str) -> str:
        """Our own commands list that moment too."""
        ours = line.removeprefix("sudo ").startswith("pynetstat -")
        return f"{line} {self.moment}" if ours and "--explain" not in line else line


class PastHost(Host):
    """The machine in two rounds of a recording."""

    def __init__(self, options: Options, outcome: Outcome, before: Past, after: Past) -> None:
        self.given, self.outcome, self.sampled = options, outcome, after
        plan = Plan(socket_options(plain_options(options)))
        self.options = plan.options
        folder = f" --record {options.record}" if options.record else ""
        self.place = PastPlace(f"--at '{after.ts}'{folder}")
        self.proc = PastProc(after)
        self.processes: dict[int, Process] = {}
        self.lossy = False
        self.blind = None
        self.no_infos = self.failed = ""
        self.attempts: Counter[tuple[str, int, int]] = Counter()
        self.seconds = self.infos_span = after.moment - before.moment
        self.before, self.after = PastCounters(before), PastCounters(after)
        self.infos = (infos_by_inode(before), infos_by_inode(after))
        self.programs = {row["pid"]: row for row in after.part("processes")}
        self.tables = self.gather(PastRun(plan, before, outcome))

    def gather(self, run: Any) -> list[Table]:
        tables = chain.from_iterable(tables for _, tables in run.gather())
        return [part for part in tables if isinstance(part, Table) and len(part)]

    @cached_property
    def again(self) -> list[Table]:
        plan = Plan(socket_options(Options()).replace(programs=False, tcp=True))
        return self.gather(PastRun(plan, self.sampled, Outcome(library=True)))

    def info(self, inode: Any, name: str) -> int | None:
        found: int | None = self.infos[1].get(inode, {}).get(NAMES.get(name, name))
        return found

    def info_grown(self, inode: Any, name: str) -> int | None:
        last = self.info(inode, name)
        if last is None:
            return None
        first = self.infos[0].get(inode, {}).get(NAMES.get(name, name))
        return max(last - (first or 0), 0)

    def queued(self, inode: Any) -> tuple[int, int]:
        first, last = (infos.get(inode, {}).get("recv_q", 0) for infos in self.infos)
        return first, last

    def repeating(self) -> set[Any]:
        return {inode for inode, row in self.infos[1].items() if row.get("total_retrans")}

    def listener_limits(self) -> dict[int, int]:
        rows = (row for row in self.sampled.part("sockets") if "backlog" in row)
        return {row["inode"]: row["backlog"] for row in rows if "inode" in row}

    def process(self, pid: int | None) -> Process:
        row = self.programs.get(pid or 0, {})
        return Process(*(row.get(name) for name in Process._fields))

    def files_allowed(self, pid: int | None) -> int | None:
        found: int | None = self.programs.get(pid or 0, {}).get("descriptors_allowed")
        return found

    def files_open(self, pid: int) -> int | None:
        found: int | None = self.programs.get(pid, {}).get("descriptors")
        return found

    def content(self, name: str) -> str:
        try:
            return self.proc.read(name)
        except OSError as error:
            raise Blind(f"{self.proc.path(name)}: it is not recorded", never=True) from error


def infos_by_inode(past: Past) -> dict[int, Row]:
    """The recorded numbers of TCP of each connection that a program holds."""
    rows = past.part("sockets")
    return {row["inode"]: row for row in rows if row.get("inode") and "rtt_us" in row}


def show_past_diagnosis(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None] = ignore,
    progress: Callable[[str], None] = ignore,
) -> int:
    """Judge the two rounds up to a moment; the exit status of a monitoring plugin."""
    before, after = two_rounds(options, warn)
    warn(f"(As recorded at {before.ts} and {after.ts}.)")
    with damage_told():
        return show_diagnosis(options, out, warn, progress, one_host(options, before, after))


def diagnose_past(options: Options) -> list[Finding]:
    """What was found in the two rounds up to a moment, as diagnose() gives it."""
    rounds = two_rounds(options, ignore)
    with damage_told():
        return diagnose(options, one_host(options, *rounds))


def two_rounds(options: Options, warn: Callable[[str], None]) -> tuple[Past, Past]:
    for name in ("netns", "interval", "root", "source"):
        if getattr(options, name) != DEFAULTS[name]:
            raise Misuse(f"--{BY_FIELD[name].long} does not go with --diagnose --at")
    recording, moment = recording_of(options, warn)
    after = recording.at(moment)
    return recording.at(after.moment - 0.001), after


def one_host(options: Options, *rounds: Past) -> Callable[[Outcome], Iterator[Host]]:
    """The machine in these rounds, as judge() wants it."""

    def hosts(outcome: Outcome) -> Iterator[Host]:
        yield PastHost(options, outcome, *rounds)

    return hosts
