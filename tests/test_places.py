"""Other mounts of /proc: without tables, of another place, with a table that cannot be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import Tree, needs_ip, needs_namespaces, needs_root, pynetstat, within

SOCKET = """
import socket
kept = socket.create_server(("127.0.0.1", 6002))
"""


@needs_root
@needs_namespaces
@needs_ip
def test_a_proc_of_processes_alone() -> None:
    """subset=pid: /proc/net is not there, but that of each process is."""
    setup = "mount -t proc -o subset=pid proc /proc\nip link set lo up"
    found = within(
        "pynetstat -tlnp", "pynetstat -an --json", "pynetstat -rn", "pynetstat -s --json",
        "pynetstat -i", setup=setup, code=SOCKET, more=("--pid", "--fork", "--mount"),
    )  # fmt: skip
    text, listing, routes, statistics, interfaces = found
    assert "127.0.0.1:6002" in text and "/python" in text
    assert [one["local_port"] for one in json.loads(listing)["sockets"]] == [6002]
    assert routes.startswith("Kernel IP routing table\nDestination")
    assert json.loads(statistics)["statistics"]["Tcp"]
    assert "lo" in interfaces


HOST = """
import os, socket, subprocess, sys
host = socket.create_server(("127.0.0.1", 0))  # of the first process of this PID namespace
port = str(host.getsockname()[1])
inside = '''
import socket, subprocess, sys
kept = socket.create_server(("127.0.0.1", 6001))
run = [sys.executable, "-m", "pynetstat", "-tlnp", "--no-header"]
host = subprocess.run([*run, "--proc", sys.argv[1]], capture_output=True, text=True)
own = subprocess.run(run, capture_output=True, text=True)
print(host.stdout, host.stderr, own.stdout, sep="|")
'''
shell = 'mount -t proc proc /proc; ip link set lo up; exec "$@"'
words = ["unshare", "--pid", "--fork", "--net", "--mount", "sh", "-c", shell, "-"]
done = subprocess.run(
    [*words, sys.executable, "-c", inside, sys.argv[1]], capture_output=True, text=True
)
print(port, os.getpid(), done.stdout, sep="|")
"""


@needs_root
@needs_namespaces
@needs_ip
def test_the_proc_of_the_host_in_a_container(tmp_path: Path) -> None:
    """The sockets of the host, with the host's pids: not the container's with those."""
    setup = f'mount -t proc proc /proc; ip link set lo up; mount --bind /proc {tmp_path}; exec "$@"'
    words = ["unshare", "--pid", "--fork", "--net", "--mount", "sh", "-c", setup, "-"]
    done = subprocess.run(
        [*words, sys.executable, "-c", HOST, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        timeout=60,
    )
    port, pid, host, said, own = done.stdout.split("|")
    assert done.stderr == said.strip() == ""
    assert f"127.0.0.1:{port}" in host and f" {pid}/python" in host and "6001" not in host
    assert "127.0.0.1:6001" in own and port not in own


def test_no_table_is_no_empty_one(tmp_path: Path) -> None:
    """What was not read stands in `incomplete`; netstat's status stays."""
    done = pynetstat("-an", "--json", "--proc", str(tmp_path))
    (missing,) = json.loads(done.stdout)["incomplete"]
    assert missing["what"] == "table" and missing["reason"].startswith(f"{tmp_path}/net: ")
    assert done.returncode == 0
    done = pynetstat("-s", "--json", "--proc", str(tmp_path))
    assert json.loads(done.stdout)["statistics"] is None and done.returncode == 1


def test_statistics_have_what_there_is(proc_tree: Tree) -> None:
    root = str(proc_tree(netstat=["TcpExt: SyncookiesSent", "TcpExt: 4"]))
    done = pynetstat("-s", "--json", "--proc", root)
    found = json.loads(done.stdout)
    assert found["statistics"] == {"TcpExt": {"SyncookiesSent": 4}}
    assert [one["reason"] for one in found["incomplete"]] == [
        f"{root}/net/snmp: No such file or directory"
    ]
    assert done.returncode == 1
    text = pynetstat("-s", "--proc", root)
    assert text.returncode == 0 and not text.stdout and b"cannot open" in text.stderr
