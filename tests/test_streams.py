"""Streams that are full, closed or gone, and signals in every phase: no traceback, nothing that
hangs, and the exit status that a shell expects."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import etc
import pytest
from conftest import TESTS, Tree, needs_namespaces, needs_root, pynetstat, tcp_file

from pynetstat import __version__

COMMAND = [sys.executable, "-m", "pynetstat"]


@pytest.fixture
def capture(proc_tree: Tree) -> str:
    """More rows than a pipe holds."""
    snmp = "Tcp: ActiveOpens\nTcp: 1\n"
    return str(
        proc_tree(tcp=tcp_file(3000), tcp6=tcp_file(0), unix="Num Inode\n", snmp=snmp, dev="")
    )


def shell(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)


# What is written to

TEXTS = [
    "--help",
    "-V",
    "--json-schema",
    "-tan",
    "-tan --format html",
    "-s",
    "-ia",
    "--explain LISTEN",
]


@pytest.mark.parametrize("options", TEXTS)
def test_a_full_disk_whatever_is_written(options: str, capture: str) -> None:
    done = shell(f"{' '.join(COMMAND)} {options} --proc {capture} >/dev/full")
    assert done.returncode not in (0, 2), done
    assert done.stderr == "pynetstat: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("closed", "status"),
    [
        ("2>&-", [0, 3, 1, 2]),
        ("<&- 2>&-", [0, 3, 1, 2]),
        ("2>/dev/full", [0, 3, 1, 2]),
        (">/dev/full 2>/dev/full", [1, 3, 1, 2]),
        ("<&- >&- 2>&-", [1, 3, 1, 2]),
    ],
)
def test_nowhere_to_complain(closed: str, status: list[int], capture: str) -> None:
    """What would be said has no place to go: the status says it."""
    for options, expected in zip(("-tan", "-q", "-A foo", "-tan --sort foo"), status):
        done = shell(f"({' '.join(COMMAND)} {options} --proc {capture} {closed}) | wc -c; "
                     "echo ${PIPESTATUS[0]}")  # fmt: skip
        assert int(done.stdout.split()[1]) == expected, (options, done.stdout)
        assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("options", TEXTS)
def test_a_stdout_that_is_closed(options: str, unbuffered: str, capture: str) -> None:
    """What was asked for is not printed, and that is told once, with status 1."""
    command = f"{' '.join(COMMAND)} {options} --proc {capture} >&-"
    done = shell(f"export PYTHONUNBUFFERED={unbuffered}; {command}")
    assert done.returncode == 1
    assert done.stderr == "pynetstat: standard output: Bad file descriptor\n"


@pytest.mark.parametrize(
    "options",
    [
        "-M",
        "-S",
        "-r --ax25",
        "-Mn --json",
        "-tn --json --proc {root}/nothing",
        "-t --proc {root}/nothing",
        "--sort foo",
        "--filter 'x y'",
        "-tan -q",
        "-A foo",
        "--interval x",
        "--diagnose --interval 0.1 --proc {root}/nothing",
    ],
)
def test_a_stderr_that_is_closed(options: str, tmp_path: Path) -> None:
    """Notices are lost; they never stand in what is printed."""
    command = f"{' '.join(COMMAND)} {options.format(root=tmp_path)}"
    stamp = '"generated_at": [^,]*, '
    script = f"{command} {{}} | sed 's/{stamp}//; s/within [0-9.]* s/within/'; echo $PIPESTATUS"
    lost, told = shell(script.format("2>&-")), shell(script.format("2>/dev/null"))
    assert lost.stdout == told.stdout and lost.stderr == ""
    if "--json" in options:
        json.loads(lost.stdout[: lost.stdout.rindex("}") + 1])


def test_too_little_memory(capture: str) -> None:
    """Where Python itself can start, one line says what was lacking; the output is not blamed."""
    resource = pytest.importorskip("resource")
    python = [sys.executable, "-S", "-c", "pass"]
    lacking = 0
    for size in range(8 << 20, 40 << 20, 1 << 20):

        def limit(size: int = size) -> None:
            resource.setrlimit(resource.RLIMIT_AS, (size, size))

        if subprocess.run(python, capture_output=True, preexec_fn=limit).returncode:
            continue
        done = subprocess.run(
            [*COMMAND, "-tan", "--proc", capture], capture_output=True, preexec_fn=limit, text=True
        )
        if "pynetstat: " in done.stderr:
            lacking += 1
            assert re.fullmatch("pynetstat: (.+: )?Cannot allocate memory\n", done.stderr)
            assert done.returncode == 1
    if not lacking:
        pytest.skip("Python itself needs what it takes to list these sockets")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("options", ["-tan", "-tan --json", "-tan --format plain"])
def test_a_slow_reader_of_a_pipe_that_does_not_block(
    options: str, unbuffered: str, capture: str
) -> None:
    """It gets all of it, however late it reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    words = [*COMMAND, *options.split(), "--proc", capture]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    expected = subprocess.run(words, stdout=subprocess.PIPE, env=environment).stdout
    with subprocess.Popen(words, stdout=writing, stderr=subprocess.PIPE, env=environment) as run:
        os.close(writing)
        filled = -1
        while filled != (filled := waiting(reading)) or not filled:
            time.sleep(0.1)  # until it stands still: the pipe is full
        with open(reading, "rb") as pipe:
            text = pipe.read()
        assert run.wait(60) == 0 and run.stderr and run.stderr.read() == b""
    pattern = rb"generated_at[^,]*"
    assert len(text) > 1 << 16 and re.sub(pattern, b"", text) == re.sub(pattern, b"", expected)


