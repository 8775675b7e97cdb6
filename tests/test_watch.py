"""--watch: the model alone, the screen by its library's own driver, and in a real terminal."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import pynetstat
from test_endurance import size

from pynetstat.options import Misuse, Options
from pynetstat.overtime import screen
from pynetstat.overtime.watch import (
    CHANGED,
    GONE,
    INTERFACES,
    NEW,
    SAME,
    SOCKETS,
    STATISTICS,
    Model,
    Source,
    details_of_row,
)

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux' tables")


def row(port: int, **more: Any) -> tuple[Any, ...]:
    """A row of the model, as a listener of python3 has it."""
    known = {
        "proto": "tcp", "local_address": "127.0.0.1", "local_port": port, "remote_port": 0,
        "remote_address": "0.0.0.0", "inode": port, "state": "LISTEN", "recv_q": 0, "send_q": 5,
        "pid": 7, "program": "python3",
    }  # fmt: skip
    return tuple((known | more).get(name) for name in SOCKETS.fields)


def ports(model: Model) -> list[int]:
    return [one.values["local_port"] for one in model.rows]


def test_new_changed_and_gone_rows() -> None:
    model = Model(SOCKETS)
    model.enter([row(1), row(2), row(3)], 1.0)
    assert {one.mark for one in model.rows} == {SAME}
    model.enter([row(1), row(2, state="CLOSE"), row(4), row(1)], 2.0)
    marks = {one.values["local_port"]: one.mark for one in model.rows}
    assert marks == {1: SAME, 2: CHANGED, 4: NEW, 3: GONE}
    assert model.summary() == ["3 sockets", "3 LISTEN", "1 CLOSE"] or model.counts["CLOSE"] == 1
    model.enter([row(1), row(2, state="CLOSE", recv_q=9), row(4)], 3.0)
    assert {one.mark for one in model.rows} == {SAME}  # a queue that moves is no change
    assert ports(model) == [1, 2, 4]
    assert model.cells(model.rows[1])[1] == "9"


def test_sorting() -> None:
    model = Model(SOCKETS, "recv_q", True)
    model.enter([row(1, recv_q=1), row(2, recv_q=3), row(3, recv_q=None)], 1.0)
    assert ports(model) == [2, 1, 3]
    model.next_sort()
    assert (model.sort, model.reverse) == ("send_q", True)
    for _ in model.columns[2:]:
        model.next_sort()
    assert model.sort == "" and ports(model) == [1, 2, 3]


def test_groups_add_up() -> None:
    model = Model(SOCKETS)
    rows = [row(1, rate_in=5), row(2, rate_in=7), row(3, program="sshd"), row(4, program=None)]
    model.enter(rows, 1.0)
    model.next_group()
    cells = [model.cells(one) for one in model.rows]
    assert ["python3", "2", "0", "10", "12", "-"] in cells and cells[0][1] == "2"
    assert {cell[0] for cell in cells} == {"python3", "sshd", "-"}
    for _ in SOCKETS.groups:
        model.next_group()
    assert model.group is None and len(model.rows) == 4


@pytest.mark.parametrize("width", range(40, 260, 11))
def test_columns_fit_the_line(width: int) -> None:
    for view in (SOCKETS, INTERFACES, STATISTICS):
        widths = Model(view).layout(width)
        shown = [one for one in widths if one]
        needed = sum(one.width + 1 for one in view.columns if not one.spare) - 1
        assert sum(shown) + len(shown) - 1 <= max(width, needed)
        assert all(one >= column.width for one, column in zip(widths, view.columns) if one)


def test_no_control_character_reaches_the_screen() -> None:
    model = Model(SOCKETS)
    model.enter([row(1, program="a\x1b]0;x\x07\n[/nope]"), row(2, program="b\u202e")], 1.0)
    texts = [text for one in model.rows for text in model.cells(one)]
    assert all(text.isprintable() for text in texts)
    assert any("[/nope]" in text for text in texts)


def test_counters_and_interfaces_have_rates() -> None:
    model = Model(STATISTICS)
    model.enter([(None, "Tcp", "InSegs", 10)], 1.0)
    model.enter([(None, "Tcp", "InSegs", 30)], 3.0)
    assert model.cells(model.rows[0]) == ["Tcp", "InSegs", "30", "10.0"]
    model = Model(INTERFACES)
    for moment, number in ((1.0, 100), (2.0, 400)):
        stats = {"rx": {"bytes": number, "packets": 1, "errors": 2, "dropped": None}}
        model.enter([(None, "eth0", "BMRU", 1500, stats)], moment)
    assert model.cells(model.rows[0])[2:6] == ["300", "0", "2", "-"]


@LINUX
def test_a_source_of_live_sockets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = Source(Options(filter=f"exclude time-wait sport = {port}", interval=0.0))
        for _ in range(3):
            (found,) = source.read()
            values = dict(zip(SOCKETS.fields, found))
            assert (values["local_port"], values["pid"]) == (port, os.getpid())
        model = Model(SOCKETS)
        model.enter([found], 1.0)
        details = dict(details_of_row(source, model.rows[0]))
        assert details["local_port"] == str(port) and "accept" in details["LISTEN"].lower()
        with pytest.raises(Misuse, match="no term"):
            source.choose("nope = 1")
        source.choose(f"state established sport = {port}")
        assert source.read() == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "needs a terminal that can draw; -c prints again and again"),
        ("-r", "shows Internet sockets, interfaces (-i) or counters (-s)"),
        ("-x", "shows Internet sockets, interfaces (-i) or counters (-s)"),
        ("-t --json", "--watch has no effect: a screen has no format"),
        ("-t --count 3", "--watch has no effect: q ends it"),
    ],
)
def test_what_it_refuses(words: str, message: str) -> None:
    done = pynetstat("--watch", *words.split())
    assert done.returncode == 2 and message in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1 and done.stdout == b""


@LINUX
def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual.app", None)
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(sys, stream, Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(Misuse, match=r"pip install 'pynetstat\[watch\]'"):
        screen.show_screen(Options(tcp=True, watch=True), io.BytesIO())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_namespaces_have_a_column() -> None:
    assert [column.title for column in Model(SOCKETS, places=True).columns][-1] == "NetNS"
    assert "NetNS" not in [column.title for column in Model(SOCKETS).columns]


# The screen


@LINUX
def test_the_screen() -> None:
    pytest.importorskip("textual")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = asyncio.run(driven(port))
    rows = [line for line in text["begin"].splitlines() if line.startswith("tcp")]
    assert len(rows) == 1 and f"127.0.0.1:{port}" in rows[0]
    assert "python" in text["group"] and "Sockets" in text["group"]
    assert "PAUSED" in text["pause"]
    assert str(port) in text["details"] and "LISTEN" in text["details"]
    assert "grammar" in text["keys"]
    assert "no term" in text["mistake"]
    assert "filter: sport = 1" in text["filter"] and "0 sockets" in text["filter"]


async def driven(port: int) -> dict[str, str]:
    app = screen.screen(Source(Options(filter=f"sport = {port}", interval=0.2)))
    found = {}
    async with app.run_test(size=(120, 30)) as pilot:

        async def press(name: str, until: str, *keys: str) -> None:
            """Some keys, and what stands on the screen then, at the latest after a minute."""
            await pilot.press(*keys)
            for _ in range(600):
                await pilot.pause(0.1)
                found[name] = drawn(app)
                if until in found[name]:
                    return

        await press("begin", f":{port}")
        await press("pause", "PAUSED", "space")
        await press("details", "local_port", "space", "down", "enter")
        await press("keys", "grammar", "escape", "question_mark")
        await press("group", "Sockets", "escape", "g")
        await press("mistake", "no term", "g", "g", "g", "slash", "end", "space", "x", "enter")
        end = [*["backspace"] * 40, *"sport", "space", "equals_sign", "space", "1", "enter"]
        await press("filter", " 0 sockets", *end)
        await pilot.press("q")
    return found


def drawn(app: Any) -> str:
    """What stands on the screen, as text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


