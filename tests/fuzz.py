"""Random /proc trees, whole and damaged, by hand; counts what it tried and prints what it found.

    python tests/fuzz.py --damaged 20000      damaged trees: no traceback, no hang, no control byte
    sudo python tests/fuzz.py --beside 2000   whole trees, ours beside net-tools' netstat 2.10
    python tests/fuzz.py --guided 600         seconds of coverage-guided bytes (pip install atheris)

A finding is named by its seed: `--seed N --damaged 1` shows it again.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import etc
import trees
from runner import invoke

from pynetstat.cli.values import tabular_formats
from pynetstat.formats import OWN

MOST = 2 << 30  # bytes of memory that a run may take
PATIENCE = 20  # seconds
LISTS = (
    "-tuwUSa", "-tuwUSaneo", "-l", "-tnW", "-anpe", "-xap", "-x", "-lx", "-r", "-rnee", "-rCn",
    "-r6n", "-r6Cn", "-g", "-gn4", "-ia", "-iae", "-s", "-s6", "-stu", "-M", "-Mne", "--ax25",
    "--ipx -e", "--netrom", "--rose", "--x25 -a", "-r --ax25", "-r --netrom", "-r --rose",
    "-r --ipx", "-r --x25", "-r --ddp", "-v", "-tSlp", "-taN", "--diagnose --interval 0.1",
    "--diagnose --interval 0.1", "-ta --count-by state,remote_network/24", "-tan --sort -inode",
)  # fmt: skip
LISTED = [name for name in OWN if name not in ("openmetrics", "prometheus")]  # metrics
FORMATS = (*["classic"] * 12, *LISTED, *tabular_formats())
# What of kernel-shaped trees is the same in both, byte for byte
BESIDE = (
    "-tuwUan", "-tuwUa", "-tuwUaneo", "-tuwUnWao", "-ln", "-tn", "-anpe", "-San", "-Sne",
    "-Slnp", "-xap", "-x", "-lx", "-rn", "-r", "-rne", "-rnee", "-reee", "-rCn", "-r6n", "-r6",
    "-r6Cn", "-gn", "-g", "-gn4", "-ia", "-i", "-iae", "-ie", "-s", "-s6", "-stu", "-sw6",
    "-Mn", "-Mne", "-M", "--ax25", "--ipx", "--netrom", "-r --x25", "-p", "-46l", "-taN", "-uo",
    "-w4", "-t6 -v",
)  # fmt: skip
CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")


class Slow(Exception):
    """It took longer than it may."""


@contextlib.contextmanager
def bounds() -> Iterator[None]:
    """A run ends in time, and with the memory it may have."""

    def late(*_: Any) -> None:
        raise Slow

    old = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST, old[1]))
    handler = signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE)
    sleep, time.sleep = time.sleep, lambda seconds: None  # a diagnosis looks twice
    try:
        yield
    finally:
        time.sleep = sleep
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, old)


def wrong(words: list[str]) -> str | None:
    """What is not right about a run of these words."""
    from pynetstat.cli import main

    with bounds():
        result = invoke(main, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return "".join(traceback.format_exception(result.exception))
    if result.exit_code not in (0, 1, 3, 255) and "--diagnose" not in words:
        return f"status {result.exit_code}"
    if CONTROLS.search(result.stdout_bytes) and "tsv" not in words:
        return f"control byte: {CONTROLS.search(result.stdout_bytes)}"
    if CONTROLS.search(result.stderr_bytes):
        return f"control byte on stderr: {result.stderr_bytes!r}"
    if "Traceback" in result.stderr:
        return result.stderr
    for format in ("json", "jsonl"):
        if format in words:
            for text in [result.stdout] if format == "json" else result.stdout.splitlines():
                json.loads(text).items()
    return None


def damaged(seed: int, folder: Path, runs: int = 4) -> list[str]:
    """One damaged tree, and what went wrong with it."""
    random = Random(seed)
    root = folder / str(seed)
    trees.write(random, root, trees.INTERFACES[:8])
    if seed % 2:
        trees.hostile(random, root)
    trees.damage(random, root)
    found = []
    for _ in range(runs):
        words = shlex.split(random.choice(LISTS))
        words += ["--format", random.choice(FORMATS), "--proc", str(root)]
        words += ["-n"] if random.random() < 0.9 else ["--resolve-timeout", "0"]
        problem = wrong(words)
        if problem:
            found.append(f"seed {seed}: {shlex.join(words)}\n{problem}")
    shutil.rmtree(root)
    return found


def many_damaged(first: int, count: int) -> int:
    start, findings = time.monotonic(), 0
    with tempfile.TemporaryDirectory(dir=shared()) as folder:
        for seed in range(first, first + count):
            for finding in damaged(seed, Path(folder)):
                print(finding, flush=True)
                findings += 1
            if (seed - first) % 1000 == 999:
                print(f"{seed - first + 1:,} trees, {findings} findings", flush=True)
    print(
        f"{count:,} damaged trees in {count * 4:,} runs, {time.monotonic() - start:.0f} s,"
        f" {peak()} MB at most: {findings} findings"
    )
    return findings


def shared() -> str | None:
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


# Beside the original

LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str) -> None:
    if LIBC.mount(source.encode(), target.encode(), None, 4096, None):  # MS_BIND
        raise OSError(ctypes.get_errno(), f"mount {source} {target}")


def beside(first: int, count: int) -> int:
    """In namespaces of our own: each tree over /proc, netstat and ours over it."""
    import pynetstat.cli.command  # noqa: F401 - warm before the forks

    start, findings, runs = time.monotonic(), 0, 0
    present = real_interfaces()
    with tempfile.TemporaryDirectory(dir=shared()) as name:
        folder = Path(name)
        mount(str(etc.write(folder / "etc", {})), "/etc")
        for seed in range(first, first + count):
            random = Random(seed)
            trees.write(random, folder / "proc", present)
            trees.names(random, folder / "etc")
            mount(str(folder / "proc"), "/proc")
            for words in random.sample(BESIDE, 6):
                runs += 1
                theirs, ours = reference(words), answer(words, folder / "answer")
                if theirs != ours:
                    findings += 1
                    print(f"seed {seed}: {words}\n{difference(theirs, ours)}", flush=True)
            LIBC.umount2(b"/proc", 2)
            shutil.rmtree(folder / "proc")
    print(
        f"{count:,} trees in {runs:,} runs beside netstat, {time.monotonic() - start:.0f} s:"
        f" {findings} findings"
    )
    return findings


def real_interfaces() -> tuple[str, ...]:
    """Bridges by the names of the trees' interfaces, since netstat asks the kernel for each."""
    found = ["lo"]
    for name in trees.INTERFACES[1:]:
        command = ["ip", "link", "add", name, "type", "bridge"]
        if shutil.which("ip") and subprocess.run(command, capture_output=True).returncode == 0:
            found.append(name)
            if len(found) % 2:
                subprocess.run(["ip", "link", "set", name, "up"], check=True)
    return tuple(found)


