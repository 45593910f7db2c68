"""Film work as tasks: find the source, probe it, prepare it for a model, read what came back, finish."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE

from reelflow.ahead import made_ahead, scenes_ahead
from reelflow.destination import companions
from reelflow.errors import MediaFailed, ReelflowError
from reelflow.job.boundary import Boundary, reached
from reelflow.kept import KeptWork, find_kept, keep, key_of, words_of
from reelflow.measure import Found, Measure, What
from reelflow.media.analysis import paint
from reelflow.media.command import Shot, Takes
from reelflow.media.drawing import Take
from reelflow.media.finish import Finished, OnWhole, finish
from reelflow.media.joining import OnPiece
from reelflow.media.media_step import Given
from reelflow.media.picture import write_poster
from reelflow.media.prepare import check_prepared, prepare
from reelflow.media.probe import Probe, probe
from reelflow.media.run import Progress
from reelflow.media.segment import find_scenes, join_takes, prepare_pieces, read_take
from reelflow.media.strip import Strip, make_strip, write_small_poster
from reelflow.page.facts import moment_before
from reelflow.plan import FromFilm, How, Job, OutputForm, Plan, Prepare, Span
from reelflow.preflight import probe_files
from reelflow.recipe import Recipe
from reelflow.sources import stage_source
from tasks.facts import note_measure
from tasks.folded import task
from tasks.phase import Phase, phase
from tasks.run import Run, current_run

# Wide enough for a wall's posters on a screen with two pixels to one.
POSTER_WIDTH = 480


TellPiece = Callable[[int, Path], None]


@task(
    task_run_name="find the source", cache_policy=NO_CACHE, timeout_seconds=4 * 3600, retries=2, retry_delay_seconds=2,
)
async def find_source(source: str, *, picture: bool = False) -> Path:
    """Bring the source onto this machine where it isn't, and say where it lies."""
    run = current_run()
    return await stage_source(
        source, run.scratch, work_dir=run.settings.work_dir, ffmpeg=run.ffmpeg, picture=picture,
        max_bytes=run.settings.max_source_bytes, allow_private=run.settings.private_sources,
    )


@task(task_run_name="probe {path.name}", cache_policy=NO_CACHE)
async def probe_source(path: Path) -> Probe:
    """Find out what the plan has to know of a file."""
    async with current_run().looking:
        return await probe(path)


@task(task_run_name="probe the files of the steps", cache_policy=NO_CACHE)
async def probe_step_files(recipe: Recipe) -> dict[Path, Probe]:
    """Find out what the plan has to know of the files that steps read."""
    return await probe_files(recipe)


@task(task_run_name="look for changes of scene", cache_policy=NO_CACHE)
async def look_for_scenes(film: Probe, span: Span) -> tuple[float, ...]:
    """Find where a film that goes out in pieces is best cut."""
    run = current_run()
    async with phase("look", of=film.path.name):
        if (ahead := await scenes_ahead(film, span)) is not None:
            return ahead
        return await find_scenes(film, span, ffmpeg=run.ffmpeg, timeout=run.settings.ffmpeg_timeout)


@dataclass(frozen=True, slots=True)
class Ready:
    """What is sent of a job: one file, or one for each piece; what was told while it was made, and the commands."""

    paths: tuple[Path, ...]
    warnings: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]


