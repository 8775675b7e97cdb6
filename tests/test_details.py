"""--details: unit, container, pod, command, parent, start and all holders of a socket."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import needs_ip, needs_namespaces, needs_root, pynetstat

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="Linux's /proc tells it"
)
ID = "0123456789abcdef" * 4
POD = "90d81341-92de-11e7-8cf2-507b9d4141fa"


def sockets(port: int, *options: str) -> list[dict[str, Any]]:
    done = pynetstat("-tan", "--json", "--port", str(port), *options)
    found: list[dict[str, Any]] = json.loads(done.stdout)["sockets"]
    return found


@contextlib.contextmanager
def listening(
    *words: str, prefix: tuple[str, ...] = (), name: str = "", code: str = ""
) -> Iterator[tuple[int, int]]:
    """A process with a listener, and perhaps with a name of its own: its pid, its port."""
    program = (
        "import socket, sys\nkept = socket.create_server(('127.0.0.1', 0))\n"
        f"{code}\nprint(kept.getsockname()[1], flush=True)\nsys.stdin.read()"
    )
    command = [*prefix, name or sys.executable, "-c", program, *words]
    more: dict[str, Any] = {"executable": sys.executable} if name and not prefix else {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more
    ) as process:
        assert process.stdin and process.stdout
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait()


def unified() -> Path:
    """Where cgroup v2 is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line:
            return Path(line.split()[4])
    pytest.skip("cgroup v2 is not mounted here")


@contextlib.contextmanager
def cgroup(path: str) -> Iterator[Path]:
    """A cgroup of this name, for a while."""
    root = unified()
    top = root / f"pn{os.getpid()}"
    folder = top / path
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        yield folder
    finally:
        while folder != root:
            for _ in range(50):
                with contextlib.suppress(OSError):
                    folder.rmdir()
                if not folder.exists():
                    break
                time.sleep(0.02)
            folder = folder.parent


PROCS = "cgroup.procs"


def without_cgroups_below(folder: Path) -> None:
    """Remove what nspawn leaves in its cgroup: in systemd's own hierarchy the whole path."""
    root = unified()
    for top in {root, root.parent / "systemd"}:
        here = top / folder.relative_to(root)
        for one in (here / "payload", here / "supervisor", here, *here.parents[:2]):
            with contextlib.suppress(OSError):
                one.rmdir()


def moved(pid: int, folder: Path) -> None:
    try:
        (folder / PROCS).write_text(str(pid))
    except OSError as error:
        pytest.skip(f"no process can be moved into a cgroup here: {error}")


