"""What to do, in the commands of the system that was looked at. Rules are written for Linux."""

from __future__ import annotations

import re

# What Linux's commands are called elsewhere. A sentence whose command has no counterpart is left
# out.
MACOS = {
    "FAILED and INCOMPLETE do not answer": "what is (incomplete) does not answer",
    "`dhclient`, `nmcli`, `networkctl renew`": "`sudo ipconfig set IFACE DHCP`",
    "ip link": "ifconfig",
    "ip link set IFACE up": "sudo ifconfig IFACE up",
    "ip neigh": "arp -an",
    "ip route add default via GATEWAY": "sudo route add default GATEWAY",
    "ip route del DESTINATION dev IFACE": "sudo route delete DESTINATION",
    "ip route get ADDRESS": "route get ADDRESS",
    "ls -l /proc/PID/fd": "lsof -p PID",
    "strace -p PID": "sample PID",
    "`strace -p PID`, `cat /proc/PID/stack` (as root)": "`sample PID`",
    "tracepath": "traceroute",
    "tracepath HOST": "traceroute HOST",
    "`tracepath HOST` or `mtr HOST`": "`traceroute HOST`",
    "`tracepath` or `mtr`": "`traceroute`",
    "sysctl net.core.somaxconn": "sysctl kern.ipc.somaxconn",
}
WINDOWS = {
    "`dhclient`, `nmcli`, `networkctl renew`": "`ipconfig /renew`",
    "ip link": "Get-NetAdapter",
    "ip link set IFACE up": "Enable-NetAdapter IFACE",
    "ip neigh": "arp -a",
    "ip route add default via GATEWAY": "route add 0.0.0.0 mask 0.0.0.0 GATEWAY",
    "ip route del DESTINATION dev IFACE": "route delete DESTINATION",
    "ip route get ADDRESS": "Find-NetRoute -RemoteIPAddress ADDRESS",
    "dig @SERVER example.org": "nslookup example.org SERVER",
    "tracepath": "tracert",
    "tracepath HOST": "tracert HOST",
    "`tracepath HOST` or `mtr HOST`": "`tracert HOST`",
    "`tracepath` or `mtr`": "`tracert`",
}
HERE = {"darwin": MACOS, "win32": WINDOWS}
# Commands of every system, and of macOS beside its own
EVERYWHERE = re.compile(r"pynetstat|ping|backlog|default|GATEWAY")
UNIX = re.compile(r"dig |ulimit|kill |tcpdump|mtr")
# What Linux alone has: settings of its kernel, and of systemd
LINUX_ALONE = re.compile(
    r"\bsysctl net\.|\bnet\.(?:ipv4|core|netfilter)|/proc/|NO-CARRIER|LimitNOFILE|INCOMPLETE"
)
LINUX_ALONE_TOO = re.compile(r"resolv\.conf|NetworkManager|systemd|\bRPS\b|fq_codel|state T ")


def advice_for(text: str | None, system: str) -> str | None:
    """The advice of a rule as this system can follow it; None where nothing is left of it."""
    if text is None or system.startswith("linux"):
        return text
    known = HERE.get(system, MACOS)
    for words, there in known.items():
        if words.startswith(("`", "FAILED")):  # more than a command
            text = text.replace(words, there)
    sentences = (sentence_for(one, known, system) for one in re.split(r"(?<=\.) ", text))
    return " ".join(filter(None, sentences)) or None


def sentence_for(text: str, known: dict[str, str], system: str) -> str:
    """One sentence in the system's commands; nothing where it has none for it."""
    ours = {there.strip("`") for there in known.values()}
    for command in re.findall(r"`([^`]*)`", text):
        there = known.get(command, command)
        shared = EVERYWHERE.match(there) or (system != "win32" and UNIX.match(there))
        if not (there in ours or shared):
            return ""
        text = text.replace(f"`{command}`", f"`{there}`")
    return "" if LINUX_ALONE.search(text) or LINUX_ALONE_TOO.search(text) else text
