"""What letters and operands mean on other systems than Linux.

A letter means what net-tools says wherever that has something to show. Where it never can on
this system, or net-tools has no such letter, it means what this system's own netstat says.
Linux has no table: there a command line means what net-tools says, and nothing else.
"""

from __future__ import annotations

from . import operands
from .getopt import Bad, Word

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NamedTuple
else:
    from ..tuples import NamedTuple

Meaning = tuple[Word, ...]


class Manners(NamedTuple):
    """How the netstat of one system reads a command line, where that differs from net-tools.

    letters    letters without a value, and the options that they stand for
    attached   letters that need a value, behind them or as the next word
    following  letters that may have a value as the next word; without one they are net-tools'
    operand    what an operand means, or None
    slash      may options begin with / as well?
    whole      are these all letters that there are? Else the others are net-tools'
    """

    name: str
    letters: Mapping[str, Meaning]
    attached: Mapping[str, Callable[[str], Meaning | None]]
    following: Mapping[str, Callable[[str], Meaning | None]]
    operand: Callable[[str], Meaning | None]
    slash: bool = False
    whole: bool = False

    def option(self, letter: str, letters: str, rest: list[str]) -> tuple[Meaning, str] | None:
        """What a letter means here, and which letters are left; None where it is net-tools'.

        `letters` stand behind it in the same word. What is taken from `rest` is removed.
        """
        if letter in self.attached:
            text = letters or (rest.pop(0) if rest else "")
            meaning = self.attached[letter](text)
            if meaning is None:
                raise Bad(f"-{letter} does not take `{text}' here", hint=TAKES[letter])
            return meaning, ""
        if letter in self.following and not letters and rest:
            meaning = self.following[letter](rest[0])
            if meaning is not None:
                rest.pop(0)
                return meaning, ""
        if letter in self.letters:
            return self.letters[letter], letters
        if self.whole:
            raise Bad(f"{self.name} has no -{letter} that is known here", letter=letter)
        return None

    def stray(self, word: str) -> Meaning:
        """What an operand means here. One that means nothing is Bad: netstat of Linux ignores
        it, and lists something else than was asked."""
        meaning = self.operand(word)
        if meaning is None:
            raise Bad(f"`{word}' is not an option{intention(word)}")
        return meaning


def intention(word: str) -> str:
    """What someone who types this operand may have wanted."""
    lower = word.lower()
    if word.isdecimal():
        return f"; did you mean --port {word} or --interval {word}?"
    if lower in WINDOWS_PROTOCOLS:
        return f"; did you mean -p {word}?"
    if any(lower[:3] == name[:3] for name in WINDOWS_PROTOCOLS):
        return f"; the protocols are {', '.join(WINDOWS_PROTOCOLS)}"
    if "." in word or (":" in word and not word.startswith(":")):
        return f"; did you mean --filter 'dst {word}'?"
    meant = operands.likely(word, ()) or f"--program {word}"
    return f"; did you mean {meant}?"


def protocol_meaning(name: str, family: str = "") -> Meaning:
    """`-p tcp`: one protocol, and its programs."""
    version = (Word("protocol", family),) if family else ()
    return (Word("programs"), Word(name), *version)


WINDOWS_PROTOCOLS = {
    "tcp": protocol_meaning("tcp", "inet"),
    "udp": protocol_meaning("udp", "inet"),
    "ip": protocol_meaning("raw", "inet"),
    "icmp": protocol_meaning("raw", "inet"),
    "tcpv6": protocol_meaning("tcp", "inet6"),
    "udpv6": protocol_meaning("udp", "inet6"),
    "ipv6": protocol_meaning("raw", "inet6"),
    "icmpv6": protocol_meaning("raw", "inet6"),
}
MAC_PROTOCOLS = {
    "tcp": protocol_meaning("tcp"),
    "udp": protocol_meaning("udp"),
    "ip": protocol_meaning("raw"),
    "icmp": protocol_meaning("raw"),
    "icmp6": protocol_meaning("raw", "inet6"),
    "ip6": protocol_meaning("raw", "inet6"),
}
MAC_FAMILIES = {
    "inet": (Word("protocol", "inet"),),
    "inet6": (Word("protocol", "inet6"),),
    "unix": (Word("protocol", "unix"),),
    "local": (Word("protocol", "unix"),),
}


def seconds_meaning(text: str) -> Meaning | None:
    """A whole number of seconds between rounds."""
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return (Word("interval", text),)
    return None


def one_interface(text: str) -> Meaning | None:
    """`-I en0`: this interface, up or down."""
    return (Word(ONE_INTERFACE, text),) if text else None


# What no option of the table says; Reading settles it when the line is read to its end.
ONE_INTERFACE = "-I"  # the row of one interface
BYTES = "-b"  # with -i: bytes too
QUEUES = "-L"  # only listening sockets, also with -a

