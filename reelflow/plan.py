"""What will be done, worked out to the last frame before a byte is sent: phases of ffmpeg work, and jobs between them.

A phase is one ffmpeg command. Its pictures come from a source, from what a job returned, or from several of them side
by side; steps are done to them; they go to a model, or to the files that a person gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from reelflow.choices import Codec, Quality
from reelflow.media.clip import Clip, Timeline
from reelflow.media.geometry import Geometry, Size
from reelflow.media.media_step import Op
from reelflow.media.pieces import Piece
from reelflow.media.probe import Probe, Sound
from reelflow.model_step import ModelStep
from reelflow.models import Model


class How(StrEnum):
    """What it takes to make the prepared film."""

    ENCODE = "encode"
    COPY = "copy"  # the pictures are right as they are: only sound and titles are left behind
    AS_IT_IS = "as it is"  # a film that a model returned, and that the next one takes as it came


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a film that is used: its first frame's number, and when that is, on the file's own clock (seconds).

    `frames` are counted at `rate`, so that the span is `frames / rate` seconds long.
    """

    first: int
    begin: float
    frames: int
    rate: Fraction
    trimmed: bool

    @property
    def seconds(self) -> float:
        """Its length."""
        return float(self.frames / self.rate)


@dataclass(frozen=True, slots=True)
class FromFilm:
    """Pictures of a film that a person gave, and the span of it that is used."""

    film: Probe
    span: Span


@dataclass(frozen=True, slots=True)
class FromPicture:
    """A picture that a person gave."""

    picture: Probe


