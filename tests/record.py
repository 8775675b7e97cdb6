"""Write what the real netstat prints over a capture: record.py tests/captures/NAME '-tuan' ...

Each text lands beside the capture's proc folder as `netstat -tuan.txt`; test_exact.py compares
it with ours. Needs net-tools 2.10; nothing on the machine is touched.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import etc

# In namespaces of its own: the capture's interfaces (setup), the capture over /proc, and names from
# the capture (etc) or from none, so that every machine writes the same.
SCRIPT = """
[ ! -e "$1/setup" ] || sh "$1/setup" || exit 1
mount --bind "$2" /etc
mount -t tmpfs none /proc && cp -a "$1"/proc/. /proc
shift 2
exec "$@"
"""


def unshare(*kinds: str) -> list[str]:
    """A command's prefix: in new namespaces of these kinds. Who is not root is that of a user
    namespace."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, *kinds]


def inside(capture: Path, command: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a command where the capture is the machine."""
    names = {path.name: path.read_bytes() for path in capture.glob("etc/*")}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        own = str(etc.write(Path(folder), names))
        whole = [*unshare("--mount", "--net"), "sh", "-c", SCRIPT, "-", str(capture), own, *command]
        return subprocess.run(whole, capture_output=True, env=environment(), timeout=30)


def environment() -> dict[str, str]:
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "LC_ALL": "C", "PYTHONPATH": str(Path(__file__).parents[1])}


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve()
    for options in sys.argv[2:]:
        done = inside(folder, ["netstat", *shlex.split(options)])
        sys.stderr.buffer.write(done.stderr)
        (folder / f"netstat {options}.txt").write_bytes(done.stdout)
        print(folder / f"netstat {options}.txt")
