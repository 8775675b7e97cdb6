"""How a request reaches hosts: the user's own ssh, several at a time, each bounded."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shlex
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..text import cleaned
from .check import Answer, Untrue
from .hosts import Host
from .payload import VERSION, loader_text, packed_program

MOST = 128 << 20  # bytes of one answer: 120,000 sockets with all fields; 260 MB while it is read
TOGETHER = 512 << 20  # bytes of all answers that are coming at a time
LONGEST = 1 << 20  # bytes of one line
NOISE = 1 << 18  # bytes that a shell may print before the answer
COMPLAINT = 4096  # bytes of what ssh says on stderr, the last of them
BLOCK = 1 << 16
GRACE = 5  # seconds: a host ends by itself so much later than it is waited for

# What the host's shell runs. Single quotes around it leave it as it is in every shell; an old
# Python looks for a newer one beside it. Then the loader comes over stdin.
FIRST = """import os,sys
v=15
while sys.version_info<(3,10) and v>9:
 v-=1
 try:
  os.execvp("python3.%d"%v,["python3.%d"%v,"-c",c])
 except OSError:
  pass
exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"""

# What ssh, or the shell that it starts, says where there is no answer: the reason, what to do.
REASONS = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "its host key has changed",
     "find out why; then `ssh-keygen -R HOST'"),
    ("Host key verification failed", "its host key is not known", "`ssh HOST' once, and check it"),
    ("Permission denied", "permission denied",
     "the key or agent must let you in without a password: try `ssh HOST'"),
    ("Too many authentication failures", "too many keys were offered",
     "name its key in ~/.ssh/config: IdentityFile, IdentitiesOnly yes"),
    ("Could not resolve hostname", "no such name", "check its spelling"),
    ("Connection refused", "connection refused", "is sshd running there, and at this port?"),
    ("timed out", "no answer to the connection", "is it up, and does a firewall let ssh through?"),
    ("No route to host", "no route to it", "check the network"),
    ("Network is unreachable", "the network is unreachable", "check the network"),
    ("a password is required", "sudo asks for a password",
     "allow sudo without one there, or leave ansible_become out"),
    ("sudo: ", "sudo failed", "try `ssh HOST sudo -n true'"),
    ("Bad configuration option", "ssh does not understand its configuration", "try `ssh HOST'"),
)  # fmt: skip


class Lost(Exception):
    """Why a host has given no answer, and what to do about it."""


def first_command(host: Host) -> str:
    """The command line that starts Python there."""
    code = f"c={json.dumps(FIRST)};exec(c)"
    words = [host.python or "python3", "-c"]
    if host.become:
        words = ["sudo", "-n", "-u", host.become, "--", *words]
    return f"{shlex.join(words)} '{code}'"


def ssh_command(host: Host, config: str) -> list[str]:
    """ssh, which asks nobody anything. The name stands behind `--`."""
    words = ["ssh", "-T", "-x", "-a", "-oBatchMode=yes"]
    if config:
        words += ["-F", config]
    for flag, value in (("-l", host.user), ("-p", host.port), ("-i", host.key)):
        if value:
            words += [flag, value]
    return [*words, "--", host.address, first_command(host)]


# What ssh does where the user's configuration, and the system's, say nothing else.
CONFIG = """\
Include ~/.ssh/config
Include /etc/ssh/ssh_config
Host *
    ConnectTimeout 10
    ServerAliveInterval 5
    ServerAliveCountMax 3
"""
MASTERS = """\
    ControlMaster auto
    ControlPersist 60
    ControlPath "{}/%C"
