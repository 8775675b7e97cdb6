"""import pynetstat: typed records, every row that psutil has, and exceptions that are told."""

from __future__ import annotations

import doctest
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import psutil
import pytest
from conftest import HAS_IPV6, Tree, tcp_file

import pynetstat
from pynetstat.collectors.linux.groups import Group
from pynetstat.collectors.linux.inet import InetSocket, Timer
from pynetstat.collectors.linux.unix import UnixSocket


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(pynetstat).failed == 0
    assert doctest.testmod(pynetstat).attempted >= 7


@pytest.fixture
def ends() -> Iterator[list[socket.socket]]:
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    joined = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    joined.connect(bound.getsockname())
    kept = [server, client, server.accept()[0], bound, joined]
    if HAS_IPV6:
        kept.append(socket.create_server(("::1", 0), family=socket.AF_INET6))
    yield kept
    for end in kept:
        end.close()


def test_every_row_of_psutil_is_there_with_more(ends: list[socket.socket]) -> None:
    ours = list(pynetstat.sockets(programs=True))
    found = {
        (one.proto[:3], one.local_address, one.local_port, one.remote_port or None, one.pid)
        for one in ours
    }
    mine = os.getpid()
    theirs = [one for one in psutil.net_connections("inet") if one.pid == mine]
    assert len(theirs) == len(ends)
    for one in theirs:
        proto = "tcp" if one.type == socket.SOCK_STREAM else "udp"
        end = one.raddr.port if one.raddr else None
        assert (proto, one.laddr.ip, one.laddr.port, end, mine) in found
    own = [one for one in ours if one.pid == mine]
    assert all(one.inode and one.uid == os.getuid() and one.recv_q == 0 for one in own)
    assert {type(one) for one in ours} == {InetSocket}


def test_records_are_typed(proc_tree: Tree) -> None:
    root = str(proc_tree(tcp=tcp_file(2), tcp6=tcp_file(0)))
    first, second = pynetstat.sockets(root=root, tcp=True)
    assert second == InetSocket(
        proto="tcp", family="inet", state="ESTABLISHED", local_address="127.0.0.1",
        local_port=8080, remote_address="127.0.0.1", remote_port=1, recv_q=0, send_q=0,
        uid=1000, inode=1001, timer=Timer("off", 0, 0, 0),
    )  # fmt: skip
    assert first._asdict()["remote_port"] == 0


def test_options_are_the_command_line_s(proc_tree: Tree) -> None:
    root = str(proc_tree(tcp=tcp_file(9), tcp6=tcp_file(0)))
    assert len(list(pynetstat.sockets(root=root, tcp=True, listening=True))) == 1
    assert len(list(pynetstat.sockets(root=root, tcp=True, port="5-7"))) == 3
    assert len(list(pynetstat.sockets(root=root, tcp=True, filter="dport > 6"))) == 2


