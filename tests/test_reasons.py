"""Why a socket has no owner: each reason was observed, and holders that netstat does not find."""

from __future__ import annotations

import json
import platform
import shlex
import shutil
import sys
from typing import Any

import pytest
from conftest import as_another, needs_ip, needs_namespaces, needs_root, within

pytestmark = [needs_root, needs_namespaces, needs_ip]
needs_setpriv = pytest.mark.skipif(
    shutil.which("setpriv") is None, reason="setpriv (util-linux) is not here"
)
OWN = ("--pid", "--fork", "--mount")
SETUP = "mount -t proc proc /proc\nip link set lo up"

RING = """
import ctypes, os, socket
call = ctypes.CDLL(None, use_errno=True).syscall
ring = call(425, 4, ctypes.create_string_buffer(120))  # io_uring_setup
end = socket.create_server(("127.0.0.1", 6100))
if ring < 0 or call(427, ring, 2, (ctypes.c_int * 1)(end.fileno()), 1):  # io_uring_register
    print("[]")
    os._exit(0)
end.close()
os.environ["PID"] = str(os.getpid())
"""


def incomplete(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text[: text.rindex("}") + 1])["incomplete"]
    return found


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="numbers of system calls are not known"
)
def test_a_socket_that_io_uring_holds() -> None:
    """Its descriptor is closed, but the socket listens on: a holder without a descriptor."""
    found = within(
        "pynetstat -tlnp --json", "pynetstat -tlnp", "sh -c 'echo $PID'",
        setup=SETUP, code=RING, more=OWN,
    )  # fmt: skip
    if not found:
        pytest.skip("io_uring is not to be had here")
    (one,) = json.loads(found[0])["sockets"]
    assert one["pid"] == int(found[2])
    assert [holder["fd"] for holder in one["processes"]] == [None]
    assert f" {one['pid']}/python" in found[1]
    assert incomplete(found[0]) == []


FLYING = """
import socket
end = socket.create_server(("127.0.0.1", 6101))
ours, theirs = socket.socketpair()
socket.send_fds(ours, [b"x"], [end.fileno()])
end.close()
"""


def test_a_socket_within_a_message() -> None:
    (text,) = within("pynetstat -tlnp --json", setup=SETUP, code=FLYING, more=OWN)
    (missing,) = incomplete(text)
    assert missing["what"] == "owner" and missing["count"] == 1
    outside, message = missing["reason"].split("; ")
    assert outside == "processes outside of this PID namespace may hold them, and are not seen here"
    assert message.startswith("1 descriptor is under way in messages between processes")
    assert missing["reason"] in text[text.rindex("}") :]  # stderr says the same


OTHERS = """
import socket, subprocess, sys
end = socket.create_server(("127.0.0.1", 6102))
"""


@needs_setpriv
def test_an_ordinary_user_in_a_container(anybody: list[str]) -> None:
    """The rights come before the namespace, and stderr does not contradict the records."""
    command = shlex.join([*as_another(), "--no-new-privs", *anybody, "-tlnp", "--json"])
    for level, said in (("0", "only root sees every process"), ("2", "hidepid")):
        setup = f"mount -t proc -o hidepid={level} proc /proc\nip link set lo up"
        (text,) = within(command, setup=setup, code=OTHERS, more=OWN)
        (missing,) = incomplete(text)
        assert said in missing["reason"].split("; ")[0]
        assert json.loads(text[: text.rindex("}") + 1])["privileged"] is False


@needs_setpriv
def test_root_without_a_right() -> None:
    """As in most containers: uid 0 is not all."""
    drop = "setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace"
    command = f"{drop} {sys.executable} -m pynetstat -tln --json"
    bare, whole = within(command, "pynetstat -tln --json", setup=SETUP, code=OTHERS, more=OWN)
    assert json.loads(bare)["privileged"] is False
    assert json.loads(whole)["privileged"] is True