@contextmanager
def terminal(columns: int, rows: int, command: str) -> Iterator[Any]:
    """A command in a terminal of tmux's; gives a function that sends keys and reads the screen."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not here")
    tmux = ["tmux", "-L", f"pynetstat{time.monotonic_ns()}", "-f", "/dev/null"]
    environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    size = ["-x", str(columns), "-y", str(rows)]
    subprocess.run([*tmux, "new-session", "-d", *size, command], env=environment, check=True)

    def send(*keys: str, until: str = "") -> str:
        if keys:
            subprocess.run([*tmux, "send-keys", *keys], check=True)
        text = ""
        for _ in range(200):
            done = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True)
            text = done.stdout
            if until in text:
                return text
            time.sleep(0.1)
        raise AssertionError(f"{until!r} never came:\n{text}")

    def process() -> int:
        """The process that the terminal's shell waits for."""
        (line,) = subprocess.run(
            [*tmux, "display-message", "-p", "#{pane_pid}"], capture_output=True, check=True
        ).stdout.split()
        children = Path(f"/proc/{int(line)}/task/{int(line)}/children").read_text().split()
        return int(children[0])

    def resize(columns: int, rows: int) -> None:
        size = ["-x", str(columns), "-y", str(rows)]
        subprocess.run([*tmux, "resize-window", *size], check=True)

    def painted() -> str:
        """The screen with its escape sequences."""
        done = subprocess.run([*tmux, "capture-pane", "-p", "-e"], capture_output=True, text=True)
        return done.stdout

    send.process, send.resize, send.painted = process, resize, painted  # type: ignore[attr-defined]
    try:
        yield send
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True)


