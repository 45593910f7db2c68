"""The commands are what they are: each a list, argument for argument."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from one_job import plan_of
from test_plan import MODELS, film

from reelflow.compile import Known, compile_recipe
from reelflow.errors import BadInput
from reelflow.media.command import (
    Target,
    finish_arguments,
    prepare_arguments,
    remux_arguments,
    subtitle_arguments,
)
from reelflow.media.drawing import Take
from reelflow.media.geometry import Size
from reelflow.media.media_step import Given
from reelflow.media.opening import FILM_FORMATS
from reelflow.media.outputs import Codec, choose_encoding, choose_sounds
from reelflow.media.probe import Chapter, Sound
from reelflow.media.still_command import poster_arguments
from reelflow.media.tracks import chapter_file, cut_subtitles
from reelflow.models import ModelTable
from reelflow.plan import OutputForm, Pictures, Plan
from reelflow.recipe import parse_recipe

MODEL = MODELS["lucy-restyle-2"]
WHOLE = plan_of(film(), MODEL)
CUT = plan_of(film(frames=900, seconds=30.03), MODEL, start=20, duration=2, fit="crop")
GIVEN = Given({}, Path("/room"))
SENT, DONE = Path("/films/sent.mp4"), Path("/films/done.mp4")
MADE = film(
    path=Path("/films/made.mp4"), width=1280, height=704, rate=Fraction(22), frames=220, seconds=10.0, sounds=()
)


def finished(
    plan: Plan, *, step: Fraction = Fraction(1, 22), smooth: bool = False, chapters: Path | None = None
) -> list[str]:
    """The last command of a plan of one job that returned MADE, each of whose frames stands for `step` seconds."""
    feed = plan.feed(1)
    take = Take(MADE, feed.geometry.placed, step)
    finish = replace(plan.finish, pictures=Pictures(replace(feed, smooth=smooth)))
    return finish_arguments(finish, {1: take}, GIVEN, (Target(replace(finish.outputs[0], name="done.mp4"), DONE,
                                                              chapters=chapters),))


@pytest.mark.parametrize(("seconds", "palette"), [(2, "diff"), (60, "single")])
def test_a_gif_s_frames_are_held_for_one_palette_only_while_they_are_few(seconds: int, palette: str) -> None:
    recipe = parse_recipe({"steps": [{"flip": "horizontal"}], "outputs": [{"path": "a.gif", "width": 640}]})
    source = film(frames=30 * seconds, seconds=float(seconds), rate=Fraction(30))
    finish = compile_recipe(recipe, source, Known(ModelTable.standard())).finish
    command = finish_arguments(finish, {}, GIVEN, (Target(finish.outputs[0], Path("/films/a.gif")),))
    assert f"stats_mode={palette}" in " ".join(command)


def test_prepare_a_whole_film() -> None:
    assert prepare_arguments(WHOLE.jobs[0].prepare, {}, GIVEN, SENT) == [
        "-loglevel", "level+verbose", "-copyts", "-y", "-format_whitelist", FILM_FORMATS, "-max_pixels", "35389440",
        "-protocol_whitelist", "file", "-reinit_filter", "0", "-i", "file:/clips/in.mp4", "-filter_complex",
        "[0:V:0]tpad=stop=1:stop_mode=clone[s0];"
        "[s0]settb=AVTB[s1];"
        "[s1]setpts=PTS-STARTPTS-0.01635/TB[s2];"
        "[s2]fps=fps=22:round=up:start_time=0[s3];"
        "[s3]scale=1252:704:flags=lanczos+accurate_rnd+full_chroma_int:in_color_matrix=bt709:in_ran"
        "ge=tv:out_color_matrix=bt709:out_range=tv[s4];"
        "[s4]format=yuv420p[s5];"
        "[s5]pad=1280:704:14:0[s6];"
        "[s6]tpad=stop=-1:stop_mode=clone[s7];"
        "[s7]trim=end_frame=220[s8];"
        "[s8]sidedata=delete[s9];"
        "[s9]setsar=1[s10];"
        "[s10]setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:field_mode=prog:range=tv[s11]",
        "-map", "[s11]", "-f", "mp4", "-c:v", "libx264", "-crf", "14", "-fflags", "+bitexact", "-flags:v", "+bitexact",
        "-fps_mode", "passthrough", "-fs", "104857600", "-map_chapters", "-1", "-map_metadata", "-1", "-mbtree", "1",
        "-movflags", "+faststart", "-preset", "superfast", "-rc-lookahead", "10", "-threads", "4",
        "file:/films/sent.mp4",
    ]


def test_prepare_a_cut_seeks_before_it_and_trims_on_the_file_s_clock() -> None:
    assert prepare_arguments(CUT.jobs[0].prepare, {}, GIVEN, SENT) == [
        "-loglevel", "level+verbose", "-copyts", "-y", "-format_whitelist", FILM_FORMATS, "-max_pixels", "35389440",
        "-noaccurate_seek", "-protocol_whitelist", "file", "-reinit_filter", "0", "-ss", "9.986633", "-i",
        "file:/clips/in.mp4", "-filter_complex",
        "[0:V:0]trim=start=19.970284[s0];"
        "[s0]scale=1920:1080[s1];"
        "[s1]crop=1920:1056:0:12:exact=1[s2];"
        "[s2]tpad=stop=1:stop_mode=clone[s3];"
        "[s3]settb=AVTB[s4];"
        "[s4]setpts=PTS-(20.002983)/TB[s5];"
        "[s5]fps=fps=22:round=up:start_time=0[s6];"
        "[s6]scale=1280:704:flags=lanczos+accurate_rnd+full_chroma_int:in_color_matrix=bt709:in_ran"
        "ge=tv:out_color_matrix=bt709:out_range=tv[s7];"
        "[s7]format=yuv420p[s8];"
        "[s8]tpad=stop=-1:stop_mode=clone[s9];"
        "[s9]trim=end_frame=44[s10];"
        "[s10]sidedata=delete[s11];"
        "[s11]setsar=1[s12];"
        "[s12]setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:field_mode=prog:range=tv[s13]",
        "-map", "[s13]", "-f", "mp4", "-c:v", "libx264", "-crf", "14", "-fflags", "+bitexact", "-flags:v", "+bitexact",
        "-fps_mode", "passthrough", "-fs", "104857600", "-map_chapters", "-1", "-map_metadata", "-1", "-mbtree", "1",
        "-movflags", "+faststart", "-preset", "superfast", "-rc-lookahead", "10", "-threads", "4",
        "file:/films/sent.mp4",
    ]


def test_what_would_be_too_large_is_capped_and_made_by_one_thread() -> None:
    command = prepare_arguments(CUT.jobs[0].prepare, {}, GIVEN, SENT, capped=True)
    said = dict(pairwise(command))
    assert (said["-threads"], said["-maxrate"], said["-bufsize"]) == ("1", "120000000", "60000000")
    assert "-fs" not in command


def test_remux_leaves_all_but_the_pictures_behind() -> None:
    assert remux_arguments(WHOLE.source, SENT) == [
        "-loglevel", "level+verbose", "-copyts", "-y", "-format_whitelist", FILM_FORMATS, "-max_pixels", "35389440",
        "-protocol_whitelist", "file", "-reinit_filter", "0", "-i", "file:/clips/in.mp4", "-map", "0:V:0", "-f",
        "mp4", "-bsf:v", "filter_units=remove_types=6", "-c", "copy", "-fflags", "+bitexact", "-flags:v", "+bitexact",
        "-map_chapters", "-1", "-map_metadata", "-1", "-movflags", "+faststart", "file:/films/sent.mp4",
    ]


def test_finish_a_whole_film_copies_its_sound() -> None:
    assert finished(WHOLE) == [
        "-loglevel", "level+verbose", "-copyts", "-y", "-format_whitelist", FILM_FORMATS, "-max_pixels", "35389440",
        "-protocol_whitelist", "file", "-reinit_filter", "0", "-i", "file:/films/made.mp4", "-format_whitelist",
        FILM_FORMATS, "-itsoffset", "0", "-max_pixels", "35389440", "-protocol_whitelist", "file", "-reinit_filter",
        "0", "-vn", "-i", "file:/clips/in.mp4", "-filter_complex",
        "[0:V:0]scale=1280:704[s0];"
        "[s0]crop=1252:704:14:0:exact=1[s1];"
        "[s1]scale=1920:1080:flags=lanczos+accurate_rnd+full_chroma_int:in_color_matrix=bt709:in_ra"
        "nge=tv:out_color_matrix=bt709:out_range=tv[s2];"
        "[s2]format=yuv420p[s3];"
        "[s3]tpad=stop=1:stop_mode=clone[s4];"
        "[s4]settb=AVTB[s5];"
        "[s5]setpts=(N-0.49)*1/22/TB[s6];"
        "[s6]fps=fps=30000/1001:round=up:start_time=0[s7];"
        "[s7]tpad=stop=-1:stop_mode=clone[s8];"
        "[s8]trim=end_frame=300[s9];"
        "[s9]sidedata=delete[s10];"
        "[s10]setsar=1[s11];"
        "[s11]setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:field_mode=prog:range=tv[s12]",
        "-map", "[s12]", "-map", "1:a:0", "-f", "mp4", "-c:a:0", "copy", "-c:v", "libx264", "-crf", "14", "-fflags",
        "+bitexact", "-flags:v", "+bitexact", "-fps_mode", "passthrough", "-map_chapters", "-1", "-map_metadata",
        "-1", "-mbtree", "1", "-movflags", "+faststart", "-preset", "superfast", "-rc-lookahead", "10",
        "file:/films/done.mp4",
    ]


def test_finish_a_cut_trims_its_sound() -> None:
    assert finished(CUT) == [
        "-loglevel", "level+verbose", "-copyts", "-y", "-format_whitelist", FILM_FORMATS, "-max_pixels", "35389440",
        "-protocol_whitelist", "file", "-reinit_filter", "0", "-i", "file:/films/made.mp4", "-format_whitelist",
        FILM_FORMATS, "-itsoffset", "-19.986633", "-max_pixels", "35389440", "-noaccurate_seek",
        "-protocol_whitelist", "file", "-reinit_filter", "0", "-ss", "9.986633", "-vn", "-i", "file:/clips/in.mp4",
        "-filter_complex",
        "[0:V:0]scale=1920:1056:flags=lanczos+accurate_rnd+full_chroma_int:in_color_matrix=bt709:in"
        "_range=tv:out_color_matrix=bt709:out_range=tv[s0];"
        "[s0]format=yuv420p[s1];"
        "[s1]tpad=stop=1:stop_mode=clone[s2];"
        "[s2]settb=AVTB[s3];"
        "[s3]setpts=(N-0.49)*1/22/TB[s4];"
        "[s4]fps=fps=30000/1001:round=up:start_time=0[s5];"
        "[s5]tpad=stop=-1:stop_mode=clone[s6];"
        "[s6]trim=end_frame=60[s7];"
        "[s7]sidedata=delete[s8];"
        "[s8]setsar=1[s9];"
        "[s9]setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:field_mode=prog:range=tv[s10];"
        "[1:a:0]atrim=end=2.002:start=0[s11];"
        "[s11]aresample=async=1:first_pts=0[s12];"
        "[s12]apad[s13];"
        "[s13]atrim=end=2.002[s14];"
        "[s14]asetnsamples=1024:pad=0[s15]",
        "-map", "[s10]", "-map", "[s15]", "-f", "mp4", "-b:a:0", "192000", "-c:a:0", "aac", "-c:v", "libx264", "-crf",
        "14", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-fps_mode", "passthrough", "-map_chapters", "-1",
        "-map_metadata", "-1", "-mbtree", "1", "-movflags", "+faststart", "-preset", "superfast", "-rc-lookahead", "10",
        "file:/films/done.mp4",
    ]


def test_prepare_a_picture() -> None:
    still = film(
        path=Path("/clips/in.jpg"), is_picture=True, format="jpeg", frames=1, rate=Fraction(0), seconds=0.0, width=1000,
        height=1501, sounds=(),
    )
    plan = plan_of(still, MODELS["lucy-motion"])
    assert prepare_arguments(plan.jobs[0].prepare, {}, GIVEN, Path("/films/.sent.png.part"), suffix=".png") == [
        "-loglevel", "level+verbose", "-copyts", "-y", "-f", "jpeg_pipe", "-max_pixels", "35389440", "-noautorotate",
        "-protocol_whitelist", "file", "-i", "file:/clips/in.jpg", "-filter_complex",
        "[0]format=rgb24[s0];"
        "[s0]scale=704:1056:flags=lanczos+accurate_rnd[s1];"
        "[s1]format=rgb24[s2];"
        "[s2]pad=704:1280:0:112[s3];"
        "[s3]sidedata=delete[s4];"
        "[s4]setsar=1[s5]",
        "-map", "[s5]", "-f", "image2", "-c:v", "png", "-frames:v", "1", "-map_metadata", "-1", "-update", "1",
        "file:/films/.sent.png.part",
    ]


def test_poster_as_jpeg_names_its_own_colours() -> None:
    assert poster_arguments(film(), Path("/films/.poster.jpg.part"), at=2.0, width=640, suffix=".jpg") == [
        "-loglevel", "level+verbose", "-copyts", "-y", "-format_whitelist", FILM_FORMATS, "-max_pixels", "35389440",
        "-protocol_whitelist", "file", "-reinit_filter", "0", "-i", "file:/clips/in.mp4", "-filter_complex",
        "[0:V:0]tpad=stop=1:stop_mode=clone[s0];"
        "[s0]settb=AVTB[s1];"
        "[s1]setpts=PTS-(2.01635)/TB[s2];"
        "[s2]fps=fps=30000/1001:round=up:start_time=0[s3];"
        "[s3]tpad=stop=-1:stop_mode=clone[s4];"
        "[s4]trim=end_frame=1[s5];"
        "[s5]scale=640:360:flags=lanczos+accurate_rnd+full_chroma_int:in_color_matrix=bt709:in_rang"
        "e=tv:out_color_matrix=bt709:out_range=tv[s6];"
        "[s6]format=yuv420p[s7];"
        "[s7]sidedata=delete[s8];"
        "[s8]setsar=1[s9];"
        "[s9]setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:field_mode=prog:range=tv[s10];"
        "[s10]scale=flags=bicubic+accurate_rnd+full_chroma_int:in_color_matrix=bt709:in_range=tv[s11];"
        "[s11]format=rgb24[s12];"
        "[s12]scale=out_color_matrix=bt601:out_range=pc[s13];"
        "[s13]format=yuvj420p[s14];"
        "[s14]setparams=colorspace=bt470bg:range=pc[s15];"
        "[s15]sidedata=delete[s16];"
        "[s16]setsar=1[s17]",
        "-map", "[s17]", "-f", "image2", "-c:v", "mjpeg", "-frames:v", "1", "-map_metadata", "-1", "-q:v", "2",
        "-update", "1", "file:/films/.poster.jpg.part",
    ]


def test_smooth_makes_up_pictures_only_where_the_rate_is_raised() -> None:
    def graph(frames: int, *, smooth: bool) -> str:
        arguments = finished(WHOLE, step=Fraction(1, frames), smooth=smooth)
        return arguments[arguments.index("-filter_complex") + 1]

    assert "minterpolate=fps=30000/1001" in graph(22, smooth=True)
    assert "minterpolate" not in graph(22, smooth=False) and "minterpolate" not in graph(60, smooth=True)


def test_what_the_source_says_of_itself_goes_into_the_finished_film_and_never_into_what_is_sent() -> None:
    said = film(tags=(("title", "a=b"), ("artist", "x; y")), timecode="01:00:59;29")
    plan, plain = plan_of(said, MODEL, start=2), plan_of(film(), MODEL, start=2)
    with_it, without = finished(plan), finished(plain)
    at = with_it.index("-metadata:g:artist")
    assert with_it[at:at + 4] == ["-metadata:g:artist", "artist=x; y", "-metadata:g:title", "title=a=b"]
    assert with_it[with_it.index("-timecode") + 1] == "01:01:02;01"
    told = [*with_it[at:at + 4], "-timecode", "01:01:02;01"]
    assert [word for word in with_it if word not in told] == without
    assert prepare_arguments(plan.jobs[0].prepare, {}, GIVEN, SENT) == prepare_arguments(
        plain.jobs[0].prepare, {}, GIVEN, SENT)
    assert remux_arguments(said, SENT) == remux_arguments(film(), SENT)


def test_chapters_come_in_as_an_input_of_their_own() -> None:
    arguments = finished(WHOLE, chapters=Path("/films/chapters.txt"))
    assert arguments[arguments.index("ffmetadata") - 1:][:4] == ["-f", "ffmetadata", "-i", "file:/films/chapters.txt"]
    assert arguments[arguments.index("-map_chapters") + 1] == "2"


def test_a_film_keeps_its_chapters_titles_behind_a_picture() -> None:
    feed, output = WHOLE.feed(1), WHOLE.finish.outputs[0]
    finish = replace(WHOLE.finish, pictures=Pictures(feed))
    poster = replace(output, name="poster.png", form=OutputForm.PICTURE, frames=1, rate=Fraction(0))
    arguments = finish_arguments(finish, {1: Take(MADE, feed.geometry.placed, Fraction(1, 22))}, GIVEN, (
        Target(poster, Path("/films/poster.png")),
        Target(replace(output, name="done.mp4"), DONE, chapters=Path("/films/chapters.txt")),
    ))
    told = [arguments[at + 1] for at, word in enumerate(arguments) if word == "-map_metadata"]
    assert told == ["-1", "2"]


def test_subtitles_are_read_on_the_file_s_clock() -> None:
    arguments = subtitle_arguments(film(), 1, Path("/films/1.srt"))
    assert arguments[-5:] == ["-map", "0:s:1", "-f", "srt", "file:/films/1.srt"] and "-itsoffset" not in arguments


@pytest.mark.parametrize(("name", "codec", "encoder"), [
    ("a.mp4", None, "libx264"), ("a.MKV", "h264", "libx264"), ("a.m4v", "hevc", "libx265"),
    ("a.mov", "prores", "prores_ks"), ("a.webm", None, "libsvtav1"),
    ("a.webm", "av1", "libsvtav1"), ("a.mkv", "prores", "prores_ks"),
])
def test_the_name_and_the_codec_choose_the_encoder(name: str, codec: str | None, encoder: str) -> None:
    assert choose_encoding(Path(name), codec).options["c:v"] == encoder


@pytest.mark.parametrize(("name", "codec", "quality", "said"), [
    ("a.wmv", None, None, r"'a.wmv' does not end in .mp4, .m4v, .mov, .mkv, .webm"),
    ("a.webm", "h264", None, "can't hold h264: a .webm file takes av1"),
    ("a.mp4", "prores", None, "can't hold prores: a .mp4 file takes h264 or hevc or av1"),
    ("a.mp4", "vp9", None, "The codec 'vp9' is not one of h264, hevc, av1, prores"),
    ("a.mp4", None, "huge", "The quality 'huge' is not one of small, good, best"),
])
def test_what_does_not_go_together_is_refused(name: str, codec: str | None, quality: str | None, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        choose_encoding(Path(name), codec, quality)


@pytest.mark.parametrize(("name", "codec", "size", "least"), [
    ("a.webm", None, Size(64, 62), 64), ("a.mkv", "av1", Size(48, 36), 64), ("a.mp4", "hevc", Size(16, 14), 16),
])
def test_pictures_that_are_too_small_for_a_codec_are_refused_before_anything_is_bought(
    name: str, codec: str | None, size: Size, least: int
) -> None:
    encoding = choose_encoding(Path(name), codec)
    encoding.check_size(Size(least, least))
    with pytest.raises(BadInput, match=rf"{size.width}x{size.height} is too small .* takes {least} pixels a side"):
        encoding.check_size(size)


def test_better_quality_is_a_lower_number() -> None:
    for codec in (Codec.H264, Codec.HEVC, Codec.AV1):
        small, good, best = (
            choose_encoding(DONE, codec, quality).options["crf"] for quality in ("small", "good", "best"))
        assert small > good > best


def test_sound_is_copied_where_it_fits_and_is_whole() -> None:
    tracks = tuple(Sound(at, codec, 48000, 2, "stereo", 0, 1) for at, codec in enumerate(("aac", "opus", "pcm_s16le")))
    def copied(name: str, *, trimmed: bool) -> list[bool]:
        return [one.copied for one in choose_sounds(tracks, choose_encoding(Path(name)).container, trimmed=trimmed)]
    assert copied("a.mp4", trimmed=False) == [True, True, False]
    assert copied("a.mov", trimmed=False) == [True, False, True]
    assert copied("a.mkv", trimmed=False) == [True, True, True]
    assert copied("a.webm", trimmed=False) == [False, True, False]
    assert copied("a.mp4", trimmed=True) == [False, False, False]


SUBTITLES = """1
00:00:01,000 --> 00:00:02,000
<i>one</i>

2
00:00:03,500 --> 00:00:05,500
two
lines

3
00:01:00,000 --> 00:01:01,000
three
"""


def test_subtitles_are_cut_to_the_span_and_moved_to_its_clock() -> None:
    assert cut_subtitles(SUBTITLES, begin=1.5, seconds=3.0) == (
        "1\n00:00:00,000 --> 00:00:00,500\n<i>one</i>\n\n2\n00:00:02,000 --> 00:00:03,000\ntwo\nlines\n"
    )
    assert cut_subtitles(SUBTITLES, begin=10, seconds=5) == ""


def test_chapters_are_cut_to_the_span_and_their_titles_quoted() -> None:
    chapters = (Chapter(0, 2, "one"), Chapter(2, 4, "a=b; #c"), Chapter(4, 9, None))
    assert chapter_file(chapters, begin=2.5, seconds=2.0) == (
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1500\ntitle=a\\=b\\; \\#c\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1500\nEND=2000\ntitle=\n"
    )
    assert chapter_file(chapters, begin=20, seconds=2.0) == ""
