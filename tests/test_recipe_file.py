"""Recipes as people write them: read, and refused with the line and the step of every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.errors import BadInput, BadRecipe
from reelflow.media.steps.trim import Trim
from reelflow.model_step import Restyle
from reelflow.recipe import Recipe
from reelflow.recipe_file import load_recipe, parse_text

GOOD = """
name: noir-teaser
steps:
  - trim: {start: 2, duration: 10}
  - restyle: {prompt: "film noir, hard shadows", seed: 7}
  - rate: 25
outputs:
  - {path: "{stem}-noir.mp4", size: source}
  - {path: "{stem}-teaser.webp", clip: {start: 0, duration: 3}, width: 480}
"""


def faults_of(text: str) -> list[str]:
    with pytest.raises(BadRecipe) as refused:
        parse_text(text, name="mine")
    return [str(fault) for fault in refused.value.faults]


def test_a_recipe_is_read_from_yaml() -> None:
    recipe = parse_text(GOOD, name="mine")
    assert recipe.name == "noir-teaser"
    trim, restyle, rate = recipe.work
    assert isinstance(trim, Trim) and (trim.start, trim.duration) == (2.0, 10.0)
    assert isinstance(restyle, Restyle) and (restyle.seed, restyle.model) == (7, "lucy-restyle-2")
    assert rate.name == "rate"
    assert [output.name(stem="clip", recipe="r") for output in recipe.outputs] == ["clip-noir.mp4", "clip-teaser.webp"]


def test_json_is_read_too_and_a_recipe_comes_back_as_it_went() -> None:
    recipe = parse_text(GOOD, name="mine")
    again = parse_text(recipe.model_dump_json(exclude_none=True), name="other")
    assert again.model_dump() == recipe.model_dump()


def test_a_recipe_without_a_name_is_called_after_its_file(tmp_path: Path) -> None:
    (tmp_path / "soft.yaml").write_text("steps: [{rate: 25}]")
    assert load_recipe(str(tmp_path / "soft.yaml")).name == "soft"


def test_times_and_shapes_are_not_taken_for_numbers_of_base_sixty() -> None:
    (step,) = parse_text("steps: [{trim: {start: 00:01:02.5, duration: 1:30}}]", name="x").work
    assert isinstance(step, Trim) and (step.start, step.duration) == (62.5, 90.0)


def test_all_faults_are_told_at_once_each_with_its_line_and_step() -> None:
    told = faults_of("""
steps:
  - trim: {start: 3, end: 2}
  - restyel: {prompt: x}
  - restyle: {prompt: x, sead: 7}
  - rate: {fps: fast}
outputs:
  - {path: ../out.mp4}
  - {path: "{who}.mp4"}
""")
    assert told == [
        "line 3, step 1 (trim): the end (2 s) is not after the start (3 s): swap them.",
        "line 4, step 2: there is no step 'restyel'. Did you mean restyle? `reelflow recipe steps` lists them.",
        "line 5, step 3 (restyle): sead: there is no such field. Did you mean seed?",
        "line 6, step 4 (rate): fps: 'fast' is not a frame rate: write 25, 29.97 or 30000/1001.",
        "line 8, output 1: path: '../out.mp4' does not lie below the output folder: write a name such as "
        "{stem}-noir.mp4.",
        "line 9, output 2: path: '{who}.mp4' is not a template: {stem} and {name} are what can be put in.",
    ]


def test_a_value_of_the_wrong_kind_is_told_in_plain_words() -> None:
    assert faults_of("""
output: 3
steps:
  - restyle: {prompt: 3, seed: 1.5}
  - loudness: 9
outputs:
  - plain.mp4
  - {path: a.mp4, width: 4, qualty: best, codec: vp9}
preview: {secnds: 1}
""") == [
        "line 4, step 1 (restyle): prompt: must be text.",
        "line 4, step 1 (restyle): seed: must be a whole number.",
        "line 5, step 2 (loudness): target: must be -5 or less.",
        "line 7, output 1: must be names with values (NAME: VALUE).",
        "line 8, output 2: width: must be 16 or more.",
        "line 8, output 2: codec: must be 'h264', 'hevc', 'av1' or 'prores'.",
        "line 8, output 2: qualty: there is no such field. Did you mean quality?",
        "line 9: preview.secnds: there is no such field.",
        "line 2: output: there is no such field. Did you mean outputs?",
    ]


def test_faults_within_variants_are_found_where_they_stand() -> None:
    told = faults_of("""
steps:
  - variants:
      of:
        - restyle: a
        - - rate: 25
          - restyle: {promt: b}
""")
    assert told == ["line 7, step 1.2.2 (restyle): promt: there is no such field. Did you mean prompt?"]


@pytest.mark.parametrize(("text", "said"), [
    ("", "it is empty"), ("- a", "a recipe has `steps:`"), ("steps: [", "line 1: it is not YAML"),
    ("steps: []\nsteps: []", "'steps' stands here twice"), ("steps: 3", "steps"),
    ("steps: [{trim: {}, rate: 3}]", "a step is its name"), ("steps: [7]", "a step is its name"),
    ("name: [a]\nsteps: []", "name"), ("steps: []\nstep: []", "step: there is no such field"),
    ("steps: &a\n  - variants: {of: *a}", "line 1: it refers to itself"),
    ("steps: []\noutputs: a.mp4", "outputs: must"),
    ("name: a/b\nsteps: []", "name: must begin with a letter"),
])
def test_what_is_no_recipe_is_refused_in_a_sentence(text: str, said: str) -> None:
    assert said in " ".join(faults_of(text))


def test_what_may_be_a_word_or_a_value_and_is_neither_is_one_fault() -> None:
    (told,) = faults_of("steps: []\noutputs: [{path: a.mp4, size: sorce}]")
    assert "'sorce' is not a size: write 1920x1080" in told and told.endswith(", or 'source' or 'model'.")


def test_aliases_of_aliases_are_refused_before_they_fill_the_memory() -> None:
    rows = ["a: &a [x, x, x, x, x, x, x, x]"] + [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 8)}]" for before, name in zip("abcdefg", "bcdefgh", strict=True)]
    assert "far too large" in faults_of("\n".join(rows))[0]


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder: give a recipe's file"):
        load_recipe(str(tmp_path))


def test_a_missing_recipe_names_the_gallery() -> None:
    with pytest.raises(BadInput, match=r"no recipe no-such: give a file, or a name from the gallery \(.*restyle"):
        load_recipe("no-such")


def test_files_of_steps_are_found_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "looks").mkdir()
    (tmp_path / "looks" / "a.yaml").write_text("steps: [{restyle: {reference_image: style.png}}]")
    (step,) = load_recipe(str(tmp_path / "looks" / "a.yaml")).work
    assert step.files() == (tmp_path / "looks" / "style.png",)


def test_the_schema_completes_steps_and_their_fields() -> None:
    schema = Recipe.model_json_schema()
    entry = schema["$defs"]["Entry"]["properties"]
    assert {"trim", "restyle", "variants", "resize"} <= set(entry)
    assert schema["properties"]["steps"]["items"]["$ref"] == "#/$defs/Entry"
