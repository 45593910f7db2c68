"""The command line: bad input is one sentence and exit code 2, and programs read exactly one JSON object."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from scripted import answer, scripted

from flows.__main__ import main
from flows.cli.start import told_of_stop
from flows.restyle import restyle
from reelflow.job.entry import Standing, State
from reelflow.media.run import run_ffmpeg
from reelflow.report import Report, RunStatus
from reelflow.standin.server import StandIn, running_standin
from tasks.facts import Latest


@pytest.fixture
def reelflow(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process: its exit code, standard output and standard error."""
    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, printed.out, printed.err
    return run


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path, clip: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a clip, a picture and files that are neither, which is the current one."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "clip.mp4").symlink_to(clip)
    (folder / "still.png").symlink_to(picture)
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no film at all")
    (folder / "-x.mp4").symlink_to(clip)
    (folder / "one.json").write_text('[{"frame": 0, "x": 0, "y": 0}]')
    (folder / "exists.mp4").write_text("something else")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
async def sound_only(here: Path, ffmpeg: Path) -> Path:
    """A file with nothing but sound."""
    target = here / "sound.m4a"
    await run_ffmpeg(["-f", "lavfi", "-i", "sine=d=0.2", f"file:{target}"], ffmpeg=ffmpeg, timeout=30)
    return target


