"""The graph of a run shows what came from what, and a run needs few clients to say so."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.runtime import flow_run
from prefect.utilities.engine import collect_task_run_inputs_sync
from pydantic import BaseModel

from flows import started
from tasks.arrows import arrows_to
from tasks.folded import task

pytestmark = pytest.mark.usefixtures("prefect_server")


@dataclasses.dataclass(frozen=True)
class Film:
    path: Path
    tracks: tuple[str, ...] = ()


class Model(BaseModel):
    film: Any


@task(task_run_name="look at {path.name}", cache_policy=NO_CACHE)
async def look(path: Path) -> Film:
    """A film."""
    return Film(path, ("a track",))


@task(task_run_name="name {number}", cache_policy=NO_CACHE)
async def name(number: int) -> str:
    """A name."""
    return f"name {number}"


@task(task_run_name="use {plan[title]}", cache_policy=NO_CACHE)
async def use(plan: dict[str, Any], *, other: Any = None) -> None:
    """Nothing."""


async def test_arrows_are_those_that_prefect_s_own_walk_finds() -> None:
    found: list[tuple[Any, Any]] = []

    @flow
    async def whole() -> None:
        film, other, called = await look(Path("/clips/a.mp4")), await look(Path("/clips/b.mp4")), await name(1)
        values = {
            "itself": film, "nested": {"deep": [Film(film.path), (other, 1)]}, "key": {called: None},
            "part": film.tracks,
            "model": Model.model_construct(film=other), "kind": Film, "neither": (1, "x", None, Path("/clips/a.mp4")),
            "set": {called}, "frozen": frozenset({called}),
        }
        values["round"] = [film, values["nested"]]
        found.append((arrows_to(values), {key: collect_task_run_inputs_sync(value) for key, value in values.items()}))

    await whole()
    (ours, theirs), = found
    assert ours == theirs and len(ours["round"]) == 2 and ours["neither"] == set()


async def test_a_task_run_knows_which_runs_its_arguments_came_from() -> None:
    @flow
    async def whole() -> str:
        film = await look(Path("/clips/a.mp4"))
        await use({"title": "both", "film": film}, other=[await name(2)])
        return str(flow_run.id)

    run = await whole()
    async with get_client() as client:
        names: dict[Any, str] = {}
        # The server writes down what it is told of task runs a little later.
        while set(names.values()) != {"look at a.mp4", "name 2", "use both"}:
            runs = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])))
            names = {one.id: one.name for one in runs}
    used = next(one for one in runs if one.name == "use both")
    assert {key: [names[source.id] for source in sources] for key, sources in used.task_inputs.items()} == {
        "plan": ["look at a.mp4"], "other": ["name 2"]}


async def test_all_of_a_run_and_of_runs_within_it_share_one_client_of_each_kind() -> None:
    seen: list[tuple[Any, Any]] = []

    @started.flow(flow_run_name="inner {depth}")
    async def whole(depth: int) -> None:
        seen.append((get_client(), get_client(sync_client=True)))
        if depth:
            await whole(depth - 1)
        seen.append((get_client(), get_client(sync_client=True)))

    await whole(1)
    assert len({id(client) for client, _ in seen}) == len({id(client) for _, client in seen}) == 1
    await whole(0)
    assert len({id(client) for client, _ in seen}) == 2
