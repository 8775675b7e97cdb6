"""What several tests need: trees under /proc, the real netstat, private namespaces."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import hypothesis
import pytest
import record

import pynetstat as package
from pynetstat.kernel.proc import Proc

# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("pynetstat", deadline=None)
hypothesis.settings.load_profile("pynetstat")

TCP_HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
NETSTAT = shutil.which("netstat")


def is_reference() -> bool:
    """Is the netstat of this machine the one we are measured by?"""
    if NETSTAT is None:
        return False
    done = subprocess.run([NETSTAT, "--version"], capture_output=True, text=True)
    return done.stdout.startswith("net-tools 2.10")


needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may do this"
)
needs_netstat = pytest.mark.skipif(not is_reference(), reason="net-tools netstat 2.10 is not here")


@functools.cache
def can_unshare() -> bool:
    """May this user make private mounts and networks? Who is not root may in a user namespace,
    if at all: record.unshare()."""
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run([*record.unshare("--mount", "--net"), "true"], capture_output=True)
    return done.returncode == 0


needs_namespaces = pytest.mark.skipif(not can_unshare(), reason="no private namespaces here")
HAS_IP = shutil.which("ip") is not None
needs_ip = pytest.mark.skipif(not HAS_IP, reason="ip (iproute2) is not here")


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


HAS_IPV6 = has_ipv6()
needs_ipv6 = pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")


@functools.cache
def own_uid() -> int:
    """A uid as which nothing else on this machine runs: of those that systemd assigns to nobody,
    not always the same, for another run of the tests may go on beside."""
    taken = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            taken.add(process.stat().st_uid)
    free = [uid for uid in range(60706, 61184) if uid not in taken]
    return free[os.getpid() % len(free)]


def as_another() -> list[str]:
    """What stands before a command that another user runs."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can become another user")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not here")
    prefix = ["setpriv", f"--reuid={own_uid()}", f"--regid={own_uid()}", "--clear-groups"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip(f"this root may not become user {own_uid()}")
    return prefix


@pytest.fixture(scope="session")
def anybody() -> Iterator[list[str]]:
    """The command as every user may run it: our package and click in a folder that all may
    enter, and a Python that is not in root's home."""
    with tempfile.TemporaryDirectory() as name:
        for module in (package, click):
            folder = Path(module.__file__ or "").parent
            shutil.copytree(folder, f"{name}/{folder.name}")
        subprocess.run(["chmod", "-R", "a+rX", name], check=True)  # whatever the umask is
        code = f"import sys; sys.path[:0] = [{name!r}]; sys.dont_write_bytecode = True"
        for python in (sys.executable, "/usr/bin/python3"):
            command = [python, "-I", "-c", f"{code}\nfrom pynetstat.__main__ import main\nmain()"]
            with contextlib.suppress(FileNotFoundError):
                done = subprocess.run([*as_another(), *command, "-V"], capture_output=True, cwd="/")
                if done.returncode == 0:
                    yield command
                    return
        pytest.skip("no Python here that an ordinary user may run")


Tree = Callable[..., Path]


@pytest.fixture
def proc_tree(tmp_path: Path) -> Tree:
    """Writes a /proc tree: proc_tree(tcp=[...lines], unix="text") -> its path."""

    def write(**files: str | bytes | Iterable[str]) -> Path:
        root = tmp_path / "proc"
        (root / "net").mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = root / "net" / name
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                text = content if isinstance(content, str) else "".join(f"{x}\n" for x in content)
                path.write_bytes(text.encode("latin-1"))
        return root

    return write


def tcp_row(
    number: int, local: str = "0100007F:1F90", remote: str = "0100007F:C350", state: int = 1
) -> str:
    """A row as tcp4_seq_show() prints it, 149 characters wide."""
    return (
        f"{number:4d}: {local} {remote} {state:02X} 00000000:00000000 00:00000000 00000000"
        f"  1000        0 {number + 1000} 1 0000000000000000 20 4 30 10 -1"
    ).ljust(149)


def tcp_file(rows: int) -> str:
    lines = [tcp_row(number, remote=f"0100007F:{number & 0xFFFF:04X}") for number in range(rows)]
    return "\n".join([TCP_HEADING.ljust(149), *lines, ""])


def pynetstat(
    *options: str, prefix: Iterable[str] = (), **more: object
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a user does, as a process of its own."""
    command = [*prefix, sys.executable, "-m", "pynetstat", *options]
    return subprocess.run(command, capture_output=True, timeout=60, **more)  # type: ignore[call-overload, no-any-return]


TESTS = str(Path(__file__).parent)

# In namespaces of its own: the machine's netstat, ours, and netstat again, since counters move.
BESIDE = """
import json, shlex, subprocess, sys
from runner import invoke
from pynetstat.cli import main

def reference(words):
    done = subprocess.run(["netstat", *words], stdout=subprocess.PIPE)
    return done.returncode, done.stdout.decode("latin-1")

answers = {}
for case in sys.argv[1:]:
    words = shlex.split(case)
    for _ in range(10):
        before = reference(words)
        result = invoke(main, words)
        ours = result.exit_code, result.stdout_bytes.decode("latin-1")
        if reference(words) == before:
            answers[case] = [before, ours]
            break
print(json.dumps(answers))
"""


def beside(setup: str, cases: Iterable[str]) -> dict[str, list[Any]]:
    """Each case's (status, text) of netstat and of ours, in a network that the shell lines of
    `setup` make; a case whose counters never stood still is left out."""
    script = f'{setup}\nexec "$@"'
    inside = ["sh", "-c", script, "-", sys.executable, "-c", BESIDE, *cases]
    command = ["unshare", "--net", "--mount", *inside]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONPATH": TESTS}
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, timeout=60, check=True)
    answers: dict[str, list[Any]] = json.loads(done.stdout)
    return answers


WITHIN = """
import json, shlex, subprocess, sys
exec(sys.argv[1])
answers = []
for command in sys.argv[2:]:
    words = shlex.split(command)
    if words[0] == "pynetstat":
        words = [sys.executable, "-m", *words]
    done = subprocess.run(words, capture_output=True, text=True)
    answers.append(done.stdout + done.stderr)
print(json.dumps(answers))
"""


def within(*commands: str, setup: str = "", code: str = "", more: Iterable[str] = ()) -> list[str]:
    """What these commands print, one after the other, in a network that the shell lines of
    `setup` make, by a process that has run this `code`; `more`: further options of unshare."""
    shell = f'set -e\n{setup}\nexec "$@"'
    words = ["sh", "-c", shell, "-", sys.executable, "-c", WITHIN, code, *commands]
    done = subprocess.run(
        ["unshare", "--net", *more, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


SCRATCH = tempfile.TemporaryDirectory(prefix="pynetstat-")


def over(**files: str) -> Proc:
    """A Proc over a tree with these files under net, written anew each time: for tests that
    are given many texts, one after another."""
    net = Path(SCRATCH.name) / "net"
    net.mkdir(exist_ok=True)
    for name, text in files.items():
        (net / name).write_bytes(text.encode("latin-1"))
    return Proc(SCRATCH.name)
