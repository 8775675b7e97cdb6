"""NamedTuple for what every start imports. typing, which has it too, takes 3 ms of 25 to import."""

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
