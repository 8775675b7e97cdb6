"""Draw .pictures/watch.svg and diagnosis.svg: `python tests/picture.py`, as root, in a network of
its own.

Programs of made-up names talk to each other; the pictures are what --watch and --diagnose show.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import loopback
from rich.console import Console
from rich.text import Text

from pynetstat.options import Options
from pynetstat.overtime.screen import screen
from pynetstat.overtime.watch import Source

TOP = Path(__file__).parents[1]
SERVER = """
import socket, sys, threading, time
server = socket.create_server((sys.argv[2], int(sys.argv[3])), backlog=50)
print(flush=True)
rate, left = int(sys.argv[4]), int(sys.argv[5])
kept = []
def serve(peer):
    while True:
        try:
            peer.send(b"x" * rate)
        except OSError:
            return
        time.sleep(0.1)
while True:
    peer = server.accept()[0]
    kept.append(peer)
    if rate:
        threading.Thread(target=serve, args=(peer,), daemon=True).start()
"""
CLIENT = """
import socket, sys, time
place = sys.argv[2], int(sys.argv[3])
clients = [socket.create_connection(place) for _ in range(int(sys.argv[4]))]
for client in clients[: int(sys.argv[5])]:
    client.send(b"a request that nobody reads")
    client.close()
print(flush=True)
while True:
    for client in clients[int(sys.argv[5]):]:
        client.setblocking(False)
        try: client.recv(1 << 20)
        except OSError: pass
    time.sleep(0.05)
"""


def started(code: str, *words: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [words[0], "-c", code, *words],
        executable=sys.executable,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHOME": sys.base_prefix},
    )
    assert process.stdout
    process.stdout.readline()
    return process


async def drawn() -> str:
    app = screen(Source(Options(tcp=True, all=True, interval=0.5)))
    async with app.run_test(size=(132, 24)) as pilot:
        await pilot.pause(2.4)
        late = started(CLIENT, "curl", "127.0.0.1", "443", "1", "0")
        await pilot.pause(0.7)
        text: str = app.export_screenshot(title="pynetstat --watch")
        late.kill()
    return text


def diagnosed() -> str:
    """What --diagnose prints of a program that leaks."""
    leaky = started(SERVER, "shop", "127.0.0.1", "8081", "0", "0")
    client = started(CLIENT, "wget", "127.0.0.1", "8081", "60", "60")
    words = ["--diagnose", "--interval", "0.5", "--color", "always", "--ignore", "no-default-route"]
    done = subprocess.run([sys.executable, "-m", "pynetstat", *words], capture_output=True)
    for process in (leaky, client):
        process.kill()
    console = Console(record=True, width=104, file=io.StringIO())
    console.print(Text.from_ansi(done.stdout.decode()))
    return console.export_svg(title="pynetstat --diagnose")


def save(name: str, svg: str) -> None:
    """Without the fonts of a foreign server."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;]*;", "font-family: monospace;", svg)
    folder = TOP / ".pictures"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(map(str.rstrip, svg.splitlines())) + "\n")


def main() -> None:
    if "--private" not in sys.argv:
        words = ["unshare", "--net", sys.executable, __file__, "--private"]
        sys.exit(subprocess.run(words, env={**os.environ, "PYTHONPATH": str(TOP)}).returncode)
    loopback.set_up()
    processes = [
        started(SERVER, "nginx", "127.0.0.1", "443", "20000", "0"),
        started(SERVER, "postgres", "127.0.0.1", "5432", "300", "0"),
        started(SERVER, "shop", "127.0.0.1", "8080", "0", "0"),
        started(SERVER, "sshd", "127.0.0.1", "22", "0", "0"),
        started(CLIENT, "firefox", "127.0.0.1", "443", "4", "0"),
        started(CLIENT, "shop", "127.0.0.1", "5432", "2", "0"),
        started(CLIENT, "wget", "127.0.0.1", "8080", "3", "3"),
    ]
    try:
        text = asyncio.run(drawn())
    finally:
        for process in processes:
            process.kill()
    save("watch.svg", text)
    save("diagnosis.svg", diagnosed())


if __name__ == "__main__":
    main()
