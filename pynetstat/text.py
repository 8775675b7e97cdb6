"""Untrusted bytes and text: the kernel's bytes as text, and what a terminal may be given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    import re
    from typing import Any


# C0 and DEL, C1 (U+0080-U+009F), blanks other than the blank, bidirectional and invisible format
# characters, line and paragraph separators, and (as surrogates) the bytes that are not UTF-8.
@cache
def unsafe() -> re.Pattern[str]:
    """The pattern of those; compiled when first wanted, and re imported: 3 ms of a start of 18."""
    import re

    return re.compile(
        "[\x00-\x1f\x7f-\xa0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
        "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
        "\U00013430-\U00013440\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    )


MARKS = 4  # combining marks on one letter; no language writes more


def cleaned(text: str, replace: str | Callable[[re.Match[str]], str] = "?") -> str:
    """Text in which each unsafe character, and each mark too many on one letter, is replaced."""
    import re
    from unicodedata import category

    text = unsafe().sub(replace, text)
    marks = "".join({letter for letter in text if category(letter) in ("Mn", "Me")})
    return re.sub(f"(?<=[{marks}]{{{MARKS}}})[{marks}]", replace, text) if marks else text


def valid(text: str) -> str:
    """Text that Python has from the operating system, as valid UTF-8; a byte that is not
    UTF-8 becomes `\\xNN`."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text.encode("utf-8", "backslashreplace").decode()


def safe(text: str) -> str:
    """Text from the kernel (one character per byte) with everything that could move a cursor,
    forge a row or hide itself printed as `?`, one for one; printable UTF-8 stays."""
    if text.isascii() and text.isprintable():
        return text
    characters = text.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
    return cleaned(characters).encode("utf-8").decode("latin-1")


def safe_cells(cells: Iterable[Any]) -> list[str]:
    """The cells of an untrusted column; each distinct one that needs it is cleaned once."""
    texts = list(map(str, cells))
    together = "".join(texts)
    if together.isascii() and together.isprintable():
        return texts
    clean = {text: safe(text) for text in set(texts)}
    return [clean[text] for text in texts]


def decoded(field: Sequence[Any]) -> Sequence[Any]:
    """Text from the kernel (one character per byte) as the UTF-8 it was meant to be.

    A byte that is not UTF-8 becomes `\\xNN`: always valid, and still telling names apart.
    """
    try:
        if "".join(filter(None, set_of(field))).isascii():
            return field
    except TypeError:  # not text alone: records within records
        pass
    return [decode_nested(value) for value in field]


def set_of(field: Sequence[Any]) -> Iterable[Any]:
    """The distinct values, or all of them where they cannot be hashed."""
    try:
        return set(field)
    except TypeError:
        return field


def decode_nested(value: Any) -> Any:
    """One value with the text in it decoded, however deep it lies."""
    if isinstance(value, str):
        return value.encode("latin-1", "replace").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {decode_nested(key): decode_nested(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [decode_nested(part) for part in value]
        return parts if type(value) in (list, tuple) else tuple.__new__(type(value), parts)  # type: ignore[type-var]
    return value


def printable_text(text: str) -> str:
    """A message that repeats what somebody typed, without what a terminal would act upon."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