@dataclass(frozen=True, slots=True)
class FromJob:
    """What job number `job` returns: `sent` frames at `rate` in the model's frame, and how they become `clip` again.

    `crops` says whether the padding beside the picture is cut away. `smooth` makes up pictures in between where the
    clip's rate is higher than the model's.
    """

    job: int
    model: Model
    geometry: Geometry
    crops: bool
    sent: int
    rate: Fraction
    clip: Clip
    smooth: bool = False


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Several pictures in one, in rows of `columns`; each `cell` pixels large, with `below` pixels for its label."""

    cells: tuple[Pictures, ...]
    columns: int
    cell: Size
    below: int
    labels: tuple[str, ...]
    clip: Clip
    number: str


Feed = FromFilm | FromPicture | FromJob | SideBySide


@dataclass(frozen=True, slots=True)
class Pictures:
    """Where a phase's pictures come from, and what is done to them."""

    feed: Feed
    ops: tuple[Op, ...] = ()

    def feeds(self) -> Iterator[FromJob]:
        """What is taken from jobs."""
        if isinstance(self.feed, FromJob):
            yield self.feed
        elif isinstance(self.feed, SideBySide):
            for cell in self.feed.cells:
                yield from cell.feeds()

    def films(self) -> Iterator[Probe]:
        """The films that are read themselves, not what a job made of them."""
        if isinstance(self.feed, FromFilm):
            yield self.feed.film
        elif isinstance(self.feed, SideBySide):
            for cell in self.feed.cells:
                yield from cell.films()

    def read_at_least(self, made: int) -> int:
        """How many frames of a film, or of what a job returns, are read at least where `made` frames come out over all
        of the clip's time.
        """
        if not isinstance(self.feed, FromFilm | FromJob) or any(op.step.cuts for op in self.ops):
            return 0
        # Nothing is asked for behind the last one, which may stand for many: of a film that is much faster, say.
        frames = self.feed.sent if isinstance(self.feed, FromJob) else self.feed.span.frames
        return frames - min(frames, 3 * frames // (2 * max(1, made)))

    def all_ops(self) -> Iterator[Op]:
        """Every op on the way, in the order in which they are done."""
        if isinstance(self.feed, SideBySide):
            for cell in self.feed.cells:
                yield from cell.all_ops()
        yield from self.ops


@dataclass(frozen=True, slots=True)
class Sounds:
    """Where the finished film's sound comes from: a span of the source's `tracks`, and what is done to them.

    `encoded` are the numbers of the tracks that can't be copied, where that has been found out.
    """

    film: Probe
    span: Span
    tracks: tuple[Sound, ...]
    ops: tuple[Op, ...] = ()
    encoded: frozenset[int] = frozenset()

    @property
    def is_untouched(self) -> bool:
        """Whether a track can be copied as it is."""
        return not self.ops and not self.span.trimmed


@dataclass(frozen=True, slots=True)
class Prepare:
    """A phase that ends at a model: `frames` pictures at `rate` in the model's frame, at most `max_bytes` large.

    `stored` is the size in which the geometry finds the clip. A picture is one frame, with no rate. A film that is
    longer than its model takes goes out in `pieces`.
    """

    title: str
    pictures: Pictures
    geometry: Geometry
    stored: Size
    how: How
    frames: int
    rate: int
    max_bytes: int
    pieces: tuple[Piece, ...] = ()

    @property
    def seconds(self) -> float:
        """How long the prepared film is; 0 for a picture."""
        return self.frames / self.rate if self.rate else 0.0

    @property
    def is_picture(self) -> bool:
        """Whether a picture is sent."""
        return self.rate == 0


class OutputForm(StrEnum):
    """What kind of file an output is."""

    FILM = "film"
    ANIMATION = "animation"  # a WebP or a GIF
    PICTURE = "picture"
    SHEET = "sheet"  # pictures of a film, in rows


@dataclass(frozen=True, slots=True)
class Over:
    """The part of the source that an output wipes over; its time runs `speed` times as fast as the output's."""

    film: Probe
    span: Span
    speed: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Output:
    """One file that a person gets: a part of the last clip (from frame `first` on, `frames` of them at `rate`).

    `name` is its path below the output folder; `size` is its whole frame in pixels; `fit` how the picture gets into it.
    `over` is the source's part that it wipes over; None where it is shown by itself. `tags` and the `timecode` of its
    first frame are what a film says of itself.
    """

    name: str
    form: OutputForm
    size: Size
    fit: str
    rate: Fraction
    first: int
    frames: int
    codec: Codec | None = None
    quality: Quality = Quality.GOOD
    smooth: bool = False
    sound: bool = True
    columns: int = 0
    rows: int = 0
    copies: bool = False
    over: Over | None = None
    tags: tuple[tuple[str, str], ...] = ()
    timecode: str | None = None

    @property
    def seconds(self) -> float:
        """Its length; 0 for a picture."""
        return float(self.frames / self.rate) if self.rate else 0.0


@dataclass(frozen=True, slots=True)
class Finish:
    """The phase that ends at the files that a person gets: one command, whatever their number."""

    title: str
    pictures: Pictures
    clip: Clip
    sounds: Sounds | None
    outputs: tuple[Output, ...]

    @property
    def timeline(self) -> Timeline | None:
        """How the clip's time runs along the source's, for subtitles and chapters."""
        return self.clip.timeline


@dataclass(frozen=True, slots=True)
class Job:
    """One thing that is bought (or several, where a film goes out in pieces): what is sent, and what is asked.

    `place` is its step's number in the recipe. `seconds` are billed.
    """

    number: int
    place: str
    step: ModelStep
    model: Model
    resolved: str
    prepare: Prepare
    seconds: float

    @property
    def lengths(self) -> tuple[float, ...]:
        """The billed seconds of each thing that is bought for it."""
        return tuple(piece.frames / self.prepare.rate for piece in self.prepare.pieces) or (self.seconds,)

    def price(self, seconds: float) -> Decimal | None:
        """USD for one of these; None where that is unknown."""
        return self.model.price(seconds, resolution=self.step.wish(self.model, Path()).resolution)

    @property
    def cost_usd(self) -> Decimal | None:
        """USD for all of it: each of what is bought is priced, and rounded, by itself."""
        return sum_usd(map(self.price, self.lengths))


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about one run of a recipe that can be known before a byte is sent."""

    name: str
    source: Probe
    files: dict[Path, Probe]
    jobs: tuple[Job, ...]
    finish: Finish
    warnings: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Billed seconds in all."""
        return sum(job.seconds for job in self.jobs)

    @property
    def purchases(self) -> int:
        """How many jobs are bought in all: of a film that goes out in pieces, one for each."""
        return sum(max(1, len(job.prepare.pieces)) for job in self.jobs)

    @property
    def cost_usd(self) -> Decimal | None:
        """The price of all jobs in USD; None where one of them is unknown."""
        return sum_usd(job.cost_usd for job in self.jobs)

    def feed(self, job: int) -> FromJob:
        """How what the job returns goes on."""
        return next(feed for phase in self.phases() for feed in phase.pictures.feeds() if feed.job == job)

    def phases(self) -> tuple[Prepare | Finish, ...]:
        """The phases in the order in which they are done."""
        return (*(job.prepare for job in self.jobs), self.finish)


def sum_usd(costs: Iterable[Decimal | None]) -> Decimal | None:
    """USD in all; None where one of them is not known."""
    known = list(costs)
    return None if None in known else sum((cost for cost in known if cost is not None), Decimal(0))
