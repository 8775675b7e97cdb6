"""What follows `lsof -i`, as a filter: `4TCP@192.0.2.7:80,8000-8080 -sTCP:LISTEN`.

An IPv6 socket with IPv4 addresses is of IPv6 here. lsof takes it for one of IPv4 where a
protocol, a host or a port is named beside the 4.
"""

from __future__ import annotations

import re

from ...options import Misuse

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from ...tuples import NamedTuple

# lsof's own form: [46][protocol][@host][:ports]
PATTERN = re.compile(
    r"(?P<version>[46]?)(?P<protocol>[A-Za-z]*)"
    r"(?:@(?P<host>\[[^]]*\]|[^:]*))?(?::(?P<ports>.+))?"
)
PROTOCOLS = ("tcp", "udp", "udplite")
# lsof's names of the states of tcp, which are those of netstat but for some
NAMES = {
    "CLOSED": "CLOSE",
    "SYN_RCVD": "SYN_RECV",
    "SYN_RCDV": "SYN_RECV",
    "FIN_WAIT_1": "FIN_WAIT1",
    "FIN_WAIT_2": "FIN_WAIT2",
}
STATES = (
    "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
    "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING",
)  # fmt: skip
FORM = "the form is [46][TCP|UDP][@HOST][:PORTS] [-sTCP:STATE,^STATE]"


class Selection(NamedTuple):
    """Which sockets: protocols, families ((): all), a filter, and states of tcp ((): all)."""

    protocols: tuple[str, ...]
    families: tuple[str, ...]
    filter: str
    states: tuple[str, ...]


def selection(text: str) -> Selection:
    """What these words select; Misuse where lsof would not understand them either."""
    states: list[str] = []
    address = ""
    for word in text.split():
        if word[:6].lower() == "-stcp:":
            states += word[6:].upper().split(",")
        elif address or word.startswith("-s"):
            raise Misuse(f"--lsof does not understand `{word}'; {FORM}")
        else:
            address = word.removeprefix("-i")
    found = PATTERN.fullmatch(address)
    if found is None:
        raise Misuse(f"--lsof does not understand `{address}'; {FORM}")
    protocol = found["protocol"].lower()
    if protocol and protocol not in PROTOCOLS:
        raise Misuse(f"--lsof knows no protocol `{found['protocol']}'; it knows TCP and UDP")
    wanted = {known_state(state) for state in states if state[:1] != "^"} or set(STATES)
    wanted -= {known_state(state[1:]) for state in states if state[:1] == "^"}
    return Selection(
        (protocol,) if protocol else ("tcp",) if states else PROTOCOLS,
        {"4": ("inet",), "6": ("inet6",)}.get(found["version"], ()),
        either_end(found["host"] or "", found["ports"] or ""),
        tuple(sorted(wanted)) if states else (),
    )


def known_state(name: str) -> str:
    state = NAMES.get(name, name)
    if state not in STATES:
        raise Misuse(f"--lsof knows no state `{name}'; there are: {', '.join(STATES)}")
    return state


def either_end(host: str, ports: str) -> str:
    """Host and port belong to the same end of a connection, this one or the other."""
    if not (host or ports):
        return ""
    return " or ".join(
        f"({match_end(*names, host, ports)})" for names in (("src", "sport"), ("dst", "dport"))
    )


def match_end(address: str, port: str, host: str, ports: str) -> str:
    parts = [f'{address} "{host}"'] if host else []
    spans = []
    for item in ports.split(",") if ports else ():
        first, dash, last = item.partition("-")
        numbers = dash and first.isdecimal() and last.isdecimal()
        spans.append(
            f"({port} >= {first} and {port} <= {last})" if numbers else f'{port} = "{item}"'
        )
    if spans:
        parts.append(f"({' or '.join(spans)})")
    return " and ".join(parts)
