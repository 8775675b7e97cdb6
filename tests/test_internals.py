"""tcp_info, socket memory and congestion data: captured bytes, and live sockets beside ss."""

from __future__ import annotations

import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pynetstat.kernel import internals, netlink
from pynetstat.kernel.internals import MEMORY_NAMES, TCP_INFO, TCP_NAMES, Batch

CAPTURE = Path(__file__).parent / "captures" / "sockdiag" / "tcp.bin"
ALL = 0xFFF

pytestmark = pytest.mark.skipif(
    sys.byteorder != "little", reason="the captures are of a little-endian machine"
)


def captured() -> list[bytes]:
    data, messages, at = CAPTURE.read_bytes(), [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        messages.append(data[at : at + length])
        at += length
    return messages


def batch(*messages: bytes) -> Batch:
    return Batch([netlink.Answer(b"".join(messages), 0)])


def message(attributes: dict[int, bytes], state: int = 1) -> bytes:
    body = bytes([2, state]) + bytes(70)
    for kind, payload in attributes.items():
        body += struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)
    return netlink.HEADER.pack(16 + len(body), 20, 2, 0, 0) + body


def established() -> bytes:
    return next(one for one in captured() if one[17] == 1)


def test_the_capture_of_this_kernel() -> None:
    rows = captured()
    found = batch(*rows)
    assert len(found) == len(rows)
    infos = found.objects(TCP_NAMES)
    algorithms = {info["congestion_algorithm"] for info in infos}
    assert {"bbr", "cubic"} <= algorithms
    for row, info in zip(rows, infos):
        assert list(info) == list(TCP_NAMES)
        start, length = internals.attribute_positions(row)[internals.INFO]
        assert length == 280
        one = struct.Struct("=8B24I4Q6I4Q2I2Q6I2HI7I4x").unpack(row[start : start + 280])
        assert info["rto_us"] == one[8]
        assert info["cwnd"] == one[8 + 18]
        if row[17] == 1:
            assert info["bytes_acked"] == one[34]
            assert info["snd_wnd"] == one[8 + 24 + 4 + 6 + 4 + 2 + 2 + 3]
            assert 0 < info["rtt_us"] < 10_000_000
            assert info["tcp_options"] >= ("sack",) or "ts" in info["tcp_options"]
        else:
            assert info["unacked"] is None and info["sacked"] is None
    bbr = [info["congestion"] for info in infos if info["congestion"]]
    assert any(one["pacing_gain"] > 0 for one in bbr if one["algorithm"] == "bbr")


@pytest.mark.parametrize("length", range(104, 281, 2))
def test_every_length_of_tcp_info(length: int) -> None:
    """What an older kernel does not have is None, and what it has is the same."""
    row = established()
    start, _ = internals.attribute_positions(row)[internals.INFO]
    whole = message({internals.INFO: row[start : start + 280]})
    cut = message({internals.INFO: row[start : start + length]})
    full, short = batch(whole).objects(TCP_NAMES)[0], batch(cut).objects(TCP_NAMES)[0]
    for name, field in TCP_INFO.items():
        expected = full[name] if field.offset + field.size <= length else None
        assert short[name] == expected, name


def test_rows_of_different_shapes_keep_their_order() -> None:
    rows = captured()
    bare = message({}, state=6)
    other = message({internals.CONG: b"cubic\0"})
    same_length = message({internals.TOS: b"\x08", internals.TCLASS: b"\x10"})
    swapped = message({internals.TCLASS: b"\x10", internals.TOS: b"\x08"})
    found = batch(rows[0], bare, same_length, rows[1], other, swapped, bare)
    assert found.column("congestion_algorithm")[4] == "cubic"
    assert found.column("tos") == [
        *found.column("tos")[:2],
        8,
        found.column("tos")[3],
        None,
        8,
        None,
    ]
    assert found.objects(TCP_NAMES)[1] is None
    assert [info is None for info in found.objects(TCP_NAMES)] == [
        *(False, True, True, False, True, True, True)
    ]


def test_congestion_data() -> None:
    rows = [
        message({internals.VEGASINFO: struct.pack("=IIII", 1, 3, 250, 0x7FFFFFFF)}),
        message({internals.DCTCPINFO: struct.pack("=HHIII", 1, 0, 512, 7, 9)}),
        message({internals.BBRINFO: struct.pack("=IIIII", 5, 1, 90, 739, 512)}),
        message({internals.BBRINFO: b"\0" * 8}),
    ]
    vegas, dctcp, bbr, cut = batch(*rows).column("congestion")
    assert vegas["rtt_us"] == 250 and vegas["min_rtt_us"] is None
    assert dctcp["alpha"] == 0.5 and dctcp["acked_bytes_ecn"] == 7
    assert bbr["bandwidth"] == 5 | 1 << 32 and bbr["pacing_gain"] == 739 / 256
    assert cut is None


