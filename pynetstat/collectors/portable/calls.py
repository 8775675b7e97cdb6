"""The calls to macOS and Windows, by ctypes: what they answer, as bytes, and nothing more.

No module but this one loads a library of the system, and only when a call is made.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

TRIES = 10  # a table may grow between the question for its size and the question for itself

# macOS


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


# Windows (iphlpapi.dll)

AF_UNSPEC = 0
BUFFER_OVERFLOW = 111
FORWARD_ROW = 104  # bytes of a MIB_IPFORWARD_ROW2


def iphlpapi() -> Any:
    import ctypes

    return ctypes.WinDLL("iphlpapi")  # type: ignore[attr-defined,unused-ignore]


def forward_table() -> bytes:
    """GetIpForwardTable2(): the number of its rows, and from byte 8 on the rows."""
    import ctypes

    library = iphlpapi()
    place = ctypes.c_void_p()
    checked(library.GetIpForwardTable2(AF_UNSPEC, ctypes.byref(place)))
    try:
        count = ctypes.c_uint32.from_address(place.value or 0).value
        return ctypes.string_at(place, 8 + count * FORWARD_ROW)
    finally:
        library.FreeMibTable(place)


def statistics(name: str, size: int, family: int) -> bytes | None:
    """A structure of counters; None where this Windows has no such call."""
    import ctypes

    call = getattr(iphlpapi(), name, None)
    if call is None:
        return None
    buffer = ctypes.create_string_buffer(size)
    checked(call(buffer, family))
    return buffer.raw


def adapters() -> tuple[bytes, int, int]:
    """GetAdaptersAddresses(): its bytes, the address they stood at, the size of a pointer."""
    import ctypes

    call = iphlpapi().GetAdaptersAddresses
    size = ctypes.c_uint32(15000)
    for _ in range(TRIES):
        buffer = ctypes.create_string_buffer(size.value)
        code = call(AF_UNSPEC, 0, None, buffer, ctypes.byref(size))
        if code != BUFFER_OVERFLOW:
            break
    checked(code)
    return buffer.raw, ctypes.addressof(buffer), ctypes.sizeof(ctypes.c_void_p)


def checked(code: int) -> None:
    """An error number of Windows as the exception that the collectors know."""
    if code:
        raise OSError(f"Windows error {code}")
