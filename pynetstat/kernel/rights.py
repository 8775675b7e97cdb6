"""What this user may see of other processes."""

from __future__ import annotations

import os
from contextlib import suppress

from .proc import small_file

# What it takes to look into every process: bits of the mask of capabilities. To look into
# folders of others CAP_DAC_OVERRIDE (1) serves as well.
CAPABILITIES = {"CAP_SYS_PTRACE": 1 << 19, "CAP_DAC_READ_SEARCH": 1 << 2 | 1 << 1}


def is_root() -> bool:
    return not hasattr(os, "geteuid") or os.geteuid() == 0


def lacking() -> str:
    """Why root may not look into every process, or nothing: CapEff of /proc/self/status tells its
    capabilities (many containers leave some out)."""
    with suppress(OSError, ValueError, IndexError):
        status = small_file("/proc/self/status").decode("latin-1")
        mask = int(status.partition("CapEff:")[2].split()[0], 16)
        missing = [name for name, bits in CAPABILITIES.items() if not mask & bits]
        if missing:
            return f"this root user lacks {' and '.join(missing)} to look into every process"
        if small_file("/proc/self/uid_map").split() != [b"0", b"0", b"4294967295"]:
            return "this root user is root of a user namespace, and may not look outside of it"
    return ""


def sees_every_process() -> bool:
    return is_root() and not lacking()
