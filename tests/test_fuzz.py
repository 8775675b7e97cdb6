"""Random trees beside the original, and damaged ones; seeded, a small share of tests/fuzz.py."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from random import Random

import fuzz
import pytest
import trees
from conftest import (
    TCP_HEADING,
    Tree,
    needs_namespaces,
    needs_netstat,
    needs_root,
    tcp_file,
)
from runner import invoke

from pynetstat.cli import main
from pynetstat.kernel.proc import BLOCK, WHOLE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="trees have links")


@needs_root
@needs_netstat
@needs_namespaces
def test_random_trees_as_netstat_prints_them() -> None:
    """In the kernel's formats, with every value from the least to the largest."""
    command = [sys.executable, fuzz.__file__, "--beside", "25", "--seed", "41"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "150 runs" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_damage_of_any_kind(first: int, tmp_path: Path) -> None:
    """Files cut, doubled, flipped, gone, empty, closed, endless: something is said, or nothing."""
    for seed in range(first, first + 10):
        assert fuzz.damaged(seed, tmp_path, runs=3) == []


# Lines in which no table's row can be seen, and that stop nothing that stands around them
LITTER = (
    "", " ", "\t", "garbage", "0", "::::", "\x1b[2J", "\0\0", "a b c", "-1 -1 -1", "\xff\xfe",
    "%s%n",     "9" * 5000, "9" * 9000, "A" * 8191, "x" * 20000, "0: 0 0 0", "*",
)  # fmt: skip
TABLES = {
    "tcp": ("-tan", 1),
    "tcp6": ("-t6an", 1),
    "udp": ("-uan", 1),
    "raw": ("-wan", 1),
    "unix": ("-xa", 1),
    "sctp/eps": ("-Sln", 1),
    "sctp/assocs": ("-Sn", 1),
    "route": ("-rn", 1),
    "ipv6_route": ("-rn6", 0),
    "igmp": ("-gn", 1),
    "igmp6": ("-gn", 0),
    "nr": ("--netrom", 1),
    "ipx/socket": ("--ipx", 1),
}


@pytest.mark.parametrize("name", TABLES)
def test_no_good_row_is_lost(name: str, tmp_path: Path) -> None:
    """Litter between the rows leaves each of them as it was, in every order."""
    options, headings = TABLES[name]
    random = Random(name)
    # In igmp a line at the margin may be what is left of an interface, whose groups follow.
    litter = [text for text in LITTER if name != "igmp" or not text.strip()]
    compared = 0
    for round in range(12):
        root = tmp_path / str(round)
        trees.write(random, root)
        path = root / "net" / name
        if not path.exists():
            continue
        command = [*options.split(), "--proc", str(root)]
        before = invoke(main, command).stdout_bytes.splitlines()
        lines = path.read_bytes().decode("latin-1").splitlines()
        for _ in range(random.randrange(1, 6)):
            place = random.randrange(headings, len(lines) + 1) if lines else 0
            lines.insert(place, random.choice(litter))
        path.write_bytes("".join(f"{line}\n" for line in lines).encode("latin-1"))
        result = invoke(main, command)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        rest = iter(result.stdout_bytes.splitlines())
        assert all(line in rest for line in before), (lines, before)  # in order, none missing
        compared += len(before)
    assert compared > 12


# What is no file, or more than one

ONE_OF_EACH = [
    "-tuwUSan", "-xa", "-rn", "-rCn", "-rn6", "-r6Cn", "-gn", "-ia", "-iae", "-s", "-s6", "-Mn",
    "--ax25", "--ipx", "--netrom", "--rose", "--x25", "-r --ax25", "-r --netrom", "-r --rose",
    "-r --ipx", "-r --x25", "-r --ddp", "-anp", "-tn --json", "-ia --json",
    "--diagnose --interval 0.1",
]  # fmt: skip
ALL_FILES = (
    "tcp tcp6 udp udp6 udplite udplite6 raw raw6 unix sctp/eps sctp/assocs sctp/snmp route rt_cache"
    " ipv6_route igmp igmp6 dev if_inet6 snmp netstat snmp6 ip_masquerade ax25 ipx/socket nr rose"
    " x25 ax25_route nr_nodes nr_neigh rose_nodes rose_neigh ipx_route x25_routes atalk_route ndisc"
)


def all_alike(root: Path, make: object) -> str:
    for name in ALL_FILES.split():
        path = root / "net" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)  # type: ignore[operator]
    return str(root)


@pytest.mark.parametrize("options", ONE_OF_EACH)
@pytest.mark.parametrize(
    "make",
    [trees.empty, trees.directory, trees.looped, trees.fifo, trees.zeros, trees.closed],
    ids=lambda make: str(make.__name__),
)
def test_what_is_no_table(make: object, options: str, tmp_path: Path) -> None:
    """A directory, a pipe that nobody writes, a device without an end: no row, and an end."""
    root = all_alike(tmp_path / "proc", make)
    words = [*shlex.split(options), "--proc", root]
    assert fuzz.wrong(words) is None
    if make is trees.zeros and options in ("-xa", "-ia", "-s", "-rn6", "-Mn"):
        result = invoke(main, words)
        assert "File too large" in result.stderr and result.exit_code == 1


