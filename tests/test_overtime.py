"""Over time: rounds, events, snapshots and what differs from them."""

from __future__ import annotations

import csv
import io
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Tree, needs_ip, needs_namespaces, needs_root, tcp_file, tcp_row
from runner import invoke

from pynetstat.cli import main
from pynetstat.collectors import CATALOGUE, PORTABLE, find_listing
from pynetstat.options import Options
from pynetstat.overtime.changes import compared, identity_of
from pynetstat.overtime.events import Watched
from pynetstat.overtime.snapshot import write_nameless
from pynetstat.run import rounds

PYNETSTAT = [sys.executable, "-m", "pynetstat"]


def pynetstat(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PYNETSTAT, *words], capture_output=True, text=True, timeout=60)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


# Rounds


def test_jsonl_frames(proc_tree: Tree) -> None:
    root = str(proc_tree(tcp=tcp_file(2), tcp6=tcp_file(0)))
    words = ("-tan", "--proc", root, "--count", "3", "--interval", "0", "--format", "jsonl")
    rows = list(map(json.loads, invoke(main, list(words)).stdout.splitlines()))
    assert [row["round"] for row in rows] == [1, 1, 2, 2, 3, 3]
    assert len({row["ts"] for row in rows}) <= 3 and rows[0]["ts"][10] == "T"
    once = json.loads(invoke(main, [*words[:3], "--format", "jsonl"]).stdout.splitlines()[0])
    assert "round" not in once and once == {k: v for k, v in rows[0].items() if k in once}


def test_csv_has_one_header(proc_tree: Tree) -> None:
    root = str(proc_tree(tcp=tcp_file(2), tcp6=tcp_file(0)))
    words = ["-tan", "--proc", root, "--count", "3", "--interval", "0", "--format", "csv"]
    rows = list(csv.reader(io.StringIO(invoke(main, words).stdout)))
    assert rows[0][:2] == ["ts", "proto"] and len(rows) == 7
    assert {len(row) for row in rows} == {len(rows[0])}
    assert all(row[1] == "tcp" for row in rows[1:])


@pytest.mark.parametrize(
    ("takes", "begun"),
    [
        (0.25, [0, 1, 2, 3]),  # however long each takes
        (1.25, [0, 2, 4, 6]),  # too long: the next begins at the next multiple
    ],
)
def test_rounds_do_not_drift(
    takes: float, begun: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.append(clock.pop() + seconds))
    found = []
    for _ in rounds(Options(tcp=True, continuous=True, interval=1.0, rounds=4)):
        found.append(clock[0] - 100.0)
        clock[0] += takes
    assert found == begun


# Identity


@pytest.mark.parametrize("key", [*CATALOGUE, *PORTABLE["darwin"], *PORTABLE["win32"]], ids=str)
def test_every_listing_has_an_identity(key: tuple[str, str]) -> None:
    listing = find_listing(*key)
    identity = identity_of(listing)
    assert identity and set(identity) <= set(listing.record._fields)


def test_rows_of_one_identity() -> None:
    """Two sockets share a port: one more is one more, and one that changed is paired."""
    old = [{"port": 80, "uid": 1}, {"port": 80, "uid": 2}]
    new = [{"port": 80, "uid": 2}, {"port": 80, "uid": 1}, {"port": 80, "uid": 2}]
    names = ("port", "uid")
    assert list(compared(old, new, ("port",), names)) == [("added", new[2], None)]
    assert list(compared(new, old, ("port",), names)) == [("removed", new[2], None)]
    other = [{"port": 80, "uid": 1}, {"port": 80, "uid": 3}]
    assert list(compared(old, other, ("port",), names)) == [("changed", other[1], old[1])]


# Snapshots


