"""What a step on film or sound is: how it changes a clip on paper, and which filters it is in a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from reelflow.errors import BadInput
from reelflow.media.clip import Clip
from reelflow.media.needed import examine_need
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel
from reelflow.step import Step


@dataclass(frozen=True, slots=True)
class Op:
    """A media step at its place in a plan: its own `number` ("3", "2.1.1"), and the clip `before` and `after` it."""

    number: str
    step: MediaStep
    before: Clip
    after: Clip


@dataclass(frozen=True, slots=True)
class Given:
    """What a command is built from besides the pictures: the probed `files` by path, the `room` in which files of its
    own lie (named by their op), and what analysis passes have `found`, by the op's number. `way` names which of several
    ways side by side is being built.
    """

    files: Mapping[Path, Probe]
    room: Path
    found: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    way: str = ""

    def own(self, op: Op, suffix: str) -> Path:
        """The path of a file that an op has of its own."""
        return self.room / f"step-{op.number.replace('.', '-')}{suffix}"


@dataclass(frozen=True, slots=True)
class Playing:
    """A sound track on its way through a command: a stream from 0 on, its language, and its channels."""

    stream: Any
    language: str | None = None
    channels: int = 2


class MediaStep(Step):
    """A step that ffmpeg does. Each says what it changes: pictures (`draws`), sound (`plays`), or the time of both.

    `analyses` names what an analysis pass has to look at before the step can be done: "pictures", "sound" or nothing.
    """

    draws: ClassVar[bool] = True
    plays: ClassVar[bool] = False
    analyses: ClassVar[str | None] = None
    cuts: ClassVar[bool] = False
    """Whether pictures are left away, so that what lies behind the last one that is wanted is never read."""

    def changes_sound(self) -> bool:
        """Whether the sound is another one afterwards, and not only cut or chosen."""
        return self.plays

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        """The clip that comes out. Raises BadInput for what can't be done with this one."""
        return clip

    async def look(self) -> dict[Path, Probe]:
        """The facts of the files that the step reads. Raises BadInput: one can't be used."""
        return {need.path: found for need in self.needs() if (found := await examine_need(need)) is not None}

    def paint(self, op: Op, given: Given) -> None:
        """Make the files of its own that the step needs in `given.room`, before its command runs."""

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        """The pictures that come out, where the step `draws`."""
        return reel

    def play(self, sounds: tuple[Playing, ...], op: Op, given: Given) -> tuple[Playing, ...]:
        """The sound that comes out, where the step `plays`; each track is exactly as long as the clip before."""
        return sounds

    def analyse(self, stream: Any, op: Op, given: Given) -> Any:
        """The pictures or the sound track as the analysis pass looks at it."""
        raise NotImplementedError

    def read(self, stderr: str, op: Op, given: Given) -> Any:
        """What the analysis pass has found, from its last words or from a file of the op's own."""
        raise NotImplementedError

    def tell(self, found: tuple[Any, ...]) -> tuple[str, ...]:
        """What to say of what was found, in a sentence each."""
        return ()


def refuse_picture(clip: Clip, what: str) -> None:
    """Refuse a step that only a film can take. Raises BadInput."""
    if clip.is_picture:
        raise BadInput(f"A picture can't be {what}: it has no time. Put this step behind one that makes a film.")
