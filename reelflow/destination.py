"""Where a finished film goes, checked before anything is made or bought."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reelflow.errors import BadInput, OutputTaken
from reelflow.home import expanded
from reelflow.output_spec import OutputSpec
from reelflow.plan import OutputForm, Plan
from reelflow.recipe import Recipe

LEAST_FREE_BYTES = 64 * 2**20
_LONGEST_NAME = 255  # bytes, on all that Linux writes to


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the files of a run go: into `folder`, or, where `wanted` names one file, there and under that name.

    `wanted` may also be a folder (it ends in "/", or is one). `overwrite` lets what exists be replaced.
    """

    folder: Path
    wanted: str = ""
    overwrite: bool = False

    def named(self, recipe: Recipe, source: str) -> Recipe:
        """The recipe with its one output under the name that was asked for; as it is where a folder was asked for."""
        target = self._file()
        if target is None:
            return recipe
        if len(recipe.outputs) > 1:
            raise BadInput(f"The recipe makes {len(recipe.outputs)} files: name a folder for them, not "
                           f"{target.name!r}.", field="output")
        spec = recipe.outputs[0] if recipe.outputs else OutputSpec(path="x")
        named = spec.model_copy(update={"path": target.name.replace("{", "{{").replace("}", "}}")})
        return recipe.with_outputs((named,))

    def targets(self, plan: Plan, source: Path, *, need_bytes: int) -> tuple[Path, ...]:
        """The final paths of a plan's outputs, below folders that are made as needed.

        `need_bytes` is about what the run will write. Raises BadInput: one is the source itself, or a picture beside it
        has a name that is taken, the folder can't be written, there is no space.
        """
        file = self._file()
        folder = self._folder() if file is None else file.parent
        targets = tuple(folder / output.name for output in plan.finish.outputs)
        is_film = plan.finish.outputs[0].form is OutputForm.FILM
        beside = companions(targets[0], is_film=is_film)
        for name in (*(target.name for target in targets), *(path.name for path in beside.values())):
            _check_length(name)
        references = [job.step.reference_image for job in plan.jobs]
        inputs = {**dict.fromkeys([*plan.files, *filter(None, references)], "a file that this run reads"),
                  source: "the source itself"}
        for target in targets:
            if target in beside.values():
                raise BadInput(f"The output {target.name} has the name of what is written beside {targets[0].name}: "
                               "give it another.", field="output")
            if target.is_dir():
                raise OutputTaken(f"The output {target} is a folder: choose another name.", field="output")
            for read, called in inputs.items():
                if target.exists() and read.exists() and target.samefile(read):
                    raise OutputTaken(f"The output {target} is {called}: choose another name.", field="output")
        for parent in dict.fromkeys(target.parent for target in targets):
            check_folder(parent, need_bytes=need_bytes)
        check_companions(targets[0], is_film=is_film, overwrite=self.overwrite, inputs=inputs)
        return targets

    def failed_page(self, recipe: Recipe, stem: str) -> Path:
        """Where the page of a run goes that fails: beside where its first output would be, whatever of it is known."""
        first = recipe.outputs[0].name(stem=stem, recipe=recipe.name) if recipe.outputs else f"{stem}-{recipe.name}.x"
        target = self._file() or self._folder() / first
        return target.with_name(f"{target.stem}.failed.html")

    def check_folder(self) -> None:
        """Make the folder, and refuse one that can't be written or has no room. Raises BadInput."""
        file = self._file()
        check_folder(self._folder() if file is None else file.parent)

    def _file(self) -> Path | None:
        """The one file that is asked for. Raises BadInput for a name that no disk takes."""
        if not self.wanted or self.wanted.endswith(("/", os.sep)):
            return None
        target = expanded(self.wanted).absolute()
        _check_length(target.name)
        return None if target.is_dir() else target

    def _folder(self) -> Path:
        return expanded(self.wanted).absolute() if self.wanted else self.folder


def _check_length(name: str) -> None:
    if (length := len(os.fsencode(name))) > _LONGEST_NAME:
        raise BadInput(f"The name {name} is {length} bytes long, and a file's may have {_LONGEST_NAME}: name a shorter "
                       "output.", field="output")


def companions(target: Path, *, is_film: bool) -> dict[str, Path]:
    """What is written beside a finished file, by what it is: its poster (films), before and after, the run's page."""
    made = {"poster": target.with_name(f"{target.stem}.poster.jpg")} if is_film else {}
    return made | {"before_after": target.with_name(f"{target.stem}.before-after.jpg"),
                   "page": target.with_name(f"{target.stem}.html")}


def check_companions(target: Path, *, is_film: bool, overwrite: bool, inputs: Mapping[Path, str]) -> None:
    """Check the names of what lies beside a file that isn't there yet; `inputs` are what is read, and how to call it.

    Raises BadInput: one is taken.
    """
    for beside in companions(target, is_film=is_film).values():
        for read, called in inputs.items():
            if beside.exists() and read.exists() and beside.samefile(read):
                raise OutputTaken(f"{beside}, which is written beside {target.name}, is {called}: choose another "
                                  "output.", field="output")
        if beside.exists() and not overwrite and not target.exists():
            raise refuse_existing(beside)


def refuse_existing(target: Path | str) -> OutputTaken:
    """What is said where the output exists."""
    return OutputTaken(f"The output {target} exists: choose another name or allow it to be replaced (--overwrite).",
                       field="output")


def check_folder(folder: Path, *, need_bytes: int = 0, field: str = "output") -> None:
    """Make `folder` where it's missing, and refuse one that can't be written or has no room. Raises BadInput."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder {folder} can't be made: {error.strerror}.", field=field) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"The folder {folder} can't be written to: choose another one.", field=field)
    need = max(LEAST_FREE_BYTES, need_bytes)
    if (free := shutil.disk_usage(folder).free) < need:
        raise BadInput(
            f"The folder {folder} has {free / 1e6:.0f} MB free and about {need / 1e6:.0f} MB are needed: make room or "
            "choose another one.", field=field,
        )