@task(task_run_name="{job.place} {job.prepare.title}", cache_policy=NO_CACHE)
async def prepare_media(
    job: Job, takes: Takes, given: Given, *, strict: bool = False, shot: Shot | None = None,
    tell_piece: TellPiece | None = None,
) -> Ready:
    """Make what is sent to a model: one ffmpeg pass, or none where the very same was made before.

    That pass leaves the `shot` of the source where it comes by it. `tell_piece` is told of pieces that can be sent
    while the rest is made, by their place in the order and where they lie; not of all of them.
    """
    run, prepared = current_run(), job.prepare
    if (as_it_is := _as_it_came(job, takes)) is not None:
        return Ready((as_it_is,), (), ())
    await asyncio.to_thread(paint, prepared.pictures, None, given)
    suffix = ".png" if prepared.is_picture else ".mp4"
    words = words_of(prepared, takes, given, suffix)
    key = await asyncio.to_thread(key_of, words, ffmpeg=run.ffmpeg, room=given.room, parts=len(prepared.pieces))
    # Two variants may need the very same film at once: the second finds what the first has made.
    async with run.store.alone(key), run.encoding:
        if (kept := await find_kept(run.store, run.settings.work_dir, key)) is not None and not (
            strict and kept.warnings
        ):
            note_measure(Measure(What.LOOK_UP, "prepared", found=Found.HIT))
            return Ready(kept.paths, kept.warnings, ())
        note_measure(Measure(What.LOOK_UP, "prepared", found=Found.MISS))
        seconds = 0.0 if prepared.how is How.COPY else prepared.seconds
        async with phase("prepare", of=_named(job)) as running, _measured("prepare", seconds, running):
            return await _prepared(run, job, takes, given, key, suffix, running, strict=strict, shot=shot,
                                   tell_piece=tell_piece)


async def _prepared(
    run: Run, job: Job, takes: Takes, given: Given, key: str, suffix: str, running: Phase, *, strict: bool,
    shot: Shot | None, tell_piece: TellPiece | None,
) -> Ready:
    prepared = job.prepare
    follow, timeout = _follow(running, prepared.frames), run.settings.ffmpeg_timeout
    folder = run.scratch / f"job-{job.number}"
    folder.mkdir(exist_ok=True)
    if len(prepared.pieces) > 1:
        made = await prepare_pieces(
            prepared, takes, given, folder, ffmpeg=run.ffmpeg, timeout=timeout, on_progress=follow, shot=shot,
            on_piece=_told(run, prepared, tell_piece) if tell_piece is not None and not strict else None, strict=strict)
    elif (ahead := await made_ahead(key, follow, shots_to=None if shot is None else shot.room)) is not None:
        made, running.earlier = (ahead.prepared,), ahead.earlier
    else:
        made = (await prepare(
            prepared, takes, given, folder / f"prepared{suffix}", ffmpeg=run.ffmpeg, timeout=timeout,
            on_progress=follow, strict=strict, shot=shot,
        ),)
    warnings = tuple(warning for one in made for warning in one.warnings)
    kept = await keep(
        run.store, run.settings.work_dir, key, KeptWork(tuple(one.path for one in made), warnings))
    return Ready(kept.paths, warnings, tuple(command for one in made for command in one.commands))


def _told(run: Run, prepared: Prepare, tell_piece: TellPiece) -> OnPiece | None:
    """Tell of each piece once it lies in the store; of none where only the end shows whether they are right at all."""
    if any(film.turn or film.mirrored for film in prepared.pictures.films()):
        return None

    async def kept(place: int, path: Path) -> Path:
        found = await run.store.keep(path)
        tell_piece(place, found.path)
        return found.path

    return kept


def _as_it_came(job: Job, takes: Takes) -> Path | None:
    """What an earlier job returned, where this one takes it as it is; None where it came otherwise than planned."""
    if job.prepare.how is not How.AS_IT_IS:
        return None
    (feed,) = job.prepare.pictures.feeds()
    result = takes[feed.job].result
    is_plain = (result.codec, result.pixels, result.turn, result.varies) == ("h264", "yuv420p", 0, False)
    if not is_plain or takes[feed.job].listed is not None or result.sounds or result.upright != feed.geometry.frame:
        return None
    try:
        check_prepared(job.prepare, result)
    except MediaFailed:
        return None
    return result.path


def _named(job: Job) -> str:
    feed = job.prepare.pictures.feed
    return feed.film.path.name if isinstance(feed, FromFilm) else job.model.name


