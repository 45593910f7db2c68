"""The queue that both sides of a benchmark use: `python -m benchmarks.queue_server` prints its address and serves.

It speaks the queue's wire and renders nothing: a job's result is the very film that was sent, after a fixed service
time. So it costs next to no CPU, it is the same for both sides, and whatever a side does wrong on the way to the model
(a wrong frame, a wrong rate, a film that got smaller) shows in what it hands over at the end. It counts what it is
asked, and knows for each job how long after its end somebody noticed.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import statistics
import sys
import time
from dataclasses import dataclass, field

_PIECE = 2**20
# Neighbouring jobs take other times: by the golden ratio, which spreads any number of them evenly.
_GOLDEN = 0.6180339887


@dataclass(slots=True)
class Job:
    """A job: when it begins and ends (monotonic seconds), its film, and when somebody first heard that it is done."""

    begins: float
    ends: float
    film: bytes
    noticed: float | None = None

    def status(self, now: float) -> str:
        """What a status call answers now."""
        return "completed" if now >= self.ends else "processing" if now >= self.begins else "pending"


@dataclass(slots=True)
class Counts:
    """What was asked since the last reset."""

    submits: int = 0
    asks: int = 0
    fetches: int = 0
    jobs: list[Job] = field(default_factory=list)


class BenchQueue:
    """The jobs of a queue with `slots` that each take `service` seconds, give or take the share `spread` of them.

    With `gives` it takes forms of any length without keeping them, and every result is so many bytes.
    """

    def __init__(self, *, service: float, slots: int, spread: float = 0.0, gives: int | None = None) -> None:
        self._service, self._spread, self._gives = service, spread, gives
        self._slots = slots
        self._free = [0.0] * slots
        self._jobs: dict[str, Job] = {}
        self._counts = Counts()
        self.last_film = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept open for as long as the client likes."""
        try:
            while True:
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.IncompleteReadError:
                    return
                lines = head.decode("latin-1").split("\r\n")
                verb, path, _ = lines[0].split(" ", 2)
                split = (line.partition(":") for line in lines[1:])
                headers = {name.lower(): value.strip() for name, _, value in split}
                body = await self._read(reader, int(headers.get("content-length", "0")))
                await self._answer(writer, verb, path, headers, body)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, length: int) -> bytes:
        if self._gives is None:
            return await reader.readexactly(length) if length else b""
        while length:
            piece = await reader.read(min(length, _PIECE))
            if not piece:
                raise ConnectionError("the form broke off")
            length -= len(piece)
        return b""

    async def _answer(
        self, writer: asyncio.StreamWriter, verb: str, path: str, headers: dict[str, str], body: bytes
    ) -> None:
        now = time.monotonic()
        if path == "/v1/models/resolve":
            return await _say(writer, {"model": json.loads(body or b'{"model": ""}')["model"]})
        if path == "/control/figures":
            return await _say(writer, self._figures())
        if path == "/control/reset":
            self._counts, self._free = Counts(), [0.0] * self._slots
            return await _say(writer, {})
        if path == "/control/last":
            return await _give(writer, self.last_film)
        if verb == "POST":
            return await _say(writer, self._take(headers.get("content-type", ""), body, now))
        job = self._jobs[path.removeprefix("/v1/jobs/").removesuffix("/content")]
        if path.endswith("/content"):
            self._counts.fetches += 1
            return await (_give(writer, job.film) if self._gives is None else _give_away(writer, self._gives))
        self._counts.asks += 1
        status = job.status(now)
        if status == "completed" and job.noticed is None:
            job.noticed = now
        return await _say(writer, {"job_id": path.rpartition("/")[2], "status": status})

    def _take(self, content_type: str, body: bytes, now: float) -> dict[str, str]:
        number = len(self._jobs) + 1
        share = 1 + self._spread * (2 * (number * _GOLDEN % 1) - 1)
        begins = max(now, heapq.heappop(self._free))
        job = Job(begins, begins + self._service * share, b"" if self._gives else _film_of(content_type, body))
        heapq.heappush(self._free, job.ends)
        self._jobs[f"job-{number}"] = job
        self._counts.jobs.append(job)
        self._counts.submits += 1
        self.last_film = job.film
        return {"job_id": f"job-{number}", "status": job.status(now)}

    def _figures(self) -> dict[str, float | int | None]:
        counts = self._counts
        late = sorted(job.noticed - job.ends for job in counts.jobs if job.noticed is not None)
        return {
            "submits": counts.submits, "asks": counts.asks, "fetches": counts.fetches,
            "requests": counts.submits + counts.asks + counts.fetches,
            "noticed_after": statistics.median(late) if late else None,
            "noticed_after_p95": late[int(len(late) * 0.95)] if late else None,
        }


def _film_of(content_type: str, body: bytes) -> bytes:
    """The part `data` of a form."""
    boundary = b"--" + content_type.partition("boundary=")[2].strip('"').encode()
    for part in body.split(b"\r\n" + boundary) if boundary in body else []:
        head, _, content = part.partition(b"\r\n\r\n")
        if b'name="data"' in head:
            return content
    return body


async def _say(writer: asyncio.StreamWriter, answer: object) -> None:
    await _give(writer, json.dumps(answer).encode(), kind="application/json")


async def _give(writer: asyncio.StreamWriter, body: bytes, kind: str = "video/mp4") -> None:
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


async def _give_away(writer: asyncio.StreamWriter, size: int) -> None:
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {size}\r\n\r\n".encode())
    piece = bytes(_PIECE)
    for _ in range(size // _PIECE):
        writer.write(piece)
        await writer.drain()
    writer.write(bytes(size % _PIECE))
    await writer.drain()


async def main() -> None:
    """Serve until killed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--service", type=float, default=1.0, help="seconds that a job takes")
    options.add_argument("--slots", type=int, default=8, help="jobs that are done at a time")
    options.add_argument("--spread", type=float, default=0.0, help="by which share of itself the service time varies")
    options.add_argument("--gives", type=int, help="bytes of every result; forms are then not kept")
    asked = options.parse_args()
    queue = BenchQueue(service=asked.service, slots=asked.slots, spread=asked.spread, gives=asked.gives)
    server = await asyncio.start_server(queue.serve, "127.0.0.1", 0, limit=4 * _PIECE, backlog=2048)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