def test_with_the_kernels_numbers() -> None:
    """Each row is followed by its own lines, and none is lost."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = server.getsockname()[1]
        for _ in range(3):
            stack.enter_context(socket.create_connection(server.getsockname()))
            stack.enter_context(server.accept()[0])
        done = pynetstat("-tn", "--port", str(port), "--details", "--tcp-info")
    lines = done.stdout.decode().splitlines()[2:]
    assert len(lines) == 18
    for row, holder, numbers in zip(*[iter(lines)] * 3):
        assert row.startswith("tcp ") and f":{port} " in row
        assert holder.startswith(f"\t pid {os.getpid()} ")
        assert numbers.startswith("\t ") and " rto:" in numbers


def test_command_parent_start_and_executable() -> None:
    before = time.time()
    with listening("--config", "of mine") as (pid, port):
        (one,) = sockets(port, "--details")
        text = pynetstat("-tln", "--port", str(port), "--details").stdout.decode()
    (holder,) = one["details"]
    assert one["pid"] == holder["pid"] == pid
    assert holder["command"].endswith("sys.stdin.read() --config of mine")
    assert holder["executable"] == os.path.realpath(sys.executable)
    assert holder["parent"].startswith(f"{os.getpid()}/")
    started = datetime.fromisoformat(holder["started_at"]).timestamp()
    assert abs(started - before) < 5
    assert [one["fd"] for one in one["processes"]] == holder["fds"]
    lines = text.splitlines()
    assert lines[3].startswith(f"\t pid {pid} (") and f"parent {os.getpid()}/" in lines[3]
    assert len(lines) == 4


def test_all_holders_with_all_descriptors() -> None:
    code = (
        "import os\nagain = os.dup(kept.fileno())\n"
        "if not os.fork():\n  sys.stdin.read(); os._exit(0)\n"
    )
    with listening(code=code) as (pid, port):
        (one,) = sockets(port, "--details")
        text = pynetstat("-tln", "--port", str(port), "--details").stdout.decode()
    assert len(one["details"]) == 2
    assert all(len(holder["fds"]) == 2 for holder in one["details"])
    assert {pid} < {holder["pid"] for holder in one["details"]}
    assert text.count("\n\t pid ") == 2


def test_nothing_of_it_without_the_option() -> None:
    with listening() as (_, port):
        (one,) = sockets(port, "-p")
        assert one["processes"] and one["details"] is None and one["unit"] is None
        (one,) = sockets(port)
        assert one["processes"] is None


@needs_root
def test_unit_container_and_pod() -> None:
    slices = f"kubepods.slice/kubepods-besteffort-pod{POD.replace('-', '_')}.slice"
    with cgroup(f"{slices}/cri-containerd-{ID}.scope") as folder, listening() as (pid, port):
        moved(pid, folder)
        (one,) = sockets(port, "--details")
        assert one["container"] == ID and one["pod"] == POD
        assert one["unit"] == f"cri-containerd-{ID}.scope"
        assert one["details"][0]["runtime"] == "containerd"
        assert one["details"][0]["containers"] == [f"containerd:{ID}"]
        text = pynetstat("-tln", "--port", str(port), "--details").stdout.decode()
        assert f"container containerd:{ID[:12]}" in text and f"pod {POD}" in text
        for expression, rows in (
            (f"container = {ID[:12]}", 1),
            ("container ~ ^0123", 1),
            (f"container != {ID}", 0),
            (f"pod = {POD}", 1),
            ("pod ~ ^9", 1),
            ("unit ~ containerd", 1),
            ("unit = nginx", 0),
            ("runtime = containerd", 1),
            ("command ~ create_server", 1),
        ):
            found = sockets(port, "--filter", expression)
            assert len(found) == rows, expression
        done = pynetstat("-tan", "--json", "--count-by", "container,state")
        counts = json.loads(done.stdout)["counts"]
        assert {"container": ID, "state": "LISTEN", "count": 1} in counts
        columns = ("--columns", "local_port,runtime,pod", "--no-header")
        done = pynetstat("-tan", "--port", str(port), "--format", "csv", *columns)
        assert done.stdout.decode().strip() == f"{port},containerd,{POD}"


@needs_root
def test_a_service() -> None:
    with cgroup("system.slice/shop.service") as folder, listening() as (pid, port):
        moved(pid, folder)
        (one,) = sockets(port, "--details")
        assert (one["unit"], one["container"], one["pod"]) == ("shop.service", None, None)
        assert len(sockets(port, "--filter", "unit = shop")) == 1


@needs_root
def test_the_name_that_conmon_knows() -> None:
    """podman's monitor is the parent of the container's first process."""
    command = ["/usr/bin/conmon", "-c", ID, "-n", "shop"]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(cgroup(f"machine.slice/libpod-{ID}.scope/container"))
        place = stack.enter_context(fake_monitor(command))
        pid, port = place
        moved(pid, folder)
        (one,) = sockets(port, "--details")
        assert one["container"] == ID
        assert one["details"][0]["container_name"] == "shop"
        assert len(sockets(port, "--filter", "container = shop")) == 1
        assert len(sockets(port, "--filter", "container != shop")) == 0


@contextlib.contextmanager
def fake_monitor(command: list[str]) -> Iterator[tuple[int, int]]:
    """A process with this command line, and a child of it that listens: the child's pid, port."""
    words = "\0".join(command)
    program = f"""
import ctypes, os, subprocess, sys
code = '''import socket, sys
kept = socket.create_server(("127.0.0.1", 0))
print(kept.getsockname()[1], flush=True)
sys.stdin.read()'''
pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
inner = subprocess.Popen([sys.executable, "-c", code], **pipes)
port = int(inner.stdout.readline())
{RENAME}
print(inner.pid, port, flush=True)
sys.stdin.read()
inner.stdin.close()
inner.wait()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, words.replace("\0", "\n"), "x" * 2000],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout
        try:
            first = process.stdout.readline().split()
            if first == [b"cannot"]:
                pytest.skip("a process cannot change its command line here")
            yield int(first[0]), int(first[1])
        finally:
            process.stdin.close()
            process.wait()


# Overwrite our own command line, as daemons do to say what they are at.
RENAME = """
words = sys.argv[1].split("\\n")
stat = open("/proc/self/stat").read().rpartition(")")[2].split()
start, end = int(stat[45]), int(stat[46])
new = "\\0".join(words).encode() + b"\\0"
with open("/proc/self/mem", "r+b", buffering=0) as memory:
    memory.seek(start)
    memory.write(new.ljust(end - start, b"\\0"))