"""


def write_config() -> str:
    """A configuration for ssh that includes the user's, and shares connections for a minute where
    that does not say how; empty where there is no private folder for it."""
    folder = private_folder()
    if folder is None:
        return ""
    # a socket's name has 107 characters at most, and ssh adds 17 while it makes one
    shared = os.name == "posix" and len(str(folder)) + 41 + 17 < 104 and '"' not in str(folder)
    text = CONFIG + (MASTERS.format(str(folder).replace("%", "%%")) if shared else "")
    path = folder / "config"
    with contextlib.suppress(OSError):
        if path.read_text() == text:
            return str(path)
    try:
        handle, name = tempfile.mkstemp(dir=folder)
        with open(handle, "w") as file:
            file.write(text)
        os.replace(name, path)
    except OSError:
        return ""
    return str(path)


def private_folder() -> Path | None:
    """A folder that nobody else can read or write; made where it is missing."""
    run = os.environ.get("XDG_RUNTIME_DIR")
    uid = os.getuid() if hasattr(os, "getuid") else ""
    folder = Path(run or tempfile.gettempdir()) / f"pynetstat-ssh-{uid}"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(0o700)
        found = folder.lstat()
    except OSError:
        return None
    mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    shut = os.name != "posix" or not stat.S_IMODE(found.st_mode) & 0o077
    return folder if stat.S_ISDIR(found.st_mode) and mine and shut else None


class Call:
    """One host that is being asked."""

    def __init__(self, host: Host, answer: Answer, request: dict[str, Any], seconds: float) -> None:
        self.host, self.answer = host, answer
        self.seconds = seconds
        self.mark = os.urandom(12).hex()
        self.order: dict[str, Any] = {
            "mark": self.mark,
            "version": VERSION,
            "seconds": int(seconds) + GRACE,
            "request": request,
        }
        loader = loader_text()
        self.out = b"%d\n%s%s\n" % (len(loader), loader, json.dumps(self.order).encode())
        self.begun = self.ended = False  # has Python answered; is the answer whole?
        self.rest, self.complaint = b"", b""
        self.size = 0
        self.process: Any = None
        self.deadline = 0.0

    def start(self, config: str) -> None:
        """Start ssh; Lost where that is not possible."""
        try:
            self.process = subprocess.Popen(
                ssh_command(self.host, config),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
        except OSError as error:
            why = "ssh is not here; install OpenSSH's client"
            raise Lost(why if error.errno == 2 else f"ssh: {error.strerror}") from None
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            os.set_blocking(stream.fileno(), False)
        self.deadline = time.monotonic() + self.seconds

    def feed(self, data: bytes) -> None:
        """What has come from the host. Lost for what is not an answer."""
        self.size += len(data)
        if self.size > (MOST if self.begun else NOISE):
            what = "its answer" if self.begun else "what its shell prints before the answer"
            limit = MOST if self.begun else NOISE
            raise Lost(f"{what} is longer than {limit >> 10:,} KiB; try a --filter"
                       if self.begun else
                       f"{what} is longer than {limit >> 10:,} KiB; look at its shell's"
                       " start-up files")  # fmt: skip
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        if len(self.rest) > LONGEST:
            raise Lost("it sends a line without an end; it is not pynetstat that answers")
        mark = self.mark.encode()
        for line in lines:
            if self.ended:
                return
            if not self.begun:
                _, found, text = line.partition(mark)
                if found:
                    self.greet(text)
                continue
            if line.startswith(mark):
                fault = self.answer.finish(line[len(mark) :])
                self.ended = True
                if fault:
                    raise Lost(fault)
            else:
                self.answer.take(line)

    def greet(self, text: bytes) -> None:
        """The first line: which Python there is, and whether it has the program."""
        try:
            hello = json.loads(text)
            python, old, have = (hello[name] for name in ("python", "old", "have"))
            fine = isinstance(python, str) and isinstance(old, bool) and isinstance(have, bool)
        except (ValueError, TypeError, KeyError, RecursionError):
            fine = False
        if not fine:
            raise Lost("it does not answer as pynetstat does")
        if old:
            raise Lost(f"its Python is {cleaned(python[:20])}; install Python 3.10 or newer there")
        self.begun, self.size = True, 0
        if not have:
            whole = packed_program()
            self.out += b"%d\n%s" % (len(whole), whole)

    def verdict(self) -> str:
        """Why there is no answer, when ssh has ended."""
        return self.explained(self.process.returncode)

    def explained(self, status: int) -> str:
        """Why there is no answer, from the exit status and from what was said on stderr."""
        said = self.complaint.decode("utf-8", "replace").strip()
        if self.begun:
            end = f"signal {-status}" if status < 0 else f"status {status}"
            return f"its answer broke off ({end}{last_words(said)}); ask it again"
        for words, why, advice in REASONS:
            if words in said:
                return f"{why}; {advice.replace('HOST', self.host.address)}"
        if status in (126, 127):
            name = self.host.python or "python3"
            return f"there is no {name}; install Python 3.10 or newer there"
        end = f"the connection ended with status {status}{last_words(said)}"
        return f"no answer: {end}; try `ssh {self.host.address}'"

    def close(self) -> None:
        """End ssh, if it has not ended, and forget its pipes."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                stream.close()
        self.process.wait()


def last_words(said: str) -> str:
    """The last line of what ssh has said, as far as it is text."""
    lines = said.splitlines()
    return f": {cleaned(lines[-1].strip()[:200])}" if lines else ""