@LINUX
@pytest.mark.timing
@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (200, 60)])
def test_in_a_real_terminal(columns: int, rows: int) -> None:
    """Sockets come and go, the terminal is as before in the end."""
    pytest.importorskip("textual")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        words = f"--watch --interval 0.3 --filter 'sport = {port} or dport = {port}'"
        program = f"{sys.executable} -m pynetstat {words}; echo status $?; exec sleep 60"
        with terminal(columns, rows, f"cd {Path(__file__).parents[1]}; {program}") as send:
            text = send(until="1 socket ")
            assert f"127.0.0.1:{port}" in text and "q quit" in text
            assert max(map(len, text.splitlines())) <= columns
            client = socket.create_connection(("127.0.0.1", port))
            with client, server.accept()[0]:
                send(until="2 ESTABLISHED")
            send(until="1 LISTEN")
            send("Space", until="PAUSED")
            assert "status 0" in send("q", until="status")


SGR = re.compile(r"\x1b\[([0-9;]*)m")
# A colour of text or background. What the library leaves are greys: three numbers that are alike,
# or of the 256 those from 232 on.
GREY = r"2;(\d+);\1;\1\b|5;(?:23[2-9]|24\d|25[0-5]|16|231|[078]|15)\b"
COLOUR = re.compile(rf"(?:^|;)(?:[34][1-6]|9[1-6]|10[1-6]|[34]8;(?!{GREY}))")


def start(words: str) -> str:
    """A shell's words that run --watch, tell its process and its exit status."""
    program = f"{sys.executable} -m pynetstat --watch {words}"
    return f"cd {Path(__file__).parents[1]}; {program}; echo status $?; exec sleep 60"


@LINUX
@pytest.mark.timing
def test_a_signal_restores_the_terminal() -> None:
    pytest.importorskip("textual")
    with terminal(80, 24, start("-t --filter 'sport = 1'")) as send:
        send(until="q quit")
        os.kill(send.process(), signal.SIGTERM)
        assert "status 1" in send(until="status")