def reference(words: str) -> tuple[int, bytes]:
    done = subprocess.run(
        ["netstat", *shlex.split(words)], stdout=-1, stderr=-3, env={"LC_ALL": "C"}, timeout=20,
        close_fds=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def answer(words: str, file: Path) -> tuple[int, bytes]:
    """Ours, in a process of its own."""
    from pynetstat.cli import main

    child = os.fork()
    if child == 0:
        result = invoke(main, shlex.split(words))
        broken = result.exception is not None and not isinstance(result.exception, SystemExit)
        file.write_bytes(result.stdout_bytes + (repr(result.exception).encode() if broken else b""))
        os._exit(result.exit_code & 255)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, file.read_bytes()


def difference(theirs: tuple[int, bytes], ours: tuple[int, bytes]) -> str:
    import difflib

    texts = [text.decode("latin-1").splitlines() for _, text in (theirs, ours)]
    lines = list(difflib.unified_diff(*texts, "netstat", "pynetstat", lineterm="", n=0))
    return "\n".join([f"status {theirs[0]}, ours {ours[0]}", *map(repr, lines[:12])])


def private(arguments: list[str]) -> int:
    """Ourselves again where mounts and interfaces are our own."""
    loopback = str(Path(__file__).with_name("loopback.py"))
    inside = [sys.executable, loopback, sys.executable, __file__, "--private", *arguments]
    return subprocess.run(["unshare", "--net", "--mount", *inside]).returncode


# Guided by coverage


def guided(seconds: int, folder: Path) -> None:
    """The first byte chooses the command and so the file, the rest is what the file holds."""
    import atheris

    with atheris.instrument_imports(include=["pynetstat"]):
        import pynetstat.cli.action
        import pynetstat.collectors as collectors
        import pynetstat.stages.owners
        from pynetstat.options import Options, listings
        from pynetstat.run import show

        for words in FILES:
            main: Any = pynetstat.cli.main
            context = main.make_context("pynetstat", [*shlex.split(words), "-n"])
            known = {"numeric", "json", *Options.__annotations__}
            given = {name: value for name, value in context.params.items() if name in known}
            options = pynetstat.cli.action.settled(given)
            for key in listings(options):
                collectors.find_listing(*key)
            CHOICES.append((options, FILES[words]))
    for file in {file for _, file in CHOICES}:
        (folder / "net" / file).parent.mkdir(parents=True, exist_ok=True)

    class Sink:
        def write(self, data: bytes) -> int:
            if CONTROLS.search(data):
                raise AssertionError(data)
            return len(data)

        def flush(self) -> None:
            pass

    def one(data: bytes) -> None:
        options, file = CHOICES[data[0] % len(CHOICES)] if data else CHOICES[0]
        path = folder / "net" / file
        path.write_bytes(data[1:])
        sink: Any = Sink()
        show(options.replace(root=str(folder)), sink)
        path.unlink()

    corpus = folder / "corpus"
    corpus.mkdir()
    for seed in range(40):
        trees.write(Random(seed), folder / "seed", trees.INTERFACES[:8])
        for place, (_, file) in enumerate(CHOICES):
            path = folder / "seed" / "net" / file
            if path.exists():
                (corpus / f"{seed}-{place}").write_bytes(bytes([place]) + path.read_bytes()[:2000])
        shutil.rmtree(folder / "seed")
    flags = [f"-max_total_time={seconds}", "-max_len=3000", "-timeout=20", "-rss_limit_mb=2048"]
    atheris.Setup([sys.argv[0], str(corpus), *flags, "-print_final_stats=1"], one)
    atheris.Fuzz()


FILES = {
    "-ta": "tcp", "-t6a": "tcp6", "-uaeo": "udp", "-Ua": "udplite6", "-wa": "raw",
    "-xa": "unix", "-Sa": "sctp/eps", "-S": "sctp/assocs", "-ree": "route", "-rC": "rt_cache",
    "-r6": "ipv6_route", "-g": "igmp", "-g6": "igmp6", "-ia": "dev", "-s": "snmp",
    "-su": "netstat", "-s6": "snmp6", "-sS": "sctp/snmp", "-Me": "ip_masquerade",
    "--ax25": "ax25", "--netrom": "nr", "--rose": "rose", "--ipx": "ipx/socket", "--x25": "x25",
    "-r --ax25": "ax25_route", "-r --x25": "x25_routes", "-r --ipx": "ipx_route",
    "-r --ddp": "atalk_route", "-r --netrom": "nr_nodes", "-r --rose": "rose_nodes",
    "-ta --json": "tcp", "-xa --json": "unix", "-ia --format csv": "dev",
    "-ia --json": "if_inet6",
}  # fmt: skip
CHOICES: list[tuple[Any, str]] = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--damaged", type=int, metavar="N", help="N damaged trees")
    parser.add_argument("--beside", type=int, metavar="N", help="N trees beside netstat (root)")
    parser.add_argument("--guided", type=int, metavar="SECONDS", help="coverage-guided (atheris)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--private", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.beside and not given.private:
        sys.exit(private(sys.argv[1:]))
    findings = many_damaged(given.seed, given.damaged) if given.damaged else 0
    findings += beside(given.seed, given.beside) if given.beside else 0
    if given.guided:
        with tempfile.TemporaryDirectory(dir=shared()) as folder:
            guided(given.guided, Path(folder))
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
