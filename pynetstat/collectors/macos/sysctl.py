"""sysctl(3), by ctypes: its answer as bytes. The library is loaded when a call is made."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

TRIES = 10  # a table may grow between the question for its size and the question for itself


def sysctl(name: str | tuple[int, ...]) -> bytes:
    """The value of a sysctl, by its name or its numbers; OSError where it is refused."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def ask(buffer: Any, size: Any) -> int:
        length = ctypes.c_size_t(size.value)
        if isinstance(name, str):
            failed = libc.sysctlbyname(name.encode(), buffer, ctypes.byref(length), None, 0)
        else:
            numbers = (ctypes.c_int * len(name))(*name)
            failed = libc.sysctl(numbers, len(name), buffer, ctypes.byref(length), None, 0)
        size.value = length.value
        return ctypes.get_errno() if failed else 0

    return grown(ask)


class Size:
    """How much there is, or how much there was."""

    value = 0


def grown(ask: Callable[[Any, Size], int]) -> bytes:
    """`ask(buffer, size)` fills in the size and gives an errno; asked again while the answer
    has outgrown what it was to go into."""
    import ctypes

    size = Size()
    for _ in range(TRIES):
        size.value = 0
        code = ask(None, size)
        if not code:
            size.value += size.value // 8 + (16 << 10)
            buffer = ctypes.create_string_buffer(size.value)
            code = ask(buffer, size)
            if not code:
                return buffer.raw[: size.value]
        if code != errno.ENOMEM:
            break
    raise OSError(code, os.strerror(code))
