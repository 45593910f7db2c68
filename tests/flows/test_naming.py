"""Flow runs are named by what they are asked for."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from typing import Any

import pytest

from flows.naming import NamedBy, named_after_clip


def by_source(asked: Mapping[str, Any]) -> str:
    return f"of {asked['source']}"


@pytest.mark.parametrize(("asked", "name"), [
    ({"source": "/clips/a b.mp4", "prompt": "neon"}, "edit a b · neon"),
    ({"image": "x.png", "prompt": ""}, "edit x"),
    ({"source": "x.mp4", "prompt": "a" * 50}, f"edit x · {'a' * 40}…"),
    ({"source": "x.mp4", "prompt": "{braces}"}, "edit x · {braces}"),
])
def test_a_run_is_named_after_its_clip_and_prompt(asked: dict[str, Any], name: str) -> None:
    assert named_after_clip("edit").format(**asked) == name


def test_a_name_goes_to_other_processes() -> None:
    for made in (pickle.loads(pickle.dumps(NamedBy(by_source))), copy.deepcopy(NamedBy(by_source))):
        assert made.format(source="x") == "of x"
