"""--engine ansible: the same question carried by Ansible, to wherever that has a connection."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..options import Misuse
from .check import Untrue
from .payload import loader_text, packed_program
from .ssh import Call, Lost, last_words

HOST = "@HOST@"
PYTHON = (
    "{{ ansible_python_interpreter if ansible_python_interpreter is defined and not"
    " (ansible_python_interpreter is match('auto')) else 'python3' }}"
)
POLL = 0.1  # seconds between looks for results


def asking_script(call: Call) -> bytes:
    """The loader with its standard input in itself; the host's name is its argument."""
    order = {**call.order, "request": with_name(call.order["request"], HOST)}
    whole = packed_program()
    given = json.dumps(order).encode() + b"\n%d\n%s" % (len(whole), whole)
    data = base64.b64encode(given).decode()
    return b"".join((
        b"import base64, io, json, sys\n",
        f'given = base64.b64decode("{data}")\n'.encode(),
        f"name = json.dumps(sys.argv.pop(1)).encode()\n"
        f"given = given.replace(b'\"{HOST}\"', name, 1)\n"
        "class Input:\n    buffer = io.BytesIO(given)\n"
        "sys.stdin = Input()\n".encode(),
        loader_text(),
    ))  # fmt: skip


def with_name(request: dict[str, Any], name: str) -> dict[str, Any]:
    return {**request, "options": {**request["options"], "host": [name]}}


class Engine:
    """One run of `ansible`, which has its own concurrency; a result file for each host."""

    def __init__(self, calls: Sequence[Call], forks: int, inventory: str | None) -> None:
        self.program = shutil.which("ansible") or ""
        if not self.program:
            raise Misuse("--engine ansible needs ansible: install ansible-core")
        self.calls = {call.host.name: call for call in calls}
        self.forks, self.inventory = forks, inventory
        self.process: Any = None
        self.folder: Any = None

    def results(self) -> Iterator[tuple[Call, str]]:
        """Each call as its result comes, with the reason if there is no answer."""
        self.folder = tempfile.TemporaryDirectory(prefix="pynetstat-")
        try:
            tree = Path(self.folder.name) / "tree"
            said = self.start(tree)
            left = dict(self.calls)
            running = True
            while left and running:
                running = self.process.poll() is None
                for name in list(left):
                    path = tree / name
                    if path.exists() and (text := whole_text(path)) is not None:
                        call = left.pop(name)
                        yield call, verdict_of(call, text)
                if left and running:
                    time.sleep(POLL)
            why = last_words(said.read_bytes().decode("utf-8", "replace").strip())
            for call in left.values():
                advice = f"try `ansible {call.host.name} -m ping'"
                yield call, f"Ansible has no result of it{why}; {advice}"
        finally:
            self.end()

    def start(self, tree: Path) -> Path:
        """Start `ansible`; the file with what it says."""
        folder = Path(self.folder.name)
        first = next(iter(self.calls.values()))
        mark = first.mark
        for call in self.calls.values():
            call.mark = mark  # one script asks them all
        script = folder / "ask.py"
        script.write_bytes(asking_script(first))
        names = folder / "names"
        names.write_text("".join(f"{name}\n" for name in self.calls))
        inventory = self.inventory or str(names)
        arguments = {"cmd": f"{script} {{{{ inventory_hostname }}}}", "executable": PYTHON}
        words = [self.program, "all", "-i", inventory, "-l", f"@{names}", "-f", str(self.forks)]
        words += ["-m", "ansible.builtin.script", "-a", json.dumps(arguments), "-t", str(tree)]
        environment = {
            **os.environ,
            "ANSIBLE_TASK_TIMEOUT": str(max(int(first.seconds), 1)),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": os.environ.get("LC_ALL") or "C.UTF-8",
        }
        said = folder / "said"
        with open(said, "wb") as file:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                env=environment,
            )
        return said

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()  # it ends its own children
        if self.folder:
            self.folder.cleanup()

    def end(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            self.process.kill()
            self.process.wait()
        if self.folder:
            self.folder.cleanup()
            self.folder = None


def whole_text(path: Path) -> dict[str, Any] | None:
    """The result in a file, or None while it is being written."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def verdict_of(call: Call, result: dict[str, Any]) -> str:
    """Why there is no answer in this result, or nothing; the answer is entered."""
    out, err = str(result.get("stdout") or ""), str(result.get("stderr") or "")
    message = str(result.get("msg") or "")
    try:
        call.feed(out.encode("utf-8", "replace") + b"\n")
    except Lost as lost:
        return str(lost)
    except Untrue as untrue:
        return f"{untrue}: its answer is not pynetstat's; none of it is shown"
    if call.ended:
        return ""
    call.complaint = f"{err}\n{message}".encode()
    return call.explained(int(result["rc"]) if isinstance(result.get("rc"), int) else 255)
