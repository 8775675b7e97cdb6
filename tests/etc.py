"""An /etc of a test's own, so that names do not come from the machine: `mount --bind` it in a
private mount namespace."""

from __future__ import annotations

import shutil
from pathlib import Path

SOURCES = "hosts networks services protocols passwd group"
FILES = {
    "nsswitch.conf": "".join(f"{source}: files\n" for source in SOURCES.split()),
    **dict.fromkeys(SOURCES.split(), ""),
    "resolv.conf": "",
}


def write(folder: Path, files: dict[str, str | bytes | None]) -> Path:
    """The files that a C library reads: these, and the others without a name in them; None
    leaves a file out."""
    folder.mkdir(parents=True, exist_ok=True)
    for kept in Path("/etc").glob("ld.so.*"):  # where the machine's programs have their libraries
        if kept.is_file():
            shutil.copy(kept, folder)
    for name, text in {**FILES, **files}.items():
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder
