"""The stand-in's jobs: one folder each, whole on disk before anybody hears of it, rendered by whoever holds its lock.

    jobs/JOB_ID/job.json    what was asked and how far it is; written beside and renamed
    jobs/JOB_ID/lock        held (flock) by the stand-in that renders the job; a dead one lets go of it
    jobs/JOB_ID/source      the upload, and `reference`; both removed when the job is over
    jobs/JOB_ID/result      the film

A stand-in that starts again knows its jobs; what it had not finished is rendered when somebody asks for it, so that a
new job does not wait for what nobody wants any more. Several stand-ins may share a folder (two flow runs at once each
have one): a job that another one renders is read from disk, and taken over when that one is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ValidationError

from reelflow.errors import MediaStopped, ReelflowError
from reelflow.job.wire import JobStatus
from reelflow.standin.faults import Fault
from reelflow.standin.render import Order, render

log = logging.getLogger("reelflow.standin")

TIMEOUT_SECONDS = 600.0
KEPT_SECONDS = 7 * 86_400.0
_LOOK_AGAIN_SECONDS = 0.25
# Longer than a stand-in that is told to end takes to leave its jobs.
_ENDING_SECONDS = 2.0


class Job(BaseModel):
    """One job as it lies on disk; `made_at` is a Unix time, `frames` how many pictures the result has."""

    job_id: str
    model: str
    made_at: float
    status: JobStatus = JobStatus.PENDING
    why: str = ""
    fault: Fault | None = None
    order: Order


class JobBook:
    """All jobs of a folder, and the workers that render them. Use as an async context manager.

    `workers` is how many render at once, `service_seconds` the least time that a job takes, `timeout` the seconds
    after which an unfinished job fails.
    """

    def __init__(
        self, work_dir: Path, *, ffmpeg: Path, workers: int = 2, service_seconds: float = 0.0,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self.made = 0
        self._folder = work_dir / "jobs"
        self._ffmpeg = ffmpeg
        self._workers = workers
        self._service_seconds = service_seconds
        self._timeout = timeout
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> JobBook:
        self._slots = asyncio.Semaphore(self._workers)
        self._folder.mkdir(parents=True, exist_ok=True)
        for folder in sorted(self._folder.iterdir()):
            job = self._read(folder.name)
            if job is not None and time.time() - job.made_at > KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def result_path(self, job_id: str) -> Path:
        """Where the film of a completed job lies."""
        return self._folder / job_id / "result"

    def accept(self, arrived: Path, model: str, order: Order, fault: Fault | None) -> Job:
        """Make a job of the folder `arrived`, durably: when this returns, a crash can't lose it any more."""
        job = Job(job_id=f"job_{secrets.token_hex(12)}", model=model, made_at=time.time(), fault=fault, order=order)
        for name in ("source", "reference"):
            with contextlib.suppress(FileNotFoundError):
                _sync(arrived / name)
        lock = hold_lock(arrived)
        _write(arrived, job, durable=True)
        arrived.rename(self._folder / job.job_id)
        _sync(self._folder)
        self.made += 1
        log.info("%s: accepted for %s", job.job_id, model)
        self._hold(job, lock)
        return job

    def find(self, job_id: str) -> Job | None:
        """The job of that id, whichever stand-in made it in this folder; None where there is none.

        One that nobody renders any more is rendered from now on.
        """
        job = self._jobs.get(job_id)
        if job is None and (job := self._read(job_id)) is not None:
            self._hold(job)
        return job

    def _hold(self, job: Job, lock: IO[bytes] | None = None) -> None:
        self._jobs[job.job_id] = job
        if job.status not in _OVER:
            job.status = JobStatus.PENDING
            task = asyncio.create_task(self._see_through(job, lock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _see_through(self, job: Job, lock: IO[bytes] | None) -> None:
        folder = self._folder / job.job_id
        try:
            while lock is None and (lock := hold_lock(folder)) is None:
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                job.status = (self._read(job.job_id) or job).status
            if (found := self._read(job.job_id)) is not None and found.status in _OVER:
                job.status, job.why = found.status, found.why
                return
            try:
                async with asyncio.timeout(self._timeout):
                    if job.fault is Fault.STUCK_PENDING:
                        await asyncio.Event().wait()
                    try:
                        await self._serve(job)
                    except MediaStopped as stopped:
                        # Ctrl-C ends ffmpeg too, and sooner than us: the job is then left for our next start.
                        log.warning("%s: to be rendered once more: %s", job.job_id, stopped.message)
                        await asyncio.sleep(_ENDING_SECONDS)
                        await self._serve(job)
            except TimeoutError:
                self._end(job, JobStatus.FAILED, f"not finished after {self._timeout:g} s")
            except ReelflowError as error:
                self._end(job, JobStatus.FAILED, error.message)
            except Exception:
                log.exception("%s: broke down", job.job_id)
                self._end(job, JobStatus.FAILED, "the stand-in broke down; its log says where")
        finally:
            if lock is not None:
                lock.close()

    async def _serve(self, job: Job) -> None:
        """Render a job in a worker's slot, which it holds for `service_seconds` at least."""
        async with self._slots:
            begun = time.monotonic()
            folder = self._folder / job.job_id
            job.status = JobStatus.PROCESSING
            _write(folder, job)
            if job.fault is not Fault.JOB_FAILS:
                await render(job.order, folder, ffmpeg=self._ffmpeg, crooked=job.fault, timeout=self._timeout)
            await asyncio.sleep(max(0.0, self._service_seconds - (time.monotonic() - begun)))
            if job.fault is Fault.JOB_FAILS:
                self._end(job, JobStatus.FAILED, "it was told to fail")
            else:
                self._end(job, JobStatus.COMPLETED, f"{job.order.told} in {time.monotonic() - begun:.1f} s")

    def _end(self, job: Job, status: JobStatus, why: str) -> None:
        folder = self._folder / job.job_id
        job.status, job.why = status, why
        log.info("%s: %s: %s", job.job_id, status.value, why)
        try:
            _write(folder, job, durable=True)
            for name in ("source", "reference"):
                (folder / name).unlink(missing_ok=True)
        except OSError as error:
            # Whoever asks hears of it all the same; a stand-in that starts again renders the job anew.
            log.warning("%s: its end can't be written down: %s", job.job_id, error)

    def _read(self, job_id: str) -> Job | None:
        if not job_id.isascii() or not job_id.removeprefix("job_").isalnum():
            return None
        try:
            return Job.model_validate_json((self._folder / job_id / "job.json").read_bytes())
        except (OSError, ValidationError):
            return None


_OVER = (JobStatus.COMPLETED, JobStatus.FAILED)


def hold_lock(folder: Path) -> IO[bytes] | None:
    """The folder's lock, held until it is closed; None while somebody else holds it."""
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _write(folder: Path, job: Job, *, durable: bool = False) -> None:
    part = folder / "job.json.part"
    part.write_text(job.model_dump_json(), "utf-8")
    if durable:
        _sync(part)
    part.replace(folder / "job.json")
    if durable:
        _sync(folder)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
