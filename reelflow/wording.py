"""What pydantic finds wrong with a value, in the words of who wrote it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

_WORDS = {
    "missing": "is missing",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "finite_number": "must be a number",
    "float_type": "must be a number", "float_parsing": "must be a number",
    "decimal_type": "must be a number", "decimal_parsing": "must be a number",
    "int_type": "must be a whole number", "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false", "bool_parsing": "must be true or false",
    "string_type": "must be text", "path_type": "must be text",
    "literal_error": "must be {expected}", "enum": "must be {expected}",
    "string_too_short": "must not be empty", "string_too_long": "must have {max_length} characters or less",
    "string_pattern_mismatch": "must begin with a letter or a digit, and go on with those, blanks, dots and dashes",
    "tuple_type": "must be a list", "list_type": "must be a list",
    "dict_type": "must be names with values (NAME: VALUE)", "model_type": "must be names with values (NAME: VALUE)",
    "model_attributes_type": "must be names with values (NAME: VALUE)",
}


def reworded(found: Mapping[str, Any], *, known: Iterable[str] = ()) -> str:
    """One of the errors that `ValidationError.errors` gives, as what is said behind the field's name.

    `known` are the fields that there are, for a name that is none of them.
    """
    if found["type"] == "extra_forbidden":
        return f"there is no such field{nearest(str(found['loc'][-1]), known)}"
    if found["type"] in _WORDS:
        return _WORDS[found["type"]].format(**{
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in found.get("ctx", {}).items()})
    said: str = found["msg"]
    return said.removeprefix("Value error, ").removeprefix("Assertion failed, ").rstrip(".")


def nearest(name: str, known: Iterable[str]) -> str:
    """Which of those that there are may have been meant, as the end of a sentence; empty where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f". Did you mean {near[0]}?" if near else ""
