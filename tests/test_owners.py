"""Who holds a socket: real processes, captures, and two processes that share the scan."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Tree, needs_netstat, needs_root, pynetstat, tcp_file

from pynetstat.cli import main
from pynetstat.kernel.proc import NOT_ALL, Proc
from pynetstat.options import Options
from pynetstat.stages import owners
from pynetstat.table import Table


def process(root: Path, folder: str, cmdline: bytes, **links: str) -> None:
    (root / folder / "fd").mkdir(parents=True)
    (root / folder / "cmdline").write_bytes(cmdline)
    for name, target in links.items():
        (root / folder / "fd" / name.removeprefix("f")).symlink_to(target)


def shown(root: Path) -> list[str]:
    """What the PID/Program name column has, row by row."""
    result = CliRunner().invoke(main, ["-tanp", "--no-header", "--proc", str(root)])
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
    result = CliRunner().invoke(main, ["-tanp", "--json", "--proc", str(root)])
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
    found = owners.Owners(Proc(str(root)), Options())
    table = Table(dict, 1, inode=[1000])
    found.attribute([table])
    assert table["program"] == ["prog"]
    assert len(list(found.scan)) == (38 if os.geteuid() == 0 else 0)


def test_two_processes_find_what_one_finds(proc_tree: Tree) -> None:
    root = proc_tree()
    for pid in range(1, 300):
        process(root, str(pid), b"/bin/p%d\0" % pid, f3=f"socket:[{pid + 1000}]", f4="socket:[77]")
    inodes = [*range(1000, 1310), 77]
    tables = [Table(dict, len(inodes), inode=inodes) for _ in range(2)]
    for crowd, table in zip((False, True), tables):
        owners.Owners(Proc(str(root)), Options(), every=True, crowd=crowd).attribute([table])
    for name in ("pid", "program", "owner", "processes"):
        assert tables[0][name] == tables[1][name], name


def test_a_helper_that_dies_is_made_up_for(proc_tree: Tree) -> None:
    root = proc_tree()
    for pid in range(1, 20):
        process(root, str(pid), b"prog\0", f3=f"socket:[{pid + 1000}]")

    def look(folder: str) -> owners.Holding | None:
        if os.getpid() != here:
            os._exit(9)
        return folder, "prog", "-", ["3"], [int(folder) + 1000]

    here = os.getpid()
    folders = Proc(str(root)).pids()
    helper = owners.Helper(folders, look)
    assert helper.answer() == {}


@pytest.mark.unmeasured
@needs_root
def test_an_ordinary_user_sees_his_own_and_is_told() -> None:
    """As nobody: the sockets of root's processes have no owner, and netstat's notice says so."""
    code = (
        "import os, sys; os.setgid(65534); os.setuid(65534)\n"
        "sys.argv = ['pynetstat', '-tanp']\n"
        "from pynetstat.cli import main\n"
        "import pynetstat.run, pynetstat.collectors.linux.inet, pynetstat.formats.classic\n"
        "import pynetstat.stages.owners, pynetstat.stages.names, pynetstat.kernel.sockdiag\n"
        "import socket\n"
        "mine = socket.create_server(('127.0.0.1', 0))\n"
        "print(mine.getsockname()[1], flush=True)\n"
        "main(standalone_mode=False)"
    )
    # imported by root first: the interpreter itself may lie where nobody may not look
    before = "import pynetstat.cli, pynetstat.run, pynetstat.collectors.linux.inet, socket\n"
    before += (
        "import pynetstat.formats.classic, pynetstat.stages.owners\n"
        "import pynetstat.kernel.sockdiag, pynetstat.stages.names\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        port = theirs.getsockname()[1]
        done = subprocess.run([sys.executable, "-c", before + code], capture_output=True, text=True)
    assert done.stderr.rstrip("\n") == NOT_ALL
    own = done.stdout.splitlines()[0]
    rows = {line.split()[3]: line.split()[-1] for line in done.stdout.splitlines()[3:]}
    assert rows[f"127.0.0.1:{port}"] == "-"
    assert "python" in rows[f"127.0.0.1:{own}"] or "/" in rows[f"127.0.0.1:{own}"]


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
