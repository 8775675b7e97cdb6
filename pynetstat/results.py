"""What the functions of the Python API give: records in a list."""

from __future__ import annotations

from typing import Any, TypeVar

from .tuples import plain_form

R = TypeVar("R")


class Records(list[R]):
    """A list of records, with `to_dicts()`."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Each record as a dict of plain values, as JSON has it."""
        found: list[dict[str, Any]] = [plain_form(record) for record in self]
        return found
