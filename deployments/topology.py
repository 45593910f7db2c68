"""The settings of a Prefect server for many: one statement of them, which `cluster.py` uses and `compose.yaml` repeats.

PostgreSQL holds what is; Redis carries what happens. The API server runs no services, so that there may be several of
it; the services (scheduler, automations, leases) run beside it, once.
"""

from __future__ import annotations

from flows.setup import HEARTBEAT_SECONDS

API = ("prefect", "server", "start", "--no-services")
SERVICES = ("prefect", "server", "services", "start")
UPGRADE = ("prefect", "server", "database", "upgrade", "-y")
WORKER = ("python", "-m", "deployments.worker")
SLOT_WAIT = {"PREFECT_SERVER_CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS": "3"}
"""How long, on average, the server has who waits for a slot of a limit wait before it asks again. With its own 30 s a
slot of the key's limit lay empty for a minute between two jobs (seen on Prefect 3.8.8)."""
RUNS_PER_WORKER = 2
"""Runs that a worker has at a time (`--limit`): each encodes some films at a time, and a machine has few cores."""


def server_settings(database: str, redis: str, api: str) -> dict[str, str]:
    """The environment of the API server and of the services; `database` is postgresql+asyncpg://…, `redis` redis://…,
    `api` is the API's address as a browser sees it.
    """
    return {
        # Without it the UI asks http://127.0.0.1:4200/api, wherever the server is.
        "PREFECT_SERVER_UI_API_URL": api,
        "PREFECT_API_DATABASE_CONNECTION_URL": database,
        # Whoever starts first must not migrate while another one does: it is done once, before all of them.
        "PREFECT_API_DATABASE_MIGRATE_ON_START": "false",
        "PREFECT_SERVER_EVENTS_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        **SLOT_WAIT,
        "PREFECT_REDIS_MESSAGING_URL": redis,
        "PREFECT_SERVER_DOCKET_URL": redis,
    }


def worker_settings(api: str, ledger: str) -> dict[str, str]:
    """The environment of a worker; `ledger` is postgresql://…, the one ledger of all of them."""
    return {
        "PREFECT_API_URL": api,
        "REELFLOW_LEDGER_URL": ledger,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
    }
