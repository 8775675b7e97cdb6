"""Network namespaces: which there are, and how they are entered.

Root reads the number of each process's namespace from /proc/PID/ns/net. Where that is refused,
/proc/PID/net/dev is allowed: its inode differs from namespace to namespace as well. Namespaces
without a process are found by their names (`ip netns`, docker, containers' network plugins) and by
the mounts that hold them. Not found: those that only a thread, a descriptor or a socket holds.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from .proc import Proc

CLONE_NEWNET = 0x40000000
# Where programs keep names of namespaces; the user's number stands for *.
FOLDERS = ("/run/netns", "/run/docker/netns")
USERS = "/run/user"
CANDIDATES = 3  # processes remembered of each namespace, and mounts, since any may end
# 36 28 0:4 net:[4026532318] /run/keep rw shared:9 - nsfs nsfs rw
HELD = re.compile(r"^\S+ \S+ \S+ net:\[(\d+)\] (\S+) .*- nsfs ", re.MULTILINE)
NUMBER = re.compile(r"net:\[(\d+)\]")
OCTAL = re.compile(r"\\([0-7]{3})")  # blanks in the paths of mountinfo


class Namespace(NamedTuple):
    """A network namespace. `number` is the one that `lsns -t net` shows; None where only its
    processes tell it from others.

    pids    some of its processes, in the order of /proc
    names   what names it in FOLDERS, sorted
    paths   files that lead into it, without a process
    own     True for the one that we are in
    """

    number: int | None
    pids: tuple[int, ...]
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    own: bool = False


def network_namespaces(proc: Proc) -> list[Namespace]:
    """All that can be found, our own first, then in the order of /proc, then those without a
    process by name."""
    by_number: dict[int, list[int]] = {}
    by_device: dict[int, list[int]] = {}  # inode of net/dev -> processes
    mounts: dict[str, int] = {}  # number of a mount namespace -> a process in it
    for folder in proc.pids():
        try:
            number = named_number(os.readlink(proc.path(f"{folder}/ns/net")))
            by_number.setdefault(number, []).append(int(folder))
            mounts.setdefault(os.readlink(proc.path(f"{folder}/ns/mnt")), int(folder))
        except (OSError, ValueError):
            try:
                device = os.stat(proc.path(f"{folder}/net/dev")).st_ino
            except OSError:
                continue  # ended, or hidden
            by_device.setdefault(device, []).append(int(folder))
    named = names_of_namespaces()
    paths: dict[int, list[str]] = {
        number: [path for _, path in found] for number, found in named.items()
    }
    for number, path in held_by_mounts(proc, mounts.values(), named):
        paths.setdefault(number, []).append(path)
    ours = own_number(proc)
    found = []
    for number in dict.fromkeys((*([ours] if ours else []), *by_number, *paths)):
        pids = by_number.get(number, [])
        if pids and by_device:  # the same namespace known in both ways
            pids = sorted(pids + by_device.pop(net_dev_inode(proc, pids), []))
        names = sorted(name for name, _ in named.get(number, []))
        found.append(
            Namespace(
                *(number, tuple(pids[:CANDIDATES]), tuple(names)),
                *(tuple(paths.get(number, ())), number == ours),
            )
        )
    found += [Namespace(None, tuple(pids[:CANDIDATES])) for pids in by_device.values()]
    return found


def named_number(link: str) -> int:
    """net:[4026532247] -> 4026532247"""
    return int(link[link.index("[") + 1 : -1])


def own_number(proc: Proc) -> int | None:
    """The number of our own network namespace, where this /proc shows it."""
    if proc.root != "/proc":
        return None
    try:
        return named_number(os.readlink("/proc/thread-self/ns/net"))
    except (OSError, ValueError):
        return None


def net_dev_inode(proc: Proc, pids: list[int]) -> int:
    """The inode of net/dev of one of these processes; 0 where none is left."""
    for pid in pids:
        try:
            return os.stat(proc.path(f"{pid}/net/dev")).st_ino
        except OSError:
            continue
    return 0


def names_of_namespaces() -> dict[int, list[tuple[str, str]]]:
    """The names of namespaces and the files that lead there, by the namespace's number."""
    found: dict[int, list[tuple[str, str]]] = {}
    try:
        kind = os.stat("/proc/self/ns/net").st_dev
    except OSError:
        return found
    folders = list(FOLDERS)
    with suppress(OSError):
        folders += [f"{USERS}/{user}/netns" for user in sorted(os.listdir(USERS))]
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            try:
                status = os.stat(f"{folder}/{name}")
            except OSError:
                continue
            if status.st_dev == kind:  # else a plain file: its mount is gone
                found.setdefault(status.st_ino, []).append((name, f"{folder}/{name}"))
    return found


