"""iphlpapi.dll, by ctypes: its answers as bytes. The library is loaded when a call is made."""

from __future__ import annotations

from typing import Any

TRIES = 10  # a table may grow between the question for its size and the question for itself

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


def statistics_structure(name: str, size: int, family: int) -> bytes | None:
    """A structure of counters; None where this Windows has no such call."""
    import ctypes

    call = getattr(iphlpapi(), name, None)
    if call is None:
        return None
    buffer = ctypes.create_string_buffer(size)
    checked(call(buffer, family))
    return buffer.raw


def adapter_list() -> tuple[bytes, int, int]:
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
