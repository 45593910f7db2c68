"""Fitting into a frame and back: whole even numbers, the picture never outside, proportions kept."""

from __future__ import annotations

import random

import pytest

from reelflow.choices import Fit
from reelflow.media.geometry import Box, Size, even, fit_into, orient, scale_box

FRAME = Size(1280, 704)


def test_halves_go_up_to_the_even_number() -> None:
    assert [even(value) for value in (0, 1, 2.9, 3, 161, 719.2)] == [2, 2, 2, 4, 162, 720]


@pytest.mark.parametrize(("shown", "wanted"), [
    (Size(1920, 1080), FRAME), (Size(1080, 1920), Size(704, 1280)), (Size(500, 500), FRAME),
])
def test_the_frame_takes_the_picture_s_orientation(shown: Size, wanted: Size) -> None:
    assert orient(FRAME, shown) == wanted


def test_a_square_frame_stays_as_it_is() -> None:
    assert orient(Size(512, 512), Size(90, 160)) == Size(512, 512)


def test_pad_puts_a_whole_picture_into_the_middle() -> None:
    made = fit_into(Size(1920, 1080), Size(1920, 1080), FRAME, Fit.PAD)
    assert made.taken == Box(0, 0, 1920, 1080)
    assert made.placed == Box(14, 0, 1252, 704)
    assert made.restored == Size(1920, 1080) and made.is_padded


def test_crop_fills_the_frame_and_gives_back_the_part_that_was_kept() -> None:
    made = fit_into(Size(1920, 1080), Size(1920, 1080), FRAME, Fit.CROP)
    assert made.taken == Box(0, 12, 1920, 1056)
    assert made.placed == Box(0, 0, 1280, 704) and not made.is_padded
    assert made.restored == Size(1920, 1056)


def test_stretch_uses_all_of_both() -> None:
    made = fit_into(Size(640, 480), Size(640, 480), FRAME, Fit.STRETCH)
    assert (made.taken, made.placed, made.restored) == (Box(0, 0, 640, 480), Box(0, 0, 1280, 704), Size(640, 480))


def test_wide_pixels_are_cropped_as_stored_and_restored_as_shown() -> None:
    made = fit_into(Size(720, 576), Size(1024, 576), Size(576, 576), Fit.CROP)
    assert made.taken == Box(156, 0, 406, 576)
    assert made.restored == Size(578, 576)


@pytest.mark.parametrize("fit", Fit)
def test_any_size_stays_even_inside_and_in_proportion(fit: Fit) -> None:
    chosen = random.Random(3)
    for _ in range(3000):
        shown = Size(chosen.randint(4, 8000), chosen.randint(4, 4000))
        frame = orient(Size(2 * chosen.randint(64, 1000), 2 * chosen.randint(64, 600)), shown)
        made = fit_into(shown, shown, frame, fit)
        placed, taken = made.placed, made.taken
        assert not (placed.x % 2 or placed.y % 2 or placed.width % 2 or placed.height % 2)
        assert placed.x + placed.width <= frame.width and placed.y + placed.height <= frame.height
        assert taken.x + taken.width <= shown.width and taken.y + taken.height <= shown.height
        assert made.restored.width % 2 == 0 and made.restored.height % 2 == 0
        if fit is Fit.PAD:
            assert placed.width == frame.width or placed.height == frame.height
            # Even numbers cost at most a pixel on the shorter way.
            scale = min(frame.width / shown.width, frame.height / shown.height)
            assert placed.width == 2 or abs(placed.width - shown.width * scale) <= 1.001
            assert placed.height == 2 or abs(placed.height - shown.height * scale) <= 1.001


def test_a_box_is_found_again_in_a_picture_of_another_size() -> None:
    assert scale_box(Box(14, 0, 1252, 704), FRAME, Size(640, 352)) == Box(6, 0, 626, 352)
    assert scale_box(Box(14, 0, 1252, 704), FRAME, Size(1279, 703)) == Box(12, 0, 1252, 702)