def held_by_mounts(
    proc: Proc, pids: Iterable[int], named: Iterable[int]
) -> Iterator[tuple[int, str]]:
    """(number, path) of namespaces that mounts hold, one process asked for each mount namespace.
    Those that have a name are left out: `ip netns exec` gives each program a mount namespace with
    all of them again, 40,000 mounts for 200 names. Of the others CANDIDATES paths each."""
    often: Counter[str] = Counter()
    enough = set(map(str, named))
    for pid in ["self", *map(str, pids)]:
        try:
            text = proc.read(f"{pid}/mountinfo")
        except OSError:
            continue
        if enough.issuperset(NUMBER.findall(text)):
            continue
        for number, point in HELD.findall(text):
            if number in enough:
                continue
            often[number] += 1
            if often[number] == CANDIDATES:
                enough.add(number)
            place = OCTAL.sub(lambda code: chr(int(code[1], 8)), point)
            yield int(number), proc.path(f"{pid}/root{place}") if pid != "self" else place


def enterable(namespace: Namespace, proc: Proc) -> Iterator[str]:
    """The files that lead into a namespace."""
    yield from namespace.paths
    for pid in namespace.pids:
        yield proc.path(f"{pid}/ns/net")


@contextmanager
def entered(namespace: Namespace, proc: Proc) -> Iterator[None]:
    """Our thread in another network namespace, until the end of the block; OSError where that is
    refused, and ProcessLookupError where the namespace is gone.

    /proc/net, netlink and ioctl then speak of it. For the main thread alone, since /proc/self is
    the main thread.
    """
    import _thread

    if _thread.get_native_id() != os.getpid():
        raise OSError(errno.EPERM, "only the main thread can enter a namespace")
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = open_namespace(namespace, proc)
        try:
            set_namespace(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            set_namespace(home)
    finally:
        os.close(home)


def open_namespace(namespace: Namespace, proc: Proc) -> int:
    """A descriptor of the namespace, and of no other that a process with the same number is in."""
    failure: OSError = ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    for path in enterable(namespace, proc):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            if isinstance(error, PermissionError):
                failure = error
            continue
        if namespace.number in (None, os.fstat(descriptor).st_ino):
            return descriptor
        os.close(descriptor)
    raise failure


def set_namespace(descriptor: int) -> None:
    """Move the calling thread into this network namespace."""
    if sys.version_info >= (3, 12):
        os.setns(descriptor, CLONE_NEWNET)
        return
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


# What there is in a namespace, without a walk through the kernel's table of all sockets


class InUse(NamedTuple):
    """Sockets of each kind, from net/sockstat and net/sockstat6. `tcp` does not count half-open
    connections; those need a listener, which it does count. `over`: in TIME_WAIT."""

    tcp: int
    tcp6: int
    over: int
    kinds: dict[str, int]  # "UDP", "UDP6", "RAW", ...


def in_use(proc: Proc) -> InUse:
    """OSError or ValueError where this kernel does not tell."""
    found: dict[str, dict[str, int]] = {}
    for name in ("net/sockstat", "net/sockstat6"):
        try:
            text = proc.read(name)
        except FileNotFoundError:
            if name.endswith("6"):  # a kernel without IPv6
                continue
            raise
        for line in text.splitlines():
            kind, _, rest = line.partition(":")
            words = rest.split()
            found[kind] = dict(zip(words[::2], map(int, words[1::2])))
    try:
        tcp = found["TCP"]
        kinds = {kind: counts["inuse"] for kind, counts in found.items() if "inuse" in counts}
        return InUse(tcp["inuse"], kinds.get("TCP6", 0), tcp["tw"], kinds)
    except KeyError as error:
        raise ValueError(f"net/sockstat lacks {error}") from error
