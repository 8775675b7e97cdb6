"""A Windows Python under wine, for test_wine.py: winpy.py FOLDER

Needs (Debian): wine wine64 gcc-mingw-w64-x86-64-win32, and PyPI. python.org's own libraries come
from the wheel of panda3d, which carries them for programs that it packs; the pure part of the
standard library is that of the Python which runs this, so that both are of one version.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

MINOR = sys.version_info[1]
DLL = f"python3{MINOR}.dll"
COMPILER = "x86_64-w64-mingw32-gcc"
OBJDUMP = "x86_64-w64-mingw32-objdump"
NEEDED = ("wine", "wineserver", COMPILER, OBJDUMP)
PURE = ["psutil", "click", "tabulate", "colorama", "pytest", "hypothesis"]
UNWANTED = (
    "site-packages",
    "test",
    "lib-dynload",
    "idlelib",
    "tkinter",
    "config-3*",
    "__pycache__",
)

# A program that is nothing but a call of Py_Main()
PROGRAM = f"""
#include <windows.h>
int wmain(int count, wchar_t **words) {{
    HMODULE library = LoadLibraryW(L"{DLL}");
    if (!library) return 9;
    return ((int (*)(int, wchar_t **))(void *)GetProcAddress(library, "Py_Main"))(count, words);
}}
"""


def build(folder: Path) -> None:
    """The Windows Python in FOLDER/python, with what pynetstat and its tests need."""
    python = folder / "python"
    packages = python / "Lib" / "site-packages"
    wheels = folder / "wheels"
    (python / "DLLs").mkdir(parents=True)
    download(wheels, "panda3d", "--no-deps")
    download(wheels, *PURE)
    unpack_libraries(next(wheels.glob("panda3d-*.whl")), python)
    ignore = shutil.ignore_patterns(*UNWANTED)
    shutil.copytree(sysconfig.get_paths()["stdlib"], python / "Lib", ignore=ignore)
    packages.mkdir()
    for wheel in wheels.iterdir():
        if not wheel.name.startswith("panda3d"):
            zipfile.ZipFile(wheel).extractall(packages)
    stable_library(folder, python)
    compiled(folder / "main.c", PROGRAM, "-municode", "-O1", "-o", str(python / "python.exe"))


def download(wheels: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:"]
    command += ["--platform", "win_amd64", "--python-version", f"3.{MINOR}", "-d", str(wheels)]
    subprocess.run([*command, *arguments], check=True)


def unpack_libraries(wheel: Path, python: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    for name in archive.namelist():
        folder, _, base = name.partition("/")
        if folder != "deploy_libs":
            continue
        if base.lower() in (DLL, "vcruntime140.dll"):
            (python / base).write_bytes(archive.read(name))
        elif base.endswith(".pyd") or base.startswith(("libffi", "libcrypto", "libssl", "sqlite3")):
            (python / "DLLs" / base).write_bytes(archive.read(name))


def stable_library(folder: Path, python: Path) -> None:
    """python3.dll, which extensions for every version ask for: it hands all on to the real one."""
    listing = subprocess.run(
        [OBJDUMP, "-p", str(python / DLL)], check=True, capture_output=True, text=True
    ).stdout
    table = listing.partition("[Ordinal/Name Pointer] Table")[2].partition("\n\n")[0]
    names = {line.split()[-1] for line in table.splitlines()[1:]}
    exports = [f"  {name} = python3{MINOR}.{name}" for name in sorted(names) if "Py" in name[:3]]
    definition = folder / "python3.def"
    definition.write_text("LIBRARY python3.dll\nEXPORTS\n" + "\n".join(exports) + "\n")
    source = "int DllMain(void *a, unsigned b, void *c) { return 1; }"
    flags = ("-shared", "-nostdlib", "-e", "DllMain", "-o", str(python / "python3.dll"))
    compiled(folder / "python3.c", source, *flags, str(definition))


def compiled(path: Path, source: str, *arguments: str) -> None:
    path.write_text(source)
    subprocess.run([COMPILER, str(path), *arguments], check=True)


def environment(folder: Path) -> dict[str, str]:
    """wine without a screen, with its files in the folder."""
    quiet = {"WINEPREFIX": str(folder / "prefix"), "WINEDEBUG": "-all"}
    return {**os.environ, **quiet, "WINEDLLOVERRIDES": "mscoree=,mshtml="}


if __name__ == "__main__":
    build(Path(sys.argv[1]))
