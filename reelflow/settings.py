"""What can be set from outside: read once by whoever starts a run, then handed on, frozen."""

from __future__ import annotations

import difflib
import hashlib
import re
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from reelflow.errors import BadInput
from reelflow.home import expanded
from reelflow.legible import is_legible
from reelflow.model_row import parse_row
from reelflow.models import Model, ModelTable
from reelflow.wording import reworded

DECART_URL = "https://api.decart.ai"
_PREFIXES = ("REELFLOW_", "DECART_")
_NEARLY = 0.85


class Settings(BaseSettings):
    """Settings from the environment (`REELFLOW_…`, `DECART_API_KEY`, `DECART_BASE_URL`) and from `.env`.

    Seconds are floats, money is Decimal USD, sizes are bytes. The key is a secret: it is never shown, logged or
    stored by us, and no Prefect parameter or job variable carries it.
    """

    model_config = SettingsConfigDict(
        env_prefix="REELFLOW_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True,
        populate_by_name=True, hide_input_in_errors=True,
    )

    api_key: SecretStr | None = Field(
        None, validation_alias="DECART_API_KEY",
        description="The key; never printed, logged or stored. Without it and without an address: the stand-in."
    )
    base_url: str | None = Field(
        None, validation_alias="DECART_BASE_URL",
        description="Another queue with the same wire; else Decart's."
    )

    work_dir: Path = Field(Path("~/.reelflow"), description="Ledger, store, scratch and the stand-in's jobs.")
    ffmpeg: str = Field("bundled", description="`bundled`, `path` (the one on PATH) or a path to one.")
    ffmpeg_timeout: float = Field(3600.0, gt=0, description="Seconds that one ffmpeg command may take.")
    models: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Rows for models that the table lacks, or that replace its rows, as JSON: "
        '`{"lucy-9": {"like": "lucy-2.5", "usd": "0.05"}}`.'
    )

    connect_timeout: float = Field(10.0, gt=0, description="Seconds to reach the queue.")
    write_timeout: float = Field(60.0, gt=0, description="Seconds without a byte going out.")
    read_timeout: float = Field(120.0, gt=0, description="Seconds without a byte coming in.")
    pool_timeout: float = Field(60.0, gt=0, description="Seconds to wait for a free connection.")
    max_connections: int = Field(20, gt=0, description="Connections to the queue at once.")

    poll_seconds: float = Field(2.0, gt=0, description="Least seconds between two status calls of one job.")
    poll_deadline: float = Field(720.0, gt=0, description="Seconds to wait for a job: the queue's 600 and a margin.")

    ledger_url: str | None = Field(None, description="`postgresql://…` for several machines; else SQLite in work_dir.")
    unknown_policy: Literal["ask", "resubmit", "fail"] = Field(
        "ask", description="What happens to a submit whose reply was lost; `resubmit`: up to three forms in a run."
    )
    max_attempts: int = Field(
        1, ge=1, description="Jobs that may be bought for one wish, over all runs, where jobs fail or are overdue."
    )
    max_cost_usd: Decimal | None = Field(None, ge=0, description="USD that one run may spend.")
    max_cost_per_day_usd: Decimal | None = Field(None, ge=0, description="USD per UTC day over all runs of a ledger.")

    jobs_at_once: int = Field(4, ge=1, le=500, description="Jobs that one run may have on the queue at a time.")
    share_jobs: bool = Field(
        False, description="Whether a job takes a slot of the Prefect limit that all runs with this key share "
        "(`reelflow setup` makes it)."
    )
    encodes_at_once: int | None = Field(
        None, ge=1, le=64, description="Films that one run encodes at a time; unset: three, or a quarter of the cores "
        "and one more."
    )
    standin_workers: int = Field(2, ge=1, le=64, description="Jobs that the embedded stand-in renders at a time.")

    max_source_bytes: int = Field(4 * 2**30, gt=0, description="Largest file taken from an http(s) source.")
    private_sources: bool = Field(False, description="Whether an http(s) source may redirect into a private network.")

    @field_validator("work_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        if not is_legible(str(expanded(value).absolute())):
            raise ValueError("its name is not in UTF-8")
        if str(expanded(value)).startswith("~"):
            # In each folder that it is begun from there would be another ledger, which knows of nothing.
            raise ValueError(f"there is no home folder for {value}: write it out")
        return expanded(value).absolute()

    @field_validator("base_url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        if value is not None and "@" in urlsplit(value).netloc:
            # It would be told, logged, and kept in the ledger with each job.
            raise ValueError("must hold no name and password: the key goes into DECART_API_KEY")
        return value.rstrip("/") if value else None

    @cached_property
    def model_table(self) -> ModelTable:
        """The model table with the rows of these settings laid over it; raises BadInput for a row that's wrong."""
        rows: dict[str, Model] = {name: parse_row(name, row) for name, row in self.models.items()}
        return ModelTable.standard().with_rows(rows)

    @property
    def uses_standin(self) -> bool:
        """Whether no queue was named, so that the embedded stand-in is used."""
        return self.api_key is None and self.base_url is None

    @property
    def jobs_limit(self) -> str:
        """The name of the Prefect limit on jobs in flight, one for each API key; it tells nothing of the key."""
        if self.api_key is None:
            return "reelflow-jobs-stand-in"
        return f"reelflow-jobs-{hashlib.sha256(self.api_key.get_secret_value().encode()).hexdigest()[:8]}"

    @property
    def queue_identity(self) -> str:
        """What the ledger calls the queue. The embedded stand-in's port changes with each run, but its jobs stay."""
        return "stand-in" if self.uses_standin else self.queue_url

    @property
    def queue_url(self) -> str:
        """The queue's base URL where one is to be used that isn't the embedded stand-in."""
        return self.base_url or DECART_URL


def read_settings(**overrides: Any) -> Settings:
    """Read the settings once; `overrides` win over the environment.

    Raises:
        BadInput: a setting that can't be used, or that is most likely misspelt, named as it is set from outside.
    """
    _check_names()
    try:
        settings = Settings(**overrides)
    except SettingsError as error:
        found = re.search(r'field "(\w+)"', str(error))
        shown = f"REELFLOW_{found[1].upper()}" if found else "A setting"
        raise BadInput(f"{shown} can't be used: it is not JSON.", field=shown) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        shown = name if name.startswith("DECART_") else f"REELFLOW_{name.upper()}"
        raise BadInput(f"The setting {shown} can't be used: {reworded(first)}.", field=shown) from None
    settings.model_table  # noqa: B018 - rows from the settings are checked before anything else happens
    return settings


def _check_names() -> None:
    """Refuse a name that is nearly a setting's: a limit that is misspelt would be none. Raises BadInput."""
    known = variables().keys()
    sources = EnvSettingsSource(Settings), DotEnvSettingsSource(Settings)
    given = {name.upper() for source in sources for name in source.env_vars}
    for name in sorted(given - known):
        if name.startswith(_PREFIXES) and (near := difflib.get_close_matches(name, known, 1, _NEARLY)):
            raise BadInput(f"There is no setting {name}: if {near[0]} is meant, write that, else unset it.", field=name)


def variables() -> dict[str, FieldInfo]:
    """The settings by the names that they have in the environment."""
    return {str(field.validation_alias or f"{Settings.model_config['env_prefix']}{name}".upper()): field
            for name, field in Settings.model_fields.items()}
