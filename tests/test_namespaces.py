"""Network namespaces are found, named, entered and left."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pynetstat.kernel import namespaces
from pynetstat.kernel.namespaces import Namespace, entered, in_use, network_namespaces
from pynetstat.kernel.proc import Proc

PROC = Proc("/proc")

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="network namespaces are Linux's"
)


@contextmanager
def process(*command: str) -> Iterator[int]:
    """A program in a network namespace of its own; its pid."""
    words = ["unshare", "--net", sys.executable, "-c"]
    code = "import sys,os;print('ready',flush=True);sys.stdin.read()"
    with subprocess.Popen(
        [*words, code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdin and running.stdout
        try:
            if running.stdout.readline() != b"ready\n":
                pytest.skip("cannot make a network namespace here (unshare --net)")
            yield running.pid
        finally:
            running.stdin.close()
            running.wait()


def number_of(pid: int) -> int:
    return os.stat(f"/proc/{pid}/ns/net").st_ino


def test_our_own_is_found_and_comes_first() -> None:
    found = network_namespaces(PROC)
    assert found[0].own and found[0].number == number_of(os.getpid())
    assert sum(one.own for one in found) == 1


def test_one_with_a_process() -> None:
    with process() as pid:
        found = {one.number: one for one in network_namespaces(PROC)}
        assert found[number_of(pid)].pids == (pid,)
        assert not found[number_of(pid)].own


def test_entered_and_left() -> None:
    home = number_of(os.getpid())
    with process() as pid:
        namespace = Namespace(number_of(pid), (pid,))
        with entered(namespace, PROC):
            assert number_of(os.getpid()) == number_of(pid)
            assert PROC.own
            with socket.socket() as inside:
                inside.bind(("0.0.0.0", 0))
            assert "lo" in Path("/proc/net/dev").read_text()
        assert number_of(os.getpid()) == home
        with pytest.raises(ZeroDivisionError), entered(namespace, PROC):
            _ = 1 // 0
        assert number_of(os.getpid()) == home


def test_a_process_that_ended_leads_nowhere() -> None:
    with process() as pid:
        number = number_of(pid)
    with pytest.raises(ProcessLookupError), entered(Namespace(number, (pid,)), PROC):
        raise AssertionError
    own = number_of(os.getpid())  # the number of the process now belongs to another namespace
    with pytest.raises(ProcessLookupError), entered(Namespace(own + 1, (os.getpid(),)), PROC):
        raise AssertionError


def test_only_the_main_thread_enters() -> None:
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            with entered(Namespace(number_of(os.getpid()), (os.getpid(),)), PROC):
                raise AssertionError
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert len(failures) == 1


@contextmanager
def mounted(pid: int, path: Path) -> Iterator[None]:
    path.touch()
    if subprocess.run(["mount", "--bind", f"/proc/{pid}/ns/net", str(path)]).returncode:
        pytest.skip("cannot mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_one_behind_a_mount_without_a_process(tmp_path: Path) -> None:
    with ExitStack() as stack:
        place = tmp_path / "keep it"  # blanks are octal in mountinfo
        with process() as pid:
            number = number_of(pid)
            stack.enter_context(mounted(pid, place))
        found = {one.number: one for one in network_namespaces(PROC)}
        assert found[number].pids == () and str(place) in found[number].paths
        with entered(found[number], PROC):
            assert number_of(os.getpid()) == number


def test_one_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As `ip netns` keeps them; a file whose mount is gone is no name."""
    (tmp_path / "stale").touch()
    monkeypatch.setattr(namespaces, "FOLDERS", (str(tmp_path),))
    with ExitStack() as stack:
        with process() as pid:
            number = number_of(pid)
            for name in ("web", "alias"):
                stack.enter_context(mounted(pid, tmp_path / name))
        found = {one.number: one for one in network_namespaces(PROC)}
        assert found[number].names == ("alias", "web")
        assert not any("stale" in one.names for one in found.values())


def test_without_the_right_to_read_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an ordinary user sees of others' processes: net/dev, and not ns/net."""
    with process() as pid:
        mine = os.readlink

        def refuse(path: str) -> str:
            if path.endswith(("/ns/net", "/ns/mnt")) and "self" not in path:
                raise PermissionError(13, "refused", path)
            return mine(path)

        monkeypatch.setattr(os, "readlink", refuse)
        found = network_namespaces(PROC)
        (theirs,) = [one for one in found if pid in one.pids]
        assert theirs.number is None and theirs.pids == (pid,)


def test_what_is_in_use() -> None:
    with process() as pid, entered(Namespace(number_of(pid), (pid,)), PROC):
        assert in_use(PROC)[:3] == (0, 0, 0)
        with socket.socket() as listener, socket.socket(type=socket.SOCK_DGRAM) as bound:
            listener.bind(("0.0.0.0", 0))
            listener.listen()
            bound.bind(("0.0.0.0", 0))
            used = in_use(PROC)
            assert used.tcp == 1 and used.kinds["UDP"] == 1 and used.kinds["RAW"] == 0


def test_a_kernel_that_tells_less(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    proc = Proc(str(tmp_path))
    with pytest.raises(OSError):
        in_use(proc)
    (tmp_path / "net/sockstat").write_text("sockets: used 3\nTCP: inuse 5 orphan 0\n")
    with pytest.raises(ValueError):
        in_use(proc)
