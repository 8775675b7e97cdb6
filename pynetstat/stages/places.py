"""--netns: the tables of other network namespaces, each row with the name of its own."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from ..kernel.internals import KINDS as DECODED
from ..kernel.namespaces import Namespace, entered, network_namespaces
from ..kernel.proc import Proc, reason
from ..listing import Column, Layout, Listing, Missing, Piece, Report, Stop
from ..options import Options
from ..table import Table
from ..text import printable_text, safe
from .cgroups import place_of_cgroup

SHORT = 12  # digits of a container's id, as the runtimes' own commands show it
EVERY = "all"


class Places:
    """The namespaces of one round, with their names.

    A namespace is entered where that is allowed: the kernel then answers as to any program in it.
    Otherwise the files of one of its processes are read, which everybody may.
    """

    def __init__(self, proc: Proc, options: Options, outcome: Report) -> None:
        self.proc, self.options, self.outcome = proc, options, outcome
        found = network_namespaces(proc)
        self.labels = dict(zip(found, netns_labels(proc, found)))
        wanted = options.netns or EVERY
        self.chosen = found if wanted == EVERY else chosen_namespaces(wanted, self.labels, proc)
        if not self.chosen:
            known = ", ".join(sorted({label for label in self.labels.values() if label}))
            there = f"; there are: {printable_text(known)}" if known else ""
            raise Stop(f"no network namespace `{printable_text(wanted)}'{there}")

    def parts(self, listing: Listing) -> list[Listing]:
        """The listing as it is read of these namespaces; one that netstat prints as prose comes
        once for each."""
        options = self.options
        many = options.netns == EVERY
        prose = listing.text and not options.structured and listing.text(iter(()), options)
        if not (many and prose):
            columns = partial(with_namespace, listing) if many else listing.columns
            return [listing._replace(collect=lambda *_: self.read(listing), columns=columns)]
        return [
            listing._replace(
                collect=partial(self.collect_one, listing, one),
                heading=partial(netns_heading, listing, self.labels[one]),
            )
            for one in self.chosen
        ]

    def inside(self, look: Callable[[], None]) -> None:
        """Call this in each of the namespaces that may be entered."""
        for namespace in self.chosen:
            if namespace.own:
                look()
                continue
            with suppress(OSError), entered(namespace, self.proc):
                look()

    def collect_one(self, listing: Listing, namespace: Namespace, *_: Any) -> Iterator[Piece]:
        return self.tables(listing, namespace)

    def read(self, listing: Listing) -> Iterator[Piece]:
        """The tables of all chosen namespaces, one after the other."""
        for namespace in self.chosen:
            yield from self.tables(listing, namespace)

    def tables(self, listing: Listing, namespace: Namespace) -> Iterator[Piece]:
        label = self.labels[namespace]
        for piece in self.pieces(listing, namespace):
            if isinstance(piece, Table):
                piece.fields["netns"] = [label] * len(piece)
            elif isinstance(piece, Layout) and self.options.netns == EVERY:
                piece = piece._replace(columns=[*piece.columns, COLUMN])
            yield piece

    def pieces(self, listing: Listing, namespace: Namespace) -> Iterator[Piece]:
        if namespace.own:
            yield from listing.collect(self.proc, self.options, self.outcome)
            return
        try:
            with entered(namespace, self.proc):
                found = collected(listing, Proc("/proc", self.outcome.error), self)
        except ProcessLookupError:
            if self.options.netns != EVERY:
                raise Stop(f"network namespace {self.named(namespace)}: it is gone") from None
            return  # it ended meanwhile, with all that was in it
        except OSError as error:
            found = self.by_process(listing, namespace, error)
        yield from found

    def by_process(self, listing: Listing, namespace: Namespace, error: OSError) -> list[Piece]:
        """What a process in it shows of its namespace: the first that is still there to the end."""
        for pid in namespace.pids:
            proc = Proc(self.proc.path(str(pid)), self.outcome.error)
            try:
                before = os.stat(proc.path("net/dev")).st_ino
                found = collected(listing, proc, self)
                if os.stat(proc.path("net/dev")).st_ino == before:
                    return found
            except OSError:
                continue
        without = "it has no process"
        if any(one.number is None for one in self.labels):  # processes of namespaces unknown to us
            without = "this user does not see which processes are in it (--netns PID reads one)"
        why = f"{without}, and to enter it: {reason(error)}; that takes root"
        if namespace.pids:
            why = "its processes have ended"
        self.complain(f"network namespace {self.named(namespace)}: {why}")
        return []

    def complain(self, message: str) -> None:
        """A namespace that cannot be read; the others are listed."""
        self.outcome.fail(message)

    def named(self, namespace: Namespace) -> str:
        return printable_text(self.labels[namespace] or "of our own")


def collected(listing: Listing, proc: Proc, places: Places) -> list[Piece]:
    """All of a listing in one namespace. What ends the run elsewhere is told, and the next
    namespace is listed: it may have what this one lacks."""
    options, outcome = places.options.replace(foreign=True), places.outcome
    found: list[Piece] = []
    # Then some fields are asked of the kernel, when they are first read.
    asks = options.structured or options.filtered or options.sort
    try:
        for piece in listing.collect(proc, options, outcome):
            if isinstance(piece, Missing):
                continue
            if isinstance(piece, Table) and asks:
                for name in piece.fields.keys() - DECODED.keys() - {"tcp_info"}:
                    piece[name]  # now, while we are there
            found.append(piece)
    except Missing:
        pass  # told of our own namespace, whose kernel is the same
    except Stop as stop:
        if stop.message:
            places.complain(stop.message)
    return found


def chosen_namespaces(wanted: str, labels: dict[Namespace, str], proc: Proc) -> list[Namespace]:
    """The namespace that is called so, or that has this process, or this number."""
    found = [one for one in labels if wanted in one.names or wanted == labels[one] != ""]
    if not found and wanted.isdecimal() and wanted.isascii():
        try:
            device = os.stat(proc.path(f"{int(wanted)}/net/dev")).st_ino
        except (OSError, ValueError):
            device = 0
        for one in labels:
            known = [device_number(proc, pid) for pid in one.pids[:1]]
            if device and (int(wanted) in one.pids or device in known):
                return [one]
    return found[:1]


def device_number(proc: Proc, pid: int) -> int | None:
    try:
        return os.stat(proc.path(f"{pid}/net/dev")).st_ino
    except OSError as error:
        return None if error.errno != errno.ENOENT else -1


def netns_labels(proc: Proc, namespaces: list[Namespace]) -> list[str]:
    """What each namespace is called: by its name, else its container, its unit, or one of its
    processes. Our own without a name is "". Of several with one name each has its process
    instead."""
    first = [label(proc, one) for one in namespaces]
    often = Counter(first)
    return [
        process_label(proc, one) if often[text] > 1 and not (one.own or one.names) else text
        for one, text in zip(namespaces, first)
    ]


def label(proc: Proc, namespace: Namespace) -> str:
    if namespace.names:
        return namespace.names[0]
    if namespace.own:
        return ""
    for pid in namespace.pids:
        try:
            place = place_of_cgroup(proc.read(f"{pid}/cgroup"))
        except OSError:
            continue
        if place.container:
            return place.container[:SHORT] if len(place.container) == 64 else place.container
        if place.unit:
            return place.unit
    return process_label(proc, namespace)


def process_label(proc: Proc, namespace: Namespace) -> str:
    """`pid 812 (nginx)`, or the file that holds a namespace without a process."""
    for pid in namespace.pids:
        try:
            name = proc.read(f"{pid}/comm").rstrip("\n")
        except OSError:
            continue
        return f"pid {pid} ({name})"
    return next(iter(namespace.paths), f"net:[{namespace.number}]")


def netns_heading(listing: Listing, label: str, options: Options) -> str:
    return f"Network namespace {safe(label) or '-'}\n{listing.heading(options)}".rstrip("\n")


def with_namespace(listing: Listing, options: Options) -> Iterator[Column]:
    yield from listing.columns(options)
    yield COLUMN


def netns_cells(field: list[Any]) -> list[str]:
    return [value or "-" for value in field]


COLUMN = Column(" NetNS", " %s", "netns", netns_cells, untrusted=True)
