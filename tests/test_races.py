"""Processes and sockets that come and go by the thousand while they are listed: no traceback, no
row twice, no wrong owner."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import TESTS, needs_namespaces, needs_root
from test_owners import process

from pynetstat.kernel.proc import Proc
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.stages.owners import Owners
from pynetstat.table import Table

# In a PID and a network namespace of its own: processes that are called by the port they listen
# on, live for some milliseconds, and have the same few numbers over and over; beside them
# connections, datagram and unix sockets. Then runs of the command, one after the other.
CHURN = r"""
import itertools, os, signal, socket, struct, subprocess, sys
import loopback
loopback.set_up()
runner = subprocess.Popen([sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
server = socket.create_server(("127.0.0.1", 0), backlog=128)
reset = struct.pack("ii", 1, 0)
processes, kept = [], []
for number in itertools.count():
    if runner.poll() is not None:
        break
    listener = socket.create_server(("127.9.0.1", 0))
    listener.set_inheritable(True)
    name = f"port-{listener.getsockname()[1]}"
    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write(str(1000 + number % 97))
    pid = os.fork()
    if pid == 0:
        os.execv("/bin/sleep", [name, "60"])
    listener.close()
    processes.append(pid)
    client = socket.create_connection(server.getsockname())
    inside, _ = server.accept()
    for end in (client, inside):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    names = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    for place, end in enumerate(names):
        end.bind(f"\0{number}-{place}" + "\n" * (place == 4))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    kept += [client, inside, datagrams, *names]
    if len(kept) > 400:
        for end in kept[:200]:
            end.close()
        del kept[:200]
    if len(processes) > 80:
        os.kill(processes[0], signal.SIGKILL)
        os.waitpid(processes.pop(0), 0)
for pid in processes:
    os.kill(pid, signal.SIGKILL)
"""
RUNNER = r"""
import json, subprocess, sys
code = "import sys, pynetstat.stages.owners as run; run.CROWD = int(sys.argv.pop(1))\n"
code += "from pynetstat.__main__ import main; main()"
answers = []
for _ in range(int(sys.argv[1])):
    command = [sys.executable, "-c", code, *sys.argv[2:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    answers.append([done.returncode, done.stdout, done.stderr])
print(json.dumps(answers))
"""
CROWD = "20000"


def answers(times: int, *options: str) -> Iterator[str]:
    inside = [sys.executable, "-c", CHURN, RUNNER, str(times), *options]
    command = ["unshare", "--net", "--pid", "--fork", "--mount-proc", *inside]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": TESTS},
    )
    for status, out, said in json.loads(done.stdout):
        # What was closed before its process was looked at is said to have none in sight.
        assert status == 0 and re.fullmatch(r"(\(\d+ sockets? without a process: .*\n)?", said)
        yield out


def rows_twice(rows: list[dict[str, Any]]) -> list[int]:
    inodes = Counter(row["inode"] for row in rows if row["inode"])
    return [inode for inode, count in inodes.items() if count > 1]


@pytest.mark.timing
@needs_root
@needs_namespaces
@pytest.mark.parametrize("crowd", [CROWD, "0"], ids=["one thread", "two threads"])
def test_processes_that_come_and_go(crowd: str) -> None:
    """A listener is its own process's, or as yet that of the one that made it, or nobody's."""
    owned = 0
    for out in answers(12, crowd, "-tuxanp", "--json"):
        document = json.loads(out)
        for name in ("sockets", "unix"):
            assert len(document[name]) > 20 and not rows_twice(document[name])
        for row in document["sockets"]:
            for holder in row["processes"] or ():
                program = holder["program"] or ""
                if program.startswith("port-"):
                    assert program == f"port-{row['local_port']}", row
                    owned += 1
    assert owned > 12


@pytest.mark.timing
@needs_root
@needs_namespaces
@pytest.mark.parametrize(
    "options", ["-tuane", "-tane --source proc", "-anpe", "-tuane --sort inode"]
)
def test_sockets_that_come_and_go(options: str) -> None:
    """netstat itself gives rows twice here, as the kernel gives them. A port that was closed and
    is used again is another socket: it has another inode."""
    for out in answers(10, CROWD, *options.split()):
        sockets: dict[tuple[str, ...], list[str]] = {}
        for line in out.splitlines():
            if line.startswith(("tcp", "udp")):
                words = line.split()
                numbers = [word for word in words[5:] if word.isdecimal()]  # of user and inode
                sockets.setdefault((words[0], words[3], words[4]), []).append(numbers[1])
        assert len(sockets) > 20
        for inodes in sockets.values():
            assert len(inodes) == 1 or (len(set(inodes)) == len(inodes) and "0" not in inodes)


@pytest.mark.timing
@needs_root
@needs_namespaces
def test_rounds_under_change() -> None:
    for out in answers(2, CROWD, "-tuxanp", "--interval", "0", "--count", "20"):
        assert out.count("Active Internet connections") == 20


def test_a_process_that_becomes_another_program(tmp_path: Path, monkeypatch: Any) -> None:
    """What it held before is not the new program's: the look is taken again."""
    process(tmp_path, "7", b"before\0", f3="socket:[1001]", f9="socket:[1009]")
    from pynetstat.stages import owners

    read = owners.program_name

    def meanwhile(folder: int) -> str:
        (tmp_path / "7" / "cmdline").write_bytes(b"after\0")
        (tmp_path / "7" / "fd" / "9").unlink(missing_ok=True)
        return read(folder)

    monkeypatch.setattr(owners, "program_name", meanwhile)
    table = Table(dict, 2, inode=[1001, 1009], state=["LISTEN"] * 2)
    Owners(Proc(str(tmp_path)), Options(), Outcome()).attribute([table])
    assert table["program"] == ["after", None]


def test_a_descriptor_that_another_program_uses_again(tmp_path: Path, monkeypatch: Any) -> None:
    """A file has the number of a socket that the program before it held."""
    process(tmp_path, "7", b"before\0", f3="socket:[1001]")
    from pynetstat.stages import owners

    read = owners.program_name

    def meanwhile(folder: int) -> str:
        (tmp_path / "7" / "cmdline").write_bytes(b"after\0")
        (tmp_path / "7" / "fd" / "3").unlink(missing_ok=True)
        (tmp_path / "7" / "fd" / "3").symlink_to("/etc/passwd")
        return read(folder)

    monkeypatch.setattr(owners, "program_name", meanwhile)
    table = Table(dict, 1, inode=[1001], state=["LISTEN"])
    Owners(Proc(str(tmp_path)), Options(), Outcome()).attribute([table])
    assert table["program"] == [None]


@pytest.mark.parametrize("blocks", [1, 2], ids=["in one read", "in two reads"])
def test_a_handshake_that_ends_between_two_reads(blocks: int) -> None:
    """SYN_RECV and ESTABLISHED of one connection: one row. Others are left alone."""
    from pynetstat.collectors.linux.inet import handshakes_once

    rows = [
        ("127.0.0.1", 80, "127.0.0.1", 1, "SYN_RECV", 0),
        ("127.0.0.1", 80, "127.0.0.1", 2, "SYN_RECV", 0),
        ("127.0.0.1", 80, "127.0.0.1", 1, "ESTABLISHED", 4242),
        ("127.0.0.1", 80, "127.0.0.1", 3, "ESTABLISHED", 4243),
    ]
    names = ("local_address", "local_port", "remote_address", "remote_port", "state", "inode")

    def table(part: list[tuple[Any, ...]]) -> Table:
        return Table(dict, len(part), **dict(zip(names, map(list, zip(*part)))))

    parts = [rows] if blocks == 1 else [rows[:2], rows[2:]]
    found = [
        pair
        for kept in handshakes_once(map(table, parts))
        for pair in zip(kept["remote_port"], kept["inode"])
    ]
    first = [(2, 0), (1, 4242)] if blocks == 1 else [(1, 0), (2, 0)]
    assert found == [*first, (3, 4243)]