TAKES = {
    "f": "; it takes inet, inet6 or unix",
    "I": "; it takes the name of an interface",
    "p": "; it takes a protocol, such as tcp or udp",
    "w": "; it takes a number of seconds",
}

SYSTEMS = {
    "win32": Manners(
        name="Windows",
        letters={
            "o": (Word("programs"),),
            "b": (Word("programs"),),
            "f": (Word("wide"),),
            "q": (Word("all"),),
            "?": (Word("help"),),
        },
        attached={},
        following={"p": lambda text: WINDOWS_PROTOCOLS.get(text.lower())},
        operand=seconds_meaning,
        slash=True,
    ),
    "darwin": Manners(
        name="macOS",
        letters={
            "L": (Word("listening"), Word("tcp"), Word(QUEUES)),
            "b": (Word(BYTES),),
        },
        attached={"f": lambda text: MAC_FAMILIES.get(text), "I": one_interface},
        following={"p": lambda text: MAC_PROTOCOLS.get(text), "w": seconds_meaning},
        operand=lambda text: None,
    ),
}

# For --help
EXAMPLES_OF = {
    "win32": [
        ("pynetstat -ano", "The same as -anp: the process of each socket."),
        ("pynetstat -an -p TCPv6", "TCP over IPv6."),
        ("pynetstat -an 5", "Again every 5 seconds."),
        ("pynetstat --as windows -ano", "The same in Windows' own layout."),
    ],
    "darwin": [
        ("pynetstat -an -f inet", "The same as -anA inet."),
        ("pynetstat -I en0 -w 1", "One interface, again every second."),
        ("pynetstat --lsof TCP:8080", "What lsof -i TCP:8080 tells."),
        ("pynetstat --as macos -an", "The same in macOS' own layout."),
    ],
}

# All letters of a system's netstat, with --as
BSD = Manners(
    name="BSD",
    letters={
        "a": (Word("all"),),
        "n": (Word("numeric"),),
        "v": (Word("programs"), Word("verbose")),
        "l": (Word("wide"),),
        "W": (Word("wide"),),
        "i": (Word("interfaces"), Word("all")),
        "r": (Word("route"),),
        "s": (Word("statistics"),),
        "g": (Word("groups"),),
        "b": (Word(BYTES),),
        "d": (),
        "L": (Word("listening"), Word("tcp"), Word(QUEUES)),
    },
    attached={
        "f": lambda text: MAC_FAMILIES.get(text),
        "p": lambda text: MAC_PROTOCOLS.get(text, ())[1:] or None,
        "I": one_interface,
        "w": seconds_meaning,
    },
    following={},
    operand=lambda text: None,
    whole=True,
)
AS = {
    "windows": Manners(
        name="Windows",
        letters={
            "a": (Word("all"),),
            "n": (Word("numeric"),),
            "o": (Word("programs"), Word("timers")),
            "b": (Word("programs"), Word("extend")),
            "f": (Word("wide"),),
            "q": (Word("all"),),
            "e": (Word("interfaces"),),
            "r": (Word("route"),),
            "s": (Word("statistics"),),
            "?": (Word("help"),),
        },
        attached={"p": lambda text: WINDOWS_PROTOCOLS.get(text.lower(), ())[1:] or None},
        following={},
        operand=seconds_meaning,
        slash=True,
        whole=True,
    ),
    "macos": BSD._replace(name="macOS"),
    "bsd": BSD._replace(
        name="FreeBSD",
        letters={
            **BSD.letters,
            "4": (Word("protocol", "inet"),),
            "6": (Word("protocol", "inet6"),),
            "u": (Word("protocol", "unix"),),
        },
    ),
}


def manners_of(argv: Sequence[str], system: str) -> Manners | None:
    """Those that --as names anywhere in the line, else the system's."""
    for place, word in enumerate(argv):
        name = word.partition("=")[2]
        if word == "--as":
            name = argv[place + 1] if place + 1 < len(argv) else ""
        if (word == "--as" or word.startswith("--as=")) and name in AS:
            return AS[name]
    return SYSTEMS.get(system)


# Letters of other systems' netstat that net-tools has not, and what does the same here.
ELSEWHERE = {
    "b": "Windows' -b is -p here, and macOS' -ib is -ie",
    "q": "Windows' -q is -a here",
    "I": "-I NAME of macOS and BSD is --filter 'dev = NAME' -i here",
    "L": "-L of macOS and BSD is -ltn here; Recv-Q is the length of the queue",
    "P": "lsof's -P is -n here",
    "T": "what follows lsof -i goes after --lsof here, as in --lsof TCP:443",
    "m": "mbufs of macOS and BSD are not told here",
    "B": "bpf of macOS and BSD is --packet here, on Linux",
    "y": "connection templates of Windows are not told here",
    "R": "reachability of macOS is not told here",
    "H": "ss's -H is --no-header here",
    "O": "ss's -O, one line for each socket, is how every socket is listed here",
    "K": "pynetstat closes no sockets; ss -K does",
}
