"""Sockets whose process is not plain to see, and scans that cannot go on: threads with their own
descriptors, first threads that have ended, no descriptors left, refused system calls."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import Tree, as_another, needs_root, tcp_file
from sandbox import NUMBERS
from test_owners import process

import pynetstat
from pynetstat.kernel.proc import Proc
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.stages import owners
from pynetstat.stages import owners as running
from pynetstat.table import Table

SANDBOX = str(Path(__file__).with_name("sandbox.py"))

# A listener, told by its port, that is held where the name says.
HOLDER = """
import ctypes, os, socket, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
where, exit_number = sys.argv[1], int(sys.argv[2])
def listen():
    global server
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
def own_table():
    if libc.unshare(0x400): print("refused", flush=True)  # CLONE_FILES
    listen()
    sys.stdin.read()
def wait(): sys.stdin.read(); os._exit(0)
if where == "plain":
    listen()
    sys.stdin.read()
elif where == "thread":
    threads = [threading.Thread(target=time.sleep, args=(60,), daemon=True) for _ in range(3)]
    for thread in threads: thread.start()
    thread = threading.Thread(target=own_table, daemon=True); thread.start(); thread.join()
elif where == "leader":
    listen()
    threading.Thread(target=wait, daemon=True).start()
    libc.syscall(exit_number, 0)
elif where == "flight":
    ours, theirs = socket.socketpair()
    listen()
    socket.send_fds(ours, [b"x"], [server.fileno()])
    server.close()
    print("sent", flush=True)
    sys.stdin.read()
