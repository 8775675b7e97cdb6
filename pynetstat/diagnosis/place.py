"""Where the diagnosis looks: our own network namespace, or others that it enters (--netns)."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import TYPE_CHECKING

from ..kernel.namespaces import Namespace, enterable, entered
from ..kernel.proc import Proc, reason
from ..listing import Stop
from ..options import Misuse, Options
from ..outcome import Outcome
from ..plan import Plan
from ..run import Run, unowned
from ..stages.places import Places
from ..table import Table

if TYPE_CHECKING:
    from .host import Host

ATTEMPTS = 0.05  # seconds between the samples of attempts to connect, while some fail
UNENTERED = "network namespace"  # what Outcome.hidden calls those that could not be entered
sleep = time.sleep


class Place:
    """A network namespace. `label` names it to people; it is empty for our own."""

    def __init__(self, proc: Proc, namespace: Namespace | None = None, label: str = "") -> None:
        self.proc, self.namespace, self.label = proc, namespace, label

    @property
    def own(self) -> bool:
        return self.namespace is None or self.namespace.own

    def inside(self) -> AbstractContextManager[None]:
        """Our thread in this namespace; OSError where that is refused."""
        if self.namespace is None or self.namespace.own:
            return nullcontext()
        return entered(self.namespace, self.proc)

    def command(self, line: str) -> str:
        """A command of the advice as it is given for this namespace."""
        if self.namespace is None or self.namespace.own:
            return line
        bare = line.removeprefix("sudo ")
        if bare.startswith("pynetstat "):
            known = [*self.namespace.names, *map(str, self.namespace.pids)]
            return f"sudo {bare} --netns {shlex.quote(known[0])}" if known else f"sudo {bare}"
        path = next(enterable(self.namespace, self.proc), "")
        return f"sudo nsenter --net={shlex.quote(path)} {bare}"


HERE = Place(Proc("/proc"))


def sampled_hosts(options: Options, outcome: Outcome) -> Iterator[Host]:
    """The host of each network namespace that was asked for, after its second sample. Each is
    given inside of its namespace, for the rules read more of it."""
    begun = list(first_samples(options, outcome))
    wait_for_second(begun, begun[0].start + options.interval if begun else 0)
    for host in begun:
        try:
            with host.place.inside():
                host.end()
                yield host
        except ProcessLookupError:
            ended_meanwhile(outcome, host.place, options)
        except OSError as error:
            not_entered(outcome, host.place, error)


def first_samples(options: Options, outcome: Outcome) -> Iterator[Host]:
    """The first sample of each."""
    from .host import Host, socket_options

    if not options.netns:
        yield Host(options, outcome)
        return
    # All sockets at once, so that the processes are read once. `records`: all fields are read
    # while we are inside of each namespace.
    plan = Plan(socket_options(options).replace(format="records"))
    proc = Proc(options.root, outcome.error)
    run = Run(plan, proc, outcome)
    try:
        Places(proc, plan.options, outcome)
    except Stop as stop:
        raise Misuse(stop.message) from None
    try:
        pieces = chain.from_iterable(tables for _, tables in run.gather())
        found = [part for part in pieces if isinstance(part, Table) and len(part)]
    except OSError as error:
        raise Stop(f"{proc.path('net')}: {reason(error)}") from error
    if run.owners:
        outcome.unowned = sum(map(unowned, found))
        outcome.owner_reasons = run.owners.reasons()
    for namespace in run.places.chosen:
        label = run.places.labels[namespace]
        tables = [table for table in found if table["netns"][0] == label]
        place = Place(proc, namespace, label)
        try:
            with place.inside():
                yield Host(options, outcome, place, tables)
        except ProcessLookupError:
            ended_meanwhile(outcome, place, options)
        except OSError as error:
            not_entered(outcome, place, error)


def ended_meanwhile(outcome: Outcome, place: Place, options: Options) -> None:
    """A namespace that has ended is left out of `all`; one that was asked for is not healthy."""
    if options.netns != "all":
        outcome.unseen(UNENTERED, f"{place.label}: it has ended", None)


def not_entered(outcome: Outcome, place: Place, error: OSError) -> None:
    outcome.unseen(UNENTERED, f"{place.label}: {reason(error)}; to enter it takes root", None)


def wait_for_second(begun: Sequence[Host], end: float) -> None:
    """Until the second sample. Meanwhile, note where attempts to connect fail."""
    watched = [host for host in begun if host.proc.own]
    rest = end - time.monotonic()
    if not watched or rest <= 2 * ATTEMPTS:
        sleep(max(rest, 0))
        return
    while (rest := end - time.monotonic()) > 0:
        sleep(min(ATTEMPTS, rest))
        for host in watched:
            try:
                with host.place.inside():
                    host.sample_attempts()
            except OSError:  # it has ended, or is refused: which is told later
                continue
