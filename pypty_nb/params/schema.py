"""The JSON Schema (draft 2020-12) of a preset, made from the tables."""

from __future__ import annotations

import json
import math
from functools import singledispatch
from typing import Any

import numpy as np

from pypty_nb.params.fields import AXES, Array, Axes, Boolean, Choice, Field, Integer, Number, Numbers, Pairs, Path
from pypty_nb.params.storage import ABOUT, SCHEMA_VERSION
from pypty_nb.params.tables import TABLES
from pypty_nb.params.tables.aliases import ALIASES

Schema = dict[str, Any]


def preset_schema() -> Schema:
    """The schema of the whole file."""
    properties: dict[str, Schema] = {
        "schema_version": {"type": "integer", "minimum": 1, "maximum": SCHEMA_VERSION},
        ABOUT: {"type": "string", "description": "A sentence on the preset, for people."},
    }
    for table in TABLES:
        for name, field in table.fields().items():
            properties[name] = _property(field, table.title)
    for old, new in ALIASES.items():
        properties[old] = {"$ref": f"#/properties/{new}", "deprecated": True, "description": f"Older name of {new}."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pypty_nb preset",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": _definitions(),
    }


def as_text() -> str:
    """The schema as the package holds it in ``preset.schema.json``."""
    return json.dumps(preset_schema(), indent=1, ensure_ascii=False) + "\n"


def _property(field: Field, table: str) -> Schema:
    options = [*_kind(field), *(_word(word) for word in field.words)]
    if field.schedulable:
        options.append({"$ref": "#/$defs/schedule"})
    schema: Schema = {
        "title": field.label,
        "description": field.doc,
        **(options[0] if len(options) == 1 else {"anyOf": options}),
    }
    if not isinstance(field.default, np.ndarray):
        schema["default"] = "inf" if field.default == math.inf else field.default
    schema |= {"x-table": table, "x-level": field.level, "x-live": field.live}
    if field.unit:
        schema["x-unit"] = field.unit
    return schema


def _word(word: Any) -> Schema:
    return {"type": "null"} if word is None else {"const": "inf" if word == math.inf else word}


@singledispatch
def _kind(field: Field) -> list[Schema]:
    """What a field takes beside words and schedules."""
    raise TypeError(f"no schema is known for {type(field).__name__}")


@_kind.register
def _(field: Number) -> list[Schema]:
    schema: Schema = {"type": "integer" if isinstance(field, Integer) else "number"}
    low, high = field.bounds or (None, None)
    include_low, include_high = field.inclusive_bounds
    if low is not None:
        schema["minimum" if include_low else "exclusiveMinimum"] = low
    if high is not None:
        schema["maximum" if include_high else "exclusiveMaximum"] = high
    return [schema]


@_kind.register
def _(field: Boolean) -> list[Schema]:
    return [{"type": "boolean"}, {"enum": [0, 1]}]


@_kind.register
def _(field: Choice) -> list[Schema]:
    return [{"enum": [*field.choices, *field.aliases]}]


@_kind.register
def _(field: Axes) -> list[Schema]:
    name = f"-?({'|'.join(AXES)})"
    return [{"type": "string", "pattern": f"^({name}( *, *{name})*)?$"}]


@_kind.register
def _(field: Path) -> list[Schema]:
    return [{"type": "string"}]


@_kind.register
def _(field: Array) -> list[Schema]:
    array: Schema = {"$ref": "#/$defs/array", "description": "Shape " + " or ".join(f"({shape})" for shape in field.shapes)}
    return [array, {"type": "number", "minimum": 0}] if field.number else [array]


@_kind.register
def _(field: Numbers) -> list[Schema]:
    item: Schema = {"type": "integer" if field.integer else "number"}
    low, high = field.bounds
    item |= {key: value for key, value in (("minimum", low), ("maximum", high)) if value is not None}
    return [{"type": "array", "items": item, "minItems": field.length, "maxItems": field.length}]


@_kind.register
def _(field: Pairs) -> list[Schema]:
    positive: Schema = {"type": "number", "exclusiveMinimum": 0}
    pair = {"anyOf": [{"type": "null"}, {"type": "array", "items": positive, "minItems": 2, "maxItems": 2}]}
    return [positive, {"type": "array", "items": pair, "minItems": 2, "maxItems": 2}]


def _definitions() -> dict[str, Schema]:
    numbers = {"anyOf": [{"type": "number"}, {"type": "array", "items": {"$ref": "#/$defs/numbers"}}]}
    shape = {"type": "array", "items": {"type": "integer", "minimum": 0}}
    step = {"type": "array", "prefixItems": [{"type": "integer"}, {"type": ["number", "boolean", "string", "null"]}]}
    beside = {name: {"type": "string"} for name in ("file", "dataset", "dtype", "sha256")} | {"shape": shape}
    inline = {"values": {"type": "array", "items": {"type": "number"}}, "dtype": {"type": "string"}, "shape": shape}

    def exactly(properties: Schema) -> Schema:
        return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}

    return {
        "numbers": numbers,
        "array": {
            "description": "Nested lists, numbers with shape and dtype, or a reference to the HDF5 file beside the preset.",
            "anyOf": [
                {"type": "array", "items": {"$ref": "#/$defs/numbers"}},
                exactly({"array": exactly(beside)}),
                exactly({"array": exactly(inline)}),
            ],
        },
        "schedule": {
            "description": "A value for every epoch: an expression of one variable, or steps that hold from their epoch on.",
            "anyOf": [
                {"type": "string", "pattern": r"^\s*lambda\b", "maxLength": 1000},
                exactly({"schedule": {"type": "string", "maxLength": 1000}}),
                exactly({"steps": {"type": "array", "items": step, "minItems": 1}}),
            ],
        },
    }