def waiting(descriptor: int) -> int:
    """The bytes in a pipe that nobody has read yet."""
    count = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
    return int.from_bytes(count, sys.byteorder)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_disk_that_fills_up_on_the_way(unbuffered: str, tmp_path: Path, capture: str) -> None:
    """What was written stays; that it is not all is told."""
    command = f"{' '.join(COMMAND)} -tan --proc {capture} >{tmp_path}/out"
    done = shell(f"export PYTHONUNBUFFERED={unbuffered}; ulimit -f 8; {command}")
    assert done.returncode == 1
    assert done.stderr == "pynetstat: standard output: File too large\n"
    assert (tmp_path / "out").stat().st_size == 8192


def test_a_reader_that_goes_away_in_the_midst(capture: str) -> None:
    for options in ("-tan", "-tan --json", "-tan --format grid", "-tanc --interval 0"):
        script = f"{' '.join(COMMAND)} {options} --proc {capture} | head -c 5000 | wc -c"
        done = shell(f"{script}; echo ${{PIPESTATUS[0]}}")
        assert done.stdout.split() == ["5000", "141"] and done.stderr == "", options


# Terminals


def on_terminal(*options: str, session: bool) -> tuple[subprocess.Popen[bytes], int]:
    """The command with a terminal for its output, or as the leader of its own session there."""
    master, slave = pty.openpty()

    def lead() -> None:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [*COMMAND, *options],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=subprocess.PIPE,
        preexec_fn=lead if session else None,
    )
    os.close(slave)
    assert select.select([master], [], [], 30)[0]
    assert os.read(master, 20)
    return process, master


def test_a_terminal_that_goes_away(capture: str) -> None:
    """Its session is told by a signal; who merely writes there is told by the write."""
    for session in (True, False):
        options = ("-ltnc", "--interval", "0.05", "--proc", capture)
        process, master = on_terminal(*options, session=session)
        os.close(master)
        _, said = process.communicate(timeout=30)
        assert process.returncode == (-signal.SIGHUP if session else 1)
        assert said == (b"" if session else b"pynetstat: standard output: Input/output error\n")


def test_ctrl_c_on_a_terminal(capture: str) -> None:
    process, master = on_terminal("-ltnc", "--proc", capture, session=True)
    os.write(master, b"\x03")
    _, said = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT and said == b""
    os.close(master)


# Signals, phase by phase: the process is where we know it to be when the signal comes.

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]


