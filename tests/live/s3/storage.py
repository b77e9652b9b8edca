"""The S3 server, and gateways that keep their results in a bucket of it."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from secrets import token_hex

from gateway import BINARY, Gateway, toml
from process import Process, free_port, secret_file

BUCKET = "results-bucket"
PREFIX = "shop/one"


class S3(Process):
    """An S3 server that keeps objects as files, with one bucket."""

    # Whoever does not sign is refused, and so it is up.
    ready_status = (403,)

    def __init__(self, folder):
        self.files = folder / "files"
        self.bucket = self.files / BUCKET
        self.bucket.mkdir(parents=True)
        self.key, self.secret = f"KEY{token_hex(8)}", token_hex(20)
        port = free_port()
        super().__init__([os.environ["S3_BIN"], port, self.files, self.key, self.secret], folder / "s3.log", port)

    def result(self, url):
        """Where the bytes of a result lie, given the URL that its buyer got."""
        return self.bucket / PREFIX / "results" / url.rpartition("/")[2]

    def names(self, folder):
        """What lies in a folder below the prefix."""
        return sorted(path.name for path in (self.bucket / PREFIX / folder).glob("*") if path.is_file())

    def freeze(self):
        """Leaves every request without an answer."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def unfinished(self):
        """What is left of uploads that were neither finished nor given up."""
        return [path.name for path in self.files.rglob("*") if ".upload" in path.name]


class Seller(Gateway):
    """A gateway with simulated payments and models, and `artifacts` on top of a good section of that name."""

    def __init__(self, folder, s3, artifacts=None, seconds=0.2):
        folder.mkdir(parents=True)
        self.data, port = folder / "data", free_port()
        tables = {
            "server": {"listen": f"127.0.0.1:{port}"},
            "metrics": {"listen": f"127.0.0.1:{free_port()}"},
            "keys": {"secrets": [f"file:{secret_file(folder / 'gateway.key', token_hex(32))}"]},
            "artifacts": {
                "url": f"s3://{BUCKET}/{PREFIX}",
                "endpoint": s3.url,
                "access_key_id": f"file:{secret_file(folder / 's3.id', s3.key)}",
                "secret_access_key": f"file:{secret_file(folder / 's3.key', s3.secret)}",
                "sweep_every_seconds": 0.2,
            }
            | (artifacts or {}),
            "sandbox": {"generation_seconds": seconds},
            "limits": {"challenges_per_minute": 0, "network_challenges_per_minute": 0, "open_invoices": 0},
        }
        self.config = folder / "satforge.toml"
        self.config.write_text(f"data_dir = {json.dumps(str(self.data))}\n\n{toml(tables)}")
        Process.__init__(self, [BINARY, "serve", "--config", self.config], folder / "gateway.log", port)

    def jobs(self):
        """State, failure and result of every job."""
        with closing(sqlite3.connect(f"file:{self.data}/satforge.db?mode=ro", uri=True)) as database:
            return database.execute("SELECT state, failure, artifact FROM jobs ORDER BY id").fetchall()

    def expire(self, name):
        """Ends the retention of a result. Only while the gateway stands still."""
        with closing(sqlite3.connect(self.data / "satforge.db")) as database, database:
            changed = database.execute("UPDATE jobs SET expires_at = 1 WHERE artifact = ?", [name])
            assert changed.rowcount == 1
