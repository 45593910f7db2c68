"""What the stand-in makes of a prompt: a look and effects, by the words that are in it."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass

from reelflow.standin.effects import EFFECTS
from reelflow.standin.looks import LOOKS, Canvas, Look

COLOURS = {
    "red": 0xC0242B, "blue": 0x2450B8, "green": 0x2A7F3F, "yellow": 0xE8C22C, "orange": 0xE07A22, "purple": 0x6F35A5,
    "pink": 0xE26A9A, "brown": 0x6E4426, "black": 0x1C1C20, "white": 0xEDEBE6, "grey": 0x80848A, "gray": 0x80848A,
    "golden": 0xC9A03A, "silver": 0xB9BEC4, "navy": 0x1D2A57, "beige": 0xD8C7A4, "teal": 0x1F8180, "crimson": 0xA3142F,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a prompt is taken to mean; without a look of its own the picture stays as it is."""

    look: Look | None
    effects: tuple[Look, ...]

    @property
    def told(self) -> str:
        """In words, for the log."""
        names = [self.look.name] if self.look else []
        return ", ".join([*names, *(effect.name for effect in self.effects)]) or "as it is"

    @property
    def draws(self) -> bool:
        """Whether anything is drawn: not for a picture that stays as it is."""
        return bool(self.effects) or self.look not in (None, LOOKS[0])

    @property
    def keeps(self) -> bool:
        """Whether the prompt asks for the picture as it is, so that not even a garment is drawn."""
        return self.look is LOOKS[0] and not self.effects

    def graph(self, canvas: Canvas, begin: str, end: str) -> str:
        """The filter graph from the pad `begin` to the pad `end`."""
        steps = [look.draw(canvas) for look in (self.look, *self.effects) if look] or ["[in]null[out]"]
        chains, here = [], begin
        for number, step in enumerate(steps):
            there = end if number == len(steps) - 1 else f"{end}{number}"
            inner = re.sub(r"\[([a-z])\]", rf"[{end}{number}\1]", step)
            chains.append(inner.replace("[in]", f"[{here}]").replace("[out]", f"[{there}]"))
            here = there
        return ";".join(chains)


def read_prompt(prompt: str, seed: int, *, always: bool) -> Reading:
    """The look of the first word that means one, and all effects that are named.

    Where nothing is recognised and `always` is set, a look is chosen by the prompt and the seed.
    """
    words = _words(prompt)
    means = {word: look for look in LOOKS for word in look.words}
    look = next((means[word] for word in words if word in means), None)
    effects = tuple(named for effect in EFFECTS if (named := effect.named_in(set(words))))
    if look is None and not effects and always:
        drawn = hashlib.sha256(f"{seed}:{' '.join(words)}".encode()).digest()
        look = LOOKS[1 + drawn[0] % (len(LOOKS) - 1)]
    return Reading(look, effects)


def cloth_colour(prompt: str, seed: int) -> int:
    """The colour (0xRRGGBB) of the first word that names one; where none does, one of these by the seed."""
    named = next((COLOURS[word] for word in _words(prompt) if word in COLOURS), None)
    return tuple(COLOURS.values())[seed % len(COLOURS)] if named is None else named


def _words(prompt: str) -> list[str]:
    """The words in a prompt; of `8-bit` and `hand-drawn` the whole without the hyphen, and each part."""
    words: list[str] = []
    joined = prompt.lower().replace("pop art", "popart").replace("snow storm", "snowstorm")
    for word in re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", joined):
        words += [word.replace("-", ""), *word.split("-")] if "-" in word else [word]
    return words


def canvas_for(seed: int, width: int, height: int, fps: int) -> Canvas:
    """A canvas whose colours, strength and grain are the seed's."""
    dice = random.Random(seed)
    return Canvas(
        width, height, fps, hue=dice.uniform(-16, 16), strength=dice.uniform(0.88, 1.12), grain=dice.randrange(1, 2**20)
    )
