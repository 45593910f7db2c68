"""`compose.yaml` and `cluster.py` are one topology: the same parts, commands and settings."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.topology import API, RUNS_PER_WORKER, SERVICES, UPGRADE, WORKER, server_settings, worker_settings
from flows.__main__ import QUIET
from flows.setup import HEARTBEAT_SECONDS, POOL, QUEUES
from reelflow.settings import Settings, variables

DEPLOYMENTS = Path(__file__).resolve().parents[2] / "deployments"
COMPOSE = yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text())
PREFECT = yaml.safe_load((DEPLOYMENTS.parent / "prefect.yaml").read_text())


def part(name: str) -> dict[str, Any]:
    found: dict[str, Any] = COMPOSE["services"][name]
    return found


def words(name: str) -> tuple[str, ...]:
    return tuple(shlex.split(part(name)["command"]))


def same(there: str, here: str) -> bool:
    """Whether two values say the same; of addresses it is the scheme and the last part, of a variable its default."""
    there = re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", there)
    pattern = re.compile(r"(\S+?)://.*?/(\w*)$")
    one, other = pattern.match(there), pattern.match(here)
    return one.groups() == other.groups() if one and other else there == here


@pytest.mark.parametrize(("name", "command"), [
    ("api", (*API, "--host", "0.0.0.0")), ("services", SERVICES), ("upgrade", UPGRADE),
    ("worker-1", (*WORKER, "--limit", str(RUNS_PER_WORKER))), ("worker-2", (*WORKER, "--limit", str(RUNS_PER_WORKER))),
])
def test_each_part_runs_the_same_command(name: str, command: tuple[str, ...]) -> None:
    assert words(name) == command


@pytest.mark.parametrize("name", ["api", "services", "upgrade"])
def test_the_server_s_parts_have_the_same_settings(name: str) -> None:
    wanted = {**server_settings("postgresql+asyncpg://u@h/prefect", "redis://h:1/0", "http://h:4200/api"), **QUIET}
    found = part(name)["environment"]
    assert found.keys() == wanted.keys()
    assert [key for key, value in wanted.items() if not same(str(found[key]), value)] == []


def test_the_workers_have_the_same_settings_and_no_folder_in_common() -> None:
    wanted = worker_settings("http://h:4200/api", "postgresql://u@h/ledger")
    for name in ("worker-1", "worker-2", "deploy"):
        found = part(name)["environment"]
        assert [key for key, value in wanted.items() if not same(str(found[key]), value)] == []
        ours = {key.removeprefix("REELFLOW_").lower() for key in found if key.startswith("REELFLOW_")}
        assert ours <= Settings.model_fields.keys()
    assert not set(part("worker-1")["volumes"]) & set(part("worker-2")["volumes"])


EXAMPLE = set(re.findall(r"(?m)^#?([A-Z_]+)=", (DEPLOYMENTS / "example.env").read_text()))


def environment_of(name: str, written: dict[str, str]) -> dict[str, str]:
    """What a part's process has where `.env` says so: that file, where it's read, and before it what the part names."""
    reads = {"path": ".env", "required": False} in part(name).get("env_file", ())
    own = {key: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: written.get(found[1], ""), str(value))
           for key, value in part(name)["environment"].items()}
    return {**(written if reads else {}), **own}


@pytest.mark.parametrize("name", ["worker-1", "worker-2", "deploy"])
def test_whatever_is_set_in_the_env_file_reaches_what_reads_settings(name: str) -> None:
    written = dict.fromkeys({*variables(), "AWS_ENDPOINT_URL"} - {"REELFLOW_LEDGER_URL", "REELFLOW_WORK_DIR"}, "as set")
    assert {key: environment_of(name, written).get(key) for key in written} == written


def test_the_example_names_the_limits_and_nothing_that_is_no_setting() -> None:
    assert {"REELFLOW_MAX_COST_USD", "REELFLOW_MAX_COST_PER_DAY_USD"} <= EXAMPLE
    assert {name for name in EXAMPLE if name.startswith(("REELFLOW_", "DECART_"))} <= variables().keys()


def test_every_part_waits_for_what_it_needs_and_every_volume_is_declared() -> None:
    services = COMPOSE["services"]
    needed = {name for service in services.values() for name in service.get("depends_on", {})}
    assert needed <= services.keys()
    mounted = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert mounted == COMPOSE["volumes"].keys()
    assert {name for name, service in services.items() if service.get("ports")} == {"api"}
    assert part("api")["ports"] == ["127.0.0.1:4200:4200"]


def test_prefect_yaml_uses_the_pool_the_queues_and_the_heartbeat_that_setup_counts_on() -> None:
    for deployment in PREFECT["deployments"]:
        pool = deployment["work_pool"]
        assert (pool["name"], pool["work_queue_name"] in QUEUES) == (POOL, True)
        env = pool["job_variables"]["env"]
        assert env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(HEARTBEAT_SECONDS)
        assert "reelflow" in deployment["tags"]
        assert deployment["description"]
        assert all(schedule["active"] is False for schedule in deployment.get("schedules", []))


def test_the_image_is_locked_small_without_a_key_and_not_root_s() -> None:
    lines = (DEPLOYMENTS / "Dockerfile").read_text().splitlines()
    assert all("--locked --no-dev" in line for line in lines if "uv sync" in line)
    assert [line for line in lines if line.startswith("USER")] == ["USER reelflow"]
    assert sum(line.startswith("FROM") for line in lines) == 2
    copied = {name for line in lines if line.startswith("COPY ") and "--from" not in line
              for name in line.split()[1:-1]}
    rules = (DEPLOYMENTS / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in rules if line.startswith("!")}
    assert copied == let_in
    assert rules[-1] == "**/.env"
    assert all((DEPLOYMENTS.parent / name).exists() for name in copied)
