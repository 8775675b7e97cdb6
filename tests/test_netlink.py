"""Netlink answers are taken from the kernel alone; any doubt sends the caller to /proc."""

from __future__ import annotations

import errno
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import needs_namespaces, needs_root

from pynetstat.collectors.linux import inet
from pynetstat.kernel import netlink, sockdiag
from pynetstat.kernel.proc import Proc
from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.run import tables_alone

PORT = 4242
TRUNCATED = socket.MSG_TRUNC
KIND = sockdiag.SOCK_DIAG_BY_FAMILY


class Kernel:
    """A link whose answers are given: each a function of the sequence number that makes the
    datagram, with flags and the sender's port."""

    def __init__(self, *answers: Any) -> None:
        self.answers: Iterator[Any] = iter(answers)
        self.number = 0

    def getsockname(self) -> tuple[int, int]:
        return PORT, 0

    def send(self, data: bytes) -> int:
        length, kind, flags, self.number, port = netlink.HEADER.unpack_from(data)
        assert (length, kind, flags, port) == (len(data), KIND, netlink.REQUEST_DUMP, 0)
        return len(data)

    def recvmsg(self, size: int, ancillary: int = 0) -> Any:
        answer = next(self.answers, None)
        if answer is None:
            raise TimeoutError(errno.ETIMEDOUT, "timed out")
        if isinstance(answer, OSError):
            raise answer
        make, flags, sender = answer if isinstance(answer, tuple) else (answer, 0, 0)
        return make(self.number), [], flags, (sender, 0)


def message(
    port: int = 0, kind: int = KIND, size: int = 88, length: int | None = None, flags: int = 2,
    number: int | None = None, to: int = PORT,
) -> Any:  # fmt: skip
    """A message with a row of this local port."""

    def make(asked: int) -> bytes:
        head = netlink.HEADER.pack(
            size if length is None else length, kind, flags,
            asked if number is None else number, to,
        )  # fmt: skip
        body = bytearray(max(size - len(head), 8))
        body[0:2] = bytes([socket.AF_INET, 1])
        body[4:6] = port.to_bytes(2, "big")
        return (head + bytes(body))[:size]

    return make


def together(*messages: Any) -> Any:
    return lambda number: b"".join([make(number) for make in messages])


def ending(code: int = 0, kind: int = netlink.DONE, **more: Any) -> Any:
    def make(asked: int) -> bytes:
        number = more.get("number", asked)
        head = netlink.HEADER.pack(20, kind, more.get("flags", 2), number, PORT)
        return head + netlink.CODE.pack(code)

    return make


def found(*answers: Any) -> list[int]:
    """The local ports of the rows that the kernel gave."""
    blocks = sockdiag.tcp_rows("", sockdiag.ALL, Kernel(*answers))
    packed = b"".join(blocks)
    return sockdiag.decode_messages(packed)[1]["local_port"] if packed else []


def test_messages_of_equal_and_of_unequal_length() -> None:
    even = together(message(1, size=104), message(2, size=104))
    uneven = together(message(3), message(4, size=96), message(5, size=124))
    assert found(even, uneven, ending()) == [1, 2, 3, 4, 5]
    assert found(together(message(6), message(7, size=92), ending())) == [6, 7]
    assert found(ending()) == []


@pytest.mark.parametrize(
    ("wrong", "number"),
    [
        (message(6, number=7), errno.EPROTO),  # not the answer to our question
        (message(6, to=PORT + 1), errno.EPROTO),
        (message(6, kind=99), errno.EPROTO),
        (message(6, length=0), errno.EPROTO),
        (message(6, length=15), errno.EPROTO),
        (message(6, length=89), errno.EPROTO),  # longer than the datagram
        (message(6, length=1 << 31), errno.EPROTO),
        (message(6, size=1), errno.EPROTO),
        (message(6, size=20), errno.EPROTO),  # too short for a socket
        (together(message(6), message(7, length=4)), errno.EPROTO),
        (together(message(6), message(7, number=1)), errno.EPROTO),
        ((message(6), TRUNCATED, 0), errno.EPROTO),
        (message(6, flags=2 | netlink.DUMP_INTERRUPTED), errno.EINTR),
        (ending(flags=2 | netlink.DUMP_INTERRUPTED), errno.EINTR),
        (ending(-errno.ENOENT), errno.ENOENT),  # no handler for this protocol
        (ending(-errno.EPERM, netlink.ERROR), errno.EPERM),
        (ending(0, netlink.ERROR), errno.EPROTO),
        (ending(number=1), errno.EPROTO),
        (OSError(errno.ENOBUFS, "No buffer space available"), errno.ENOBUFS),
        (None, errno.ETIMEDOUT),
    ],
)
def test_what_no_kernel_answers(wrong: Any, number: int) -> None:
    for before in ((), (message(1),), (together(message(1), message(2, size=96)),)):
        with pytest.raises(OSError) as raised:
            found(*before, wrong, ending())
        assert raised.value.errno == number


def test_a_stranger_is_not_listened_to() -> None:
    """Neither a row nor an end of the table comes from another port than the kernel's."""
    forged = [(make, 0, 777) for make in (ending(), message(666), ending(-1, netlink.ERROR))]
    assert found(*forged, message(1), *forged, message(2), *forged, ending()) == [1, 2]


