"""--save and --diff: what is listed now as a file, and how it differs from such a file."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from .. import formats
from ..kernel.proc import reason
from ..listing import Stop
from ..options import Options
from ..outcome import ignore
from ..plan import Plan
from ..run import now, put, rounds
from ..run import show as show_listing
from .changes import MOVING, Change, Row, changes_section, compared, identity_of

LARGEST = 1 << 30  # bytes of a snapshot that is read: 2,000,000 sockets
TROUBLE = 2  # the exit status of --diff where it cannot compare, as diff has it


def show_snapshot(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None] = ignore,
    progress: Callable[[str], None] = ignore,
    show: Callable[..., int] = show_listing,
) -> int:
    """Compare with a snapshot, save one, or both; the exit status."""
    Plan(options)  # what makes no sense is said of the options as they were given
    plain = options.replace(save=None, diff=None, fail_on_change=False)
    if options.diff is None:
        return save_rounds(plain, str(options.save), warn, progress, show)
    plan = Plan(plain.replace(format="json", columns=(), sort=(), header=True))
    try:
        old = snapshot_of(read_file(options.diff), options.diff, warn)
        needed(plan, options.diff, old)
    except Stop as stop:
        warn(stop.message)
        return stop.status
    text = io.BytesIO()
    status = show(plan.options, text, warn, progress)
    new = json.loads(text.getvalue())
    silent = {one["host"] for one in new["incomplete"] if one["what"] == "host"}
    if status and not options.fail_if_empty:
        for missing in new.get("incomplete", ()):
            if missing["what"] == "table":
                return TROUBLE
    try:
        changes = list(differences(plan, options, without_hosts(old, silent), new))
    except Stop as stop:
        warn(stop.message)
        return stop.status
    render = formats.find_renderer(options.replace(columns=()))
    shown = options.replace(columns=())
    for piece in render([changes_section(changes, plan.listings, options.columns)], shown, list):
        put(out, piece)
    put(out, flush=True)
    if options.save is not None:
        write_file(options.save, text.getvalue())
    if silent:
        return TROUBLE
    return 1 if changes and options.fail_on_change else 0


def save_rounds(
    options: Options,
    path: str,
    warn: Callable[[str], None],
    progress: Callable[[str], None],
    show: Callable[..., int],
) -> int:
    """The output of each round as the file; json where no format was named."""
    if options.format == "classic":
        options = options.replace(format="json")
    status = 0
    once = options.replace(continuous=False, rounds=None, interval=1.0)
    for _ in rounds(Plan(options.replace(format="json")).options):
        text = io.BytesIO()
        status = show(once, text, warn, progress)
        write_file(path, text.getvalue())
        if status:
            break
    return status


def without_hosts(document: dict[str, Any], hosts: set[str]) -> dict[str, Any]:
    """The snapshot without the rows of these hosts, of which nothing is known now."""
    return {
        name: [row for row in rows if not isinstance(row, dict) or row.get("host") not in hosts]
        if hosts and isinstance(rows, list)
        else rows
        for name, rows in document.items()
    }


def differences(
    plan: Plan, options: Options, old: dict[str, Any], new: dict[str, Any]
) -> Iterator[Change]:
    """Listing by listing. Fields of --columns count as changes even where they move."""
    moment = now()
    for listing in {one.name: one for one in plan.listings}.values():
        before, after = rows_of_listing(old, listing.name), rows_of_listing(new, listing.name)
        if before is None or after is None:
            continue  # it could not be read
        identity = identity_of(listing)
        saved = {name for row in before for name in row}  # --columns may have left some out
        needed_fields = [name for name in identity if name not in ("host", "netns")]
        if saved and not saved.issuperset(needed_fields):
            names_of_them = ", ".join(needed_fields)
            why = f"its {listing.name} cannot be told apart without the fields {names_of_them}"
            raise Stop(f"pynetstat: {options.diff}: {why}; save it without --columns", TROUBLE)
        fields = [name for name in listing.record._fields if not saved or name in saved]
        names = [name for name in fields if name not in MOVING or name in options.columns]
        for event, row, previous in compared(before, after, identity, names):
            yield Change(event, moment, listing.name, row, previous)


def needed(plan: Plan, path: str, old: dict[str, Any]) -> None:
    """Stop where the snapshot has not what is to be compared."""
    for listing in plan.listings:
        if listing.name not in old:
            why = f"it has no {listing.name}; compare with a snapshot saved by the same options"
            raise Stop(f"pynetstat: {path}: {why}", TROUBLE)


def rows_of_listing(document: dict[str, Any], name: str) -> list[Row] | None:
    """The rows of a listing: none where there was no such table, None where it was not read."""
    found = document.get(name)
    if found is None and not any(
        one.get("what") == "table" for one in document.get("incomplete", ())
    ):
        return []
    if name == "statistics" and isinstance(found, dict):
        return [
            {"section": section, "name": counter, "value": value}
            for section, counters in found.items()
            for counter, value in counters.items()
        ]
    return found


def snapshot_of(text: bytes, path: str, warn: Callable[[str], None]) -> dict[str, Any]:
    """What --save has written; Stop for anything else."""
    try:
        document = json.loads(text)
        fine = str(document["schema"]).startswith("pynetstat/")
        for name, rows in document.items():
            if isinstance(rows, list):
                fine = fine and all(isinstance(row, dict) for row in rows)
            elif name == "statistics" and rows is not None:
                fine = fine and all(isinstance(counters, dict) for counters in rows.values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        fine = False
    if not fine:
        why = "this is no snapshot; `--save FILE' writes one"
        raise Stop(f"pynetstat: {path}: {why}", TROUBLE) from None
    for missing in document.get("incomplete", ()):
        if missing.get("what") == "table":
            warn(f"pynetstat: {path}: the snapshot is incomplete: {missing.get('reason')}")
    return dict(document)


def read_file(path: str) -> bytes:
    try:
        # a FIFO without a writer is not waited for
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Stop(f"pynetstat: {path}: this is not a file", TROUBLE)
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise Stop(f"pynetstat: {path}: {reason(error)}", TROUBLE) from error
    if len(text) > LARGEST:
        raise Stop(f"pynetstat: {path}: larger than {LARGEST >> 20} MiB", TROUBLE)
    return text


def write_file(path: str, text: bytes) -> None:
    """The whole file or nothing: written aside, then renamed. The mode of a file that is there
    stays; a new one has what the umask allows."""
    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise Stop(f"pynetstat: {path}: this is not a file", 1)
    if hasattr(os, "O_TMPFILE"):
        with contextlib.suppress(OSError):  # not every file system has files without a name
            return write_nameless(path, text)
    name = ""
    try:
        handle, name = tempfile.mkstemp(prefix=".pynetstat-", dir=os.path.dirname(path))
        fill_file(handle, path, text)
        os.replace(name, path)
        name = ""
    except OSError as error:
        raise Stop(f"pynetstat: {path}: {reason(error)}") from error
    finally:
        if name:
            with contextlib.suppress(OSError):
                os.unlink(name)


def write_nameless(path: str, text: bytes) -> None:
    """A file without a name while it is written: if we are killed, the kernel frees it. It has a
    hidden name only between two system calls; that name is always the same, so that the next
    save removes what a kill between them has left."""
    folder, base = os.path.split(path)
    hidden = os.path.join(folder, f".pynetstat-{base}")
    handle = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
    try:
        fill_file(os.dup(handle), path, text)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(hidden)
        # Python follows the link in /proc only where a folder is named, which an absolute path
        # does not use
        os.link(f"/proc/self/fd/{handle}", hidden, src_dir_fd=handle, follow_symlinks=True)
        os.replace(hidden, path)
    finally:
        os.close(handle)


def fill_file(handle: int, path: str, text: bytes) -> None:
    """Write the text to the disk, with the mode that `path` has; the handle is closed."""
    with open(handle, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), mode_for(path))


def mode_for(path: str) -> int:
    with contextlib.suppress(OSError):
        return stat.S_IMODE(os.stat(path).st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