"""
EXIT = {"x86_64": 60, "aarch64": 93}.get(platform.machine())
needs_numbers = pytest.mark.skipif(
    not NUMBERS, reason="the numbers of this machine's system calls are not known to the test"
)


@contextmanager
def holder(where: str) -> Iterator[tuple[int, int]]:
    """(pid, port) of a process that hides its listener."""
    command = [sys.executable, "-c", HOLDER, where, str(EXIT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        said = it.stdout.readline().strip()
        if said == "refused":
            it.kill()
            pytest.skip("unshare(CLONE_FILES) is refused here")
        if where == "flight":
            assert it.stdout.readline() == "sent\n"
        yield it.pid, int(said)
        it.kill()


def command(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "pynetstat", *words]
    return subprocess.run(whole, capture_output=True, text=True, timeout=60, **more)


def owner_of(port: int, text: str) -> str:
    (row,) = [line for line in text.splitlines() if f"127.0.0.1:{port} " in line]
    return row[80:].strip()


@needs_numbers
@pytest.mark.parametrize("kcmp", [True, False], ids=["kcmp", "no kcmp"])
@pytest.mark.parametrize("where", ["thread", "leader"])
def test_the_second_look_finds(where: str, kcmp: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not kcmp:
        monkeypatch.setattr(owners, "KCMP", {})
        owners.system_call.cache_clear()
    with holder(where) as (pid, port):
        (row,) = pynetstat.sockets(tcp=True, listening=True, port=str(port), programs=True)
        assert (row.pid, row.program) == (pid, Path(sys.executable).name)
        assert [held.pid for held in row.processes or ()] == [pid]
    owners.system_call.cache_clear()


@needs_numbers
@pytest.mark.parametrize("where", ["thread", "leader"])
def test_the_second_look_in_text(where: str) -> None:
    with holder(where) as (pid, port):
        assert owner_of(port, command("-tlnp").stdout).startswith(f"{pid}/")


@needs_root
def test_a_listener_that_nobody_holds_is_told_to_root() -> None:
    with holder("flight") as (_, port):
        done = command("-tlnp")
        assert owner_of(port, done.stdout) == "-" and done.returncode == 0
        assert "without a process: " in done.stderr and done.stderr.count("\n") == 1


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not here")
@pytest.mark.parametrize("capability", ["sys_ptrace", "dac_read_search"])
def test_a_root_user_without_the_right_to_look(capability: str, anybody: list[str]) -> None:
    """As in every container of docker: what is lacking is named, in text and records."""
    dropped = f"-{capability}" + (",-dac_override" if capability.startswith("dac") else "")
    before = ["setpriv", "--bounding-set", dropped, "--inh-caps", "-all"]
    with subprocess.Popen(
        [*as_another(), anybody[0], "-c", HOLDER, "plain", "0"], cwd="/",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as theirs:  # fmt: skip
        assert theirs.stdout is not None
        port = theirs.stdout.readline().strip()
        command = [*before, sys.executable, "-m", "pynetstat", "-tlnp"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if "setpriv" in done.stderr:
            theirs.kill()
            pytest.skip(f"setpriv: {done.stderr}")
        structured = subprocess.run([*command, "--json"], capture_output=True, timeout=60)
        theirs.kill()
    assert owner_of(int(port), done.stdout) == "-" and done.returncode == 0
    assert f"CAP_{capability.upper()}" in done.stderr
    (missing,) = json.loads(structured.stdout)["incomplete"]
    assert f"CAP_{capability.upper()}" in missing["reason"]


def test_a_process_that_is_new_at_the_second_look(
    proc_tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = proc_tree(tcp=tcp_file(2), tcp6=tcp_file(0))
    process(root, "7", b"old\0", f3="socket:[1000]")
    found = owners.Owners(Proc(str(root)), Options(), Outcome())
    next(found.scan)
    process(root, "8", b"new\0", f3="socket:[1001]")
    table = Table(dict, 2, inode=[1000, 1001], state=["LISTEN"] * 2)
    found.attribute([table])
    assert table["program"] == ["old", "new"]


def test_nothing_is_looked_at_twice_without_need(
    proc_tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = proc_tree(tcp=tcp_file(1), tcp6=tcp_file(0))
    process(root, "7", b"prog\0", f3="socket:[1000]")
    monkeypatch.setattr(owners.Owners, "threads", lambda *_: pytest.fail("second look"))
    for every in (False, True):
        found = owners.Owners(Proc(str(root)), Options(), Outcome(), every)
        found.attribute([Table(dict, 1, inode=[1000], state=["LISTEN"])])


def test_the_second_look_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may have any number of threads: the look at them is bounded, and that is told."""
    monkeypatch.setattr(owners, "SECOND_LOOK", 0.0)
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        found = owners.Owners(Proc(), Options(), Outcome())
        found.attribute([Table(dict, 1, inode=[(1 << 40) + 1], state=["LISTEN"])])
        assert found.cut and [why for why in found.reasons() if "threads" in why]
    finally:
        ended.set()
        thread.join()


# What cannot go on is told