"""


@contextlib.contextmanager
def called(*command: str) -> Iterator[tuple[int, int]]:
    """A process with this command line that listens: its pid, its port."""
    with listening("\n".join(command), "x" * 1000, code=RENAME) as found:
        yield found


@needs_root
@needs_namespaces
@needs_ip
def test_a_published_port() -> None:
    """What docker-proxy holds is published for the container that has the address."""
    mark = f"pn{os.getpid()}-box"
    with contextlib.ExitStack() as stack:
        subprocess.run(["ip", "netns", "add", mark], check=True)
        stack.callback(subprocess.run, ["ip", "netns", "del", mark], check=True)
        for words in ("link set lo up", "address add 172.31.9.2/32 dev lo"):
            subprocess.run(["ip", "-n", mark, *words.split()], check=True)
        folder = stack.enter_context(cgroup(f"system.slice/docker-{ID}.scope"))
        inside, _ = stack.enter_context(listening(prefix=("ip", "netns", "exec", mark)))
        moved(inside, folder)
        proxy = ("/usr/bin/docker-proxy", "-proto", "tcp", "-host-ip", "0.0.0.0")
        target = ("-container-ip", "172.31.9.2", "-container-port", "80")
        _, port = stack.enter_context(called(*proxy, *target))
        (one,) = sockets(port, "--details")
        assert one["program"] == "docker-proxy"
        assert one["container"] is None  # the observed owner is in none
        assert one["published_for"] == {
            **{"container": ID, "container_name": None},
            **{"address": "172.31.9.2", "port": 80},
        }
        text = pynetstat("-tln", "--port", str(port), "--details").stdout.decode()
        assert f"published for {ID[:12]}, 172.31.9.2 port 80" in text


def test_a_proxy_to_nowhere() -> None:
    words = ("/usr/bin/docker-proxy", "-container-ip", "192.0.2.77", "-container-port", "80")
    with called(*words) as (_, port):
        (one,) = sockets(port, "--details")
    assert one["published_for"]["container"] is None
    assert one["published_for"]["port"] == 80
    with called("/usr/bin/docker-proxy", "-container-port") as (_, port):
        (one,) = sockets(port, "--details")
    assert one["published_for"] is None


def test_a_command_line_that_would_command_the_terminal() -> None:
    with called("\x1b[31mred", "\u202e", "tail") as (_, port):
        text = pynetstat("-tln", "--port", str(port), "--details").stdout.decode()
        (one,) = sockets(port, "--details")
    assert "\x1b" not in text and "\u202e" not in text and "command ?[31mred ? tail" in text
    assert one["details"][0]["command"].startswith("\x1b[31mred")


def test_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        done = pynetstat("-xl", "--json", "--details")
    found = [one for one in json.loads(done.stdout)["unix"] if one["path"] == path]
    assert [holder["pid"] for holder in found[0]["details"]] == [os.getpid()]


# Each runs a program in a container with this machine's own files: its command, up to that of the
# program, with {root} and {state} for folders, and what pynetstat calls the container.
RUNTIMES = {
    "systemd-nspawn": (
        "-q -D {root} --bind-ro=/usr --machine=pnbox --private-network --keep-unit --register=no"
        " --pipe",
        "pnbox", None,
    ),
    "podman": (
        "--root {state}/root --runroot {state}/run --cgroup-manager=cgroupfs RUNTIME run --rm -i"
        " --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --name pnbox --network none"
        " -v /usr:/usr:ro --rootfs {root}",
        "[0-9a-f]{64}", "pnbox",
    ),
    "lxc-execute": (
        "-n pnbox -P {state} -f /dev/null -s lxc.rootfs.path={root} -s lxc.net.0.type=empty",
        "pnbox", "pnbox",
    ),
}  # fmt: skip


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name: podman takes 50 characters."""
    folder = Path(tempfile.mkdtemp(prefix="pn"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@needs_root
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_real_container(runtime: str, tmp_path: Path, short: Path) -> None:
    if shutil.which(runtime) is None:
        pytest.skip(f"{runtime} is not here")
    words, container, name = RUNTIMES[runtime]
    root = tmp_path / "root"
    for folder in ("usr", "etc", "proc", "sys", "dev", "run", "tmp", "var", "root"):
        (root / folder).mkdir(parents=True)
    for folder in ("bin", "sbin", "lib", "lib64"):
        if Path(f"/{folder}").is_symlink():
            (root / folder).symlink_to(os.readlink(f"/{folder}"))
    (root / "etc/os-release").write_text("ID=test\n")
    program = (
        "import socket, sys; kept = socket.create_server(('127.0.0.1', 0));"
        "print(kept.getsockname()[1], flush=True); sys.stdin.read()"
    )
    other = "--runtime runc" if shutil.which("runc") else ""  # crun takes no hybrid cgroups
    filled = words.replace("RUNTIME", other).format(root=root, state=short)
    mount = ["-s", "lxc.mount.entry=/usr usr none ro,bind 0 0", "--"] * (runtime == "lxc-execute")
    command = [runtime, *filled.split(), *mount, "/usr/bin/python3", "-c", program]
    with contextlib.ExitStack() as stack:
        if runtime == "systemd-nspawn":  # as its unit starts it; it makes cgroups within ours
            folder = stack.enter_context(cgroup("system.slice/systemd-nspawn@pnbox.service"))
            stack.callback(without_cgroups_below, folder)
            command = ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(folder / PROCS), *command]
        process = stack.enter_context(
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )
        assert process.stdin and process.stdout and process.stderr
        try:
            line = process.stdout.readline()
            if not line.strip().isdigit():
                process.kill()
                pytest.skip(f"{runtime} does not start here: {process.stderr.read()[-200:]!r}")
            found = sockets(int(line), "--details", "--netns", "all")
            assert re.fullmatch("python3.*", found[0]["program"])
            assert re.fullmatch(container, found[0]["container"])
            assert found[0]["details"][0]["container_name"] in (name, found[0]["container"])
            assert found[0]["details"][0]["runtime"] == runtime.partition("-execute")[0]
            assert found[0]["netns"] == found[0]["container"][:12]
        finally:
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
