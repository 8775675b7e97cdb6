"""Which hosts are asked: --host, --hosts and --inventory."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from ..kernel.proc import reason
from ..options import Misuse, Options
from ..text import printable_text

# What ssh takes as a destination: a name, user@name, an address, ssh://user@name:port
NAME = re.compile(r"(ssh://)?[\w.+%:~\[\]-]*@?[\w.%:\[\]-]+/?", re.ASCII)
LONGEST = 255
MOST = 10_000  # hosts
LARGEST = 1 << 26  # bytes of a list of hosts, or of an inventory
PATIENCE = 60.0  # seconds for ansible-inventory


class Host(NamedTuple):
    """A host: the name in its rows, and where ssh finds it. What is empty ssh decides by its own
    configuration. `become` is the user whom sudo makes us there."""

    name: str
    address: str
    user: str = ""
    port: str = ""
    key: str = ""
    python: str = ""
    become: str = ""


def asked_hosts(options: Options) -> list[Host]:
    """Every host once, in the order in which they are named. Misuse where there is none."""
    if options.inventory is not None:
        if options.hosts is not None:
            raise Misuse("--hosts and --inventory exclude each other")
        found = inventory_hosts(read_inventory(options.inventory), options.host)
    else:
        names = [*options.host, *(names_in_file(options.hosts) if options.hosts else ())]
        found = [Host(name, name) for name in dict.fromkeys(names)]
    for host in found:
        check_host(host)
    if not found:
        raise Misuse("there is no host to ask; --host, --hosts or --inventory name some")
    if len(found) > MOST:
        raise Misuse(f"{len(found):,} hosts; at most {MOST:,} can be asked at a time")
    return found


def check_host(host: Host) -> None:
    """Misuse for what ssh would take for an option, or no shell or terminal should see."""
    for text in (host.name, host.address, host.user):
        if text and (not NAME.fullmatch(text) or len(text) > LONGEST or is_option(text)):
            raise Misuse(f"`{printable_text(text[:80])}' is no name of a host")
    if host.port and not host.port.isdecimal():
        raise Misuse(f"{host.name}: `{printable_text(host.port[:80])}' is no port")
    for text in (host.key, host.python, host.become):
        if text.startswith("-") or not text.isprintable():
            raise Misuse(f"{host.name}: `{printable_text(text[:80])}' is no value of an inventory")


def is_option(text: str) -> bool:
    plain = text.removeprefix("ssh://")
    return plain.startswith("-") or "@-" in plain


def names_in_file(path: str) -> list[str]:
    """The first word of each line; `#` begins a comment."""
    try:
        if path == "-":
            text = sys.stdin.buffer.read(LARGEST)
        else:
            with open(path, "rb") as file:
                text = file.read(LARGEST)
    except OSError as error:
        raise Misuse(f"{printable_text(path)}: {reason(error)}") from error
    lines = text.decode("utf-8", "replace").splitlines()
    words = [line.partition("#")[0].split() for line in lines]
    return [line[0] for line in words if line]


# The inventory


def read_inventory(path: str) -> Mapping[str, Any]:
    """What `ansible-inventory --list` makes of it."""
    program = shutil.which("ansible-inventory")
    if program is None:
        raise Misuse("--inventory needs ansible-inventory: install ansible-core, or use --hosts")
    command = [program, "-i", path, "--list"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE
        )
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise Misuse(f"ansible-inventory: no answer within {PATIENCE:g} seconds") from None
    except ValueError:
        found = None
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode or not isinstance(found, dict) or not found.get("all"):
        why = printable_text(said[-1][:300]) if said else "it gave no inventory"
        raise Misuse(f"ansible-inventory: {why}")
    return found


def inventory_hosts(found: Mapping[str, Any], patterns: Iterable[str]) -> list[Host]:
    """The hosts that the patterns choose, as Ansible reads them: names and groups with * and ?;
    `!` before one takes its hosts away, `&` keeps those alone. Without a pattern all."""
    groups: dict[str, list[str]] = {}

    def members(group: str, above: tuple[str, ...] = ()) -> list[str]:
        if group not in groups and group not in above:
            given = found.get(group) or {}
            names = list(given.get("hosts") or ())
            for child in given.get("children") or ():
                names += members(child, (*above, group))
            groups[group] = list(dict.fromkeys(names))
        return groups.get(group, [])

    for group in found:
        if group != "_meta":
            members(group)
    facts = (found.get("_meta") or {}).get("hostvars") or {}
    every = list(dict.fromkeys([*members("all"), *facts]))

    def meant(pattern: str) -> list[str]:
        named = [one for group in groups if fnmatchcase(group, pattern) for one in groups[group]]
        named += [one for one in every if fnmatchcase(one, pattern)]
        if pattern == "all":
            named = every
        if not named:
            raise Misuse(f"no host or group `{printable_text(pattern[:80])}' in the inventory")
        return named

    words = [word for text in patterns for word in text.split(":") if word] or ["all"]
    chosen: dict[str, None] = {}
    plain = [word for word in words if word[0] not in "!&"]
    for word in plain or ["all"]:
        chosen |= dict.fromkeys(meant(word))
    for word in words:
        if word[0] == "&":
            chosen = {one: None for one in chosen if one in set(meant(word[1:]))}
    for word in words:
        if word[0] == "!":
            gone = set(meant(word[1:]))
            chosen = {one: None for one in chosen if one not in gone}
    return [host_of_inventory(name, facts.get(name) or {}) for name in chosen]


def host_of_inventory(name: str, facts: Mapping[str, Any]) -> Host:
    """The host as its variables describe it; those of its groups have been merged by --list."""

    def fact(*names: str) -> str:
        return next((str(facts[one]) for one in names if facts.get(one) is not None), "")

    become = fact("ansible_become").lower() in ("true", "yes", "1")
    method = fact("ansible_become_method") or "sudo"
    if become and method not in ("sudo", "ansible.builtin.sudo"):
        raise Misuse(f"{name}: become method `{printable_text(method[:80])}'; only sudo is known")
    python = fact("ansible_python_interpreter")
    return Host(
        name,
        fact("ansible_host", "ansible_ssh_host") or name,
        fact("ansible_user", "ansible_ssh_user"),
        fact("ansible_port", "ansible_ssh_port"),
        fact("ansible_ssh_private_key_file", "ansible_private_key_file"),
        "" if python.startswith("auto") else python,
        (fact("ansible_become_user") or "root") if become else "",
    )