def test_a_new_listener(tmp_path: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    file = str(tmp_path / "before.json")
    choice = ("-tln", "--filter", f"sport = {port}")
    assert pynetstat(*choice, "--save", file).returncode == 0
    done = pynetstat(*choice, "--diff", file, "--fail-on-change")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    listener.close()
    done = pynetstat(*choice, "--diff", file, "--fail-on-change")
    assert done.returncode == 1
    assert done.stdout == f"- sockets: tcp 127.0.0.1:{port} 0.0.0.0:* LISTEN\n"
    assert pynetstat(*choice, "--diff", file).returncode == 0
    found = json.loads(pynetstat(*choice, "--diff", file, "--json").stdout)["changes"]
    assert [(one["event"], one["row"]["local_port"]) for one in found] == [("removed", port)]


def test_diff_and_save_at_once(tmp_path: Path, proc_tree: Tree) -> None:
    file = str(tmp_path / "state.json")
    root = str(proc_tree(tcp=tcp_file(2), tcp6=tcp_file(0)))
    words = ["-tan", "--proc", root]
    assert invoke(main, [*words, "--save", file]).exit_code == 0
    proc_tree(tcp=tcp_file(3))
    both = [*words, "--diff", file, "--save", file, "--fail-on-change"]
    first, second = invoke(main, both), invoke(main, both)
    assert (first.exit_code, first.stdout.count("\n")) == (1, 1)
    assert (second.exit_code, second.stdout) == (0, "")


def test_a_state_that_changed_and_queues_that_do_not_count(tmp_path: Path, proc_tree: Tree) -> None:
    file = str(tmp_path / "state.json")
    heading = tcp_file(0)[0]
    root = str(proc_tree(tcp=[heading, tcp_row(0, state=1)], tcp6=[heading]))
    words = ["-tan", "--proc", root]
    invoke(main, [*words, "--save", file])
    row = tcp_row(0, state=1).replace("00000000:00000000", "00000005:00000007", 1)
    proc_tree(tcp=[heading, row])
    assert invoke(main, [*words, "--diff", file]).stdout == ""
    asked = invoke(main, [*words, "--diff", file, "--columns", "recv_q"]).stdout
    assert asked.endswith("(recv_q 0 -> 7)\n")
    proc_tree(tcp=[heading, tcp_row(0, state=8)])
    text = invoke(main, [*words, "--diff", file]).stdout
    assert text.endswith("CLOSE_WAIT (state ESTABLISHED -> CLOSE_WAIT)\n")


@needs_root
@needs_ip
@needs_namespaces
def test_a_changed_route_and_a_removed_interface(tmp_path: Path) -> None:
    script = f"""
    set -e
    ip link set lo up; ip link add one type veth peer mate; ip link set mate up
    ip link add two type veth peer three
    ip link set one up; ip addr add 192.0.2.1/24 dev one
    ip route add 198.51.100.0/24 via 192.0.2.2
    p="{sys.executable} -m pynetstat"
    $p -rn --save {tmp_path}/r; $p -ain --save {tmp_path}/i
    ip route change 198.51.100.0/24 via 192.0.2.3; ip link del two
    $p -rn --diff {tmp_path}/r; $p -ain --diff {tmp_path}/i
    """
    done = subprocess.run(["unshare", "--net", "sh", "-c", script], capture_output=True, text=True)
    assert done.stderr == ""
    route, *gone = done.stdout.splitlines()
    assert route.startswith("~ routes: ") and "dst=198.51.100.0/24" in route
    assert "gateway 192.0.2.2 -> 192.0.2.3" in route
    assert sorted(gone) == ["- interfaces: ifname=three", "- interfaces: ifname=two"]


def test_statistics(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text('{"schema": "pynetstat/2", "statistics": {"Tcp": {"NoSuch": 1}}}')
    lines = invoke(main, ["-s", "--diff", str(file)]).stdout.splitlines()
    assert "- statistics: section=Tcp name=NoSuch value=1" in lines


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", '{"schema": 1}', '{"schema": "pynetstat/2", "sockets": [1]}'),
        *('{"schema": "pynetstat/2"}', "[" * 100_000, '{"schema": "pynetstat/2", "statistics": 3}'),
    ],
    ids=range(9),
)
def test_what_is_no_snapshot(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    done = pynetstat("-tln", "--diff", str(file))
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert str(file) in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--diff", "--save"])
def test_what_is_no_file(tmp_path: Path, option: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, tmp_path / "none" / "file"):
        done = pynetstat("-tln", option, str(path))
        assert done.returncode in (1, 2) and done.stderr.count("\n") == 1
        assert str(path) in done.stderr and "Traceback" not in done.stderr
    assert stat.S_ISFIFO(os.stat(fifo).st_mode) and os.listdir(tmp_path) == ["fifo"]


def test_the_text_of_a_snapshot_is_harmless(tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    row = {"proto": "tcp\x1b[2J", "local_address": "\u202e", "program": "a\nb\ud800", "pid": 1,
           "local_port": None, "remote_address": "*", "remote_port": None}  # fmt: skip
    file.write_text(json.dumps({"schema": "pynetstat/2", "sockets": [row]}))
    text = pynetstat("-tln", "--diff", str(file), "--filter", "sport = 1").stdout
    assert text == "- sockets: tcp?[2J ?:* *:* 1/a?b?\n"


def test_a_snapshot_of_some_columns(tmp_path: Path) -> None:
    """Fields that it does not have are not compared; without identity it cannot be."""
    file = tmp_path / "some.json"
    ends = "proto,local_address,local_port,remote_address,remote_port"
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = ("-tln", "--port", str(server.getsockname()[1]), "--columns")
        pynetstat(*words, ends, "--save", str(file))
        done = pynetstat(*words, ends, "--diff", str(file))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        pynetstat(*words, "proto,state", "--save", str(file))
        done = pynetstat(*words, "proto,state", "--diff", str(file))
    assert done.returncode == 2 and "cannot be told apart without the fields" in done.stderr


def test_our_own_namespace_is_the_same_with_and_without_the_others() -> None:
    row = {"proto": "tcp", "local_port": 1}
    found = compared([{**row, "netns": ""}], [{**row, "netns": None}], ("netns", "proto"), row)
    assert list(found) == []


def test_a_listing_that_is_not_there_is_null(tmp_path: Path) -> None:
    """And no difference, unless it comes or goes."""
    file = tmp_path / "all.json"
    done = pynetstat("-A", "ipx,unix", "--json", "--proc", "/proc", "--filter", "inode = 1")
    assert json.loads(done.stdout).get("ipx", 0) is None
    pynetstat("--filter", "inode = 1", "--save", str(file))
    assert json.loads(file.read_text())["unix"] == []
    assert json.loads(file.read_text())["ax25"] is None
    done = pynetstat("--filter", "inode = 1", "--diff", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_mode_of_a_saved_file(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    invoke(main, ["-tln", "--save", str(file)])
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask
    file.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(file)
    invoke(main, ["-tln", "--save", str(link)])
    assert link.is_symlink() and stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_saved_file_is_whole_whenever_the_run_is_killed(tmp_path: Path, proc_tree: Tree) -> None:
    root = str(proc_tree(tcp=tcp_file(300), tcp6=tcp_file(0)))
    file = tmp_path / "one.json"
    words = ["-tan", "--proc", root, "--save", str(file)]
    assert invoke(main, words).exit_code == 0
    for number in range(20):
        script = [*PYNETSTAT, *words, "--interval", "0"]
        run = subprocess.Popen(script, stderr=subprocess.DEVNULL)
        time.sleep(0.15 + number * 0.017)
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert len(json.loads(file.read_bytes())["sockets"]) == 300
    assert len(list(tmp_path.glob(".pynetstat-*"))) <= 20


@pytest.mark.parametrize(
    "words",
    [
        "-tan --fail-on-change",
        "-tan --events --json",
        "-tan --events --count-by state",
        "-s --events",
        "-tan --events --save x",
        "-tan --events --sort proto",
        "-tan --diff x -c",
        "-tan --diff x --count-by state",
        "--diagnose --save x",
    ],
)
def test_what_makes_no_sense(words: str) -> None:
    result = invoke(main, words.split())
    assert result.exit_code in (2, 3) and result.stdout == "" and result.stderr.count("\n") == 1


# Events


def row(inode: int, state: str = "ESTABLISHED", **more: Any) -> Any:
    fields: dict[str, Any] = {
        "proto": "tcp",
        "local_address": "a",
        "local_port": 1,
        "remote_address": "b",
    }
    record = find_listing("sockets", "inet").record
    fields |= {"family": "inet", "remote_port": 2, "inode": inode, "state": state, **more}
    return record(**fields)


@pytest.mark.parametrize(
    ("rounds", "events"),
    [
        ([row(5), row(5)], ""),
        ([row(5), None], ""),
        ([row(5), None, None, None], "closed"),
        ([row(5), None, row(5)], ""),  # the kernel left it out once
        ([row(5), None, row(6)], "closed opened"),
        ([None, row(5)], "opened"),
        ([row(5), row(6)], "closed opened"),  # the port was used again
        ([row(0, "SYN_RECV"), row(0), row(5)], "changed"),  # a handshake, then accept()
        ([row(5), row(0, "TIME_WAIT"), row(6)], "closed opened"),
        ([row(5), row(5, "CLOSE_WAIT"), row(0, "LAST_ACK"), None, None], "changed changed closed"),
        ([row(0, "LAST_ACK"), row(0, "SYN_RECV")], "closed opened"),
        ([row(5, recv_q=1), row(5, recv_q=2)], ""),
    ],
)
def test_what_is_an_event(rounds: list[Any], events: str) -> None:
    watched = Watched(find_listing("sockets", "inet"))
    found = []
    for one in rounds:
        records = [] if one is None else [one]
        found += [change.event for change in watched.step(records, "")]
    assert " ".join(found) == events


def test_the_program_is_remembered() -> None:
    watched = Watched(find_listing("sockets", "inet"))
    steps = [[row(5, pid=7, program="x")], [row(0, "LAST_ACK")], [], []]
    changes = [list(watched.step(records, "")) for records in steps]
    assert changes[3][0].event == "closed" and changes[3][0].row["pid"] == 7


CONNECTIONS = 1000


@needs_namespaces
@pytest.mark.timing
def test_a_thousand_connections(tmp_path: Path) -> None:
    """Each lives longer than the interval: exactly as many open, and as many close."""
    marker = socket.create_server(("127.0.0.1", 0))
    with marker, socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS) as server:
        port, other = server.getsockname()[1], marker.getsockname()[1]
        done = threading.Event()

        def accept() -> None:
            held = []
            while not done.is_set():
                server.settimeout(0.2)
                try:
                    held.append(server.accept()[0])
                except TimeoutError:
                    continue
            for one in held:
                one.close()

        choice = ["--filter", f"dport = {port} or dport = {other}", "--format", "jsonl"]
        words = ["-tn", "--events", "--interval", "0.1", *choice]
        output = tmp_path / "events"

        own = set()  # what others left in TIME_WAIT at this port closes too

        def count(event: str) -> int:
            whole = output.read_text().rpartition("\n")[0]  # without a line half written
            events = map(json.loads, whole.splitlines())
            mine = [
                one["event"]
                for one in events
                if one["row"]["remote_port"] == port and one["row"]["local_port"] in own
            ]
            return mine.count(event)

        with output.open("w") as file:
            watch = subprocess.Popen([*PYNETSTAT, *words], stdout=file)
            thread = threading.Thread(target=accept)
            thread.start()
            while not output.read_text():  # until it watches
                with socket.create_connection(("127.0.0.1", other)):
                    time.sleep(0.3)
            for _ in range(10):
                some = [
                    socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS // 10)
                ]
                own.update(one.getsockname()[1] for one in some)
                time.sleep(1)
                for one in some:
                    one.close()
            done.set()
            thread.join()
            deadline = time.monotonic() + 20
            while count("closed") < CONNECTIONS and time.monotonic() < deadline:
                time.sleep(0.3)
            time.sleep(1)  # for what should not be there
            watch.terminate()
            watch.wait()
        assert (count("opened"), count("closed")) == (CONNECTIONS, CONNECTIONS)


def test_something_starts_to_listen() -> None:
    words = ["-tlnp", "--events", "--interval", "0.1"]
    watch = subprocess.Popen([*PYNETSTAT, *words], stdout=subprocess.PIPE, text=True)
    assert watch.stdout is not None
    limit = threading.Timer(120, watch.kill)
    limit.start()
    while not select.select([watch.stdout], [], [], 0.3)[0]:  # until it watches
        with socket.create_server(("127.0.0.1", 0)):
            time.sleep(0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        line = next(one for one in watch.stdout if f":{port} " in one)
    gone = next(one for one in watch.stdout if f":{port} " in one and "closed" in one)
    limit.cancel()
    watch.terminate()
    watch.wait()
    watch.stdout.close()
    own = f"tcp 127.0.0.1:{port} 0.0.0.0:* LISTEN {os.getpid()}/"
    assert f" opened  {own}" in line and f" closed  {own}" in gone


def test_the_schema_knows_changes(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    file = tmp_path / "s.json"
    file.write_text('{"schema": "pynetstat/2", "statistics": {"Tcp": {"NoSuch": 1}}}')
    document = json.loads(invoke(main, ["-s", "--diff", str(file), "--json"]).stdout)
    schema = json.loads(invoke(main, ["--json-schema"]).stdout)
    jsonschema.validate(document, schema)
    assert document["changes"]


def test_a_connection_that_the_kernel_lists_twice() -> None:
    """While others close, one may stand there twice, in both of its states."""
    watched = Watched(find_listing("sockets", "inet"))
    rounds = [[row(5)], [row(5), row(0, "FIN_WAIT2")], [row(0, "FIN_WAIT2")] * 2, [], []]
    found = [[change.event for change in watched.step(records, "")] for records in rounds]
    assert found == [[], [], ["changed"], [], ["closed"]]


def test_two_listeners_at_one_port_are_two() -> None:
    watched = Watched(find_listing("sockets", "inet"))
    one, two = (row(inode, "LISTEN", remote_port=0) for inode in (5, 6))
    rounds = [[one], [one, two], [two]]
    found = [[change.event for change in watched.step(records, "")] for records in rounds]
    assert found == [[], ["opened"], ["closed"]]


def test_killed_save_leaves_a_whole_file_and_nothing_else(tmp_path: Path) -> None:
    """Old or new, and whole; what a kill may have left is gone after the next save."""
    path = tmp_path / "sockets.json"
    path.write_text("{}")
    words = ["-tan", "-c", "--interval", "0", "--save", str(path)]
    for number in range(20):
        before = path.stat().st_ino
        with subprocess.Popen([*PYNETSTAT, *words]) as saving:
            deadline = time.monotonic() + 30
            while path.stat().st_ino == before and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(number * 0.0007)
            saving.kill()
        assert "sockets" in json.loads(path.read_text())
    assert pynetstat("-tan", "--save", str(path)).returncode == 0
    assert os.listdir(tmp_path) == ["sockets.json"]


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="only Linux has files without a name")
def test_next_save_removes_the_hidden_file_of_a_killed_one(tmp_path: Path) -> None:
    path, hidden = tmp_path / "sockets.json", tmp_path / ".pynetstat-sockets.json"
    hidden.write_text("left by a kill")
    try:
        write_nameless(str(path), b"whole")
    except OSError as error:
        pytest.skip(f"this file system has no files without a name: {error}")
    assert path.read_bytes() == b"whole" and os.listdir(tmp_path) == ["sockets.json"]
