#!/usr/bin/python
"""A module for Ansible: what pynetstat lists on a host, as a result and as facts.

It only reads, so check mode gives the same. Its arguments are a file of JSON, named as the first
word (WANT_JSON); it prints one JSON object. It stands alone: nothing of pynetstat is imported.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

DOCUMENTATION = """
module: sockets
short_description: List network sockets, routes or interfaces of a host with pynetstat
description:
  - Runs pynetstat on the host and returns its records. Changes nothing.
  - pynetstat must be installed on the host.
options:
  options:
    description: The command line of pynetstat, as a list of words; the format is always json.
    type: list
    elements: str
    default: [-tuln]
  executable:
    description: The program to run; the host's own interpreter with -m pynetstat by default.
    type: str
  timeout:
    description: Seconds after which the run is ended.
    type: float
    default: 60
attributes:
  check_mode:
    support: full
"""

EXAMPLES = """
- name: What listens
  pynetstat.core.sockets:
    options: [-tlnp]
  register: listening

- name: Nothing listens on 6379
  ansible.builtin.assert:
    that: 6379 not in listening.sockets | map(attribute='local_port')
"""

RETURN = """
sockets:
  description: The records, one list for each listing (sockets, unix, routes, ...).
  type: list
incomplete:
  description: What could not be read, and why.
  type: list
ansible_facts:
  description: The whole document of pynetstat as the fact `pynetstat`.
  type: dict
"""

KNOWN = ("options", "executable", "timeout")


def main() -> int:
    """Print the result; 1 where the host gave none."""
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            result = run_module(json.load(file))
    except Failure as failure:
        result = {"failed": True, "changed": False, "msg": str(failure)}
    print(json.dumps(result))
    return 1 if result.get("failed") else 0


class Failure(Exception):
    """Why there is no result, for the user."""


def run_module(given: dict[str, Any]) -> dict[str, Any]:
    """The result of a run, from the module's arguments."""
    unknown = sorted(name for name in given if not name.startswith("_") and name not in KNOWN)
    if unknown:
        raise Failure(f"no such argument: {unknown[0]}; there are: {', '.join(KNOWN)}")
    words = given.get("options") or ["-tuln"]
    if isinstance(words, str):
        words = words.split()
    program = (
        [given["executable"]] if given.get("executable") else [sys.executable, "-m", "pynetstat"]
    )
    document = parsed(*answer(program + list(map(str, words)) + ["--format", "json"], given))
    lists = {name: value for name, value in document.items() if isinstance(value, (list, dict))}
    return {"changed": False, "ansible_facts": {"pynetstat": document}, **lists}


def answer(command: list[str], given: dict[str, Any]) -> tuple[bytes, bytes]:
    """What the program printed on stdout, and on stderr."""
    try:
        seconds = float(given.get("timeout") or 60)
    except (TypeError, ValueError):
        raise Failure("timeout takes a number of seconds") from None
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"pynetstat gave no answer within {seconds:g} seconds") from None
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}; install pynetstat there") from None
    return done.stdout, done.stderr


def parsed(out: bytes, err: bytes) -> dict[str, Any]:
    """The document that pynetstat printed; Failure with its own message where there is none."""
    try:
        document = json.loads(out.decode("utf-8"))
    except ValueError:
        document = None
    if isinstance(document, dict) and str(document.get("schema", "")).startswith("pynetstat/"):
        return document
    said = err.decode("utf-8", "replace").strip().splitlines()
    raise Failure(ascii(said[-1])[1:-1][:300] if said else "pynetstat gave no document of JSON")


if __name__ == "__main__":
    sys.exit(main())