def test_memory_is_signed_where_the_kernel_has_it_so() -> None:
    row = message({internals.SKMEMINFO: struct.pack("=7I", 1, 2, 3, 4, 0xFFFFFF00, 5, 6)})
    assert batch(row).objects(MEMORY_NAMES) == [
        {
            **{"rmem_alloc": 1, "rcvbuf": 2, "wmem_alloc": 3, "sndbuf": 4, "fwd_alloc": -256},
            **{"wmem_queued": 5, "optmem": 6, "backlog_bytes": None, "drops": None},
        }
    ]


def nest(attributes: dict[int, bytes]) -> bytes:
    return message(attributes)[88:]


def test_upper_layer_protocols() -> None:
    tls = nest({1: b"\x04\x03", 2: b"\x34\x00", 3: b"\x02\x00", 4: b"\x01\x00"})
    mptcp = nest({1: bytes(4), 2: bytes(4), 4: struct.pack("=Q", 1 << 40), 10: b"\x01"})
    rows = [
        message({internals.ULP_INFO: nest({1: b"tls\0", 2: tls})}),
        message({internals.ULP_INFO: nest({1: b"mptcp\0", 3 | 0x8000: mptcp})}),
        message({internals.ULP_INFO: nest({1: b"mptcp\0"})}),
    ]
    found = batch(*rows)
    assert found.column("ulp") == ["tls", "mptcp", "mptcp"]
    assert found.column("ulp_info") == [
        {"version": "1.3", "cipher": "aes-gcm-256", "txconf": "sw", "rxconf": "base"},
        {"map_seq": 1 << 40, "id_loc": 1},
        None,
    ]


@pytest.mark.parametrize(
    "attributes",
    [b"\x08\x00", b"\x03\x00\x02\x00", b"\xff\xff\x02\x00" + bytes(20), b"\x00\x00\x00\x00"],
)
def test_attributes_that_do_not_fit_are_refused(attributes: bytes) -> None:
    body = bytes(72) + attributes + bytes(-len(attributes) % 4)
    row = netlink.HEADER.pack(16 + len(body), 20, 2, 0, 0) + body
    if len(attributes) < 4:
        row = row[:-2]
    with pytest.raises(OSError):
        batch(row).objects(TCP_NAMES)


def test_only_what_is_asked_for_is_asked_of_the_kernel() -> None:
    assert internals.wanted_attributes(["rtt_us"]) == 1 << internals.INFO - 1
    assert internals.wanted_attributes(["congestion_algorithm"]) == 1 << internals.CONG - 1
    assert internals.wanted_attributes(["mark", "cgroup_id", "socket_options"]) == 0
    assert internals.wanted_attributes(["congestion"]) == 1 << internals.VEGASINFO - 1
    assert internals.wanted_attributes(["rcvbuf"]) == 1 << internals.SKMEMINFO - 1


# Live


@contextmanager
def connections() -> Iterator[set[int]]:
    """Connections at rest, with different algorithms; their ports."""
    held: list[socket.socket] = []
    try:
        for algorithm in (b"cubic", b"reno", b"bbr", b"vegas"):
            for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                server = socket.socket(family)
                held.append(server)
                try:
                    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, algorithm)
                    server.bind((address, 0))
                except OSError:
                    continue  # not in this kernel
                server.listen(3)
                client = socket.create_connection(server.getsockname()[:2])
                accepted, _ = server.accept()
                held += [client, accepted]
                for size in (10, 5000, 70000):
                    client.sendall(b"x" * size)
                    left = size
                    while left:
                        left -= len(accepted.recv(left))
                accepted.sendall(b"answer")
                client.recv(6)
                client.sendall(b"never read")
        time.sleep(0.5)
        yield {one.getsockname()[1] for one in held if one.fileno() >= 0 and port(one)}
    finally:
        for one in held:
            one.close()


def port(one: socket.socket) -> int:
    found: int = one.getsockname()[1]
    return found


def live(names: tuple[str, ...]) -> Iterator[tuple[tuple[str, int, int], Any, bytes]]:
    with netlink.connect(netlink.SOCK_DIAG) as link:
        attributes = internals.wanted_attributes(names)
        for found in internals.batches(link, socket.IPPROTO_TCP, 0, attributes, ALL, 3000):
            rows = [found.packed[at : at + 88] for at in range(0, len(found.packed), 88)]
            for row, info in zip(rows, found.objects(names)):
                here, there = (int.from_bytes(row[at : at + 2], "big") for at in (20, 22))
                yield ("6" if row[16] == 10 else "4", here, there), info, row