def ended_by(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == -number and said == b""


def start(*options: str, **more: Any) -> subprocess.Popen[bytes]:
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.Popen([*COMMAND, *options], **given)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_between_two_rounds(number: signal.Signals, capture: str) -> None:
    process = start("-ltnc", "--interval", "1000", "--proc", capture)
    assert process.stdout and process.stdout.readline()
    ended_by(process, number)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("options", ["-tan", "-tan --json", "-tan --format plain"])
def test_a_signal_while_nobody_reads(number: signal.Signals, options: str, capture: str) -> None:
    """The pipe is full, and the program waits in the midst of a write."""
    reading, writing = os.pipe()
    process = start(*options.split(), "--proc", capture, stdout=writing)
    while select.select([], [writing], [], 0)[1]:  # until nothing more goes in
        assert process.poll() is None
        time.sleep(0.01)
    os.close(writing)
    ended_by(process, number)
    os.close(reading)


@pytest.mark.timing
@pytest.mark.unmeasured
def test_a_signal_in_no_phase_in_particular(capture: str) -> None:
    """At 24 moments of a run: ended by it, or done before. A traceback can only come from the
    interpreter's own start, before a line of ours has run."""
    for moment in range(24):
        process = start("-tanp", "--json", "--proc", capture, stdout=subprocess.DEVNULL)
        time.sleep(moment * 0.005)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode in (0, 1, -signal.SIGINT)
        assert not any(name in said for name in (b"pynetstat/cli", b"pynetstat/run")), said


def test_a_shell_s_background_job_ignores_ctrl_c(capture: str, tmp_path: Path) -> None:
    """It goes on to write, until it is ended in earnest."""
    script = f"""
    grown() {{ until [ "$(stat -c %s {tmp_path}/out)" -gt "$1" ]; do sleep 0.02; done; }}
    {" ".join(COMMAND)} -ltnc --interval 0.05 --proc {capture} >{tmp_path}/out &
    grown 0; kill -INT $!; grown $(stat -c %s {tmp_path}/out); kill -TERM $!; wait $!; echo $?
    """
    assert shell(script).stdout.strip() == "143"


# In a private network, with names that a server is asked for which does not answer.
SILENT = r"""
import json, socket, subprocess, sys, time
import loopback
own_etc, number = sys.argv[1], int(sys.argv[2])
subprocess.run(["mount", "--bind", own_etc, "/etc"], check=True)
loopback.set_up()
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
server.settimeout(30)
kept = [socket.create_server(("127.0.0.1", 0))]
for last in range(1, 100):
    source = (f"127.1.0.{last}", 0)
    kept.append(socket.create_connection(kept[0].getsockname(), source_address=source))
command = [sys.executable, "-m", "pynetstat", "-ta", *sys.argv[3:]]
process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
server.recv(512)  # it is asking now
if number:
    process.send_signal(number)
out, said = process.communicate(timeout=60)
print(json.dumps([process.returncode, out.decode(), said.decode()]))
"""
SLOW_NAMES: dict[str, str | bytes | None] = {
    "resolv.conf": "nameserver 127.0.0.1\noptions attempts:5 timeout:30\n",
    "nsswitch.conf": "hosts: dns\nservices: files\n",
}


def without_names(tmp_path: Path, number: int, *options: str) -> Any:
    own_etc = str(etc.write(tmp_path / "etc", SLOW_NAMES))
    inside = [sys.executable, "-c", SILENT, own_etc, str(number), *options]
    done = subprocess.run(
        ["unshare", "--net", "--mount", *inside],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": TESTS},
    )  # fmt: skip
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@needs_root
@needs_namespaces
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_names_are_asked_for(number: signal.Signals, tmp_path: Path) -> None:
    """64 threads wait for a name server that does not answer: they hold nothing up."""
    status, out, said = without_names(tmp_path, int(number))
    assert (status, out, said) == (-number, "", "")


@pytest.mark.timing
@needs_root
@needs_namespaces
def test_no_thread_holds_up_the_end(tmp_path: Path) -> None:
    """The name server would be waited for two minutes; the numbers are printed long before."""
    status, out, said = without_names(tmp_path, 0, "--resolve-timeout", "0.5")
    assert status == 0 and said == ""
    assert out.count("127.1.0.") == 198


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as end:
        yield end


def test_descriptors_that_are_closed_are_not_mistaken_for_streams(listener: socket.socket) -> None:
    """Without stdin, stdout and stderr the files of /proc get their numbers."""
    script = f"{' '.join(COMMAND)} -tanp <&- >&- 2>&-; echo $?"
    assert shell(script).stdout == "1\n"
    port = str(listener.getsockname()[1])
    done = shell(f"{' '.join(COMMAND)} -tlnp --port {port} <&- 2>&-")
    assert f"{os.getpid()}/" in done.stdout and done.returncode == 0
    assert pynetstat("-tlnp", "--port", port).stdout.decode() == done.stdout


def test_called_as_netstat(tmp_path: Path) -> None:
    """A link of that name: our own messages begin with it, as netstat's do."""
    link = tmp_path / "netstat"
    link.write_text(f"#!{sys.executable}\nfrom pynetstat.__main__ import main\nmain()\n")
    link.chmod(0o755)
    for words, status in (("--port foo", 2), ("--sort nope", 2), ("-Y", 3)):
        done = subprocess.run([link, *words.split()], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (status, "")
        assert done.stderr.startswith("netstat: ")
        done = subprocess.run(
            [sys.executable, "-m", "pynetstat", *words.split()], capture_output=True, text=True
        )
        assert done.stderr.startswith("pynetstat: ")
    version = subprocess.run([link, "-V"], capture_output=True, text=True).stdout
    assert version == f"pynetstat {__version__} (compatible with net-tools 2.10)\n"


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no packets in pipes here")
def test_a_round_is_written_at_once(proc_tree: Tree) -> None:
    """Heading, header and rows in one write: a datagram each."""
    root = str(proc_tree(tcp=tcp_file(200)))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "pynetstat", "-tan", "--proc", root, "-c", "--count", "2"]
    process = subprocess.Popen([*command, "--interval", "0.1"], stdout=theirs)
    with ours, theirs, process:
        rounds = [ours.recv(1 << 20) for _ in range(2)]
        assert process.wait(30) == 0
    assert rounds[0] == rounds[1] and rounds[0].startswith(b"Active Internet")
    assert rounds[0].count(b"\n") == 202