def test_what_records_can_do() -> None:
    """Gone through twice, put into sets, made into plain values."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = pynetstat.sockets(tcp=True, port=port, programs=True)
        assert [one.local_port for one in found] == [one.local_port for one in found] == [port]
        assert len({*found, *pynetstat.sockets(tcp=True, port=[port], programs=True)}) == 1
        (plain,) = found.to_dicts()
        assert plain == found[0].to_dict() and json.loads(json.dumps(plain)) == plain
        assert plain["timer"]["name"] == "off" and plain["processes"][0]["pid"] == os.getpid()
    for records in (pynetstat.unix_sockets(), pynetstat.interfaces(), pynetstat.routes()):
        assert len(set(records)) == len({json.dumps(one) for one in records.to_dicts()})


def test_watch_and_diff() -> None:
    before = pynetstat.sockets(tcp=True, listening=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        after = pynetstat.sockets(tcp=True, listening=True)
        mine = [one for one in pynetstat.diff(before, after) if one.row["local_port"] == port]
        assert [one.event for one in mine] == ["added"]
        changes = pynetstat.watch(tcp=True, port=port, interval=0.05)
        seen = Event()

        def connect_again() -> None:
            while not seen.wait(0.3):
                socket.create_connection(("127.0.0.1", port)).close()

        later = Thread(target=connect_again)
        later.start()
        first = next(change for change in changes if change.event == "opened")
        seen.set()
        assert port in (first.row["local_port"], first.row["remote_port"])
        later.join()
    back = pynetstat.diff(after, pynetstat.sockets(tcp=True, listening=True))
    assert [one.event for one in back if one.row["local_port"] == port] == ["removed"]
    for mistake in ({"sort": ("nope",)}, {"sort": ("state",)}, {"rates": True}):
        with pytest.raises(pynetstat.Misuse):
            pynetstat.watch(**mistake)
    with pytest.raises(TypeError, match="compares records of one kind, not Group with Interface"):
        pynetstat.diff(pynetstat.interfaces(), [Group("lo", "inet", "224.0.0.1", 1)])


def test_the_classes_are_exported() -> None:
    for name in pynetstat.__all__:
        assert getattr(pynetstat, name).__name__ in (name, "Stop")


def test_proc_is_called_as_the_option_is(proc_tree: Tree) -> None:
    root = str(proc_tree(tcp=tcp_file(2), tcp6=tcp_file(0)))
    assert pynetstat.sockets(proc=root, tcp=True) == pynetstat.sockets(root=root, tcp=True)


def test_unix_paths_are_decoded(proc_tree: Tree) -> None:
    line = "ffff888058e7b7c0: 00000002 00000000 00010000 0001 01 18951 "
    names = ["/run/caf\xc3\xa9 bar", "@abs", "/bad\xff"]
    root = proc_tree(unix=["Num RefCount Inode", *(line + name for name in names), line.rstrip()])
    found = list(pynetstat.unix_sockets(root=str(root)))
    assert [one.path for one in found] == ["/run/café bar", "@abs", "/bad\\xff", None]
    # A name that begins with @ may be a file's.
    assert [one.abstract for one in found] == [False, None, False, None]
    assert {type(one) for one in found} == {UnixSocket}


def test_exceptions(proc_tree: Tree) -> None:
    root = str(proc_tree())
    with pytest.raises(pynetstat.Unavailable, match=r"no support for `AF INET .tcp.'") as caught:
        list(pynetstat.sockets(root=root, tcp=True))
    assert caught.value.status == 1
    assert list(pynetstat.sockets(root=root)) == []  # nothing was asked for by name
    with pytest.raises(pynetstat.Misuse, match="expected"):
        list(pynetstat.sockets(filter="dport =="))
    with pytest.raises(TypeError, match="colour"):
        pynetstat.sockets(colour=True)
    # At the call, with the words of the command line
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"sort": ("nope",)}, "no field `nope'"),
        ({"columns": ("state",)}, "says how text is written"),
        ({"source": "foo"}, "no source `foo'"),
        ({"pid": "x"}, "of the wrong type"),
        ({"user": "nosuch"}, "no user `nosuch'"),
        ({"families": ("foo",)}, "no family `foo'"),
    ]
    for keywords, message in wrong:
        with pytest.raises(pynetstat.Misuse, match=message):
            pynetstat.sockets(**keywords)


def test_keywords_that_are_meant_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for keywords in ({"port": port}, {"port": [1, port]}, {"port": str(port)}):
            found = pynetstat.sockets(tcp=True, state="listening", **keywords)  # type: ignore[arg-type]
            assert [one.local_port for one in found] == [port]


def test_it_prints_nothing_and_reads_no_arguments() -> None:
    code = (
        "import sys; sys.argv = ['x', '--bogus']; import pynetstat;"
        "list(pynetstat.sockets(programs=True)); list(pynetstat.unix_sockets());"
        "pynetstat.statistics()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_statistics_are_what_json_has() -> None:
    from runner import invoke

    from pynetstat.cli import main

    ours = pynetstat.statistics()
    document = json.loads(invoke(main, ["-s", "--json"]).stdout)
    assert document["statistics"].keys() == ours.keys() and "Tcp" in ours
    assert document["statistics"]["Tcp"].keys() == ours["Tcp"].keys()
