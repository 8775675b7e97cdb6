"""Every listing's JSON against the schema: live, and over all captures."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from runner import invoke

from pynetstat import collectors
from pynetstat.cli import main

SCHEMA: dict[str, Any] = json.loads(files("pynetstat").joinpath("schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CAPTURES = sorted((Path(__file__).parent / "captures").glob("*/proc"))
LISTINGS = [
    "-tuwUSxapn", "-aeoN", "-r", "-r6", "-rC", "-r46FC", "-i", "-iae", "-g", "-s", "-s6", "-M",
    "-r --ax25", "-r --netrom", "-r --rose", "-r --ipx", "-r --x25", "-r --ddp",
    "-a --ax25 --ipx --netrom --rose --x25", "-ta --count-by state", "-ta --columns proto,state",
]  # fmt: skip


def document(*options: str) -> dict[str, Any]:
    result = invoke(main, [*options, "--json", "--resolve-timeout", "0.2"])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_schema_is_one() -> None:
    VALIDATOR.check_schema(SCHEMA)


def test_the_schema_knows_the_fields_of_every_record() -> None:
    for key in collectors.CATALOGUE:
        listing = collectors.find_listing(*key)
        if listing.name != "statistics":
            name = SCHEMA["properties"][listing.name]["items"]["$ref"].rpartition("/")[2]
            fields = ["host", *listing.record._fields]  # the first with --host alone
            assert list(SCHEMA["$defs"][name]["properties"]) == fields


@pytest.mark.parametrize("options", LISTINGS)
def test_live(options: str) -> None:
    VALIDATOR.validate(document(*options.split()))


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.parent.name)
def test_captures(capture: Path) -> None:
    rows = 0
    for options in LISTINGS:
        found = document(*options.split(), "--proc", str(capture))
        VALIDATOR.validate(found)
        if "--columns" not in options and "--count-by" not in options:
            rows += every_field_is_there(found)
    assert rows


def every_field_is_there(found: dict[str, Any]) -> int:
    rows = 0
    for name, records in found.items():
        reference = SCHEMA["properties"][name].get("items", {}).get("$ref", "")
        if reference and records is not None:
            fields = SCHEMA["$defs"][reference.rpartition("/")[2]]["properties"].keys()
            assert all({"host", *record} == fields for record in records), name
        rows += len(records) if isinstance(records, (list, dict)) else 0
    return rows
