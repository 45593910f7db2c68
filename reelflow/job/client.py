"""The queue over HTTP: forms leave by `post`, questions go by `questions`.

A submit is never repeated here. What a failed one means is decided by what can be proven: a form whose end never left
can't have been bought, whatever else went wrong; one that left whole and got no readable answer may have been.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, SecretStr, ValidationError

from reelflow.errors import (
    BadInput,
    KeyRefused,
    QueueFault,
    QueueRefused,
    SubmitUnknown,
)
from reelflow.job.answers import resolved_of, words_of
from reelflow.job.content import Content, read_content, read_picture
from reelflow.job.fetch import fetch, save
from reelflow.job.form import Form, OnBytes
from reelflow.job.meaning import Refusal
from reelflow.job.pace import Pace
from reelflow.job.post import posted
from reelflow.job.questions import Questions
from reelflow.job.route import Route
from reelflow.job.session import Answer, Patience, Session, read_short
from reelflow.job.wait import OnStatusChange, wait_for_job
from reelflow.job.wire import (
    STANDIN_HEADER,
    JobCompleted,
    JobNotCompleted,
    JobResult,
    JobStatus,
    JobStatusResponse,
    JobSubmitResponse,
    Wish,
)

logger = logging.getLogger(__name__)

MAX_STATUS_SECONDS = 30.0
_Answer = TypeVar("_Answer", bound=BaseModel)


class QueueClient:
    """One queue, one key, one pool of connections; an async context manager, for one event loop. All timeouts are in
    seconds.

    `identity` is what the ledger calls this queue: its base URL, unless it is given a more lasting name. Raises
    BadInput for an address or a key that can't be used.
    """

    def __init__(
        self,
        base_url: str,
        api_key: SecretStr,
        *,
        connect_timeout: float = 10.0,
        write_timeout: float = 60.0,
        read_timeout: float = 120.0,
        pool_timeout: float = 60.0,
        max_connections: int = 20,
        identity: str | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.identity = identity or self.base_url
        self.stand_in = False
        self._paces: dict[str, Pace] = {}
        self._key = api_key.get_secret_value().strip()
        if not self._key.isascii() or not self._key.isprintable() or not self._key:
            raise BadInput("The API key is empty or holds characters that no key has: check DECART_API_KEY.",
                           field="DECART_API_KEY")
        route = Route.to(self.base_url)
        self.address, self._url = route.address, route.url
        connections = functools.partial(
            Session, route, self._key,
            Patience(pool=pool_timeout, connect=connect_timeout, write=write_timeout, read=read_timeout),
            max_connections=max_connections,
        )
        self._questions = Questions(connections(is_kept=True))
        # Each form gets a connection of its own: a kept one may be closed by the server just as the form goes out on
        # it, and then nobody knows whether the form was read.
        self._forms = connections(is_kept=False)

    def __repr__(self) -> str:
        return f"QueueClient({self.address!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._questions.close()
        await self._forms.close()

    def pace(self, model: str) -> Pace:
        """How long the jobs of a model take at this queue, as far as this client has waited for some."""
        return self._paces.setdefault(model, Pace())

    async def submit(self, wish: Wish, *, on_bytes: OnBytes | None = None) -> JobSubmitResponse:
        """Buy one job: send the form once, streamed from disk. `on_bytes` counts a piece just before it is sent.

        Raises:
            BadInput: the form breaks a rule of its model, or a file of it can't be read; nothing was bought.
            QueueUnreachable: the form did not leave whole; nothing was bought.
            QueueBusy: 429 or 503; nothing was bought.
            QueueRefused, KeyRefused: the queue said no; nothing was bought.
            SubmitUnknown: a job may have been bought.
        """
        async with self._posted(wish, on_bytes) as (answer, pieces):
            try:
                body = await read_short(self.address, pieces)
            except QueueFault as fault:
                raise SubmitUnknown(f"{fault.message.rstrip('.')}: a job has most likely been bought.") from None
        try:
            job = JobSubmitResponse.model_validate_json(body)
        except ValidationError:
            said, _ = words_of(self._hidden(body))
            raise SubmitUnknown(
                f"{self.address} took the form for {wish.model.name} and answered {answer.status} without a "
                f"job id ({said or 'nothing at all'}): a job may have been bought."
            ) from None
        # Not a word to the log before the caller has written the id down: a log that blocks would lose it.
        return job

    async def edit_image(self, wish: Wish, destination: Path, *, on_bytes: OnBytes | None = None) -> Path:
        """Buy one edited picture (the Process API answers with it at once) and write it to `destination`, whole.

        Raises what `submit` raises; SubmitUnknown also where the picture did not come whole: it is paid.
        """
        async with self._posted(wish, on_bytes) as (answer, pieces):
            try:
                await save(read_picture(self.address, answer.status, answer.headers, pieces), destination)
            except (QueueFault, OSError) as fault:
                raise SubmitUnknown(
                    f"{self.address} edited the picture, but it was not brought over whole ({str(fault).rstrip('.')}): "
                    "it has most likely been paid."
                ) from None
        logger.info("%s answered with a picture of %s.", self.address, wish.model.name)
        return destination

    async def status(self, job_id: str) -> JobStatusResponse:
        """Ask once how a job stands.

        Raises:
            QueueRefused: a 4xx; 404 where the queue does not know the job. KeyRefused: 401 or 403.
            QueueBusy, QueueFault: anything that may pass.
        """
        body, _ = await self._answer(f"/v1/jobs/{_segment(job_id)}", read_timeout=MAX_STATUS_SECONDS)
        return self._parsed(JobStatusResponse, body, f"the status of job {job_id}")

    async def result(self, job_id: str, destination: Path, *, on_bytes: OnBytes | None = None) -> Path:
        """Bring the content of a completed job to `destination`, streamed, resumed and tried again where that helps.

        Raises:
            FetchFailed: it could not be brought over whole; the job is paid and can be fetched again.
            KeyRefused: the key is not taken any more.
        """
        return await fetch(functools.partial(self.content, job_id), destination, job_id=job_id, on_bytes=on_bytes)

    @contextlib.asynccontextmanager
    async def content(self, job_id: str, at: int = 0, validator: str | None = None) -> AsyncIterator[Content]:
        """The content of a completed job, from byte `at` on if it still is what `validator` says, else from its start.

        Raises:
            QueueRefused, KeyRefused, QueueBusy, QueueFault: as for `status`.
        """
        headers = {"Range": f"bytes={at}-", "If-Range": validator} if at and validator else {}
        path = f"/v1/jobs/{_segment(job_id)}/content"
        async with self._questions.opened(f"{self._url}{path}", headers) as (answer, pieces):
            self._notice(answer.headers)
            if not answer.is_good:
                body = await self._read(pieces)
                raise self._refusal(answer.status, answer.headers, body).of_question(path)
            yield read_content(self.address, answer.status, answer.headers, pieces, asked_at=at)

    async def resolve(self, name: str) -> str:
        """What a model's name stands for now.

        Raises:
            QueueRefused: the queue can't or won't say, or not readably.
            KeyRefused, QueueBusy, QueueFault: as for `status`.
        """
        try:
            body, status = await self._answer("/v1/models/resolve", json={"model": name})
        except KeyRefused:
            raise
        except QueueRefused as refusal:
            raise _unresolved(name, refusal.message, refusal.status) from None
        try:
            found = resolved_of(json.loads(body), name)
        except (ValueError, RecursionError):
            found = None
        if found is None:
            raise _unresolved(name, f"The queue at {self.address} did not answer readably", status)
        return found

    async def submit_and_poll(
        self,
        wish: Wish,
        destination: Path,
        *,
        on_status_change: OnStatusChange | None = None,
        on_bytes: OnBytes | None = None,
        poll_seconds: float = 2.0,
        deadline: float = 720.0,
    ) -> JobResult:
        """Buy a job, wait for it and fetch it to `destination`; without a ledger, so a lost reply is the caller's.

        A job that the queue reports failed is a JobNotCompleted. Raises as `submit`, `wait_for_job` and `result` do.
        """
        job = await self.submit(wish, on_bytes=on_bytes)
        ended = await wait_for_job(
            self, job.job_id, poll_seconds=poll_seconds, deadline=deadline, pace=self.pace(wish.model.name),
            on_status_change=on_status_change,
        )
        if ended.status == JobStatus.FAILED:
            return JobNotCompleted(job.job_id, f"The queue reports that job {job.job_id} failed; it gives no reason.")
        return JobCompleted(job.job_id, await self.result(job.job_id, destination))

    @contextlib.asynccontextmanager
    async def _posted(
        self, wish: Wish, on_bytes: OnBytes | None
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """The good answer to a wish's form; any other ending is raised as what it means for the money."""
        wish.check()
        form = Form(wish, on_bytes)
        logger.info("Sending the form for %s (%d bytes) to %s.", wish.model.name, form.length, self.address)
        async with posted(self._forms, f"{self._url}{wish.endpoint}", form, wish.model.name) as (answer, pieces):
            self._notice(answer.headers)
            if not answer.is_good:
                body = await self._read(pieces)
                raise self._refusal(answer.status, answer.headers, body).of_form(wish.model.name)
            yield answer, pieces

    async def _answer(
        self, path: str, *, json: object = None, read_timeout: float | None = None
    ) -> tuple[bytes, int]:
        """The body and the status of a good answer to a question, which costs nothing and may be repeated."""
        answer, body = await self._questions.answer(f"{self._url}{path}", json=json, read_timeout=read_timeout)
        self._notice(answer.headers)
        if not answer.is_good:
            raise self._refusal(answer.status, answer.headers, body).of_question(path)
        return body, answer.status

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
        return Refusal(self.address, status, self._hidden(body), retry_after=headers.get("Retry-After"),
                       location=headers.get("Location"))

    async def _read(self, pieces: AsyncIterator[bytes]) -> bytes:
        """What comes of a bad answer's body; its status says enough where none comes."""
        try:
            return await read_short(self.address, pieces)
        except QueueFault:
            return b""

    def _parsed(self, kind: type[_Answer], body: bytes, what: str) -> _Answer:
        try:
            return kind.model_validate_json(body)
        except ValidationError:
            said, _ = words_of(self._hidden(body))
            raise QueueFault(f"The queue at {self.address} answered something unreadable to {what}: {said}.") from None

    def _hidden(self, body: bytes) -> bytes:
        """A body without the key: a server may repeat the request's headers in its error."""
        return body.replace(self._key.encode(), b"[key]")

    def _notice(self, headers: Mapping[str, str]) -> None:
        if not self.stand_in and STANDIN_HEADER in headers:
            self.stand_in = True
            logger.info("%s is reelflow's stand-in and not the real queue.", self.address)


def _unresolved(name: str, why: str, status: int) -> QueueRefused:
    """Never the name itself in place of an answer: the ledger would take what it stands for later for another wish."""
    return QueueRefused(
        f"{why.rstrip('.')}, so that it is not known what the model {name} stands for now; nothing was sent. Try "
        "again, or name the model itself: `reelflow models` lists them.", status=status,
    )


def _segment(job_id: str) -> str:
    """A job id as a piece of a path: sent as it is, as the SDKs do, but for what would make it another path."""
    return quote(job_id, safe="!$&'()*+,;=:@-._~")
