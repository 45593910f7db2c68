"""The model table and the rules of its forms."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from reelflow.errors import BadInput
from reelflow.model_row import parse_row
from reelflow.models import ModelTable, Point, check_form
from reelflow.settings import read_settings

TABLE = ModelTable.standard()
PATH = (Point(0, 0.1, 0.1), Point(60, 0.9, 0.9))
NOTHING: dict[str, Any] = {
    "prompt": None, "has_reference_image": False, "seed": None, "resolution": None, "enhance_prompt": None,
    "self_anchor": None, "trajectory": None,
}

# The contract's table: name, frame, rate, USD per generated second (None: not published).
CONTRACT = [
    ("lucy-2.1", (1088, 624), 20, "0.04"), ("lucy-2.5", (1280, 720), 20, "0.04"), ("lucy-2.6", (1280, 720), 20, None),
    ("lucy-2.1-vton", (1088, 624), 20, "0.04"), ("lucy-vton-2", (1088, 624), 20, "0.04"),
    ("lucy-vton-3", (1088, 624), 20, "0.04"), ("lucy-vton-3.5", (1280, 720), 20, None),
    ("lucy-vton-3.6", (1280, 720), 20, None), ("lucy-restyle-2", (1280, 704), 22, "0.01"),
    ("lucy-motion", (1280, 704), 25, "0.03"), ("lucy-clip", (1280, 704), 25, "0.15"),
    ("lucy-image-2", (1280, 704), None, "0.02"),
]


@pytest.mark.parametrize(("name", "frame", "fps", "usd"), CONTRACT)
def test_a_row_says_what_the_contract_says(name: str, frame: tuple[int, int], fps: int | None, usd: str | None) -> None:
    row = TABLE[name]
    assert ((row.width, row.height), row.fps, row.usd) == (frame, fps, None if usd is None else Decimal(usd))


def test_the_table_has_the_contract_s_models_and_no_others() -> None:
    assert {row.name for row in TABLE} == {name for name, *_ in CONTRACT}


@pytest.mark.parametrize("alias", ["lucy-latest", "lucy-vton-latest", "lucy-restyle-latest", "lucy-clip-latest",
                                   "lucy-motion-latest", "lucy-image-latest"])
def test_a_rolling_alias_is_sent_as_it_is(alias: str) -> None:
    assert (TABLE[alias].name, TABLE[alias].rolling) == (alias, True)


@pytest.mark.parametrize("name", ["lucy-restyle-v2v", "lucy-pro-v2v", "lucy-pro-i2i"])
def test_a_deprecated_name_still_works(name: str) -> None:
    assert not TABLE[name].rolling


def test_an_unknown_model_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(BadInput, match=r"'lucy-restyl-2' is not known\. Did you mean lucy-restyle-2\?"):
        TABLE["lucy-restyl-2"]


def test_an_unlisted_name_can_be_used_with_a_row_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_MODELS", '{"lucy-9": {"like": "lucy-2.5", "fps": 24, "usd": "0.10"}}')
    row = read_settings().model_table["lucy-9"]
    assert (row.fps, row.width, row.price(2.5)) == (24, 1280, Decimal("0.2500"))


def test_a_settings_row_replaces_the_table_s_price() -> None:
    row = parse_row("lucy-2.6", {"like": "lucy-2.6", "usd": "0.05"})
    assert TABLE.with_rows({"lucy-2.6": row})["lucy-2.6"].usd == Decimal("0.05")


@pytest.mark.parametrize(("row", "told"), [
    ({"kind": "edit", "width": 1280, "height": 720}, "'fps' is missing"),
    ({"kind": "edit"}, "'width' is missing"),
    ({"kind": "sing", "width": 1280, "height": 720, "fps": 20}, "kind: must be 'edit', 'tryon'"),
    ({"like": "lucy-2.5", "width": 1281}, "must be even"),
    ({"like": "lucy-2.5", "colour": "red"}, "colour: there is no such field"),
    ({"like": "lucy-2.5", "usd": "cheap"}, "REELFLOW_MODELS can't be used: usd: must be a number"),
    ({"like": "lucy-2.5", "usd": "-0.01"}, "usd: must be 0 or more"),
    ({"like": "lucy-2.5", "usd": "NaN"}, "usd: must be a number"),
    ({"like": "lucy-2.5", "fps": 29.97}, "fps: must be a whole number"),
    ({"like": "lucy-2.5", "max_seconds": 0}, "max_seconds: must be more than 0"),
    ({"like": "lucy-2.5", "max_bytes": 0}, "max_bytes: must be more than 0"),
    ({"like": "lucy-2.5", "self_anchor": "false"}, "self_anchor: must be true or false"),
    ({"like": "lucy-2.5", "resolutions": "720p"}, "resolutions: must be a list"),
    ({"kind": "motion", "width": 1280, "height": 704, "fps": 25, "usd": "0.03"}, "'seconds' is missing"),
])
def test_a_wrong_row_is_refused_with_its_field(row: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        parse_row("lucy-9", row)


def test_an_unknown_price_is_unknown_and_not_zero() -> None:
    assert TABLE["lucy-2.6"].price(10) is None


def test_a_480p_picture_costs_less() -> None:
    image = TABLE["lucy-image-2"]
    assert (image.price(0), image.price(0, resolution="480p")) == (Decimal("0.02"), Decimal("0.01"))


@pytest.mark.parametrize(("model", "wish", "field", "told"), [
    ("lucy-restyle-2", {}, "prompt", "needs a prompt or a reference image"),
    ("lucy-restyle-2", {"prompt": "  "}, "prompt", "needs a prompt or a reference image"),
    ("lucy-restyle-2", {"prompt": "noir", "has_reference_image": True}, "prompt", "not both"),
    ("lucy-restyle-2", {"has_reference_image": True, "enhance_prompt": False}, "enhance_prompt", "only together"),
    ("lucy-clip", {}, "prompt", "prompt is missing"),
    ("lucy-image-2", {"prompt": ""}, "prompt", "prompt is missing"),
    ("lucy-2.5", {"prompt": "x" * 1001}, "prompt", "1001 characters"),
    ("lucy-2.5", {"seed": -1}, "seed", r"0\.\.4294967295"),
    ("lucy-2.5", {"seed": 2**32}, "seed", r"0\.\.4294967295"),
    ("lucy-2.5", {"resolution": "480p"}, "resolution", "720p"),
    ("lucy-2.6", {"self_anchor": True}, "self_anchor", "not a field of lucy-2.6"),
    ("lucy-2.5", {"trajectory": PATH}, "trajectory", "takes no trajectory"),
    ("lucy-motion", {}, "trajectory", "trajectory is missing"),
    ("lucy-motion", {"trajectory": PATH[:1]}, "trajectory", "1 point; it needs 2 to 1000"),
    ("lucy-motion", {"trajectory": (Point(0, 0, 0), Point(9, 1.2, 0))}, "trajectory", "frame 9 lies at 1.2,0"),
    ("lucy-motion", {"trajectory": (Point(9, 0, 0), Point(9, 1, 0))}, "trajectory", "must rise"),
    ("lucy-motion", {"trajectory": tuple(Point(n, 0, 0) for n in range(1001))}, "trajectory", "1001 points"),
])
def test_a_broken_rule_is_refused_with_its_field(model: str, wish: dict[str, Any], field: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as refused:
        check_form(TABLE[model], **{**NOTHING, **wish})
    assert refused.value.field == field


@pytest.mark.parametrize(("model", "wish"), [
    ("lucy-restyle-2", {"prompt": "noir", "enhance_prompt": False, "seed": 0}),
    ("lucy-restyle-2", {"has_reference_image": True}),
    ("lucy-2.5", {"self_anchor": False, "seed": 2**32 - 1, "prompt": "x" * 1000}),
    ("lucy-latest", {}),
    ("lucy-vton-3", {"prompt": "", "has_reference_image": True}),
    ("lucy-motion", {"trajectory": PATH}),
    ("lucy-image-2", {"prompt": "snow", "resolution": "480p"}),
])
def test_a_good_wish_passes(model: str, wish: dict[str, Any]) -> None:
    check_form(TABLE[model], **{**NOTHING, **wish})
