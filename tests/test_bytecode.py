"""The kernel's part of a filter: the rows are those that the filter keeps of /proc."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator

import pytest
from conftest import HAS_IPV6, pynetstat

from pynetstat.kernel import bytecode
from pynetstat.options import Options
from pynetstat.plan import Plan
from pynetstat.stages.filters import parse

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux's kernel")


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Sockets in many states, of IPv4, IPv6, and IPv4 over IPv6: the ports of two listeners."""
    with contextlib.ExitStack() as stack:

        def kept(one: socket.socket) -> socket.socket:
            return stack.enter_context(one)

        if not HAS_IPV6:
            pytest.skip("this machine has no IPv6")
        four = kept(socket.create_server(("127.0.0.1", 0), backlog=1))
        both = kept(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True))
        port, other = four.getsockname()[1], both.getsockname()[1]
        for address in (("127.0.0.1", port), ("127.0.0.1", other), ("::1", other)):
            listener = four if address[1] == port else both
            kept(socket.create_connection(address))
            end = kept(listener.accept()[0])
            end.shutdown(socket.SHUT_WR)  # FIN_WAIT2 and CLOSE_WAIT
            kept(socket.create_connection(address))
            kept(listener.accept()[0])
            over = socket.create_connection(address)
            listener.accept()[0].close()
            over.close()  # TIME_WAIT
            kept(socket.create_connection(address))  # not accepted
        waiting = kept(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(("192.0.2.1", port))  # SYN_SENT, where there is a route
        yield port, other


FILTERS = (
    "sport = {0}",
    "dport = {0}",
    "dport = {0} or sport = {1}",
    "sport = {0} or sport = {1} or dport = {1}",
    "(sport = {0} or dport = {0}) and not state-is",
    "not dport = {0}",
    "dport != {0}",
    "sport < 1024",
    "sport >= {0} and sport <= {1}",
    "dport gt 0",
    "dport = 0",
    "dport > 65534 or dport lt 1",
    "src 127.0.0.1",
    "src 127.0.0.0/8",
    "src 0.0.0.0/0 and dst 127.0.0.1:{1}",
    "dst [::1]",
    "dst [::1]:{1} or dst 127.0.0.1:{0}",
    "src [::]/0",
    "dst [::ffff:0:0]/96",
    "dst != 127.0.0.1",
    "state listening",
    "state listening sport = {0}",
    "state time-wait dport = {0}",
    "exclude listening exclude established",
    "state all dport = {0}",
    "state established (dport = {0} or dport = {1}) src 127.0.0.0/8",
    "src 127.0.0.1 and (sport = {0} or (dport = {1} and src 127.0.0.0/9))",
    "((sport = {0} or sport = {1}) and (dst 127.0.0.1 or dst [::1])) or dport = {1}",
    "dport = {0} and inode > 0",
    "dport = {0} or inode = 0",
)


def rows(ports: tuple[int, int], *words: str) -> list[bytes]:
    """The rows of the sockets that the fixture made; others come and go."""
    done = pynetstat("-tan", "--no-header", *words)
    assert done.returncode == 0, done.stderr
    own = tuple(f":{port} ".encode() for port in ports)
    return [row for row in done.stdout.splitlines() if any(port in row for port in own)]


@linux
@pytest.mark.parametrize("expression", FILTERS)
def test_the_rows_are_those_of_proc(expression: str, ports: tuple[int, int]) -> None:
    """Beside sockets that others open and close meanwhile, each row must be found twice."""
    text = expression.replace("not state-is", "not sport = 1").format(*ports)
    for _ in range(10):
        before = rows(ports, "--filter", text, "--source", "proc")
        found = rows(ports, "--filter", text, "--source", "netlink")
        if found == before or rows(ports, "--filter", text, "--source", "proc") == before:
            break
    assert found == before


@linux
@pytest.mark.parametrize(
    "words",
    ["--port {0}", "--port {0},{1}", "--port 1-65535", "--state time-wait", "--state syn-recv"],
)
def test_the_short_options_too(words: str, ports: tuple[int, int]) -> None:
    given = words.format(*ports).split()
    for _ in range(10):
        before = rows(ports, *given, "--source", "proc")
        found = rows(ports, *given, "--source", "netlink")
        if found == before:
            break
    assert found == before


@linux
def test_the_kernel_leaves_rows_out(ports: tuple[int, int]) -> None:
    """What the kernel gives is what the filter keeps, and not everything."""
    from pynetstat.kernel.sockdiag import LENGTH, tcp_rows

    def count(expression: str) -> int:
        kernel = Plan(Options(tcp=True, all=True, numeric_ports=True, numeric_hosts=True,
                              filter=expression)).options.condition  # fmt: skip
        assert kernel is None or isinstance(kernel, tuple)
        condition = bytecode.bytecode_attribute(kernel)  # type: ignore[arg-type]
        return sum(map(len, tcp_rows("", bytecode.EVERY, condition=condition))) // LENGTH

    everything = count("sport >= 0")
    assert 0 < count(f"sport = {ports[0]}") < everything
    assert count("dport = 0 and sport = 0") == 0


@pytest.mark.parametrize(
    ("expression", "states"),
    [
        ("state listening", 1 << 10),
        ("exclude listening", bytecode.EVERY & ~(1 << 10)),
        ("state established state time-wait dport = 1", 1 << 1 | 1 << 6),
        ("dport = 1", bytecode.EVERY),
    ],
)
def test_states_are_a_mask(expression: str, states: int) -> None:
    assert bytecode.states_of_condition(parse(expression).kernel) == states


@pytest.mark.parametrize("expression", ["not dport = 1", "inode = 1 or dport = 1", "pid = 1"])
def test_what_the_kernel_cannot_check_is_left_out(expression: str) -> None:
    assert bytecode.bytecode_attribute(parse(expression).kernel) == b""


def test_a_long_program_is_not_sent() -> None:
    many = " or ".join(f"dport = {port}" for port in range(1, 4001, 2))
    assert bytecode.bytecode_attribute(parse(many).kernel) == b""
