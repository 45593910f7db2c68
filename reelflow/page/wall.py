"""A wall of posters with states, a filter and totals: the index of a batch, and the listing of a gallery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reelflow.amounts import spell_seconds, spell_usd
from reelflow.destination import companions
from reelflow.manifest import Line, read_manifest
from reelflow.page.card import Card
from reelflow.page.link import link_to
from reelflow.page.template import is_ours, render
from reelflow.report import STANDIN_NOTE
from reelflow.sources import show_source
from reelflow.whole import written_whole

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")


@dataclass(frozen=True, slots=True)
class Wall:
    """An index page, ready to be written; `own` is how it is itself shown in a gallery."""

    title: str
    kind: str
    cards: tuple[Card, ...]
    own: Card | None = None
    about: str = ""
    named: str = "Runs"
    empty: str = "Nothing here yet."
    goes_on: bool = False

    @property
    def states(self) -> tuple[tuple[str, int], ...]:
        """Every state that occurs, the most frequent first, and how often."""
        return tuple(Counter(card.state for card in self.cards).most_common())

    @property
    def stand_in(self) -> str:
        """What is said where the stand-in made all of it."""
        return STANDIN_NOTE if any(card.stand_in for card in priced(self.cards)) else ""

    @property
    def sums(self) -> tuple[tuple[str, str], ...]:
        """Totals, each with its name; what the stand-in made costs nothing where others were paid for."""
        counted = priced(self.cards)
        known = [card.cost_usd for card in counted if card.cost_usd is not None]
        unknown = len(counted) - len(known)
        done = sum(card.state == "completed" for card in self.cards)
        spent = "by the price list, not billed" if self.stand_in else "spent"
        spent += ", without the stand-in's" if len(counted) < len(self.cards) else ""
        return (
            ("completed", f"{done} of {len(self.cards)}"),
            ("generated", f"{sum(card.billed_seconds for card in self.cards):,.2f} s"),
            (spent + (f", {unknown} of unknown price" if unknown else ""), f"{sum(known):,.4f} USD"),
            ("of work", spell_seconds(sum(card.took for card in self.cards))),
        )

    def words(self, card: Card) -> list[str]:
        """The few facts below a poster."""
        made = [card.made_at.replace("T", " ")[:16]] if card.made_at else []
        made += [f"{card.billed_seconds:.2f} s"] if card.billed_seconds else []
        made += [] if card.cost_usd == 0 else [spell_usd(card.cost_usd, unknown="price unknown")]
        made += ["stand-in, not billed"] if card.stand_in and not self.stand_in else []
        return made

    def html(self) -> str:
        """The page."""
        return render("wall.html.j2", wall=self)


def priced(cards: Sequence[Card]) -> Sequence[Card]:
    """The cards whose prices are added up: all but the stand-in's, unless nothing was made but by the stand-in."""
    others = [card for card in cards if not card.stand_in]
    # What was refused before it came to any queue is neither's.
    is_made = any(card.state == "completed" or card.billed_seconds or card.cost_usd for card in others)
    return others if is_made else cards


def index_beside(manifest: Path) -> Path:
    """Where a batch's index page goes: `index.html` beside its manifest, unless somebody else's page lies there."""
    index = manifest.with_name(f"{manifest.stem.replace('manifest', 'index')}.html")
    if index.is_file() and not is_ours(index):
        return index.with_name(f"reelflow-{index.name}")
    return index


def write_wall(
    manifest: Path, destination: Path | None = None, *, title: str = "Batch", clips: int | None = None,
    goes_on: bool = False, away: bool = False,
) -> Path:
    """Write a batch's index page, at `index_beside` its manifest unless said otherwise.

    `clips` is how many there are in all (None: as many as the manifest has). A batch that `goes_on` has a page that
    loads itself anew. A page that is read `away` from here links to nothing but the posters that go with it.

    Raises:
        BadInput: the manifest can't be used.
    """
    target = destination or index_beside(manifest)
    # Of several lines of one clip the last counts, since a batch that goes on adds lines.
    ended = {line.name or line.source: line for line in read_manifest(manifest)}
    cards = tuple(_card(clip, manifest.parent, target, away=away) for clip in ended.values())
    total = max(clips or 0, len(cards))
    about = f"{total} clip{'' if total == 1 else 's'}"
    if goes_on:
        state, about = "processing", f"{len(cards)} of {about} so far"
    elif total == len(cards) and all(card.state == "completed" for card in cards):
        state = "completed"
    else:
        state = "partly completed"
        about += f", {total - len(cards)} not begun" if total > len(cards) else ""
    counted = priced(cards)
    costs = [card.cost_usd for card in counted if card.cost_usd is not None]
    own = Card(
        title=title, state=state, recipe="batch", asked=about, page=target.name,
        poster=next((card.poster for card in cards if card.poster), None),
        billed_seconds=sum(card.billed_seconds for card in cards), took=sum(card.took for card in cards),
        cost_usd=sum(costs) if len(costs) == len(counted) else None, stand_in=any(card.stand_in for card in counted),
    )
    wall = Wall(title, "batch", cards, own, about, "Clips", "No clip has ended yet.", goes_on)
    with written_whole(target) as part:
        part.write_text(wall.html(), "utf-8")
    return target


def _card(clip: Line, folder: Path, page: Path, *, away: bool) -> Card:
    shown = [folder / clip.poster] if clip.poster else []
    leads_to = [folder / clip.page] if clip.page and not away else []
    if clip.outputs and not away:
        first = folder / clip.outputs[0]
        beside = companions(first, is_film=True)
        shown += [beside["poster"], *([first] if first.suffix.lower() in _PICTURES else [])]
        leads_to += [beside["page"], first]
    poster, leads = _first_there(shown), _first_there(leads_to)
    return Card(
        title=Path(show_source(clip.source)).name or clip.source, state=clip.status, source=show_source(clip.source),
        asked=clip.prompt or "", models=(clip.model,) if clip.model else (),
        page=None if leads is None else link_to(leads, page),
        poster=None if poster is None else link_to(poster, page), billed_seconds=clip.billed_seconds,
        cost_usd=clip.cost_usd, took=clip.took, stand_in=clip.stand_in, error=clip.error or "",
    )


def _first_there(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