@LINUX
@pytest.mark.timing
def test_a_terminal_that_goes_away_ends_it() -> None:
    """SIGHUP: no process is left behind."""
    pytest.importorskip("textual")
    with terminal(80, 24, start("-t --filter 'sport = 1'")) as send:
        send(until="q quit")
        process = send.process()
    until = time.monotonic() + 20
    while Path(f"/proc/{process}/cmdline").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{process}/cmdline").exists()


@LINUX
@pytest.mark.timing
@pytest.mark.parametrize("plain", [True, False])
def test_colours_are_left_out_where_none_are_wanted(plain: bool) -> None:
    pytest.importorskip("textual")
    variable = "export NO_COLOR=1; " if plain else "unset NO_COLOR; "
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        terminal(100, 24, variable + start(f"-tl --port {server.getsockname()[1]}")) as send,
    ):
        send(until="LISTEN")
        coloured = [code for code in SGR.findall(send.painted()) if COLOUR.search(code)]
        assert not coloured if plain else coloured, coloured


@LINUX
@pytest.mark.timing
def test_stopped_and_resumed_in_another_size() -> None:
    pytest.importorskip("textual")
    with terminal(80, 24, "exec bash --norc -i") as send:
        send("PS1=ready-; " + start("-t --filter 'sport = 1'").partition("; exec")[0], "Enter")
        send(until="0 sockets")
        stopped = send("C-z", until="Stopped")
        assert "q quit" not in stopped
        send.resize(150, 40)
        send("fg", "Enter", until="Unit or container")  # 80 columns have no room for it
        send.resize(40, 10)
        send("Space", until="PAUSED")
        send("C-c", until="ready-fg")  # the shell's screen is back
        send("echo ended $?", "Enter", until="ended 0")


@LINUX
def test_a_failure_is_the_caller_s() -> None:
    """No traceback of textual's: the screen ends, and what failed is raised."""
    pytest.importorskip("textual")
    source = Source(Options(filter="sport = 1", interval=0.05))
    app = screen.screen(source)

    async def fail() -> None:
        async with app.run_test() as pilot:
            source.read = broken  # type: ignore[method-assign]
            until = time.monotonic() + 20
            while app.failure is None and time.monotonic() < until:
                await pilot.pause(0.05)

    asyncio.run(fail())
    assert isinstance(app.failure, PermissionError) and app.return_code == 1


@LINUX
def test_a_round_may_end_when_the_screen_is_gone() -> None:
    pytest.importorskip("textual")
    source = Source(Options(filter="sport = 1", interval=10.0))
    app = screen.screen(source)

    async def leave() -> None:
        async with app.run_test() as pilot:
            await pilot.pause(0.2)
        await app.round()

    asyncio.run(leave())
    assert app.failure is None


def broken() -> list[tuple[Any, ...]]:
    raise PermissionError(13, "Permission denied", "/proc/net/tcp")


@LINUX
@pytest.mark.timing
def test_rounds_of_the_screen_leave_nothing_behind() -> None:
    """60 rounds, then 200 more, among sockets that come and go."""
    pytest.importorskip("textual")
    assert asyncio.run(sizes(60, 260))


async def sizes(early: int, late: int) -> bool:
    found = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        app = screen.screen(
            Source(Options(filter=f"exclude time-wait sport = {port}", interval=0.0))
        )
        async with app.run_test(size=(80, 24)) as pilot:
            for number in range(1, late + 1):
                with socket.create_connection(server.getsockname()), server.accept()[0]:
                    await app.round()
                    await pilot.pause()
                if number in (early, late):
                    found.append(size(os.getpid()))
    before, after = found
    assert after.memory < before.memory + 2048, found
    assert after.descriptors <= before.descriptors + 3, found
    return True