@task(task_run_name="{job.place} read what came back", cache_policy=NO_CACHE)
async def take_result(
    job: Job, plan: Plan, generated: tuple[Path, ...], *, strict: bool = False
) -> tuple[Take, tuple[str, ...]]:
    """Lay what the job (or the jobs of all pieces) returned onto the time and into the frame of what was sent."""
    run, feed = current_run(), plan.feed(job.number)
    if len(job.prepare.pieces) > 1:
        async with run.encoding, phase("join", of=job.model.name):
            return await join_takes(
                feed, job.prepare.pieces, generated, run.scratch / f"joined-{job.number}", ffmpeg=run.ffmpeg,
                timeout=run.settings.ffmpeg_timeout, strict=strict,
            )
    async with run.looking:
        return await read_take(feed, generated[0], strict=strict)


@task(task_run_name="{plan.finish.title}", cache_policy=NO_CACHE)
async def finish_media(
    plan: Plan, takes: Takes, given: Given, destinations: tuple[Path, ...], *, strict: bool = False,
    shots_in: Path | None = None, replaces: bool = True, on_whole: OnWhole | None = None,
) -> Finished:
    """Make the files that are handed over: one ffmpeg pass, which leaves pictures of the first film on its way."""
    run = current_run()
    first = plan.finish.outputs[0]
    async with (run.encoding, phase("finish", of=destinations[0].name) as running,
                _measured("finish", first.seconds, running)):
        follow = _follow(running, first.frames)

        def tell(progress: Progress) -> None:
            reached(Boundary.IN_FINISH)
            follow(progress)

        finished = await finish(
            plan.finish, takes, given, destinations, source=plan.source, ffmpeg=run.ffmpeg,
            timeout=run.settings.ffmpeg_timeout, on_progress=tell, strict=strict, shots_in=shots_in,
            replaces=replaces, on_whole=on_whole,
        )
        reached(Boundary.IN_PLACE)
        return finished


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of a finished file: its poster (None for a picture), before and after, and those of its page."""

    poster: Path | None = None
    before_after: Path | None = None
    strip: Strip | None = None


@task(task_run_name="picture {film.path.name}", cache_policy=NO_CACHE, timeout_seconds=300)
async def picture_film(plan: Plan, film: Probe, left: Path) -> Pictures:
    """Write a poster, lay one moment of source and result side by side, and gather the filmstrip.

    What the passes have not left in the folder `left` is read anew: one ffmpeg pass.
    The film is there by now: pictures that can't be made are told, and no reason for the run to fail.
    """
    beside = companions(film.path, is_film=plan.finish.outputs[0].form is OutputForm.FILM)
    poster, pair = beside.get("poster"), beside["before_after"]
    try:
        strip = await make_strip(plan.source, film, at_before=moment_before(plan), ffmpeg=current_run().ffmpeg,
                                 left=left, poster=poster, pair=pair)
    except (ReelflowError, OSError) as error:
        get_run_logger().warning("The pictures of %s could not be made: %s", film.path.name, error)
        return Pictures()
    return Pictures(poster, pair, strip)


@task(task_run_name="poster {destination.name}", cache_policy=NO_CACHE, timeout_seconds=300)
async def poster_film(film: Path | Probe, destination: Path, left: Path) -> Path | None:
    """Write a small picture of a finished film, for a wall of many. The film is what counts: a failure is told only.

    It is made of what the last pass has left in the folder `left`, or of the film where that is nothing.
    """
    run = current_run()
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        if await asyncio.to_thread(write_small_poster, left, destination, width=POSTER_WIDTH):
            return destination
        async with run.looking:
            return await write_poster(film, destination, ffmpeg=run.ffmpeg, width=POSTER_WIDTH)
    except (ReelflowError, OSError) as error:
        get_run_logger().warning("There is no poster %s: %s", destination.name, error)
        return None


def _follow(running: Phase, frames: int | None) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        speed = f", {progress.speed:.1f}x" if progress.speed else ""
        of = f" of {frames}" if frames else ""
        running.move(progress.frame / frames if frames else None, f"frame {progress.frame}{of}{speed}")

    return tell


@contextlib.asynccontextmanager
async def _measured(of: str, seconds: float, running: Phase) -> AsyncIterator[None]:
    """Note how long it took to write so many seconds of film; nothing for a picture."""
    began = time.monotonic()
    yield
    if seconds:
        note_measure(Measure(What.ENCODE, of, seconds, time.monotonic() - began + running.earlier))
