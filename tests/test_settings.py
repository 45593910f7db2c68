"""Settings: where they come from, and that the secret stays one."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.errors import BadInput
from reelflow.settings import DECART_URL, read_settings

SECRET = "sk-very-secret-1234"


def test_nothing_set_means_the_stand_in() -> None:
    assert read_settings().uses_standin


def test_a_key_alone_means_the_real_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECART_API_KEY", SECRET)
    settings = read_settings()
    assert (settings.uses_standin, settings.queue_url) == (False, DECART_URL)


def test_the_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECART_API_KEY", SECRET)
    settings = read_settings()
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_the_environment_goes_before_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(f"DECART_API_KEY={SECRET}\nREELFLOW_POLL_SECONDS=9\nREELFLOW_MAX_ATTEMPTS=2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELFLOW_POLL_SECONDS", "3")
    settings = read_settings()
    assert settings.api_key is not None
    assert (settings.api_key.get_secret_value(), settings.poll_seconds, settings.max_attempts) == (SECRET, 3.0, 2)


@pytest.mark.parametrize("named", ["environment", "file"])
def test_a_key_and_an_address_of_another_program_are_not_taken_for_decart_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (("API_KEY", SECRET), ("BASE_URL", "/app/"), ("WORK_DIR", "/app"), ("api_key", SECRET)):
        if named == "file":
            with (tmp_path / ".env").open("a") as file:
                file.write(f"{name}={value}\n")
        else:
            monkeypatch.setenv(name, value)
    settings = read_settings()
    assert (settings.uses_standin, settings.api_key, settings.base_url) == (True, None, None)
    assert settings.work_dir != Path("/app")


@pytest.mark.parametrize(("name", "value"), [
    ("REELFLOW_POLL_SECONDS", "soon"), ("DECART_BASE_URL", "ftp://queue"), ("REELFLOW_MODELS", "not json"),
    ("REELFLOW_UNKNOWN_POLICY", "guess"), ("REELFLOW_MAX_COST_USD", "-1"),
    ("DECART_BASE_URL", "https://name:word@queue"),
])
def test_a_setting_that_can_t_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match=name):
        read_settings()


@pytest.mark.parametrize("named", ["environment", "file"])
def test_a_setting_that_is_nearly_one_is_told_and_others_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELFLOW_SOMETHING_OF_MINE", "1")
    read_settings()
    if named == "file":
        (tmp_path / ".env").write_text("REELFLOW_MAX_COST_PER_DAY=1\n")
    else:
        monkeypatch.setenv("REELFLOW_MAX_COST_PER_DAY", "1")
    with pytest.raises(BadInput, match="no setting REELFLOW_MAX_COST_PER_DAY: if REELFLOW_MAX_COST_PER_DAY_USD is"):
        read_settings()


def test_a_work_folder_of_nobody_s_home_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_WORK_DIR", "~no-such-user/reelflow")
    with pytest.raises(BadInput, match="there is no home folder for ~no-such-user/reelflow"):
        read_settings()


def test_a_wrong_key_setting_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECART_API_KEY", SECRET)
    monkeypatch.setenv("REELFLOW_POLL_SECONDS", "soon")
    with pytest.raises(BadInput) as refused:
        read_settings()
    assert SECRET not in str(refused.value)
