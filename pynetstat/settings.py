"""The option table: one record per option, in the order of --help.

Everything that knows options derives from it: the command and its --help, netstat's own way of
reading options, the man page, completion, and the defaults and keywords of the Python API. It is
plain data and imports nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import Any

# Sections of --help.
WHAT = "What to list"
ROWS = "Which rows"
PRINT = "How to print"
AGAIN = "Repeating"
DIAGNOSE = "What is wrong"
NAMES = "Names"
PLACES = "Places and sources"
HOSTS = "Other hosts"
HELP = "Help"

# Who understands an option: the command line and the API; the same, but in the API a function
# of its own stands for it; the command line alone, since it says how the output is written; or
# only the reading of the command line, which turns it into other options.
SHARED, LISTING, OUTPUT, COMMAND = "shared", "listing", "output", "command"

# What each kind of option is before it is said.
UNSAID = {
    "flag": False, "count": 0,
    "states": (), "fields": (), "families": (), "rules": (), "limits": (), "hosts": (),
}  # fmt: skip

SUMMARY = "Show network connections, routes, interfaces, groups and statistics."

EXAMPLES = (
    ("pynetstat -apA inet", "All Internet sockets, and the program that holds each."),
    ("pynetstat -tlnp", "Who listens, in numbers."),
    ("pynetstat -tap --port 8080", "Everything that uses port 8080."),
    ("pynetstat -ta --count-by state", "How many connections are in each state."),
    ("pynetstat -tanp --state close-wait", "Connections that a program failed to close."),
    ("pynetstat -tan --json | jq '.sockets[].remote_address'", "For scripts."),
    ("pynetstat --diagnose", "Which program is causing trouble."),
    ("pynetstat -ci", "The interfaces, again every second."),
)

# What may be written after -A: the word, and the name that netstat knows the family by. The
# order is that of netstat's own long options (--ax25, --x25, ...), which decides what an
# abbreviation means.
FAMILIES = {
    "ax25": "ax25",
    "x25": "x25",
    "ip": "inet",
    "ipx": "ipx",
    "appletalk": "ddp",
    "netrom": "netrom",
    "inet": "inet",
    "inet6": "inet6",
    "ddp": "ddp",
    "rose": "rose",
    "unix": "unix",
    "bluetooth": "bluetooth",
    "tcpip": "inet",
    # no options
    "ip6": "inet6",
    "econet": "ec",
    "ash": "ash",
    # ours
    "packet": "packet",
    "netlink": "netlink",
    "vsock": "vsock",
}
NO_OPTIONS = ("ip6", "econet", "ash", "packet", "netlink", "vsock")
FAMILY_OPTIONS = tuple(word for word in FAMILIES if word not in NO_OPTIONS)


class Setting:
    """One option; never changed.

    names    its letter and its long name: "-r --route"
    kind     what it takes: flag, count, family (an option that names a family) and immediate
             (--help) take nothing; families, states, fields, rules, limits and hosts take words
             with commas between them; text, program, term, choice, format, integer, seconds and
             directory take one value
    field    its name in Options and in the API; where not given, the long name
    netstat  its place among netstat's own long options, which decides what an abbreviation
             means; None for an option that netstat never had
    reach    SHARED, LISTING, OUTPUT or COMMAND
    least    the smallest number that it takes
    words    what it can be, where that is a fixed list
    example  a value that it takes
    """

    __slots__ = (
        "default", "example", "field", "help", "kind", "least", "letter", "long", "metavar",
        "netstat", "reach", "section", "words",
    )  # fmt: skip

    section: str
    letter: str
    long: str
    help: str
    kind: str
    field: str
    metavar: str
    default: Any
    netstat: int | None
    reach: str
    least: int | None
    words: tuple[str, ...]
    example: str

    def __init__(
        self,
        section: str,
        names: str,
        help: str,
        kind: str = "flag",
        field: str = "",
        metavar: str = "",
        default: Any = None,
        netstat: int | None = None,
        reach: str = SHARED,
        least: int | None = None,
        words: tuple[str, ...] = (),
        example: str = "",
    ) -> None:
        letter, long = names[1:2] if names[1] != "-" else "", names.rpartition("--")[2]
        field = field or long.replace("-", "_")
        if default is None:
            default = UNSAID.get(kind)
        for name, value in (
            ("section", section), ("letter", letter), ("long", long), ("help", help),
            ("kind", kind), ("field", field), ("metavar", metavar), ("default", default),
            ("netstat", netstat), ("reach", reach), ("least", least), ("words", words),
            ("example", example),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self!r} is never changed")

    def __repr__(self) -> str:
        return f"Setting({self.names!r})"

    @property
    def names(self) -> str:
        """`-A, --protocol`"""
        return f"-{self.letter}, --{self.long}" if self.letter else f"--{self.long}"

    @property
    def usage(self) -> str:
        """`-A, --protocol FAMILY,...`"""
        return f"{self.names} {self.metavar}" if self.metavar else self.names

    @property
    def takes(self) -> bool:
        """True if a value follows it."""
        return self.kind not in ("flag", "count", "family", "immediate")

    def says_type(self) -> str:
        """What a caller of the API may give: a sentence."""
        types = {"flag": "True or False", "count": "a number", "integer": "a number"}
        wanted = types.get(self.kind, "a number of seconds" if self.kind == "seconds" else "text")
        return f"it takes {'a tuple of words' if self.many else wanted}"

    @property
    def many(self) -> bool:
        """True if its values are words with commas between them, which add up."""
        return self.kind in UNSAID and UNSAID[self.kind] == ()


SETTINGS = (
    Setting(WHAT, "-r --route", "Routing tables.", netstat=4, reach=LISTING),
    Setting(WHAT, "-i --interfaces", "Interfaces and their counters.", netstat=2, reach=LISTING),
    Setting(WHAT, "-g --groups", "Multicast groups, beside sockets.", netstat=31, reach=LISTING),
    Setting(WHAT, "-s --statistics", "Counters of each protocol.", netstat=22, reach=LISTING),
    Setting(WHAT, "-M --masquerade", "Masqueraded connections.", netstat=5, reach=LISTING),
    Setting(WHAT, "-t --tcp", "TCP sockets.", netstat=7),
    Setting(WHAT, "-u --udp", "UDP sockets.", netstat=9),
    Setting(WHAT, "-U --udplite", "UDP-Lite sockets.", netstat=10),
    Setting(WHAT, "-S --sctp", "SCTP endpoints and associations.", netstat=8),
    Setting(WHAT, "-w --raw", "Raw sockets.", netstat=11),
    Setting(WHAT, "--icmp", "Sockets that ping uses."),
    Setting(WHAT, "--packet", "Packet sockets: sniffers, DHCP clients."),
    Setting(WHAT, "--netlink", "Netlink sockets: who speaks with the kernel."),
    Setting(WHAT, "--vsock", "Sockets between a virtual machine and its host."),
    Setting(WHAT, "-2 --l2cap", "Bluetooth L2CAP sockets.", netstat=13),
    Setting(WHAT, "-f --rfcomm", "Bluetooth RFCOMM sockets.", netstat=14),
    Setting(WHAT, "-4 --inet", "The same as -A inet.", "family"),
    Setting(WHAT, "-6 --inet6", "The same as -A inet6.", "family"),
    Setting(WHAT, "-x --unix", "The same as -A unix.", "family", netstat=12),
    Setting(
        WHAT,
        "-A --protocol",
        "Address families: inet, inet6, unix, ax25, ipx, netrom, rose, x25, ddp, bluetooth; each"
        " is an option too (--ax25).",
        "families",
        field="families",
        metavar="FAMILY,...",
        words=tuple(FAMILIES),
        netstat=6,
        example="inet,unix",
    ),
    Setting(WHAT, "-F --fib", "With -r: the routing table (default).", netstat=30),
    Setting(
        WHAT,
        "--table",
        "With -r: the routes of this table (main, local, 100, ...), or of all.",
        "text",
        metavar="NAME",
        example="all",
    ),
    Setting(WHAT, "-C --cache", "With -r: the route cache.", netstat=29),
    Setting(ROWS, "-a --all", "Listening and connected sockets; all interfaces.", netstat=16),
    Setting(ROWS, "-l --listening", "Only listening sockets.", netstat=15),
    Setting(
        ROWS,
        "--filter",
        "Only rows that match an expression as ss has it: 'dport = 443 and program = firefox'.",
        "text",
        metavar="EXPR",
        example="dport = 443",
    ),
    Setting(
        ROWS,
        "--state",
        "Rows in one of these states: established, listening, close-wait, ...",
        "states",
        metavar="STATE,...",
        example="established,close-wait",
    ),
    Setting(
        ROWS,
        "--port",
        "Rows whose local or remote port is one of these.",
        "text",
        metavar="P[,P-Q]",
        example="53,8000-8080",
    ),
    Setting(ROWS, "--pid", "Rows of this process.", "integer", metavar="N", example="812"),
    Setting(
        ROWS,
        "--program",
        "Only rows of the program of exactly this name; --filter 'program ~ NAME' finds a part.",
        "program",
        metavar="PROGRAM",
        example="nginx",
    ),
    Setting(ROWS, "--user", "Rows of this user.", "text", metavar="NAME", example="root"),
    Setting(ROWS, "--fail-if-empty", "Exit with 1 where no row is left.", reach=OUTPUT),
    Setting(PRINT, "-p --programs", "PID and program of each socket.", netstat=20),
    Setting(
        PRINT,
        "-e --extend",
        "More columns: users and inodes, metrics (-ee: all); interfaces in full.",
        "count",
        netstat=19,
        reach=OUTPUT,
    ),
    Setting(PRINT, "-o --timers", "Timers of each socket.", netstat=17, reach=OUTPUT),
    Setting(PRINT, "-W --wide", "Do not cut addresses.", netstat=23, reach=OUTPUT),
    Setting(PRINT, "-Z --context", "SELinux context of each program.", netstat=32),
    Setting(PRINT, "-v --verbose", "Say which protocols are not there.", netstat=21),
    Setting(
        PRINT,
        "--details",
        "Every process that holds a socket, with its command line, start, systemd unit, container"
        " and pod; implies -p.",
    ),
    Setting(
        PRINT,
        "--tcp-info",
        "TCP's own numbers: round trip times, windows, retransmissions, bytes, congestion control.",
    ),
    Setting(PRINT, "--memory", "The memory of each socket, in bytes."),
    Setting(
        PRINT,
        "--rates",
        "Bytes per second of each tcp connection, from two looks --interval apart.",
    ),
    Setting(
        PRINT,
        "--format",
        "classic (default), json, jsonl, csv, tsv, openmetrics, prometheus, or a format of"
        " tabulate: simple, github, html, ...",
        "format",
        metavar="NAME",
        default="classic",
        reach=OUTPUT,
        example="csv",
    ),
    Setting(PRINT, "--json", "The same as --format json.", reach=COMMAND),
    Setting(
        PRINT,
        "--as",
        "The letters and the layout of another system's netstat: windows, macos or bsd.",
        "choice",
        field="layout",
        metavar="SYSTEM",
        default="",
        reach=OUTPUT,
        words=("windows", "macos", "bsd"),
        example="windows",
    ),
    Setting(
        PRINT,
        "--lsof",
        "What follows `lsof -i', in lsof's layout: [46][PROTOCOL][@HOST][:PORTS] [-sTCP:STATES].",
        "selection",
        metavar="[WORDS]",
        reach=OUTPUT,
        example="TCP:443",
    ),
    Setting(
        PRINT,
        "--columns",
        "These fields of the records, in this order; `all` for every field in a table.",
        "fields",
        metavar="FIELD,...",
        reach=OUTPUT,
        example="proto,local_port",
    ),
    Setting(
        PRINT,
        "--sort",
        "Sorted by these fields; -FIELD from the largest.",
        "fields",
        metavar="FIELD,...",
        example="-recv_q,local_port",
    ),
    Setting(
        PRINT,
        "--color",
        "States and findings in colour: auto (on a terminal), always or never. netstat's own text"
        " has no colour.",
        "choice",
        default="auto",
        words=("auto", "always", "never"),
        reach=OUTPUT,
        example="always",
    ),
    Setting(
        PRINT,
        "--no-header",
        "Rows alone, without heading and header.",
        field="header",
        default=True,
        reach=OUTPUT,
    ),
    Setting(
        PRINT,
        "--count-by",
        "How many rows have each value; also remote_network/24.",
        "fields",
        metavar="FIELD,...",
        reach=OUTPUT,
        example="state,remote_network/24",
    ),
    Setting(
        PRINT,
        "--top",
        "With --count-by: only the N largest.",
        "integer",
        metavar="N",
        least=1,
        reach=OUTPUT,
        example="10",
    ),
    Setting(PRINT, "--json-schema", "The JSON Schema of --json, and nothing else.", reach=COMMAND),
    Setting(AGAIN, "-c --continuous", "Again every second.", netstat=18, reach=OUTPUT),
    Setting(
        AGAIN,
        "--interval",
        "Seconds between rounds; implies -c. Default: 1.",
        "seconds",
        metavar="SECONDS",
        default=1.0,
        least=0,
        example="0.5",
    ),
    Setting(
        AGAIN,
        "--count",
        "N rounds, then the end; implies -c.",
        "integer",
        field="rounds",
        metavar="N",
        least=1,
        reach=OUTPUT,
        example="3",
    ),
    Setting(
        AGAIN,
        "--watch",
        "A live screen of sockets with their rates, of interfaces (-i) or of counters (-s).",
        reach=OUTPUT,
    ),
    Setting(
        AGAIN,
        "--events",
        "What opens, closes and changes, instead of the list again; implies -c.",
        reach=OUTPUT,
    ),
    Setting(
        AGAIN,
        "--save",
        "Write to this file, whole or not at all; json, unless --format says else.",
        "text",
        metavar="FILE",
        reach=OUTPUT,
        example="before.json",
    ),
    Setting(
        AGAIN,
        "--diff",
        "What differs from a file that --save has written.",
        "text",
        metavar="FILE",
        reach=OUTPUT,
        example="before.json",
    ),
    Setting(AGAIN, "--fail-on-change", "With --diff: exit with 1 where it differs.", reach=OUTPUT),
    Setting(
        AGAIN,
        "--record",
        "The folder of a recording. --at and --from read it (/var/log/pynetstat unless named);"
        " without them everything is recorded there, at every --interval.",
        "text",
        metavar="DIR",
        example="/var/log/pynetstat",
    ),
    Setting(
        AGAIN,
        "--keep",
        "How much of a recording stays: 2d, 12h, 500M, or both. Default: 2d,500M.",
        "text",
        metavar="LIMIT",
        reach=OUTPUT,
        example="2d,500M",
    ),
    Setting(
        AGAIN,
        "--at",
        "List, or --diagnose, what was recorded at a moment (03:12, -20m, 2026-11-26T03:12:00), or"
        " last in a file.",
        "text",
        metavar="WHEN",
        example="-20m",
    ),
    Setting(
        AGAIN,
        "--from",
        "With --events: what happened in a recording from this moment on.",
        "text",
        field="since",
        metavar="WHEN",
        reach=OUTPUT,
        example="-20m",
    ),
    Setting(
        AGAIN,
        "--to",
        "With --events --from: up to this moment.",
        "text",
        field="until",
        metavar="WHEN",
        reach=OUTPUT,
        example="03:30",
    ),
    Setting(
        DIAGNOSE,
        "--diagnose",
        "Look for trouble in two samples, --interval apart, and name the program that makes it."
        " Status 0: none, 1: warning, 2: critical, 3: could not check.",
        reach=COMMAND,
    ),
    Setting(
        DIAGNOSE,
        "--ignore",
        "Rules of --diagnose to leave out: resets, no-default-route, ...",
        "rules",
        metavar="RULE,...",
        example="resets",
    ),
    Setting(
        DIAGNOSE,
        "--limit",
        "Another limit for a rule of --diagnose: close-wait-leak.sockets=50; --explain RULE names"
        " its limits.",
        "limits",
        metavar="RULE.NAME=N,...",
        example="close-wait-leak.sockets=5",
    ),
    Setting(
        DIAGNOSE,
        "--perfdata",
        "The numbers that --diagnose looked at behind a | in its first line, for Nagios and"
        " Icinga.",
        reach=OUTPUT,
    ),
    Setting(
        DIAGNOSE,
        "--explain",
        "What a rule of --diagnose, or any word that netstat prints, means; `words` lists them.",
        "term",
        metavar="WORD",
        reach=COMMAND,
        example="close-wait",
    ),
    Setting(
        NAMES,
        "-n --numeric",
        "No names: numbers for hosts, ports, users.",
        netstat=24,
        reach=COMMAND,
    ),
    Setting(NAMES, "--numeric-hosts", "Numbers for hosts.", netstat=25),
    Setting(NAMES, "--numeric-ports", "Numbers for ports.", netstat=26),
    Setting(NAMES, "--numeric-users", "Numbers for users.", netstat=27),
    Setting(NAMES, "-N --symbolic", "Hardware names (routes: numbers).", netstat=28),
    Setting(
        NAMES,
        "--resolve-timeout",
        "Seconds for all names together; then numbers. Default: 5.",
        "seconds",
        metavar="SECONDS",
        default=5.0,
        least=0,
        example="0.5",
    ),
    Setting(
        PLACES,
        "--netns",
        "Another network namespace: its name, its container or the PID of a process in it; or all.",
        "text",
        metavar="NAME|PID|all",
        example="all",
    ),
    Setting(
        PLACES,
        "--proc",
        "Where /proc is mounted.",
        "directory",
        field="root",
        metavar="DIR",
        default="/proc",
        example="/proc",
    ),
    Setting(
        PLACES,
        "--source",
        "Where to read: auto (default), proc (/proc alone), netlink (the kernel), psutil.",
        "choice",
        metavar="NAME",
        default="auto",
        words=("auto", "proc", "netlink", "psutil"),
        example="netlink",
    ),
    Setting(
        HOSTS,
        "--host",
        "Run this on these hosts, by ssh; with --inventory its groups and patterns too.",
        "hosts",
        metavar="NAME,...",
        reach=OUTPUT,
        example="web1,web2",
    ),
    Setting(
        HOSTS,
        "--hosts",
        "Run this on the hosts in this file, one a line; - is standard input.",
        "text",
        metavar="FILE",
        reach=OUTPUT,
        example="hosts.txt",
    ),
    Setting(
        HOSTS,
        "--inventory",
        "Run this on the hosts of this Ansible inventory, or on those of it that --host names.",
        "text",
        metavar="FILE",
        reach=OUTPUT,
        example="inventory.ini",
    ),
    Setting(
        HOSTS,
        "--forks",
        "How many hosts are asked at a time. Default: 16.",
        "integer",
        metavar="N",
        least=1,
        reach=OUTPUT,
        example="8",
    ),
    Setting(
        HOSTS,
        "--host-timeout",
        "Seconds that each host has to answer. Default: 30.",
        "seconds",
        metavar="SECONDS",
        default=30.0,
        least=0,
        reach=OUTPUT,
        example="7.5",
    ),
    Setting(
        HOSTS,
        "--engine",
        "What carries the question: ssh (default), or ansible with all its kinds of connection.",
        "choice",
        metavar="NAME",
        default="ssh",
        words=("ssh", "ansible"),
        reach=OUTPUT,
        example="ansible",
    ),
    Setting(HELP, "-h --help", "This text.", "immediate", netstat=3, reach=COMMAND),
    Setting(HELP, "-V --version", "The version.", "immediate", netstat=1, reach=COMMAND),
)

BY_FIELD = {
    setting.field: setting
    for setting in SETTINGS
    if setting.reach != COMMAND and setting.kind != "family"
}

# What Options is made of: each field with its default.
DEFAULTS = {field: setting.default for field, setting in BY_FIELD.items()}
