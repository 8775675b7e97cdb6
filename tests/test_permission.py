"""What a user may not see, and what is not there: the right rows all the same, and a notice that
says what is missing and why."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import etc
import pytest
from conftest import (
    TESTS,
    Tree,
    as_another,
    needs_namespaces,
    needs_root,
    own_uid,
    pynetstat,
    tcp_file,
)
from runner import invoke

import pynetstat as package
from pynetstat.cli import main
from pynetstat.kernel.proc import NOT_ALL, NOTHING

INITIAL = 0xEFFFFFFC  # inode of the machine's own PID namespace (linux/proc_ns.h)
WHOLE_MACHINE = sys.platform == "linux" and os.stat("/proc/self/ns/pid").st_ino == INITIAL
LISTENER = "import socket, sys\nend = socket.create_server(('127.0.0.1', 0))\n"
LISTENER += "print(end.getsockname()[1], flush=True)\nsys.stdin.read()"
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="these are Linux's permissions"
)


def run(*command: str, **more: Any) -> subprocess.CompletedProcess[str]:
    given = {"capture_output": True, "text": True, "timeout": 60, "cwd": "/", **more}
    return subprocess.run(command, **given)  # type: ignore[no-any-return]


class Listener:
    """A process with a listener, of root's or of another user's."""

    def __init__(self, prefix: list[str], python: str) -> None:
        self.process = subprocess.Popen(
            [*prefix, python, "-I", "-c", LISTENER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
        )
        assert self.process.stdout
        self.port = self.process.stdout.readline().strip()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate("")


def owners(text: str) -> dict[str, str]:
    """What the PID/Program name column says of each local port."""
    rows = [line for line in text.splitlines() if line.startswith("tcp ")]
    return {row.split()[3].rpartition(":")[2]: row[80:].strip() for row in rows}


# Users


def test_an_ordinary_user(anybody: list[str]) -> None:
    """All sockets, the owners of his own, and netstat's notice; in records the number too."""
    with Listener([], anybody[0]) as root, Listener(as_another(), anybody[0]) as own:
        done = run(*as_another(), *anybody, "-tlnp")
        shown = owners(done.stdout)
        assert shown[root.port] == "-" and shown[own.port].startswith(f"{own.process.pid}/")
        assert (done.returncode, done.stderr) == (0, NOT_ALL + "\n")
        done = run(*as_another(), *anybody, "-tlnp", "--json")
        document = json.loads(done.stdout)
        assert document["privileged"] is False and done.stderr == NOT_ALL + "\n"
        (missing,) = document["incomplete"]
        assert missing["what"] == "owner"
        assert ("only root" if WHOLE_MACHINE else "PID namespace") in missing["reason"]
        assert missing["count"] == sum(row["pid"] is None for row in document["sockets"])


def test_an_ordinary_user_who_owns_nothing(anybody: list[str]) -> None:
    done = run(*as_another(), *anybody, "-tlnp")
    assert done.returncode == 0
    assert done.stderr == NOTHING.format(own_uid()) + "\n"


