"""The stand-in as a server: alone in the foreground, on a port that may be taken, and light on what it imports."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from asking import KEY, Media, client_of

from reelflow.errors import BadInput
from reelflow.standin.server import running_standin, serve

SERVE = (
    "import sys\nfrom pathlib import Path\nfrom reelflow.standin.server import serve\n"
    "serve(Path(sys.argv[1]), ffmpeg=Path(sys.argv[2]), port=0)\nprint('ended')\n"
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serve_says_where_and_ends_cleanly(number: signal.Signals, work_dir: Path, ffmpeg: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, str(work_dir), str(ffmpeg), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    url = line.split(" listens on ")[1].split()[0]
    async with httpx.AsyncClient(base_url=url, headers=KEY) as http:
        assert (await http.get("/v1/jobs/none")).status_code == 404
    process.send_signal(number)
    out, told = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, out) == (0, b"ended\n")
    assert b"Traceback" not in told
    assert b"stand-in queue: it draws with ffmpeg, it is not Decart's" in told.splitlines()[0]


def test_a_taken_port_is_one_sentence(work_dir: Path, ffmpeg: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=rf"can't listen on 127\.0\.0\.1:{port}: .*\. Choose another port"):
            serve(work_dir, ffmpeg=ffmpeg, port=port)


async def test_an_address_that_is_none_is_one_sentence(work_dir: Path, ffmpeg: Path) -> None:
    with pytest.raises(BadInput, match=r"no\.such\.host\.invalid"):
        async with running_standin(work_dir, ffmpeg=ffmpeg, host="no.such.host.invalid"):
            pass


async def test_a_folder_that_can_not_be_written_is_one_sentence(tmp_path: Path, ffmpeg: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="can't write to"):
        async with running_standin(tmp_path / "file" / "work", ffmpeg=ffmpeg):
            pass


async def test_a_fault_that_is_none_is_refused_before_the_start(work_dir: Path, ffmpeg: Path) -> None:
    with pytest.raises(BadInput, match="'nonsense' is not known"):
        async with running_standin(work_dir, ffmpeg=ffmpeg, faults=["nonsense=1"]):
            pass


async def test_the_port_is_free_again_afterwards(work_dir: Path, ffmpeg: Path) -> None:
    async with running_standin(work_dir, ffmpeg=ffmpeg) as running:
        port = int(running.url.rsplit(":", 1)[1])
    async with running_standin(work_dir, ffmpeg=ffmpeg, port=port) as running:
        assert running.url == f"http://127.0.0.1:{port}"


async def test_a_busy_program_does_not_starve_its_stand_in(work_dir: Path, ffmpeg: Path) -> None:
    async with running_standin(work_dir, ffmpeg=ffmpeg) as running:
        # Blocks this thread's loop until the answer is there: on the same loop it would never come.
        assert httpx.get(f"{running.url}/v1/jobs/none", headers=KEY, timeout=10).status_code == 404


def test_importing_the_server_is_light() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import sys, reelflow.standin.server; print(*sys.modules)"], capture_output=True,
        text=True, check=True,
    ).stdout.split()
    assert not {"av", "ffmpeg", "prefect", "numpy", "sqlalchemy", "PIL"} & set(told)


@pytest.mark.slow
async def test_a_gibibyte_upload_does_not_grow_the_server(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    big = work_dir / "big.mp4"
    big.write_bytes(media.film.read_bytes())
    size = big.stat().st_size
    with big.open("r+b") as film:  # a `free` box of 1 GiB behind the film, sparse on disk
        film.seek(size)
        film.write((1).to_bytes(4, "big") + b"free" + (2**30).to_bytes(8, "big"))
        film.truncate(size + 2**30)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, str(work_dir / "queue"), str(ffmpeg), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().split(" listens on ")[1].split()[0]

    def peak() -> int:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])

    try:
        async with httpx.AsyncClient(base_url=url, headers=KEY, timeout=300) as http:
            with media.film.open("rb") as film:
                answer = await http.post("/v1/jobs/lucy-2.5", data={"prompt": "plain"}, files={"data": film})
            assert answer.status_code == 200
            before = peak()
            with big.open("rb") as film:
                answer = await http.post("/v1/jobs/lucy-2.5", data={"prompt": "plain"}, files={"data": film})
            assert answer.status_code == 200, answer.text
            assert peak() - before < 16 * 1024, "the server grew by more than 16 MiB"
    finally:
        process.terminate()
        await process.wait()


async def test_control_is_off_by_default(work_dir: Path, ffmpeg: Path) -> None:
    async with running_standin(work_dir, ffmpeg=ffmpeg) as running, client_of(running) as http:
        assert (await http.get("/control/state")).status_code == 404
