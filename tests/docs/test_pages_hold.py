"""What README.md and docs/ tell a person to type, typed: each page from top to end, in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from blocks import PAGES, ROOT, Block, blocks, named

from deployments.parts import find_free_port

VENV = Path(sys.prefix)
PORTS = ("4200", "8642", "8650")
STAYS = {"make serve": "Ctrl-C ends", "reelflow gallery": "http://", "reelflow queue serve": "http://"}
"""Commands that go on until Ctrl-C, and what they print once they are ready."""
PROJECT = ("reelflow", "tasks", "flows", "deployments", "recipes", "tests", "docs", "Makefile", "prefect.yaml",
           "pyproject.toml", "uv.lock", "README.md")

RUN = tuple(page for page in PAGES if any(block.language == "sh" for block in blocks(page)))
MADE = {
    "docs/how-to/own-recipe.md": ("sample-noir.mp4", "sample-noir.jpg", "recipe.schema.json"),
    "docs/how-to/own-look.md": ("try-2.mp4", "sample-looks.jpg", "like-1.mp4"),
    "docs/how-to/approval.md": ("sample-careful.mp4",),
    "docs/tutorial.md": ("reelflow-demo/restyled.html", "holiday-restyle.mp4", "holiday-noir.webp", "noir/index.html",
                         "~/reelflow/made/holiday-restyle.mp4"),
}
DEPLOYED = {one["name"] for one in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]}
ADDED = {"docs/how-to/extend.md": ["square"]}
pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person's home folder, with the project in `reelflow-project`, which shares this environment."""
    project = tmp_path / "reelflow-project"
    for name in PROJECT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", ".env"))
        else:
            shutil.copy2(ROOT / name, project / name)
    # Older than the environment, whatever was touched last: `make` would install it again, for this copy.
    for name in ("pyproject.toml", "uv.lock"):
        os.utime(project / name, (0, 0))
    (project / ".venv").symlink_to(VENV)
    return tmp_path


@pytest.mark.skipif(not (VENV / ".ready").exists(), reason="the environment was not made by `make setup`")
@pytest.mark.parametrize("page", RUN, ids=named)
def test_a_page_does_what_it_says(page: Path, home: Path, request: pytest.FixtureRequest) -> None:
    project = home / "reelflow-project"
    ports = {port: str(find_free_port()) for port in PORTS}
    script = re.sub("|".join(PORTS), lambda found: ports[found[0]], "\n".join(map(typed, blocks(page))))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | {
        "HOME": str(home), "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(project),
        "REELFLOW_PREFECT_PORT": ports["4200"], "REELFLOW_STANDIN_PORT": ports["8642"], "REELFLOW_POLL_SECONDS": "0.5",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
    }
    if "s3://" in script:
        environment |= request.getfixturevalue("store")
    if "make serve" not in script:
        # It may use a server that is there, which takes less than one of its own for each command.
        environment["PREFECT_API_URL"] = request.getfixturevalue("prefect_server")
    log = home / "typed.log"
    with log.open("wb") as written:
        shell = subprocess.Popen(
            ["bash", "-eux", "-o", "pipefail", "-c", _BEFORE + script], cwd=project, env=environment,
            stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = shell.wait(900)
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)
    assert code == 0, log.read_text()[-4000:]
    for made in MADE.get(named(page), ()):
        path = home / made.removeprefix("~/") if made.startswith("~") else project / made
        assert path.is_file() and path.stat().st_size > 0, f"{made} was not made"
    deployments = yaml.safe_load((project / "prefect.yaml").read_text())["deployments"]
    assert [one["name"] for one in deployments if one["name"] not in DEPLOYED] == ADDED.get(named(page), [])
    for file, _, flow in (one["entrypoint"].partition(":") for one in deployments):
        assert f"async def {flow}(" in (project / file).read_text()


_BEFORE = """\
PS4='+ ${SECONDS}s '
stays=""
trap 'for one in $stays; do kill $one; wait $one || true; done' EXIT
"""


def typed(block: Block) -> str:
    """A block as lines of one shell script: a file is written, a command that stays is waited for."""
    if block.title and block.language != "sh":
        name, more = block.title.removesuffix(" (at its end)"), block.title.endswith(" (at its end)")
        return (f"mkdir -p $(dirname {name}); cat {'>>' if more else '>'} {name} <<'END-OF-FILE'\n"
                f"{block.text}END-OF-FILE")
    if block.language != "sh":
        return ""
    if refused := re.fullmatch(r"exit (\d+)", block.title):
        return f"code=0; (\n{block.text}) || code=$?; [ $code = {refused[1]} ]"
    ready = next((told for command, told in STAYS.items() if block.text.startswith(command)), None)
    if ready:
        return (f"{block.text.strip()} > stays.log 2>&1 & stays=\"$! $stays\"\n"
                f"until grep -q '{ready}' stays.log; do kill -0 $!; sleep 0.5; done")
    return block.text
