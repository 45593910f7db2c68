"""Write so many submissions into SQLite by hand: `python raw_sqlite.py write FOLDER COUNT`.

One row for a submission, committed before it is sent: write-ahead log, and on the disk when the commit returns.
"""

import hashlib
import json
import sqlite3
import sys
import time
from datetime import datetime, timezone
from pathlib import Path


def main() -> None:
    folder, count = Path(sys.argv[2]), int(sys.argv[3])
    database = sqlite3.connect(folder / "jobs.sqlite")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(
        "CREATE TABLE jobs (key TEXT PRIMARY KEY, model TEXT, source TEXT, parameters TEXT, seconds REAL, cost REAL, "
        "state TEXT, job_id TEXT, created_at TEXT)"
    )
    began, used = time.perf_counter(), time.process_time()
    for number in range(count):
        key = hashlib.sha256(str(number).encode()).hexdigest()
        parameters = json.dumps({"prompt": f"film noir {number}"})
        with database:
            database.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key, "lucy-2.5", key, parameters, 5.0, 0.2, "intended", None,
                 datetime.now(timezone.utc).isoformat()),
            )
    print(json.dumps({"wall": time.perf_counter() - began, "cpu": time.process_time() - used}))


if __name__ == "__main__":
    main()