@pytest.fixture
async def cut_off(here: Path, ffmpeg: Path) -> Path:
    """A film that says at its front how long it is, and of which the end is missing."""
    target = here / "cut-off.mp4"
    await run_ffmpeg(["-i", f"file:{here}/clip.mp4", "-c:v", "libx264", "-g", "5", "-movflags", "+faststart",
                      f"file:{target}"], ffmpeg=ffmpeg, timeout=30)
    whole = target.read_bytes()
    target.write_bytes(whole[:len(whole) * 6 // 10])
    return target


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that nobody answers at, which is that of Prefect's API."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"http://me:secret@127.0.0.1:{bound.getsockname()[1]}/api"
        with temporary_settings({PREFECT_API_URL: address}):
            yield address.replace("me:secret@", "")


@pytest.mark.parametrize("words", [
    "edit clip.mp4 --prompt x", "batch edit . --prompt x --output out", "setup", "approve some-run", "doctor",
])
def test_a_prefect_server_that_can_t_be_reached_is_told_with_its_address(
    reelflow: Run, here: Path, nobody: str, words: str
) -> None:
    code, out, err = reelflow(*words.split())
    assert code == 1
    assert f"Prefect's server at {nobody} can't be reached: start it with" in " ".join((out + err).split())
    assert "secret" not in out + err


@pytest.mark.parametrize(("words", "told"), [
    ("restyle nothing.mp4 --prompt x", "There is no file"),
    ("restyle text.mp4 --prompt x", "is not a video or a picture that can be read"),
    ("restyle empty.mp4 --prompt x", "is empty (0 bytes)"),
    ("restyle . --prompt x", "is a folder"),
    ("restyle still.png --prompt x", "is a picture; lucy-restyle-2 needs a video"),
    ("restyle clip.mp4 --prompt x --start 5", "lies behind the end"),
    ("restyle clip.mp4 --prompt x --max-cost-usd nan", "The limit max_cost_usd of nan can't be used"),
    ("restyle clip.mp4 --prompt x --max-cost-usd=-0.01", "The limit max_cost_usd of -0.01 can't be used"),
    ("restyle clip.mp4 --prompt x --max-cost-usd inf", "give 0 USD or more"),
    ("restyle clip.mp4 --prompt x --end 5", "lies behind the end"),
    ("restyle clip.mp4 --prompt x --start 0.8 --end 0.2", "is not after the start"),
    ("restyle clip.mp4 --prompt x --start soon", "'soon' is not a time"),
    ("restyle clip.mp4", "needs a prompt or a reference image"),
    ("restyle clip.mp4 --prompt x --reference-image still.png", "not both"),
    ("restyle clip.mp4 --reference-image clip.mp4", "is not a picture"),
    ("restyle clip.mp4 --reference-image nothing.png", "There is no file"),
    ("restyle clip.mp4 --reference-image text.mp4", "The reference image can't be used"),
    ("motion text.mp4 --preset arc", "is not a video or a picture that can be read"),
    ("restyle clip.mp4 --prompt film noir", "put a text with spaces in quotes"),
    ("restyle -x.mp4 --prompt x", "write ./-x.mp4"),
    ("restyle clip.mp4 --prompt x --model lucy-restle-2", "Did you mean lucy-restyle-2?"),
    ("restyle clip.mp4 --prompt x --seed 4294967296", "out of range"),
    ("restyle clip.mp4 --prompt x --seed x", 'unable to convert "x"'),
    ("restyle clip.mp4 --prompt x --fit squash", "squash"),
    ("restyle clip.mp4 --prompt x --output exists.mp4", "exists.mp4 exists"),
    ("restyle clip.mp4 --prompt x --output clip.mp4 --overwrite", "is the source itself"),
    ("restyle clip.mp4 --prompt x --output out.avi", "does not end in"),
    ("restyle clip.mp4 --prompt x --output text.mp4/out.mp4", "can't be made"),
    ("restyle clip.mp4 --promt x", "Did you mean --prompt?"),
    ("restyle", "requires an argument"),
    ("gallery nothing", "is not a folder"),
    ("restile clip.mp4", 'Did you mean "restyle"?'),
    ("edit clip.mp4 --model lucy-2.6 --self-anchor", "not a field of lucy-2.6"),
    ("image still.png", "prompt is missing"),
    ("image clip.mp4 --prompt x", "is a video"),
    ("motion still.png", "Give one of --trajectory, --path and --preset"),
    ("motion still.png --preset arc --path 0:0,0", "Give one of --trajectory, --path and --preset"),
    ("motion still.png --trajectory one.json", "1 point; it needs 2"),
    ("motion still.png --path 0:0,0_9:2,0", "can't be read"),
    ("motion still.png --preset spiral", "'spiral' is not known"),
    ("motion clip.mp4 --preset arc", "is a video"),
    ("jobs show 000000", "000000"),
    ("queue serve --fault nothing=1", "is not known"),
])
def test_bad_input_is_one_sentence_and_exit_code_2(reelflow: Run, here: Path, words: str, told: str) -> None:
    before = sorted(here.iterdir())
    code, out, err = reelflow(*words.split())
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err
    assert sorted(here.iterdir()) == before


def test_a_name_that_is_no_text_is_told(reelflow: Run, here: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    (here / "clip.mp4").rename(here / name)
    code, out, err = reelflow("edit", name, "--prompt", "x", "--json")
    assert (code, json.loads(out)["status"]) == (2, "refused")
    assert "caf\ufffd.mp4 is not in UTF-8" in err + out


@pytest.mark.parametrize(("states", "told"), [
    ([State.INTENDED, State.REFUSED], "Stopped before a job was bought."),
    ([State.ACCEPTED, State.INTENDED], "Stopped. Job job-0 is bought, and the queue may still finish and bill it: run"),
    ([State.ACCEPTED, State.ACCEPTED, State.INTENDED], "Stopped. Jobs job-0 and job-1 are bought, and the queue may"),
    ([State.ACCEPTED, State.COMPLETED], "Stopped. Job job-0 is bought, and the queue may still finish and bill it"),
    ([State.COMPLETED, State.INTENDED], "Stopped. What was bought is kept: run the same again to go on"),
])
def test_who_stops_a_run_of_several_jobs_is_told_once_what_is_bought(states: list[State], told: str) -> None:
    latest = Latest(Report("pipeline", RunStatus.FAILED))
    for number, state in enumerate(states):
        job = f"job-{number}" if state is State.ACCEPTED else None
        latest.standings[str(number)] = Standing("key", str(number), state, job)
    assert told_of_stop(latest).startswith(told)
    assert told_of_stop(latest).count("Stopped") == 1


def test_a_folder_that_is_gone_is_told(reelflow: Run, here: Path) -> None:
    here.joinpath("gone").mkdir()
    os.chdir("gone")
    Path("../gone").rmdir()
    assert "The current folder is gone" in reelflow("models")[2]


def test_a_long_prompt_is_refused(reelflow: Run, here: Path) -> None:
    code, _, err = reelflow("edit", "clip.mp4", "--prompt", "x" * 1001)
    assert (code, "1001 characters" in err) == (2, True)


def test_sound_alone_is_refused(reelflow: Run, sound_only: Path) -> None:
    code, _, err = reelflow("edit", str(sound_only))
    assert (code, "only sound" in err) == (2, True)


def test_a_queue_that_isn_t_there_is_told_with_its_address(
    reelflow: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECART_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DECART_API_KEY", "key-of-the-test")
    code, _, err = reelflow("restyle", "clip.mp4", "--prompt", "x")
    assert (code, "http://127.0.0.1:9 could not be reached" in err) == (2, True)


@pytest.fixture
async def locked_queue(tmp_path: Path, ffmpeg: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StandIn]:
    """A queue that takes one key only."""
    async with running_standin(tmp_path / "queue", ffmpeg=ffmpeg, api_key="the-right-key") as standin:
        monkeypatch.setenv("DECART_BASE_URL", standin.url)
        yield standin


async def test_a_wrong_key_is_refused_and_never_shown(
    locked_queue: StandIn, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECART_API_KEY", "the-wrong-key")
    done = subprocess.run(
        [sys.executable, "-m", "flows", "restyle", "clip.mp4", "--prompt", "x", "--json"], capture_output=True,
        text=True, check=False,
    )
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["status"]) == (2, "refused")
    assert "DECART_API_KEY" in answer["error"]
    assert "the-wrong-key" not in done.stdout + done.stderr


def test_a_refusal_as_json_is_exactly_one_object(reelflow: Run, here: Path) -> None:
    code, out, _ = reelflow("restyle", "nothing.mp4", "--prompt", "x", "--json")
    assert code == 2
    answer = json.loads(out)
    assert answer.keys() == {
        "status", "output", "job_ids", "billed_seconds", "cost_usd", "flow_run_id", "stand_in", "error"
    }
    assert (answer["status"], answer["stand_in"]) == ("refused", True)


def test_ctrl_c_before_a_run_begins_is_one_object_too(here: Path) -> None:
    os.mkfifo(here / "words.txt")
    waiting = subprocess.Popen(
        # A command that waits for a writer, as reading from a slow disk would.
        [sys.executable, "-m", "flows", "motion", "still.png", "--trajectory", "words.txt", "--json"],
        stdout=subprocess.PIPE, text=True,
        # Tests that run in a shell's background inherit that SIGINT is ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    with (here / "words.txt").open("w"):  # opens when the command has come to reading
        waiting.send_signal(signal.SIGINT)
        out, _ = waiting.communicate(timeout=30)
    answer = json.loads(out)
    assert (waiting.returncode, answer["status"], answer["job_ids"]) == (130, "interrupted", [])


@pytest.mark.parametrize("words", [
    "restyle clip.mp4 --prompt x", "batch restyle *.mp4 --prompt x", "demo --output made",
])
def test_a_folder_that_prefect_can_t_have_is_told_at_once_and_with_its_name(here: Path, words: str) -> None:
    (here / "list.txt").write_text("clip.mp4\n")
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    home = here / "list.txt" / "prefect"
    done = subprocess.run([sys.executable, "-m", "flows", *words.split()], capture_output=True, text=True, check=False,
                          env={**environment, "PREFECT_HOME": str(home)}, timeout=60)
    told = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert told[-1] == f"✗ Prefect's folder {home} can't be made or written to: set PREFECT_HOME to one that can."
    assert len(told) == 2  # what is begun, and why it isn't


def test_models_and_doctor_are_readable_by_programs(reelflow: Run) -> None:
    code, out, _ = reelflow("models", "--json")
    assert (code, len(json.loads(out)["models"])) == (0, 12)
    code, out, _ = reelflow("doctor", "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)


def test_probe_prints_what_it_sees(reelflow: Run, here: Path) -> None:
    code, out, _ = reelflow("probe", "clip.mp4")
    assert (code, "320x180" in out, "30 frames, 1.000 s" in out) == (0, True, True)
    code, out, _ = reelflow("probe", "clip.mp4", "--json")
    assert json.loads(out)["shown"] == [320, 180]


@pytest.mark.parametrize(("words", "code"), [("models --json", 0), ("restyle nothing.mp4 --prompt x --json", 2)])
def test_the_program_ends_with_the_code_of_its_command_and_loses_nothing_of_what_it_said(
    here: Path, words: str, code: int
) -> None:
    ended = subprocess.run([sys.executable, "-m", "flows", *words.split()], capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert isinstance(json.loads(ended.stdout), dict)
    assert "Traceback" not in ended.stderr and bool(ended.stderr) == (code != 0)


def test_help_loads_neither_prefect_nor_the_media_rooms() -> None:
    program = (
        "import sys; from flows.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'prefect', 'sqlalchemy', 'httpx', 'aiohttp', 'pydantic_settings', 'ffmpeg', 'av', 'starlette'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "restyle" in done.stdout


def test_metrics_are_printed_as_prometheus_reads_them(reelflow: Run) -> None:
    code, printed, _ = reelflow("metrics")
    assert code == 0
    assert "reelflow_unknown_wishes 0.0" in printed
    assert printed.endswith("# EOF\n")


def test_doctor_looks_at_the_ledger(reelflow: Run, nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_LEDGER_URL", nobody.replace("http://", "postgresql://me@").replace("/api", "/x"))
    code, out, _ = reelflow("doctor", "--json")
    (ledger,) = [check for check in json.loads(out)["checks"] if check["name"] == "ledger"]
    assert (code, ledger["ok"]) == (1, False) and "can't be opened" in ledger["told"]


async def test_doctor_does_not_say_that_a_queue_takes_the_key_which_only_stumbles(
    reelflow: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted(answer(500)) as server:
        monkeypatch.setenv("DECART_BASE_URL", server.url)
        monkeypatch.setenv("DECART_API_KEY", "key-of-the-test")
        _, out, _ = await asyncio.to_thread(reelflow, "doctor", "--json")
    (queue,) = [check for check in json.loads(out)["checks"] if check["name"] == "queue"]
    assert (queue["ok"], "answered 500" in queue["told"]) == (False, True)


async def test_a_queue_in_the_place_of_prefect_s_api_is_told(queue: StandIn, reelflow: Run) -> None:
    with temporary_settings({PREFECT_API_URL: queue.url}):
        _, out, _ = await asyncio.to_thread(reelflow, "doctor")
    assert f"{queue.url} is not the API of a Prefect server, which ends in /api" in " ".join(out.split())


def test_a_locale_without_our_letters_does_not_end_a_run_over_its_last_words(here: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "flows", "doctor"], env={**os.environ, "PYTHONIOENCODING": "ascii"}, cwd=here,
        capture_output=True, timeout=60, check=True,
    )
    assert b"? python  3." in told.stdout


def test_a_damaged_clip_has_no_price_where_its_damage_is_an_error(reelflow: Run, here: Path, cut_off: Path) -> None:
    (here / "noir.yaml").write_text("steps:\n  - restyle: noir\n")
    for words in (("restyle", cut_off, "--prompt", "noir"), ("recipe", "run", "noir.yaml", cut_off)):
        assert reelflow(*words, "--estimate")[0] == 0
        code, out, err = reelflow(*words, "--estimate", "--strict")
        assert (code, out) == (2, "") and "is damaged" in err


@pytest.mark.usefixtures("prefect_server", "work_dir")
@pytest.mark.parametrize("more", [{}, {"duration": "0.5"}, {"refresh": True}])
def test_an_estimate_tells_what_the_flow_tells_and_needs_no_server_of_prefect(
    reelflow: Run, here: Path, more: dict[str, Any]
) -> None:
    clip = str(here / "clip.mp4")
    told = asyncio.run(restyle(clip, prompt="noir", seed=3, estimate=True, **more))
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        words = [word for name, value in more.items() for word in (f"--{name}", value) if word is not True]
        code, out, _ = reelflow("restyle", clip, "--prompt", "noir", "--seed", "3", *words, "--estimate", "--json")
    assert (code, json.loads(out)) == (0, told | {"flow_run_id": None, "flow_run_name": None})