@needs_namespaces
@pytest.mark.parametrize(("level", "said"), [("1", "read"), ("2", "hidepid"), ("0", "read")])
def test_a_proc_that_hides_processes(level: str, said: str, anybody: list[str]) -> None:
    """With hidepid=2 there is nobody to be refused by: netstat would say nothing."""
    with Listener([], sys.executable) as root:
        script = f"mount -t proc -o hidepid={level} proc /proc; sleep 60 >/dev/null 2>&1 &"
        script += ' shift; exec "$@"'
        inside = [*as_another(), *anybody, "-tlnp"]
        done = run("unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "-", "", *inside)
        assert owners(done.stdout)[root.port] == "-"
        if level == "2":
            assert re.fullmatch(r"\(\d+ sockets? without a process: .*\)\n", done.stderr)
        else:
            assert "you should be root" in done.stderr


@needs_root
@needs_namespaces
def test_another_pid_namespace() -> None:
    """The sockets are there, and their processes out of sight."""
    with Listener([], sys.executable) as root:
        command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-m", "pynetstat"]
        done = run(*command, "-tlnp", cwd=Path(package.__file__ or "").parents[1])
        assert owners(done.stdout)[root.port] == "-" and done.returncode == 0
        said = r"\(\d+ sockets? without a process: processes outside of this PID namespace .*\n"
        assert re.fullmatch(said, done.stderr)
        done = run(*command, "-tlnp", "--json", cwd=Path(package.__file__ or "").parents[1])
        assert "PID namespace" in json.loads(done.stdout)["incomplete"][0]["reason"]


@needs_root
@needs_namespaces
def test_root_of_a_user_namespace_alone(anybody: list[str]) -> None:
    """Called root, and not root: other users' processes are refused."""
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-m", "pynetstat", "-tlnp"]
    with Listener(as_another(), anybody[0]) as other:
        done = run(*command, cwd=Path(package.__file__ or "").parents[1])
        if done.returncode != 0 and "Operation not permitted" in done.stderr:
            pytest.skip("no user namespaces here")
        assert owners(done.stdout)[other.port] == "-"
        assert "root of a user namespace" in done.stderr


# What is not there


def private(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The command where the lines of a script have changed the mounts."""
    inside = ["sh", "-c", f'{script}\nexec "$@"', "-", sys.executable, "-m", "pynetstat", *options]
    where = Path(package.__file__ or "").parents[1]
    return run("unshare", "--net", "--pid", "--fork", "--mount-proc", *inside, cwd=where)


@needs_root
@needs_namespaces
@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ("-tn", 1, "no support for `AF INET (tcp)'"),
        ("-xn", 1, "no support for `AF UNIX'"),
        ("-n", 0, "(/proc/net: No such file or directory; there is nothing to list.)"),
        ("-4n", 0, "(/proc/net: No such file or directory; there is nothing to list.)"),
        ("-rn", 1, "/proc/net/route: No such file or directory"),
        ("-s", 0, "cannot open /proc/net/snmp: No such file or directory"),
        ("-i", 0, "Warning: cannot open /proc/net/dev (No such file or directory)."),
        ("-gn", 1, "no support for `AF INET (igmp)'"),
        ("-tnp --json", 1, "no support for `AF INET (tcp)'"),
    ],
)
def test_a_container_without_proc(options: str, status: int, said: str) -> None:
    done = private("mount -t tmpfs none /proc", *options.split())
    assert done.returncode == status and "Traceback" not in done.stderr
    assert said in done.stderr
    if "--json" in options:
        assert json.loads(done.stdout)["sockets"] == []


@needs_root
@needs_namespaces
@pytest.mark.parametrize("gone", ["services", "resolv.conf", "nsswitch.conf", "hosts"])
def test_without_files_of_names(gone: str, tmp_path: Path) -> None:
    """The numbers instead, and what is missing."""
    files = {"hosts": "127.0.0.1 localhost\n", "services": "http 80/tcp\n", gone: None}
    etc.write(tmp_path / "etc", files)
    script = f"""
    {sys.executable} {TESTS}/loopback.py
    mount --bind {tmp_path}/etc /etc
    {sys.executable} -c 'import socket, time
kept = [socket.create_server(("127.0.0.1", 80)), socket.create_server(("127.7.7.7", 0))]
time.sleep(60)' >/dev/null 2>&1 & while ! grep -q 0100007F:0050 /proc/net/tcp; do sleep 0.02; done
    """
    done = private(script, "-tlae")
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert done.returncode == 0 and len(rows) == 2
    local = {row[3] for row in rows}
    if gone == "services":
        assert done.stderr == "(/etc/services: No such file or directory; ports stay numbers.)\n"
        assert any(text.endswith(":80") for text in local)
    else:
        assert "Traceback" not in done.stderr
    if gone == "resolv.conf" and "127.0.0.1" in "".join(local):
        assert "(/etc/resolv.conf: No such file or directory; hosts" in done.stderr
    if gone == "passwd":
        assert {row[6] for row in rows} <= {"0", "root"}  # systemd knows root without it


@needs_root
@needs_namespaces
def test_a_root_that_is_read_only() -> None:
    remount = "mount --make-rprivate / && mount -o remount,bind,ro / && ! touch /x 2>/dev/null"
    for options in ("-tanp", "-ia", "-xa --json", "-tan --format plain"):
        done = private(f"{remount} || exit 77", *options.split())
        if done.returncode == 77:
            pytest.skip("the root cannot be mounted read-only here")
        assert (done.returncode, done.stderr) == (0, ""), options


# Sandboxes. BPF for seccomp: load the number of the call, and refuse one.

CALLS = {"x86_64": (0xC000003E, 41, 16), "aarch64": (0xC00000B7, 198, 29)}


def refusing(call: int, argument: int | None) -> Callable[[], None]:
    """socket() of one family (or ioctl() at all) fails with EPERM, from here on."""
    architecture = CALLS[platform.machine()][0]
    rows = [
        (0x20, 0, 0, 4),  # the architecture
        (0x15, 0, 5 if argument is not None else 3, architecture),
        (0x20, 0, 0, 0),  # the number of the call
        (0x15, 0, 3 if argument is not None else 1, call),
    ]
    if argument is not None:
        rows += [(0x20, 0, 0, 16), (0x15, 0, 1, argument)]  # the first argument
    rows += [(0x06, 0, 0, 0x00050000 | 1), (0x06, 0, 0, 0x7FFF0000)]  # EPERM, or as usual
    code = b"".join(struct.pack("HBBI", *row) for row in rows)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(rows), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)

    def apply() -> None:
        assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
        if libc.prctl(22, 2, program, 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
            os._exit(99)

    apply.kept = buffer  # type: ignore[attr-defined]
    return apply


def sandboxed(options: str, call: int, argument: int | None) -> subprocess.CompletedProcess[bytes]:
    done = pynetstat(*options.split(), preexec_fn=refusing(call, argument))
    if done.returncode == 99:
        pytest.skip("no seccomp here")
    return done


@pytest.mark.skipif(platform.machine() not in CALLS, reason="numbers of system calls are not known")
def test_a_sandbox_that_refuses_netlink() -> None:
    """What netlink would have said comes from /proc, or is null where /proc has it not."""
    call = CALLS[platform.machine()][1]
    with contextlib.ExitStack() as ends:
        own = [ends.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ports = ",".join(str(end.getsockname()[1]) for end in own)
        named = ends.enter_context(socket.socket(socket.AF_UNIX))
        named.bind(f"\0pynetstat-{os.getpid()}")
        named.listen()
        for options in (
            f"-tlnp --port {ports}",
            f"-tlnp --port {ports} --json",
            f"-tlnW --port {ports}",
            f"-xl --filter src=@pynetstat-{os.getpid()}",
        ):
            free, bound = pynetstat(*options.split()), sandboxed(options, call, socket.AF_NETLINK)
            assert (bound.returncode, bound.stderr) == (0, free.stderr)
            shown = re.sub(rb'"generated_at": "[^"]*"', b"", bound.stdout)
            expected = re.sub(rb'"generated_at": "[^"]*"', b"", free.stdout)
            expected = re.sub(rb'"(accept_queue|backlog)": [0-9]+', rb'"\1": null', expected)
            assert shown == expected, options
            assert shown.count(b"LISTEN") == (1 if "-x" in options else 3)


@pytest.mark.skipif(platform.machine() not in CALLS, reason="numbers of system calls are not known")
@pytest.mark.parametrize("options", ["-i", "-ie", "-ia --json", "-tan", "-rn", "-s"])
def test_a_sandbox_that_refuses_more(options: str) -> None:
    """No socket at all, or no ioctl: what cannot be asked is told, the rest is there."""
    architecture = CALLS[platform.machine()]
    for call, argument in ((architecture[1], None), (architecture[2], None)):
        done = sandboxed(options, call, argument)
        assert b"Traceback" not in done.stderr
        if options.startswith("-i"):
            assert done.returncode == 1 and b"Operation not permitted" in done.stderr
        else:
            assert (done.returncode, done.stderr) == (0, b"")


# Locales and environments


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C.UTF-8"},
        {"LANG": "de_DE.ISO-8859-1"},
        {"LC_ALL": "no_SUCH.locale"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "utf-16"},
        {"LANGUAGE": "de", "LANG": "de_DE.UTF-8"},
        {"TERM": "dumb", "COLUMNS": "1", "LINES": "0"},
        {},
    ],
    ids=str,
)
def test_every_locale_gives_the_same_bytes(environment: dict[str, str], proc_tree: Tree) -> None:
    name = "/run/größe\xff\x1b"
    rows = f"Inode\n0: 00000002 00000000 00010000 0001 01 11 {name.encode().decode('latin-1')}\n"
    root = str(proc_tree(unix=rows, tcp=tcp_file(2), tcp6=tcp_file(0)))
    bare = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
    for options in (["-xa"], ["-xa", "--format", "jsonl"], ["-xa", "--format", "csv"]):
        done = pynetstat(*options, "--proc", root, env={**bare, **environment})
        usual = invoke(main, [*options, "--proc", root])
        assert (done.returncode, done.stdout) == (0, usual.stdout_bytes)
        assert done.stderr == b""


def test_arguments_that_are_no_text() -> None:
    """Bytes that no locale has, in every place where the user writes."""
    for options in (
        [b"-A", b"\xff\xfe"],
        [b"--format", b"\xff"],
        [b"--filter", b"program = \xff"],
        [b"--proc", b"/\xff\x1b[2J"],
        [b"-t", b"--columns", b"\xff"],
        [b"--\xff"],
        [b"-\xff"],
        [b"-tn", b"--user", b"\xff"],
    ):
        for locale in ("C", "C.UTF-8"):
            command = [sys.executable.encode(), b"-m", b"pynetstat", *options]
            done = subprocess.run(
                command, capture_output=True, env={**os.environ, "LC_ALL": locale}, timeout=60
            )
            assert b"Traceback" not in done.stderr, (options, done.stderr)
            assert done.returncode in (0, 1, 2, 3), options


# Limits
