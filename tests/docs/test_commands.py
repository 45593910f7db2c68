"""Every command, option, variable and recipe that README.md and docs/ name exists, as the programs see it."""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from blocks import KNOWN, PAGES, ROOT, SHELL, Block, blocks, named, spans
from cyclopts import App, CycloptsError
from prefect.cli._app import _app as prefect_app  # its `app` is a function that runs, and can only be asked to run

from flows.__main__ import app
from reelflow.errors import BadRecipe
from reelflow.recipe import parse_recipe
from reelflow.settings import variables

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
COMPOSE = yaml.safe_load((ROOT / "deployments" / "compose.yaml").read_text())
SERVE_PORTS = {"REELFLOW_PREFECT_PORT", "REELFLOW_STANDIN_PORT"}
ORDINARY = {"cd", "cp", "export", "grep", "ls", "mkdir", "sleep", "source"}

each_page = pytest.mark.parametrize("page", PAGES, ids=named)


@each_page
def test_every_block_says_what_it_is(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= set(KNOWN)


@each_page
def test_every_command_is_one_that_its_program_takes(page: Path) -> None:
    for block in blocks(page):
        if block.language in SHELL:
            for words in block.commands():
                check(words, f"{named(page)}:{block.line}")


@each_page
def test_every_synopsis_and_every_command_in_the_text_exists(page: Path) -> None:
    synopses = [line.partition("   ")[0] for block in blocks(page) if block.language == "text"
                for line in block.text.splitlines()]
    for told in (*synopses, *spans(page)):
        # Two commands may stand in one line of a synopsis.
        for one in re.split(r"\s{3,}(?=reelflow )", told):
            if one.startswith("reelflow <-"):
                continue  # which room sees which
            if one.startswith("reelflow "):
                check_synopsis(one)
            elif "…" not in one and " " in one and one.split()[0] in PROGRAMS:
                check(tuple(shlex.split(one)), named(page))


@each_page
def test_every_setting_that_is_named_is_one(page: Path) -> None:
    known = variables().keys() | SERVE_PORTS
    assert set(re.findall(r"\b(?:REELFLOW|DECART)_[A-Z_]*[A-Z]\b", page.read_text())) <= known


@each_page
def test_every_recipe_can_be_read(page: Path) -> None:
    for block in blocks(page):
        if block.language == "yaml" and ("steps:" in block.text or "recipes/" in block.text):
            # Where a page shows a whole file of the project, it takes it from there.
            taken = re.match(r'--8<-- "(.+)"', block.text)
            given = yaml.safe_load((ROOT / taken[1]).read_text() if taken else block.text)
            if given["name"] == "faulty":
                with pytest.raises(BadRecipe):
                    parse_recipe(given)
            else:
                assert parse_recipe(given).steps


def test_an_option_that_does_not_exist_is_found() -> None:
    with pytest.raises(CycloptsError):
        check(("reelflow", "restyle", "sample", "--look", "noir"), "here")
    with pytest.raises(CycloptsError):
        check(("prefect", "worker", "start", "--pond", "reelflow"), "here")
    with pytest.raises(AssertionError):
        check(("make", "haste"), "here")
    with pytest.raises(AssertionError):
        check_synopsis("reelflow jobs list|burn")
    with pytest.raises(AssertionError):
        check_synopsis("reelflow spend [--until WHEN]")


def test_commands_are_found_in_pipes_lists_and_broken_lines() -> None:
    block = Block(ROOT, 1, "sh", "", "A=1 make demo && ls \\\n  a | grep 'b c' # no\nreelflow models > x\n")
    assert list(block.commands()) == [
        ("A=1", "make", "demo"), ("ls", "a"), ("grep", "b c"), ("reelflow", "models", ">", "x")]


def check(words: tuple[str, ...], where: str) -> None:
    """Fail where a command's program would not take its words."""
    while words and (re.match(r"[A-Z_]+=", words[0]) or words[0] in ("until", "do", "done", "!")):
        words = words[1:]
    if ">" in words:
        words = words[:words.index(">")]
    if not words:
        return
    program, rest = Path(words[0]).name, words[1:]
    if program in ORDINARY:
        return
    assert program in PROGRAMS, f"{where}: the test does not know the program {program!r}"
    PROGRAMS[program](rest, where)


def check_reelflow(words: tuple[str, ...], where: str) -> None:
    app.parse_args(list(words), exit_on_error=False, print_error=False)


def check_prefect(words: tuple[str, ...], where: str) -> None:
    prefect_app.parse_args([word for word in words if word != "--no-prompt"], exit_on_error=False, print_error=False)


def check_python(words: tuple[str, ...], where: str) -> None:
    assert words[0] == "-m", where
    if words[1] == "flows":
        check_reelflow(words[2:], where)
    assert importlib.util.find_spec(words[1]), f"{where}: there is no module {words[1]}"


def check_make(words: tuple[str, ...], where: str) -> None:
    for word in words:
        name, sign, _ = word.partition("=")
        found = f"$({name})" in MAKEFILE if sign else re.search(rf"(?m)^{re.escape(name)}:", MAKEFILE)
        assert found, f"{where}: the Makefile does not know {name!r}"


def check_uv(words: tuple[str, ...], where: str) -> None:
    assert words[0] in ("sync", "lock", "run"), where
    for option, value in pairwise(words):
        known = {"--extra": PROJECT["project"]["optional-dependencies"], "--group": PROJECT["dependency-groups"]}
        assert value in known.get(option, {value}), f"{where}: {option} {value}"


def check_pip(words: tuple[str, ...], where: str) -> None:
    assert words[0] == "install", where
    for extra in re.findall(r"reelflow\[(\w+)\]", " ".join(words)):
        assert extra in PROJECT["project"]["optional-dependencies"], f"{where}: there is no extra {extra!r}"


def check_docker(words: tuple[str, ...], where: str) -> None:
    assert words[0] == "compose", where
    profiles = {profile for service in COMPOSE["services"].values() for profile in service.get("profiles", ())}
    for option, value in pairwise(words):
        if option == "-f":
            assert (ROOT / value).is_file(), f"{where}: {value}"
        elif option == "--profile":
            assert value in profiles, f"{where}: {value}"
        elif option in ("stop", "restart", "logs"):
            assert value in COMPOSE["services"], f"{where}: {value}"


PROGRAMS: dict[str, Callable[[tuple[str, ...], str], None]] = {
    "reelflow": check_reelflow, "prefect": check_prefect, "make": check_make, "uv": check_uv, "pip": check_pip,
    "docker": check_docker, "python": check_python,
    "pytest": lambda words, where: None,
}


def check_synopsis(told: str) -> None:
    """Fail where a synopsis, such as `reelflow jobs list|show [--json]`, names what isn't there."""
    words = re.sub(r'"[^"]*"', "", told).split()[1:]
    at: tuple[App, ...] = (app,)
    if words and words[0] == "--help":
        return
    while words and re.fullmatch(r"[a-z|]+", words[0]):
        names = words[0].split("|")
        inner = [one[name] for one in at for name in names if name in one]
        if not inner and "|" not in words[0] and at != (app,):
            break  # it is a value
        assert len(inner) == len(names) * len(at), f"{told}: not all of {words[0]} are commands"
        at, words = tuple(inner), words[1:]
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(words)))
    for one in at:
        known = {name for argument in one.assemble_argument_collection() for name in argument.names}
        assert options <= known, f"{told}: {options - known}"