def test_a_stranger_who_never_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "PATIENCE", 0.05)
    forged = iter(lambda: (message(666), 0, 777), None)
    kernel = Kernel()
    kernel.answers = forged
    with pytest.raises(TimeoutError):
        list(netlink.dump(kernel, KIND, b"", KIND))


def test_nothing_hangs_where_nothing_answers() -> None:
    """A socket that gives nothing, as a pair of them does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.settimeout(0.05)
    with ours, theirs, pytest.raises(TimeoutError):

        class Silent:
            send, recvmsg = ours.send, ours.recvmsg

            def getsockname(self) -> tuple[int, int]:
                return 1, 0

        list(netlink.dump(Silent(), KIND, b"", KIND))


def test_attributes() -> None:
    body = b"abcd" + b"\5\0\1\0x\0\0\0" + b"\4\0\2\0" + b"\6\0\3\x80yz"
    assert netlink.attributes(body, 4) == {1: b"x", 2: b"", 3: b"yz"}
    for damaged in (b"\3\0\1\0", b"\7\0\1\0ab", b"\0\0\0\0"):
        with pytest.raises(OSError):
            netlink.attributes(damaged, 0)


def test_an_interrupted_dump_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = ending(flags=2 | netlink.DUMP_INTERRUPTED)

    class Linked(Kernel):
        def __enter__(self) -> Kernel:
            return self

        def __exit__(self, *error: object) -> None: ...

    kernels = iter([Linked(message(1), cut), Linked(message(2), message(3), ending())])
    monkeypatch.setattr(netlink, "connect", lambda protocol: next(kernels))
    assert len(netlink.whole_dump(netlink.SOCK_DIAG, KIND, b"", KIND)) == 2
    monkeypatch.setattr(netlink, "connect", lambda protocol: Linked(cut))
    with pytest.raises(InterruptedError):
        netlink.whole_dump(netlink.SOCK_DIAG, KIND, b"", KIND)


@pytest.mark.parametrize("rows", [0, 1, 5000])
def test_rows_are_not_doubled_where_the_dump_breaks_off(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came before the failure is dropped, and /proc gives all."""

    def broken(*_: object, **__: object) -> Iterator[bytes]:
        yield b"".join(message(port % 60000)(1) for port in range(rows)) or b""
        raise OSError(errno.EPROTO, "netlink: cut off")

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(sockdiag, "tcp_rows", broken)
        options = Options(tcp=True, listening=True)
        tables = tables_alone(inet.collect(Proc(), options, Outcome()))
        ports = [number for table in tables for number in table["local_port"]]
    assert ports.count(port) == 1 and 59999 not in ports


def test_a_long_dump_that_breaks_off_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the rows that are held back they are given as they come."""
    monkeypatch.setattr(sockdiag, "HELD", 2)

    def broken(*_: object, **__: object) -> Iterator[bytes]:
        for port in (1, 2, 3):
            yield message(port)(1)
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    monkeypatch.setattr(sockdiag, "tcp_rows", broken)
    outcome = Outcome()
    tables = sockdiag.tcp_sockets(Proc(), Options(all=True), outcome, "")
    assert tables is not None
    assert [fields["local_port"] for _, fields in tables] == [[1], [2], [3]]
    assert [line for line in outcome.errors if "No buffer space" in line]


# Sends a forged end of the dump, a forged row and rubbish to a port, again and again.
FORGER = """
import socket, struct, sys
port = int(sys.argv[1])
link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
done = struct.pack("=IHHIIi", 20, 3, 2, 1, port, 0)
row = struct.pack("=IHHII", 88, 20, 2, 1, port) + bytes([2, 10, 0, 0, 2, 154, 0, 0]) + bytes(64)
for _ in range(40):
    for datagram in (done, row, b"x", struct.pack("=IHHII", 0, 20, 2, 1, port)):
        try: link.sendto(datagram, socket.MSG_DONTWAIT, (port, 0))
        except OSError as error: print(error); sys.exit()
print("sent", flush=True)
"""


@needs_root
@needs_namespaces
def test_a_real_forger(tmp_path: Path) -> None:
    """A process with CAP_NET_ADMIN sends to our port before the kernel does."""
    inside = tmp_path / "inside.py"
    inside.write_text(
        "import socket, subprocess, sys\n"
        "from pynetstat.kernel import netlink, sockdiag\n"
        f"FORGER = {FORGER!r}\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "with netlink.connect(netlink.SOCK_DIAG) as link:\n"
        "    port = str(link.getsockname()[0])\n"
        "    print(subprocess.run([sys.executable, '-c', FORGER, port], text=True,"
        " capture_output=True).stdout.strip())\n"
        "    packed = b''.join(sockdiag.tcp_rows('', sockdiag.ALL, link))\n"
        "    ports = sockdiag.decode_messages(packed)[1]['local_port']\n"
        "assert ports == [server.getsockname()[1]], packed\n"
        "print('believed the kernel alone')\n"
    )
    top = str(Path(netlink.__file__).parents[2])
    command = ["unshare", "--net", sys.executable, str(inside)]
    environment = {**os.environ, "PYTHONPATH": top}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert "believed the kernel alone" in done.stdout, done.stderr
    if "sent" not in done.stdout:
        pytest.skip(f"this kernel does not let a process send there: {done.stdout}")


def test_one_dump_after_the_other_on_one_link() -> None:
    with netlink.connect(netlink.SOCK_DIAG) as link:
        for _ in range(20):
            list(sockdiag.tcp_rows("", sockdiag.ALL, link))
        assert not select.select([link], [], [], 0)[0]
