"""Who holds a socket: real processes, captures, and two threads that share the scan."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest
from conftest import Tree, needs_netstat, needs_root, pynetstat, tcp_file
from runner import invoke

from pynetstat.cli import main
from pynetstat.kernel.proc import Proc
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.stages import owners
from pynetstat.table import Table


def process(root: Path, folder: str, cmdline: bytes, **links: str) -> None:
    (root / folder / "fd").mkdir(parents=True)
    (root / folder / "cmdline").write_bytes(cmdline)
    for name, target in links.items():
        (root / folder / "fd" / name.removeprefix("f")).symlink_to(target)


def shown(root: Path) -> list[str]:
    """What the PID/Program name column has, row by row."""
    result = invoke(main, ["-tanp", "--no-header", "--proc", str(root)])
    assert result.exit_code == 0, result.output
    return [line[80:].rstrip() for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("cmdline", "text"),
    [
        (b"/usr/sbin/mysqld\0--x\0", "123/mysqld"),
        (b"/usr/lib/a-very-long-program-name-here\0", "123/a-very-long-pro"),
        (b"sshd: root@pts/0 with spaces\0", "123/sshd: root@pts/"),
        (b"/usr/bin/python3 /opt/app/main.py --x\0", "123/main.py --x"),
        (b"./rel/path/prog\0arg\0", "123/./rel/path/prog"),
        (b"", "123/"),
        (b"/usr/bin/trailing/\0", "123/"),
        (b"/a/" + b"b" * 600 + b"/cc\0", "123/bbbbbbbbbbbbbbb"),
        (b"\x1b[31mred\0", "123/?[31mred"),
        (b"tab\tnl\nx\0", "123/tab?nl?x"),
        ("pythön3".encode() + b"\0", "123/pythön3"),
    ],
)
def test_the_name(cmdline: bytes, text: str, proc_tree: Tree) -> None:
    root = proc_tree(tcp=tcp_file(1), tcp6=tcp_file(0))
    process(root, "123", cmdline, f3="socket:[1000]")
    assert shown(root) == [text]


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("socket:[1000]", True),
        ("[0000]:1000", True),
        ("socket:[01750]", True),  # octal
        ("socket:[0x3e8]", True),
        ("socket:[+1000]", True),
        ("socket:[1000]x", False),
        ("socket:1000", False),
        ("socket:[1000", False),
        ("Socket:[1000]", False),
        ("[1000]", False),
        ("pipe:[1000]", False),
        ("socket:[]", False),
        ("[0000]:", False),
        ("[0000]:1000x", False),
        ("socket:[-1000]", False),
    ],
)
def test_the_link(link: str, found: bool, proc_tree: Tree) -> None:
    root = proc_tree(tcp=tcp_file(1), tcp6=tcp_file(0))
    process(root, "5", b"prog\0", f3=link)
    assert shown(root) == ["5/prog" if found else "-"]


def test_the_first_holder_in_directory_order_wins(proc_tree: Tree) -> None:
    root = proc_tree(tcp=tcp_file(2), tcp6=tcp_file(0))
    for pid in ("30", "7", "100"):
        process(root, pid, f"p{pid}\0".encode(), f3="socket:[1000]", f4="socket:[1001]")
    first = next(name for name in os.listdir(root) if name.isdecimal())
    assert shown(root) == [f"{first}/p{first}"] * 2
    result = invoke(main, ["-tanp", "--json", "--proc", str(root)])
    holders = json.loads(result.stdout)["sockets"][0]["processes"]
    assert sorted(holder["pid"] for holder in holders) == [7, 30, 100]


def test_a_folder_keeps_its_name_and_one_without_a_command_line_is_no_owner(
    proc_tree: Tree,
) -> None:
    root = proc_tree(tcp=tcp_file(2), tcp6=tcp_file(0))
    process(root, "00400", b"prog\0", f3="socket:[1000]")
    process(root, "401", b"", f3="socket:[1001]")
    (root / "401" / "cmdline").unlink()
    process(root, "402x", b"no process\0", f3="socket:[1001]")
    assert shown(root) == ["00400/prog", "-"]


def test_the_scan_stops_once_all_are_found(proc_tree: Tree) -> None:
    root = proc_tree(tcp=tcp_file(1), tcp6=tcp_file(0))
    for pid in range(1, 40):
        process(root, str(pid), b"prog\0", f3="socket:[1000]")
    found = owners.Owners(Proc(str(root)), Options(), Outcome())
    table = Table(dict, 1, inode=[1000], state=["LISTEN"])
    found.attribute([table])
    assert table["program"] == ["prog"]
    assert len(list(found.scan)) == (38 if os.geteuid() == 0 else 0)


def test_two_threads_find_what_one_finds(proc_tree: Tree) -> None:
    root = proc_tree()
    for pid in range(1, 300):
        process(root, str(pid), b"/bin/p%d\0" % pid, f3=f"socket:[{pid + 1000}]", f4="socket:[77]")
    inodes = [*range(1000, 1310), 77]
    state = ["LISTEN"] * len(inodes)
    tables = [Table(dict, len(inodes), inode=inodes, state=state) for _ in range(2)]
    for crowd, table in zip((False, True), tables):
        owners.Owners(Proc(str(root)), Options(), Outcome(), every=True, crowd=crowd).attribute(
            [table]
        )
    for name in ("pid", "program", "owner", "processes"):
        assert tables[0][name] == tables[1][name], name


@needs_root
@needs_netstat
def test_as_the_netstat_of_the_machine_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mine:
        port = f"127.0.0.1:{mine.getsockname()[1]} ".encode()
        theirs = subprocess.run(["netstat", "-tlnp"], capture_output=True).stdout
        ours = pynetstat("-tlnp").stdout
    line = [line for line in theirs.splitlines() if port in line]
    assert line and line == [line for line in ours.splitlines() if port in line]
    assert str(os.getpid()).encode() in line[0]