@pytest.mark.parametrize("options", ["-ia", "-s", "-s6", "-Mn"])
def test_what_is_taken_whole_has_its_bounds(options: str, tmp_path: Path) -> None:
    def huge(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(WHOLE * 40)

    words = [options, "--proc", all_alike(tmp_path / "proc", huge)]
    assert fuzz.wrong(words) is None
    assert "File too large" in invoke(main, words).stderr


@pytest.mark.parametrize("filler", ["0", " ", "a", "\t", "1 ", "0: ", "F:"])
def test_a_line_without_an_end(filler: str, tmp_path: Path) -> None:
    """No pattern is tried over and over on what it will never match."""

    def long(path: Path) -> None:
        heading = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        path.write_text(heading * 2 + filler * (BLOCK // len(filler) + 1000))

    root = all_alike(tmp_path / "proc", long)
    for options in ONE_OF_EACH:
        assert fuzz.wrong([*shlex.split(options), "--proc", root]) is None, options


def test_a_process_s_files_may_be_anything(proc_tree: Tree) -> None:
    root = proc_tree(tcp=tcp_file(3), tcp6=tcp_file(0))
    for pid, make in enumerate((trees.fifo, trees.zeros, trees.directory, trees.looped), 100):
        (root / str(pid) / "fd").mkdir(parents=True)
        make(root / str(pid) / "cmdline")
        (root / str(pid) / "fd" / "3").symlink_to(f"socket:[{900 + pid}]")
        (root / str(pid) / "fd" / "x").symlink_to("socket:[1000]")
        trees.fifo(root / str(pid) / "fd" / "5")
    for pid, make in enumerate((trees.fifo, trees.zeros, trees.looped), 200):
        make(root / str(pid))
    assert fuzz.wrong(["-tanp", "--proc", str(root)]) is None
    result = invoke(main, ["-tanp", "--no-header", "--proc", str(root)])
    assert [line[80:].split("/")[0].strip() for line in result.stdout.splitlines()] == [
        "100", "101", "-",
    ]  # fmt: skip


@pytest.mark.parametrize("share", [0.2, 1])
@pytest.mark.parametrize("number", ["9" * 5000, "0" * 5000 + "7", "-" + "9" * 5000, "F" * 5000])
def test_numbers_of_any_length(number: str, share: float, tmp_path: Path) -> None:
    """In place of some, or all, of the numbers of each table: Python refuses to read such a one."""
    random = Random(4)
    trees.write(random, tmp_path)

    def changed(found: re.Match[str]) -> str:
        return number if random.random() < share else found[0]

    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        path.write_text(re.sub(r"\b\d+\b", changed, path.read_text("latin-1")), "latin-1")
    for options in ONE_OF_EACH:
        assert fuzz.wrong([*shlex.split(options), "--proc", str(tmp_path)]) is None, options


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ("-tan --filter autobound", "sys/net/ipv4/ip_local_port_range"),
        ("--diagnose --interval 0.1", "net/tcp"),
        ("--diagnose --interval 0.1", "sys/net/ipv4/ip_local_port_range"),
        ("--diagnose --interval 0.1", "net/sockstat"),
        ("-tanp", "net/sockstat"),
    ],
)
@pytest.mark.parametrize("writer", [False, True])
def test_a_pipe_in_place_of_a_small_file(
    options: str, name: str, writer: bool, proc_tree: Tree
) -> None:
    """Nobody writes, or somebody has it open and never writes: no run waits for it."""
    root = proc_tree(tcp=tcp_file(3), tcp6=tcp_file(0))
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR) if writer else -1
    try:
        assert fuzz.wrong([*options.split(), "--proc", str(root)]) in (None, "status 2")
    finally:
        if writer:
            os.close(end)


@needs_namespaces
@needs_root
def test_pipes_in_place_of_the_system_s_files(tmp_path: Path) -> None:
    """/etc/services, networks and protocols that nobody writes: the numbers stay."""
    script = f"mkfifo {tmp_path}/pipe\n"
    for name in ("services", "networks", "protocols"):
        if os.path.exists(f"/etc/{name}"):
            script += f"mount --bind {tmp_path}/pipe /etc/{name}\n"
    script += f"{sys.executable} -m pynetstat -tuwl --numeric-hosts\n"
    script += f"{sys.executable} -m pynetstat -g; {sys.executable} -m pynetstat -r"
    command = ["unshare", "--net", "--mount", "sh", "-ec", script]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
    assert "Active Internet" in done.stdout and "Kernel IP routing table" in done.stdout


def test_notices_have_their_bounds(tmp_path: Path) -> None:
    """A file of nothing but lines that are no rows; each round tells the first thousand."""
    (tmp_path / "net").mkdir()
    for name in ("tcp", "tcp6"):
        (tmp_path / "net" / name).write_text(f"{TCP_HEADING}\n" + "garbage\n" * 3000)
    for rounds in (1, 2):
        words = ["-tan", "--proc", str(tmp_path), "--count", str(rounds), "--interval", "0"]
        said = invoke(main, words).stderr.splitlines()
        assert len(said) == 1001 * rounds
        assert said[1000] == "(1,000 notices; no more are shown.)"


@pytest.mark.parametrize("options", ["-tan", "-xan", "-rn", "-tan --json"])
def test_a_file_of_gigabytes_without_a_line(options: str, tmp_path: Path) -> None:
    def sparse(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(2 << 30)

    words = [*options.split(), "--proc", all_alike(tmp_path / "proc", sparse)]
    assert fuzz.wrong(words) is None
    result = invoke(main, words)
    assert re.search("File too large|required field", result.stderr)
    assert len(result.stderr.splitlines()) < 20
    assert result.exit_code == 1