@pytest.mark.parametrize("limit", [3, 4, 5])
@pytest.mark.parametrize("crowd", [0, 1 << 40], ids=["two threads", "one"])
def test_too_few_descriptors_are_told(limit: int, crowd: int) -> None:
    """The rows all the same, one message, status 1."""
    code = (
        "import sys, resource, pkgutil, importlib, fcntl, pynetstat\n"
        "for module in pkgutil.walk_packages(pynetstat.__path__, 'pynetstat.'):\n"
        "    if not module.name.startswith(('pynetstat.collectors.p', 'pynetstat.__main')):\n"
        "        importlib.import_module(module.name)\n"
        "import pynetstat.__main__\n"
        f"pynetstat.stages.owners.CROWD = {crowd}\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit + 1}, {limit + 1}))\n"
        "sys.argv[0] = 'pynetstat'\n"
        "pynetstat.__main__.main()\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        whole = [sys.executable, "-c", code]
        done = subprocess.run([*whole, "-tlnp"], capture_output=True, text=True, timeout=60)
        if limit == 3:  # /proc can be listed, and nothing in it be read
            assert done.stdout.count("\n") >= 2
        assert "Traceback" not in done.stderr
        if done.returncode == 0:  # enough of them
            assert limit > 4 and str(os.getpid()) in owner_of(port, done.stdout)
        else:
            assert done.returncode == 1 and "Too many open files" in done.stderr
            assert owner_of(port, done.stdout)
        done = subprocess.run(
            [*whole, "-tlnp", "--json"], capture_output=True, text=True, timeout=60
        )
        document = json.loads(done.stdout)
        assert bool(done.returncode) == bool(
            [one for one in document["incomplete"] if "Too many open files" in one["reason"]]
        )


def test_too_few_descriptors_are_an_exception_of_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def short(path: Any, *arguments: Any, **more: Any) -> int:
        if str(path).startswith("/proc/") and str(path)[6:].isdecimal():
            raise OSError(24, "Too many open files")
        return real(path, *arguments, **more)

    monkeypatch.setattr(owners.os, "open", short)
    with pytest.raises(pynetstat.Unavailable, match="Too many open files"):
        list(pynetstat.sockets(tcp=True, programs=True))


REFUSALS = {
    "fork EAGAIN": {"clone": 11, "clone3": 11, "fork": 11, "vfork": 11},
    "fork EPERM": {"clone": 1, "clone3": 38, "fork": 1, "vfork": 1},
    "memfd_create": {"memfd_create": 1},
    "pipe2": {"pipe2": 24},
    "wait4": {"wait4": 1},
    "netlink EPERM": {"socket": 1},
    "netlink EAFNOSUPPORT": {"socket": 97},
    "recvmsg": {"recvmsg": 1},
    "kcmp": {"kcmp": 1},
}
LOSSES = {
    "readlinkat EACCES": {"readlinkat": 13},
    "readlinkat ENOSYS": {"readlinkat": 38},
    "getdents64 EPERM": {"getdents64": 1},
    "getdents64 ENOSYS": {"getdents64": 38},
    "openat EPERM": {"openat": 1},
    "openat EMFILE": {"openat": 24},
    "openat ENOSYS": {"openat": 38},
}


def sandboxed(calls: dict[str, int], *words: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, SANDBOX, json.dumps(calls), *words]
    done = subprocess.run(whole, capture_output=True, text=True, timeout=60)
    if "no seccomp filters here" in done.stderr:
        pytest.skip("no seccomp filters here")
    assert "Traceback" not in done.stderr, done.stderr
    return done


@needs_numbers
@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_refused_and_not_needed(name: str) -> None:
    """No row and no owner is lost, and nothing is said of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = sandboxed(REFUSALS[name], "-tulnp")
        assert owner_of(port, done.stdout).startswith(f"{os.getpid()}/")
        assert done.returncode == 0 and "not permitted" not in done.stderr
        done = sandboxed(REFUSALS[name], "-tulnp", "--json")
        rows = json.loads(done.stdout)["sockets"]
        assert [row["pid"] for row in rows if row["local_port"] == port] == [os.getpid()]
        done = sandboxed(REFUSALS[name], "--diagnose", "--interval", "0.01")
        # without netlink some rules cannot look, and say so
        looked = (0, 1, 2, 3) if name.startswith(("netlink", "recvmsg")) else (0, 1, 2)
        assert done.returncode in looked and "--explain WORD" in done.stdout


@needs_numbers
@pytest.mark.parametrize("name", LOSSES)
def test_what_is_refused_and_needed(name: str) -> None:
    """The rows that can be had, and the reason why something is missing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = sandboxed(LOSSES[name], "-tlnp")
        reason = os.strerror(next(iter(LOSSES[name].values())))
        assert owner_of(port, done.stdout) == "-"  # the rows come from netlink
        denied = "EACCES" in name
        assert ("root" if denied else reason) in done.stderr
        assert done.returncode == (0 if denied else 1)
        done = sandboxed(LOSSES[name], "-tlnp", "--json")
        missing = json.loads(done.stdout)["incomplete"]
        assert missing and (denied or [one for one in missing if reason in one["reason"]])
        done = sandboxed(LOSSES[name], "--diagnose", "--interval", "0.01")
        assert done.stdout and (denied or done.returncode != 0)


# Nobody is left behind


def children() -> list[str]:
    with open(f"/proc/self/task/{threading.get_native_id()}/children") as file:
        return file.read().split()


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CROWD", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_calls_that_raise_or_are_abandoned(crowd: None) -> None:
    """No descriptor, no child, no thread."""
    before = len(os.listdir("/proc/self/fd")), children(), threading.active_count()
    for _ in range(20):
        with suppress(pynetstat.Unavailable):  # where there is no sctp
            list(pynetstat.sockets(sctp=True, programs=True))
        iter(pynetstat.watch(interval=0))
    assert (len(os.listdir("/proc/self/fd")), children(), threading.active_count()) == before


def test_a_scan_that_is_collected_by_its_own_thread(crowd: None) -> None:
    """Garbage is collected by whichever thread makes some: the scan's own one too."""
    told: list[str] = []
    suspended = threading.Event()

    class Scan(owners.Owners):
        def look(self, folder: str, thread: str = "") -> None:
            helping = threading.current_thread() is not threading.main_thread()
            if helping and folder != self.folders[0]:
                assert suspended.wait(20)
                self.scan.close()  # as the collector does
                told.append(folder)

    found = Scan(Proc(), Options(), Outcome(), crowd=True)
    before = set(threading.enumerate())
    next(found.scan)
    suspended.set()
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert len(told) == 1


def test_two_threads_run_out_of_descriptors(crowd: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One goes on with what it takes."""
    both = threading.Barrier(2, timeout=20)
    real, failed = owners.Owners.look, []

    def look(self: owners.Owners, folder: str, thread: str = "") -> Any:
        if len(failed) < 2:
            failed.append(folder)
            both.wait()
            raise OSError(24, "Too many open files", folder)
        return real(self, folder, thread)

    monkeypatch.setattr(owners.Owners, "look", look)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        (row,) = pynetstat.sockets(tcp=True, listening=True, port=port, programs=True)
    assert row.pid == os.getpid() and len(failed) == 2


def test_an_owner_scan_that_is_closed_early(crowd: None) -> None:
    before = threading.active_count()
    found = owners.Owners(Proc(), Options(), Outcome(), crowd=True)
    next(found.scan)
    found.close()
    assert threading.active_count() == before


def test_no_thread_can_be_started(crowd: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        (row,) = pynetstat.sockets(tcp=True, listening=True, port=port, programs=True)
    assert row.pid == os.getpid()


def test_a_killed_run_leaves_nobody_and_no_open_pipe() -> None:
    """Stopped in the middle, then killed: who waits for the end of its output gets that."""
    code = (
        "import os, signal, sys\n"
        "from pynetstat.stages import owners as run\n"
        "from pynetstat.stages import owners\n"
        "run.CROWD = 0; os.cpu_count = lambda: 2\n"
        "def look(self, folder, thread=''): os.kill(os.getpid(), signal.SIGSTOP)\n"
        "owners.Owners.look = look\n"
        "sys.argv = ['pynetstat', '-tulnp', '--json']\n"
        "from pynetstat.__main__ import main\n"
        "main()\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    _, status = os.waitpid(run.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    inside = set(os.listdir("/proc"))
    run.kill()
    run.communicate(timeout=20)  # hangs where somebody else holds the pipe
    assert run.returncode == -signal.SIGKILL
    for folder in filter(str.isdecimal, inside & set(os.listdir("/proc"))):
        try:
            words = Path("/proc", folder, "cmdline").read_bytes()
        except OSError:
            continue
        assert b"owners.Owners.look" not in words
