"""The flow `inbox`: clips that have newly arrived, each once; started by a schedule, or by an event."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from prefect import get_run_logger
from prefect.runtime import flow_run

from flows.many import make_many
from flows.naming import NamedBy
from flows.order import Many, Order
from flows.started import flow
from reelflow import remote
from reelflow.batch import BatchClip, job_recipe, own_recipe, results_of
from reelflow.claims import LEASE_SECONDS, Claims
from reelflow.clip_list import check_apart
from reelflow.digest import digest_of
from reelflow.disk import in_stoppable_thread
from reelflow.errors import (
    BadInput,
    BadMedia,
    BadResult,
    ClipsFailed,
    FormRefused,
    JobFailed,
    MediaFailed,
    MediaStopped,
    OutputTaken,
    ReelflowError,
    SourceFault,
    SpoiledResult,
    SubmitUnknown,
)
from reelflow.home import expanded
from reelflow.inbox import Arrival, find_arrivals, is_there, put_aside
from reelflow.legible import shortened
from reelflow.manifest import Line
from reelflow.preflight import check_models, probe_files
from reelflow.recipe import Recipe
from reelflow.recipe_file import load_recipe
from reelflow.settings import read_settings
from reelflow.sources import is_address, show_source, source_stem
from tasks.events import emit_arrival
from tasks.stop import cancelled_in_order

Job = Literal["restyle", "edit", "tryon", "motion", "image"]
_LONGEST_STEM = 120  # bytes
# What is the clip's own fault, or waits for a person; all else (no queue, no key, no money, no disk) may pass.
_ITS_OWN = (OutputTaken, BadMedia, BadResult, JobFailed, MediaFailed, SpoiledResult, SubmitUnknown)
# Fields whose fault is no clip's.
_EVERYONES = ("output", "reference_image", "lut", "font", "model", "ALL_PROXY", "REELFLOW_", "DECART_")
# The film or the picture of a form; its other fields are the same for all clips.
_CLIP_OF_FORM = "data"
_LOOKS_EACH = 3.0


def name_inbox(asked: Mapping[str, Any]) -> str:
    """Which inbox is looked into."""
    return f"inbox {show_source(str(asked.get('inbox') or ''))}"


@flow(name="inbox", flow_run_name=NamedBy(name_inbox))
async def inbox(
    inbox: str,
    outbox: str,
    recipe: str = "",
    job: Job | None = None,
    prompt: str = "",
    model: str = "",
    parameters: dict[str, Any] | None = None,
    settle_seconds: float = 10.0,
    max_clips: int = 100,
    max_cost_usd: float | None = None,
    window: int = 8,
    strict: bool = False,
) -> dict[str, Any]:
    """Run a recipe, or one of the five jobs, on each clip that has newly arrived in a folder or a prefix.

    Args:
        inbox: The folder (on the worker) that clips arrive in, or a prefix such as s3://bucket/in/.
        outbox: Where films and manifests go: a folder, or a prefix such as s3://bucket/out/.
        recipe: A name from the gallery, a recipe file on the worker, or the recipe itself as YAML. Or choose a job.
        job: One of the five jobs, in place of a recipe.
        prompt: What is asked of the job (or of the recipe's first model), in words.
        model: The model to ask; left empty, the job's own.
        parameters: Further parameters of the job by name, such as {"duration": 5, "fit": "crop"}; of a recipe, fields
            of its steps, such as {"2.target": -14}.
        settle_seconds: A clip is taken once it has not changed for so many seconds.
        max_clips: How many clips one run takes at most; the rest is the next run's.
        max_cost_usd: Refuse, before anything is bought, where these clips together would cost more than this many USD.
        window: How many clips are worked on at a time.
        strict: Take a warning about a film as that clip's error.
    """
    if bool(recipe.strip()) == bool(job):
        raise BadInput("Give a recipe or a job, and not both.", field="recipe")
    many = Many(window)
    many.check()
    given = {"prompt": prompt, "model": model, **(parameters or {})}
    asked = {name: value for name, value in given.items() if value not in (None, "")}
    found = job_recipe(job, asked) if job else own_recipe(load_recipe(recipe), asked)
    found = found.changed(strict=found.strict or strict)
    check_apart(inbox, outbox, results_of([BatchClip(1, inbox, "clip", found)]), pictures=found.takes_picture)
    # What is wrong with it is no clip's fault, and must not put them all aside.
    check_models(found, read_settings().model_table)
    await probe_files(found)
    where = inbox.rstrip("/") if is_address(inbox) else str(expanded(inbox).absolute())
    return await cancelled_in_order(_emptied(
        where, found, Order(outbox, max_cost_usd=max_cost_usd), many,
        settle_seconds=settle_seconds, max_clips=max_clips))


async def _emptied(
    inbox: str, recipe: Recipe, order: Order, many: Many, *, settle_seconds: float, max_clips: int
) -> dict[str, Any]:
    settings = read_settings()
    arrivals = await find_arrivals(inbox, settle_seconds=settle_seconds, pictures=recipe.takes_picture)
    async with Claims.open(settings.ledger_url, work_dir=settings.work_dir) as claims:
        taking = _Taking(inbox, str(order.output), recipe, claims)
        await taking.take(arrivals, max_clips)
        if (flow_run.run_count or 0) > 1:
            await taking.take_over(arrivals, max_clips)
        if not taking.clips:
            # Else an inbox of which nothing can be read would look like one that nothing comes to.
            if taking.unread:
                raise next(iter(taking.unread.values()))
            get_run_logger().info("%s: nothing new among %d clips.", show_source(inbox), len(arrivals))
            return {"status": "completed", "clips": 0, "arrivals": len(arrivals), "flow_run_id": flow_run.id}
        try:
            return await make_many(taking.clips, order, many, _manifest(str(order.output), taking.stream),
                                   title=f"inbox {show_source(inbox).rpartition('/')[2]}", on_end=taking.ended)
        except ClipsFailed as failed:
            raise ClipsFailed(f"{failed.message} Those that failed by a fault of their own lie in "
                               f"{show_source(inbox)}/failed, each with a note.",
                              summary=failed.summary) from None


def _manifest(outbox: str, stream: tuple[str, ...]) -> Path:
    """The manifest of one run: beside the results, or in the work folder until it is brought there.

    Outboxes of one name that lie elsewhere share no folder there, nor do inboxes and recipes.
    """
    folder = expanded(outbox).absolute()
    if is_address(outbox):
        mark = hashlib.sha256("\n".join(stream).encode()).hexdigest()[:8]
        name = f"inbox-{source_stem(show_source(outbox).rstrip('/'))}-{mark}"
        folder = read_settings().work_dir / "batches" / name
    when = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    return folder / f"manifest-{when}-{str(flow_run.id)[:8]}.jsonl"


class _Taking:
    """The clips that this run has taken, and what is done with each once it has ended."""

    def __init__(self, inbox: str, outbox: str, recipe: Recipe, claims: Claims) -> None:
        self._inbox, self._recipe, self._claims = inbox, recipe, claims
        # What is new to an inbox rests on these, and not on all that is asked: a changed prompt must not have the
        # whole folder bought anew.
        self.stream = *(remote.place_of(where) for where in (inbox, outbox)), recipe.name
        self.clips: list[BatchClip] = []
        self.unread: dict[Arrival, BadInput] = {}
        self._taken: dict[int, tuple[Arrival, tuple[str, ...]]] = {}

    async def take(self, arrivals: tuple[Arrival, ...], most: int) -> None:
        """Take what is new: first by where it lies, so that it's read by one run only, then by what is in it.

        What was tried in vain comes last, or it would keep out what is new for as long as it lies there.
        """
        left = await self._claims.left()
        for arrival in sorted(arrivals, key=lambda one: left.get(self._lies(one), 0)):
            if len(self.clips) >= most:
                return
            lies = self._lies(arrival)
            if await self._was_done(arrival):
                continue
            if not await self._claims.take(lies, arrival.name):
                continue
            try:
                content = await self._content(arrival)
            except BadInput as error:
                await self._claims.give_back([lies])
                if await is_there(self._inbox, arrival, pictures=self._recipe.takes_picture):
                    get_run_logger().warning("%s stays in the inbox: %s", arrival.name, error.message)
                    self.unread[arrival] = error
                continue
            key = _key(*self.stream, content, self._recipe.model_dump_json())
            if await self._claims.take(key, arrival.name):
                number = len(self.clips) + 1
                # What is made of it is named after it, and with more behind that.
                name = f"{shortened(source_stem(arrival.source), _LONGEST_STEM)}-{content[:8]}"
                self.clips.append(BatchClip(number, arrival.source, name, self._recipe))
                self._taken[number] = (arrival, (lies, key))
                emit_arrival(self._inbox, arrival, name)
            elif (before := await self._claims.is_done(key)) is not None:
                get_run_logger().info("%s is %s again, which was made already.", arrival.name, before)
                await self._claims.done([lies], f"the same as {before}")
            else:
                await self._claims.give_back([lies])

    async def take_over(self, arrivals: tuple[Arrival, ...], most: int) -> None:
        """Take what this run held itself when its process died on a machine that can't be seen from here.

        That shows only once the lease is over. What a living run holds stays its own.
        """
        until = time.monotonic() + LEASE_SECONDS + _LOOKS_EACH
        held = await self._claims.held()
        theirs = tuple(one for one in arrivals if self._lies(one) in held)
        if theirs:
            get_run_logger().info("%d clips are held by a run that may be gone: waiting for that, up to %d s.",
                                  len(theirs), LEASE_SECONDS)
        while theirs and len(self.clips) < most and time.monotonic() < until:
            await asyncio.sleep(_LOOKS_EACH)
            await self.take(theirs, most)
            ours = {arrival for arrival, _ in self._taken.values()}
            theirs = tuple([one for one in theirs
                            if one not in ours and await self._claims.is_done(self._lies(one)) is None])

    async def ended(self, clip: BatchClip, line: Line, error: ReelflowError | None) -> None:
        """Mark a clip as done, put it aside with a note, or leave it for the next run."""
        arrival, keys = self._taken[clip.number]
        try:
            if not line.is_bad:
                await self._claims.done(keys, arrival.name)
                return
            if error is not None and _is_its_own(error):
                await put_aside(self._inbox, arrival, error.message)
                # Whoever brings it again wants it tried again.
                await self._claims.give_back(keys)
            else:
                # The next run's, behind what is new.
                await self._claims.leave(keys)
        except ReelflowError as trouble:
            get_run_logger().error("%s: %s", arrival.name, trouble.message)

    async def _was_done(self, arrival: Arrival) -> bool:
        """Whether a reelflow that knew of one recipe and one outbox for an inbox has done it."""
        key = _key(self._inbox, arrival.name, str(arrival.size_bytes), arrival.mark)
        return await self._claims.is_done(key) is not None

    def _lies(self, arrival: Arrival) -> str:
        return _key(*self.stream, arrival.name, str(arrival.size_bytes), arrival.mark)

    async def _content(self, arrival: Arrival) -> str:
        """The digest of a clip's bytes. Raises BadInput."""
        if not is_address(arrival.source):
            try:
                return await asyncio.to_thread(digest_of, Path(arrival.source))
            except OSError as error:
                raise BadInput(f"{arrival.source} can't be read: {error.strerror}.", field="source") from None
        return await in_stoppable_thread(remote.digest, arrival.source)


def _is_its_own(error: ReelflowError) -> bool:
    """Whether an error is the clip's, and not that of a place, a setting or a file that is the same for all clips."""
    if isinstance(error, SourceFault):
        return False
    if isinstance(error, FormRefused):
        return error.field in (None, _CLIP_OF_FORM)
    if isinstance(error, MediaStopped):
        return error.is_killed  # or a film for which there is not enough memory would be begun for ever
    if isinstance(error, BadInput) and not isinstance(error, OutputTaken):
        return not (error.field or "").startswith(_EVERYONES)
    return isinstance(error, _ITS_OWN)


def _key(*words: str) -> str:
    return "inbox:" + hashlib.sha256("\n".join(words).encode()).hexdigest()
