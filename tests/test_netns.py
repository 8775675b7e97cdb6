"""--netns: sockets of other network namespaces, each in its place."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import (
    as_another,
    needs_ip,
    needs_namespaces,
    needs_netstat,
    needs_root,
    pynetstat,
)

import pynetstat as library

pytestmark = [needs_root, needs_namespaces, needs_ip]

# Makes sockets in the namespaces of these files, and holds them in its own.
# Ports of these tests alone, for another suite may run beside them
FIRST = 10_000 + os.getpid() % 4_000 * 5
WEB, ALONE, STORE, KEPT, LATE = range(FIRST, FIRST + 5)

HOLDER = """
import os, socket, sys
from pynetstat.kernel.namespaces import set_namespace
home = os.open("/proc/self/ns/net", os.O_RDONLY)
kept = []
def inside(path, work):
    place = os.open(path, os.O_RDONLY)
    set_namespace(place)
    kept.append(work())
    set_namespace(home)
for word in sys.argv[1:]:
    path, _, how = word.partition("=")
    if how.startswith("udp"):
        def work():
            made = socket.socket(type=socket.SOCK_DGRAM)
            made.bind(("0.0.0.0", int(how[3:])))
            return made
    elif how.isdigit():
        work = lambda: socket.create_server(("0.0.0.0", int(how)))
    else:
        host, port = how.split(":")
        work = lambda: socket.create_connection((host, int(port)))
    inside(path, work)
print("ready", flush=True)
sys.stdin.read()
"""


class Scene(NamedTuple):
    """`web` has a name and a process, `store` a name alone, `kept` a mount alone, `alone` a
    process alone. web and store are joined by a cable; sockets of store and kept are held by a
    process in our own namespace."""

    web: str
    store: str
    kept: str
    alone: int
    holder: int

    def entrances(self) -> dict[str, str]:
        return {
            self.web: f"/run/netns/{self.web}",
            self.store: f"/run/netns/{self.store}",
            self.kept: self.kept,
            f"pid {self.alone} (python3)": f"/proc/{self.alone}/ns/net",
        }


@contextlib.contextmanager
def running(code: str, *words: str, prefix: tuple[str, ...] = ()) -> Iterator[int]:
    command = [*prefix, sys.executable, "-c", code, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process.pid
        finally:
            process.stdin.close()
            process.wait()


LISTENER = """
import socket, sys
kept = socket.create_server(("0.0.0.0", int(sys.argv[1])))
six = socket.create_server(("::", int(sys.argv[1]) + 1), family=socket.AF_INET6)
open("/proc/self/comm", "w").write("python3")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("netns")
    mark = f"pn{os.getpid()}"
    web, store = f"{mark}-web", f"{mark}-store"
    kept = folder / "kept"

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    with ExitStack() as stack:
        for name in (web, store):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", web, "link", "add", "c0", "type", "veth", "peer", "name", "c1", "netns", store)
        for name, device, address in ((web, "c0", "10.9.0.1/24"), (store, "c1", "10.9.0.2/24")):
            ip("-n", name, "address", "add", address, "dev", device)
            ip("-n", name, "link", "set", device, "up")
        within_web = ("ip", "netns", "exec", web)
        stack.enter_context(running(LISTENER, str(WEB), prefix=within_web))
        alone = stack.enter_context(running(LISTENER, str(ALONE), prefix=("unshare", "--net")))
        kept.touch()
        subprocess.run(["unshare", f"--net={kept}", "true"], check=True)
        stack.callback(subprocess.run, ["umount", str(kept)], check=True)
        words = (
            f"/run/netns/{store}=10.9.0.1:{WEB}",
            f"/run/netns/{store}={STORE}",
            f"{kept}=udp{KEPT}",
        )
        holder = stack.enter_context(running(HOLDER, *words))
        yield Scene(web, store, str(kept), alone, holder)