SS_FIELDS = {
    # what ss prints -> our field, and what ss divides by
    **{"rto": ("rto_us", 1000), "ato": ("ato_us", 1000), "mss": ("snd_mss", 1)},
    **{"rcvmss": ("rcv_mss", 1), "advmss": ("advmss", 1), "cwnd": ("cwnd", 1)},
    **{"pmtu": ("pmtu", 1), "bytes_sent": ("bytes_sent", 1), "bytes_acked": ("bytes_acked", 1)},
    **{"bytes_received": ("bytes_received", 1), "segs_out": ("segs_out", 1)},
    **{"segs_in": ("segs_in", 1), "data_segs_out": ("data_segs_out", 1)},
    **{"data_segs_in": ("data_segs_in", 1), "rcv_rtt": ("rcv_rtt_us", 1000)},
    **{"rcv_space": ("rcv_space", 1), "rcv_ssthresh": ("rcv_ssthresh", 1)},
    **{"minrtt": ("min_rtt_us", 1000), "snd_wnd": ("snd_wnd", 1), "delivered": ("delivered", 1)},
    **{"rcv_wnd": ("rcv_wnd", 1), "ssthresh": ("ssthresh", 1), "reordering": ("reordering", 1)},
}
SKMEM = dict(zip(("r", "rb", "t", "tb", "f", "w", "o", "bl", "d"), MEMORY_NAMES))


def test_the_same_as_ss() -> None:
    if not shutil.which("ss"):
        pytest.skip("no ss here (iproute2)")
    with connections() as ports:
        command = ["ss", "-tinmaHO"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        ours = {key: info for key, info, _ in live((*TCP_NAMES, *MEMORY_NAMES))}
    compared: set[str] = set()
    for line in text.splitlines():
        ends = re.findall(r"\S+:(\d+|\*)(?=\s)", line)[:2]
        if len(ends) < 2 or int(ends[0]) not in ports:
            continue
        if not line.startswith(("ESTAB", "LISTEN")):  # what others left at these ports
            continue
        family = "6" if "[::" in line else "4"
        info = ours[family, int(ends[0]), int(ends[1].replace("*", "0"))]
        for name, value in re.findall(r"\s([a-z_]+):([-0-9.]+)(?=[\s/]|$)", line):
            if name in SS_FIELDS:
                field, divisor = SS_FIELDS[name]
                assert abs((info[field] or 0) / divisor - float(value)) < 0.0011, (name, line)
                compared.add(name)
        memory = re.search(r"skmem:\((\S+)\)", line)
        assert memory, line
        for name, value in re.findall(r"([a-z]+)(\d+)", memory[1]):
            assert info[SKMEM[name]] % (1 << 32) == int(value), (name, line)
        scales = re.search(r"wscale:(\d+),(\d+)", line)
        if scales:
            assert (info["snd_wscale"], info["rcv_wscale"]) == tuple(map(int, scales.groups()))
        rtt = re.search(r" rtt:([0-9.]+)/([0-9.]+)", line)
        if rtt:
            assert abs(info["rtt_us"] / 1000 - float(rtt[1])) < 0.0011
        assert f" {info['congestion_algorithm']} " in f"{line} "
        bbr = re.search(r"pacing_gain:([0-9.]+)", line)
        if bbr:
            assert abs(info["congestion"]["pacing_gain"] - float(bbr[1])) < 0.01
    assert {"rto", "cwnd", "bytes_acked", "segs_out", "pmtu", "minrtt"} <= compared


def test_both_families_in_one_walk() -> None:
    with connections() as ports:
        together = {(key, row[60:68]) for key, _, row in live(("rtt_us",)) if key[1] in ports}
        apart = set()
        with netlink.connect(netlink.SOCK_DIAG) as link:
            for family in (socket.AF_INET, socket.AF_INET6):
                for found in internals.batches(link, socket.IPPROTO_TCP, family, 0, ALL, 3000):
                    for cookie, at in zip(found.cookies(), range(0, len(found.packed), 88)):
                        row = found.packed[at : at + 88]
                        here, there = (int.from_bytes(row[n : n + 2], "big") for n in (20, 22))
                        if here in ports:
                            key = ("6" if row[16] == 10 else "4", here, there)
                            apart.add((key, cookie.to_bytes(8, "little")))
    assert together == apart and len(together) >= 3


def test_mptcp_subflows() -> None:
    try:
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    except OSError:
        pytest.skip("no MPTCP in this kernel")
    with server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as client:
            client.connect(server.getsockname())
            accepted, _ = server.accept()
            with accepted:
                client.send(b"x")
                accepted.recv(1)
                mine = client.getsockname()[1]
                found = live(TCP_NAMES)
                infos = [info for key, info, _ in found if key[1] == mine and info]
    assert [info["ulp"] for info in infos] == ["mptcp"]
    if os.geteuid() == 0:
        assert infos[0]["ulp_info"]["map_seq"]
