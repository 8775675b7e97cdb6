"""Names: the system's own, each distinct value once, all within one deadline."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pynetstat.options import Options
from pynetstat.outcome import Outcome
from pynetstat.stages import names
from pynetstat.stages.names import Names, c_number, entries, network_number
from pynetstat.table import Table


def asking(timeout: float = 5.0) -> Names:
    return Names(Options(resolve_timeout=timeout), Outcome())


class Resolver:
    """A resolver that counts, and that sleeps over some addresses."""

    def __init__(self, slow: tuple[str, ...] = (), delay: float = 30.0) -> None:
        self.asked: list[str] = []
        self.slow, self.delay = slow, delay

    def gethostbyaddr(self, address: str) -> tuple[str, list[str], list[str]]:
        self.asked.append(address)
        if address in self.slow:
            time.sleep(self.delay)
        if address.endswith(".9"):
            raise socket.herror(1, "Unknown host")
        return f"host{address.rpartition('.')[2]}.example", [], [address]


def install(monkeypatch: pytest.MonkeyPatch, resolver: Resolver) -> Resolver:
    monkeypatch.setattr(socket, "gethostbyaddr", resolver.gethostbyaddr)
    return resolver


def rows(*addresses: str) -> Table:
    return Table(dict, len(addresses), local_address=list(addresses), proto=["tcp"])


WANTED = {"local_host": ("host", "local_address")}


def test_each_address_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = install(monkeypatch, Resolver())
    known = asking()
    for _ in range(3):
        table = rows("10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.9", "0.0.0.0", "::")
        list(known.resolve([table], WANTED))
        assert table["local_host"] == [
            "host1.example", "host2.example", "host1.example", None, None, None,
        ]  # fmt: skip
    assert sorted(resolver.asked) == ["10.0.0.1", "10.0.0.2", "10.0.0.9"]


@pytest.mark.timing
def test_what_does_not_come_in_time_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is not waited for again in the next round."""
    resolver = install(monkeypatch, Resolver(slow=("10.0.0.2",)))
    before = set(threading.enumerate())
    known = asking(timeout=0.3)
    for _ in range(2):
        table = rows("10.0.0.1", "10.0.0.2")
        list(known.resolve([table], WANTED))
        assert table["local_host"] == ["host1.example", None]
    assert resolver.asked.count("10.0.0.2") == 1
    assert all(thread.daemon for thread in set(threading.enumerate()) - before)


@pytest.mark.timing
def test_a_name_that_comes_late_is_there_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Resolver(slow=("10.0.0.2",), delay=0.4))
    known = asking(timeout=0.1)
    assert [list(known.resolve([t := rows("10.0.0.2")], WANTED)), t["local_host"]][1] == [None]
    time.sleep(0.6)
    assert [list(known.resolve([t := rows("10.0.0.2")], WANTED)), t["local_host"]][1] == [
        "host2.example"
    ]


def test_no_time_at_all_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = install(monkeypatch, Resolver())
    table = rows("10.0.0.1")
    list(asking(timeout=0).resolve([table], WANTED))
    assert table["local_host"] == [None] and not resolver.asked


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Resolver())
    monkeypatch.setattr(names, "REMEMBERED", 100)
    known = asking()
    for number in range(20):
        list(known.resolve([rows(*(f"10.0.{number}.{last}" for last in range(50)))], WANTED))
    assert len(known.hosts) < 200


def test_a_name_that_is_not_utf8_keeps_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(address: str) -> Any:
        b"bad\xffbyte".decode()

    monkeypatch.setattr(socket, "gethostbyaddr", failing)
    assert asking().host_name("10.0.0.1") == "bad\xffbyte"


def write(folder: Path, text: str) -> str:
    path = folder / "file"
    path.write_bytes(text.encode("latin-1"))
    return str(path)


def test_services_are_read_as_the_system_reads_them(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "# comment\nssh 22/tcp\n  indented\t23/tcp alias\nhex 0x18/tcp\noctal 031/tcp\n"
        "bad 105 /tcp\nslashes 104//tcp\nbroken abc/tcp\nplus +26/udp\nlast 27/tcp # note\n"
        "crlf 28/tcp\r\nbytes\xff 29/tcp\nunended 30/tcp",
    )
    assert list(entries(path, "/")) == [
        ("ssh", 22, "tcp"), ("indented", 23, "tcp"), ("hex", 24, "tcp"), ("octal", 25, "tcp"),
        ("slashes", 104, "tcp"), ("plus", 26, "udp"), ("last", 27, "tcp"), ("crlf", 28, "tcp"),
        ("bytes\xff", 29, "tcp"), ("unended", 30, "tcp"),
    ]  # fmt: skip
    assert list(entries(str(tmp_path / "nowhere"), "/")) == []


def test_numbers_in_c_s_notation() -> None:
    assert [c_number(text) for text in ("10", "0x1F", "010", "0", "", "x", "09")] == [
        10, 31, 8, 0, None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "address"),
    [
        ("127.0.0.0", "127.0.0.0"), ("10.1", "10.1.0.0"), ("0x0a.010", "10.8.0.0"),
        ("1.2.3.4.5", None), ("300", None), ("a.b", None), ("10.", None),
    ],
)  # fmt: skip
def test_network_numbers(number: str, address: str | None) -> None:
    assert network_number(number) == address


def test_users_without_a_name_are_numbers() -> None:
    found = asking().user_names({0, 4242424242, None})
    assert found[0] == "root" and found[4242424242] is None and found[None] is None


def test_a_long_wait_is_told_and_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Resolver(slow=("10.0.0.2",)))
    monkeypatch.setattr(names, "PATIENCE", 0.1)
    told: list[str] = []
    known = asking(timeout=2)
    known.outcome.progress = told.append
    list(known.resolve([rows("10.0.0.1", "10.0.0.2")], WANTED))
    assert re.fullmatch("1 of 2 names, [0-2] s left", told[0]) and told[-1] == ""
    told.clear()
    monkeypatch.setattr(names, "PATIENCE", 100)
    list(known.resolve([rows("10.0.0.3")], WANTED))
    assert told == []