class Switchboard:
    """All calls of a round: so many at a time, each with its own deadline."""

    def __init__(self, calls: Sequence[Call], forks: int) -> None:
        self.waiting, self.forks = list(reversed(calls)), forks
        self.active: dict[Call, int] = {}  # and how many of its outputs are open
        self.selector = selectors.DefaultSelector()
        self.config = write_config()

    def results(self) -> Iterator[tuple[Call, str]]:
        """Each call as it ends, with the reason if there is no answer. What a caller does
        meanwhile is not counted against the hosts."""
        try:
            while self.waiting or self.active:
                ended = self.start_more()
                ended += self.step() if not ended else []
                for call, why in ended:
                    paused = time.monotonic()
                    yield call, why
                    paused = time.monotonic() - paused
                    for one in self.active:
                        one.deadline += paused
        finally:
            self.end()

    def start_more(self) -> list[tuple[Call, str]]:
        failed = []
        while self.waiting and len(self.active) < self.forks:
            call = self.waiting.pop()
            try:
                call.start(self.config)
            except Lost as lost:
                failed.append((call, str(lost)))
                continue
            self.active[call] = 2
            streams = (
                (call.process.stdin, selectors.EVENT_WRITE),
                (call.process.stdout, selectors.EVENT_READ),
                (call.process.stderr, selectors.EVENT_READ),
            )
            for stream, event in streams:
                self.selector.register(stream, event, call)
        return failed

    def step(self) -> list[tuple[Call, str]]:
        """Wait for the next thing to happen; the calls that have ended by it."""
        ended: dict[Call, str] = {}
        nearest = min(call.deadline for call in self.active)
        for key, _ in self.selector.select(max(nearest - time.monotonic(), 0)):
            call = key.data
            if call in ended or call not in self.active:
                continue
            try:
                why = self.serve(call, key.fileobj)
            except Lost as lost:
                why = str(lost)
            except Untrue as untrue:
                why = f"{untrue}: its answer is not pynetstat's; none of it is shown"
            if why is not None:
                ended[call] = why
        moment = time.monotonic()
        for call in self.active:
            if call not in ended and moment >= call.deadline:
                what = "no whole answer" if call.begun else "no answer"
                ended[call] = (
                    f"{what} within {call.seconds:g} seconds; --host-timeout gives it more"
                )
        if sum(call.size for call in self.active) > TOGETHER:
            largest = max(self.active, key=lambda call: call.size)
            limit = f"{TOGETHER >> 20} MiB of answers at a time"
            ended.setdefault(largest, f"more than {limit}, and its is the longest; use --forks 1")
        for call in ended:
            self.drop(call)
        return list(ended.items())

    def serve(self, call: Call, stream: Any) -> str | None:
        """Write what there is to write, or read what has come; the verdict where it has ended."""
        if stream is call.process.stdin:
            self.write(call)
            return None
        try:
            data = os.read(stream.fileno(), BLOCK)
        except BlockingIOError:
            return None
        if stream is call.process.stderr:
            call.complaint = (call.complaint + data)[-COMPLAINT:]
        elif data:
            before = len(call.out)
            call.feed(data)
            if call.ended:
                return ""
            if len(call.out) != before:
                with contextlib.suppress(KeyError, ValueError):
                    self.selector.register(call.process.stdin, selectors.EVENT_WRITE, call)
        if data:
            return None
        self.selector.unregister(stream)
        self.active[call] -= 1
        if stream is call.process.stdout:
            return self.conclude(call)
        return None

    def write(self, call: Call) -> None:
        try:
            taken = os.write(call.process.stdin.fileno(), call.out[:BLOCK])
            call.out = call.out[taken:]
        except BlockingIOError:
            return
        except OSError:  # it has ended; its output tells why
            call.out = b""
        if not call.out:
            self.selector.unregister(call.process.stdin)

    def conclude(self, call: Call) -> str:
        """stdout has ended: wait for ssh to do so, and read what it has complained of."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            call.process.wait(1)
        with contextlib.suppress(OSError):
            while data := os.read(call.process.stderr.fileno(), BLOCK):
                call.complaint = (call.complaint + data)[-COMPLAINT:]
        return call.verdict()

    def drop(self, call: Call) -> None:
        for stream in (call.process.stdin, call.process.stdout, call.process.stderr):
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(stream)
        del self.active[call]
        call.close()

    def kill(self) -> None:
        """End every ssh at once."""
        for call in list(self.active):
            with contextlib.suppress(OSError):
                call.process.kill()

    def end(self) -> None:
        """Nobody asks any more."""
        for call in list(self.active):
            self.drop(call)
        self.selector.close()


@contextlib.contextmanager
def ended_with_us(board: Any) -> Iterator[None]:
    """Where a signal ends the program, the children end before it."""

    def end_all(number: int, frame: Any) -> None:
        board.kill()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    numbers = [signal.SIGTERM, signal.SIGINT]
    numbers += [getattr(signal, name) for name in ("SIGHUP", "SIGQUIT") if hasattr(signal, name)]
    before = {}
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, end_all)
    if hasattr(signal, "SIGPIPE"):  # where an ssh has ended, its output tells why
        before[signal.SIGPIPE] = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        yield
    finally:
        board.end()
        for number, handler in before.items():
            signal.signal(number, handler)
