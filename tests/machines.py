"""Machines to be asked: a real sshd on many loopback addresses, in a network and with an /etc of
its own. Names: web1, web2, ... (127.9.0.1, ...), and `silent`, where nobody listens."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import etc

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin") or ""
SETUP = """
set -e
mount --make-rprivate /
mount --bind "$1" /etc
mkdir -p /run/sshd
mount -t tmpfs -o mode=755 none /run/sshd
"$2" "$3"
exec "$4" -D -e -f "$5"
"""
PASSWD = """\
root:*:0:0:root:{home}:/bin/sh
sshd:*:105:65534::/run/sshd:/usr/sbin/nologin
"""
SERVER = """\
Port 22
ListenAddress 0.0.0.0
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized
PidFile none
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 500
PermitRootLogin yes
LogLevel ERROR
AcceptEnv *
"""
# The key exchange is named since the default one costs 0.14 s of a processor each time.
CLIENT = """\
Host * !denied
    IdentityFile {folder}/key
Host *
    KexAlgorithms curve25519-sha256
Host stranger
    HostName 127.9.1.1
    UserKnownHostsFile /dev/null
Host denied
    HostName 127.9.1.2
    IdentitiesOnly yes
    IdentityFile {folder}/other_key
    UserKnownHostsFile {folder}/home/.ssh/known_hosts
Host silent
    HostName 127.9.1.3
    Port 23
"""


class Machines:
    """The sshd, and how to run commands beside it."""

    def __init__(self, folder: Path, many: int) -> None:
        self.folder = folder
        self.names = [f"web{number}" for number in range(1, many + 1)]
        self.process: Any = None

    def write(self) -> None:
        folder = self.folder
        home = folder / "home"
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        for name in ("host_key", "key", "other_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True)
        shutil.copy(folder / "key.pub", folder / "authorized")
        (folder / "sshd_config").write_text(SERVER.format(folder=folder))
        (home / ".ssh" / "config").write_text(CLIENT.format(folder=folder))
        key = (folder / "host_key.pub").read_text()
        addresses = "127.9.0.*,127.9.1.2,web*,denied"
        (home / ".ssh" / "known_hosts").write_text(f"{addresses} {key}")
        hosts = [f"127.9.0.{number} web{number}" for number in range(1, len(self.names) + 1)]
        own = {
            "passwd": PASSWD.format(home=home),
            "group": "root:x:0:\n",
            "hosts": "127.0.0.1 localhost\n" + "".join(f"{line}\n" for line in hosts),
        }
        etc.write(folder / "etc", own)

    def start(self) -> None:
        tests = Path(__file__).parent
        words = [folder := str(self.folder / "etc"), sys.executable, str(tests / "loopback.py")]
        words += [SSHD, f"{self.folder}/sshd_config"]
        command = ["unshare", "--net", "--mount", "sh", "-c", SETUP, "-", *words]
        assert folder
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(command, stderr=log)
        for _ in range(200):
            done = self.run("ssh", "-oBatchMode=yes", "web1", "true")
            if done.returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError(f"{done.stderr}{(self.folder / 'log').read_text()}")

    def inside(self, *words: str) -> list[str]:
        return ["nsenter", "-t", str(self.process.pid), "--net", "--mount", "--", *words]

    def environment(self, **more: str) -> dict[str, str]:
        run = self.folder / "run"
        run.mkdir(mode=0o700, exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {**kept, "XDG_RUNTIME_DIR": str(run), "PYTHONPATH": str(Path(__file__).parents[1]),
                "HOME": str(self.folder / "home"), **more}  # fmt: skip

    def run(self, *words: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
        given = {"timeout": 120, "env": self.environment(), "stdin": subprocess.DEVNULL, **more}
        return subprocess.run(self.inside(*words), capture_output=True, **given)

    def ask(self, *words: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
        """What pynetstat prints there."""
        return self.run(sys.executable, "-m", "pynetstat", *words, **more)

    def stop(self) -> None:
        """End sshd, the connections that are shared, and all that they have started."""
        for path in (self.folder / "run").glob("pynetstat-ssh-*/*"):
            if path.is_socket():
                self.run("ssh", "-O", "exit", "-S", str(path), "web1")
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def machines(folder: Path, many: int = 50) -> Iterator[Machines]:
    found = Machines(folder, many)
    found.write()
    try:
        found.start()
        yield found
    finally:
        if found.process:
            found.stop()


if __name__ == "__main__":  # machines.py COMMAND...: by hand
    import tempfile

    with tempfile.TemporaryDirectory(prefix="m") as name, machines(Path(name)) as here:
        subprocess.run(here.inside(*sys.argv[1:]), env=here.environment())
