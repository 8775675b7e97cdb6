"""The program as it is sent to a host that does not have it."""

from __future__ import annotations

import marshal
import zlib
from functools import cache
from pathlib import Path

from .. import __version__

# What answers no request: the command line, screens, and what is sent in another way
LEFT_OUT = ("cli", "__main__.py", "keywords.py", "fleet", "overtime", "formats/layouts")
NEEDED = ("fleet/__init__.py", "fleet/answer.py")
OLDEST = 2  # of marshal's formats: every Python 3 reads it
VERSION = __version__


@cache
def packed_program() -> bytes:
    """The text of all modules, compressed: 250 kB. A host compiles what it imports, 28 ms; as
    code, for hosts with our own Python alone, it would be 650 kB and take us 740 ms."""
    folder = Path(__file__).parents[1]
    modules: dict[str, tuple[bool, str]] = {}
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if name.startswith(LEFT_OUT) and name not in NEEDED:
            continue
        words = ["pynetstat", *name.removesuffix(".py").split("/")]
        package = words[-1] == "__init__"
        dotted = ".".join(words[:-1] if package else words)
        modules[dotted] = (package, path.read_text("utf-8"))
    return zlib.compress(marshal.dumps(modules, OLDEST), 6)


@cache
def loader_text() -> bytes:
    return (Path(__file__).parent / "loader.py").read_bytes()
