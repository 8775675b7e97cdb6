"""NamedTuple for what every start imports, and what records can do: be hashed, and become plain
values. (typing, which has NamedTuple too, takes 3 ms of 25 to import.)"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Maker(type):
    """Makes a named tuple of each class: its annotations are the fields, its values defaults."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        if not bases:
            return super().__new__(cls, name, bases, body)
        fields = body["__annotations__"]
        defaults = [body[field] for field in fields if field in body]
        module = body["__module__"]
        made = namedtuple(name, fields, defaults=defaults, module=module)  # type: ignore[misc]
        for key, value in body.items():
            if key not in fields and key not in ("__module__", "__qualname__"):
                setattr(made, key, value)
        return made


class NamedTuple(metaclass=Maker):
    """As typing.NamedTuple, where annotations are text (from __future__ import annotations)."""


def plain_form(value: Any) -> Any:
    """A record, and what lies within, as dicts, lists, numbers, text, booleans and None."""
    if hasattr(value, "_asdict"):
        return {name: plain_form(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {name: plain_form(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(plain_form, value))
    return value


def plain_dict(record: Any) -> dict[str, Any]:
    """A record as a dict of plain values, as JSON has it."""
    found: dict[str, Any] = plain_form(record)
    return found


def content_hash(value: Any) -> int:
    """The hash of a record by its values, of which some are lists and dicts."""
    return hash(frozen_form(tuple(value)))


def frozen_form(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((name, frozen_form(part)) for name, part in value.items())
    return tuple(map(frozen_form, value)) if isinstance(value, (list, tuple)) else value
