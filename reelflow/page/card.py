"""How one run or clip is shown among others, on an index page."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Card(BaseModel):
    """A poster and what stands below it. `page` and `poster` are addresses from the index page on.

    `state` is how it ended, in the words of a report; seconds are floats, `cost_usd` is None where it is unknown,
    `made_at` is ISO 8601 with a zone, or empty.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str
    state: str
    source: str = ""
    asked: str = ""
    recipe: str = ""
    models: tuple[str, ...] = ()
    page: str | None = None
    poster: str | None = None
    billed_seconds: float = 0.0
    cost_usd: float | None = 0.0
    took: float = 0.0
    stand_in: bool = False
    made_at: str = ""
    error: str = ""

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return self.model_dump(mode="json")

    @property
    def searched(self) -> str:
        """The words by which it is found."""
        return " ".join((self.title, self.source, self.asked, self.recipe, *self.models, self.error)).lower()