def rows(text: str) -> dict[str, list[str]]:
    """The lines of each namespace, without the column that tells it."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines()[2:]:
        match = re.fullmatch(r"(.{79,}?) ((?:pid \d+ \(.*\)|\S+))", line)
        assert match, line
        found.setdefault(match[2], []).append(match[1].rstrip())
    return found


def test_each_socket_once_and_in_its_place(scene: Scene) -> None:
    done = pynetstat("-tuan", "--netns", "all")
    assert done.returncode == 0, done.stderr
    header = done.stdout.decode().splitlines()[1]
    assert header.endswith(" NetNS")
    found = rows(done.stdout.decode())
    assert f"0.0.0.0:{WEB}" in " ".join(found[scene.web])
    assert " ".join(found[scene.web]).count("10.9.0.2:") == 1
    assert [line.split()[3] for line in found[scene.kept]] == [f"0.0.0.0:{KEPT}"]
    assert str(ALONE) in " ".join(found[f"pid {scene.alone} (python3)"])
    everything = [line for lines in found.values() for line in lines]
    for port in (WEB, ALONE, STORE, KEPT):
        assert sum(f"0.0.0.0:{port} " in line for line in everything) == 1, port


@needs_netstat
@pytest.mark.parametrize("options", ["-tuan", "-tlnW", "-tn", "-uan", "-xan", "-rn", "-tane", "-w"])
def test_as_netstat_within_each(scene: Scene, options: str) -> None:
    text = pynetstat(*options.split(), "--netns", "all").stdout.decode()
    for label, path in scene.entrances().items():
        command = ["nsenter", f"--net={path}", "netstat", *options.split()]
        expected = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[2:]
        ours = [
            line.removesuffix(f" {label}").rstrip()
            for line in text.splitlines()
            if line.endswith(f" {label}")
        ]
        assert ours == [line.rstrip() for line in expected], label


@needs_netstat
@pytest.mark.parametrize("options", ["-s", "-st"])
def test_statistics_of_each(scene: Scene, options: str) -> None:
    text = pynetstat(options, "--netns", scene.web).stdout.decode()
    command = ["nsenter", f"--net=/run/netns/{scene.web}", "netstat", options]
    assert text == subprocess.run(command, capture_output=True, text=True).stdout
    every = pynetstat(options, "--netns", "all").stdout.decode()
    assert f"Network namespace {scene.web}\n{text.splitlines()[0]}" in every


def test_one_by_its_name_or_process(scene: Scene) -> None:
    by_name = pynetstat("-tlnp", "--netns", scene.web).stdout.decode()
    assert f"0.0.0.0:{WEB}" in by_name and "NetNS" not in by_name and str(STORE) not in by_name
    by_pid = pynetstat("-tln", "--netns", str(scene.alone)).stdout.decode()
    assert f"0.0.0.0:{ALONE}" in by_pid and str(WEB) not in by_pid
    by_mount = pynetstat("-un", "-a", "--netns", scene.kept).stdout.decode()
    assert f"0.0.0.0:{KEPT}" in by_mount


def test_a_name_that_is_none() -> None:
    done = pynetstat("-tan", "--netns", "no-such-place")
    assert done.returncode == 1
    assert b"no network namespace `no-such-place'" in done.stderr
    assert done.stderr.count(b"\n") == 1
    done = pynetstat("-tan", "--netns", "999999999", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["incomplete"]
    assert pynetstat("-tan", "--netns", "").returncode == 2


def documents(*options: str, **more: Any) -> list[dict[str, Any]]:
    done = pynetstat("-tuan", "--json", *options, **more)
    found: list[dict[str, Any]] = json.loads(done.stdout)["sockets"]
    return found


def test_records_say_where(scene: Scene) -> None:
    sockets = documents("--netns", "all")
    places = {one["local_port"]: one["netns"] for one in sockets}
    assert places[WEB] == scene.web and places[STORE] == scene.store
    assert places[KEPT] == scene.kept
    listeners = {one["local_port"]: one for one in sockets if one["state"] == "LISTEN"}
    assert listeners[STORE]["backlog"]  # asked of the kernel within
    assert all(one["netns"] is None for one in documents())


def test_a_holder_that_lives_elsewhere(scene: Scene) -> None:
    sockets = {one["local_port"]: one for one in documents("-p", "--netns", "all")}
    for port in (STORE, KEPT):
        assert sockets[port]["pid"] == scene.holder
    assert sockets[ALONE]["pid"] == scene.alone


@pytest.mark.parametrize(
    ("expression", "ports"),
    [("netns = {web}", {WEB, ALONE}), (f"netns != {{web}} and sport = {STORE}", {STORE})],
)
def test_the_filter_brings_all_namespaces(scene: Scene, expression: str, ports: set[int]) -> None:
    found = documents("--filter", expression.format(web=scene.web))
    assert {one["local_port"] for one in found if one["state"] == "LISTEN"} == ports


def test_counted_by_namespace(scene: Scene) -> None:
    done = pynetstat("-tan", "--count-by", "netns,state", "--json")
    counts = {
        (one["netns"], one["state"]): one["count"] for one in json.loads(done.stdout)["counts"]
    }
    assert counts[scene.web, "LISTEN"] == 2 and counts[scene.store, "LISTEN"] == 1
    assert counts[scene.store, "ESTABLISHED"] == 1


def test_other_listings(scene: Scene) -> None:
    done = pynetstat("-i", "--json", "--netns", "all")
    devices = {(one["ifname"], one["netns"]) for one in json.loads(done.stdout)["interfaces"]}
    assert {("c0", scene.web), ("c1", scene.store)} <= devices
    done = pynetstat("-rn", "--json", "--netns", scene.web)
    assert {one["dst"] for one in json.loads(done.stdout)["routes"]} == {"10.9.0.0/24"}


def test_an_ordinary_user(scene: Scene, anybody: list[str]) -> None:
    """Every table of a process is readable; a namespace without a process only root enters."""
    command = [*as_another(), *anybody, "-tuan", "--netns", "all"]
    done = subprocess.run(command, capture_output=True, cwd="/")
    text = done.stdout.decode()
    assert f"0.0.0.0:{WEB}" in text and f"0.0.0.0:{ALONE}" in text
    assert f"0.0.0.0:{STORE}" not in text
    assert done.returncode == 1
    complaint = f"network namespace {scene.store}: this user does not see which processes are in it"
    assert done.stderr.decode().count(complaint) == 1


def test_the_api(scene: Scene) -> None:
    found = list(library.sockets(tcp=True, netns=scene.store, listening=True))
    assert [(one.local_port, one.netns) for one in found] == [(STORE, scene.store)]
    with pytest.raises(library.Unavailable):
        list(library.sockets(tcp=True, netns="no-such-place"))


def test_what_is_not_there_is_not_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from pynetstat.kernel import netlink

    asked: list[bytes] = []
    dump = netlink.dump

    def counted(link: Any, request: int, body: bytes, reply: int) -> Iterator[Any]:
        asked.append(body)
        return dump(link, request, body, reply)

    monkeypatch.setattr(netlink, "dump", counted)
    assert list(library.sockets(tcp=True, all=True, netns=scene.kept)) == []
    assert asked == []
    found = list(library.sockets(tcp=True, all=False, netns=str(scene.alone)))
    assert found == []


def test_hostile_names(tmp_path: Path) -> None:
    """A process may call itself anything; no escape reaches the terminal."""
    code = LISTENER.replace('"python3"', '"\\x1b[31m)\\n"')
    with running(code, str(LATE), prefix=("unshare", "--net")) as pid:
        done = pynetstat("-tln", "--netns", "all")
        assert b"\x1b" not in done.stdout and f"pid {pid} (".encode() in done.stdout
        assert b"\x1b" not in pynetstat("-tln", "--netns", "nope").stderr
        json.loads(pynetstat("-tln", "--netns", "all", "--json").stdout)
