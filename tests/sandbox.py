"""Runs the command where the kernel refuses chosen system calls (seccomp), for the tests.

    python tests/sandbox.py '{"readlinkat": 13}' -tlnp        errno 13 for readlinkat

Everything is imported before the filter is set: also what refuses openat() can be tried.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import pkgutil
import platform
import struct
import sys

# The numbers of the system calls (asm/unistd.h).
NUMBERS = {
    "x86_64": {
        "socket": 41, "clone": 56, "fork": 57, "vfork": 58, "wait4": 61, "readlink": 89,
        "openat": 257, "readlinkat": 267, "pipe2": 293, "memfd_create": 319, "clone3": 435,
        "kcmp": 312, "recvmsg": 47, "getdents64": 217,
    },
    "aarch64": {
        "socket": 198, "clone": 220, "wait4": 260, "openat": 56, "readlinkat": 78, "pipe2": 59,
        "memfd_create": 279, "clone3": 435, "kcmp": 272, "recvmsg": 212, "getdents64": 61,
    },
}.get(platform.machine(), {})  # fmt: skip
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, FILTER = 22, 38, 2
AF_NETLINK = 16


def refuse(calls: dict[str, int]) -> None:
    """From now on these system calls fail with these errors; of `socket` those of netlink."""
    lines = []
    for name, number in calls.items():
        if name not in NUMBERS:
            continue
        lines.append((LOAD, 0, 0, 0))  # the number of the system call
        if name == "socket":
            lines += [
                (JUMP_IF_EQUAL, 0, 3, NUMBERS[name]),
                (LOAD, 0, 0, 16),  # its first argument
                (JUMP_IF_EQUAL, 0, 1, AF_NETLINK),
            ]
        else:
            lines.append((JUMP_IF_EQUAL, 0, 1, NUMBERS[name]))
        lines.append((RETURN, 0, 0, ERRNO | number))
    lines.append((RETURN, 0, 0, ALLOW))
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    whole = struct.pack("@HP", len(lines), ctypes.addressof(program))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    buffer = ctypes.create_string_buffer(whole)
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if prctl(PR_SET_SECCOMP, FILTER, ctypes.addressof(buffer), 0, 0):
        raise OSError(ctypes.get_errno(), "no seccomp filters here")


def main() -> None:
    calls = json.loads(sys.argv[1])
    sys.argv = ["pynetstat", *sys.argv[2:]]
    import pynetstat

    for module in pkgutil.walk_packages(pynetstat.__path__, "pynetstat."):
        if not module.name.startswith(("pynetstat.collectors.portable", "pynetstat.__main__")):
            importlib.import_module(module.name)
    import fcntl  # noqa: F401

    import pynetstat.__main__
    from pynetstat.stages import owners as run

    run.CROWD = 0  # as on a host with many sockets
    os.cpu_count = lambda: 2  # type: ignore[assignment]
    refuse(calls)
    pynetstat.__main__.main()


if __name__ == "__main__":
    main()
