"""Write what the real netstat prints over a capture: record.py tests/captures/NAME '-tuan' ...

Each text lands beside the capture's proc folder as `netstat -tuan.txt`; test_exact.py compares
it with ours. Needs root and net-tools 2.10; nothing on the machine is touched.
"""

import shlex
import subprocess
import sys
from pathlib import Path

# In namespaces of its own: the capture over /proc, and names from files of the capture (etc)
# or from none, so that every machine writes the same.
SCRIPT = """
mount -t tmpfs none /proc && cp -a "$1"/proc/. /proc
for name in hosts services protocols networks passwd; do
    file="$1/etc/$name"
    [ -e "$file" ] || file=/dev/null
    [ ! -e "/etc/$name" ] || mount --bind "$file" "/etc/$name"
done
shift
exec netstat "$@"
"""


def record(capture: Path, command: str) -> bytes:
    inside = ["sh", "-c", SCRIPT, "-", str(capture.resolve()), *shlex.split(command)]
    done = subprocess.run(
        ["unshare", "--mount", "--net", *inside], stdout=subprocess.PIPE, env=environment()
    )
    return done.stdout


def environment() -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for options in sys.argv[2:]:
        (folder / f"netstat {options}.txt").write_bytes(record(folder, options))
        print(folder / f"netstat {options}.txt")
