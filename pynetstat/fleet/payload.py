"""The program as it is sent to a host that does not have it."""

from __future__ import annotations

import marshal
import zlib
from functools import cache
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any

from .. import __version__

# What answers no request: the command line, screens, and what is sent in another way
LEFT_OUT = ("cli", "__main__.py", "keywords.py", "fleet", "overtime", "formats/layouts")
NEEDED = ("fleet/__init__.py", "fleet/answer.py")
OLDEST = 2  # of marshal's formats: every Python 3 reads it
VERSION = __version__


@cache
def packed_program(magic: str) -> bytes:
    """All modules, compressed: for a Python of the same bytecode as ours as code, which starts
    in 60 ms where the text takes 350; for any other as text."""
    folder = Path(__file__).parents[1]
    same = magic == MAGIC_NUMBER.hex()
    modules: dict[str, tuple[bool, Any]] = {}
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if name.startswith(LEFT_OUT) and name not in NEEDED:
            continue
        words = ["pynetstat", *name.removesuffix(".py").split("/")]
        package = words[-1] == "__init__"
        dotted = ".".join(words[:-1] if package else words)
        text = path.read_text("utf-8")
        code = compile(text, f"<{dotted}>", "exec", dont_inherit=True) if same else text
        modules[dotted] = (package, code)
    return zlib.compress(marshal.dumps(modules, marshal.version if same else OLDEST), 6)


@cache
def loader_text() -> bytes:
    return (Path(__file__).parent / "loader.py").read_bytes()
