"""The gateway under test, `satforge serve`, with a configuration file of its own."""

import json
import os
import subprocess
from contextlib import contextmanager
from secrets import token_hex

from process import Process, free_port, secret_file

BINARY = os.environ["GATEWAY_BIN"]


def settings_of(table):
    """Settings as TOML, whose strings, numbers and booleans are those of JSON."""
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())


def toml(tables):
    return "\n".join(f"[{name}]\n{settings_of(settings)}\n" for name, settings in tables.items())


class Gateway(Process):
    """A gateway with simulated models that is paid through `backend`.

    `settings` are the backend's own; what is in `secrets` goes into files, as the gateway wants it. `lightning` adds
    settings that every backend has, `pool_size` says how many invoices it keeps ready, and `refunds` who pays them.
    """

    ready_path = "/readyz"

    def __init__(self, folder, backend, settings, secrets=None, lightning=None, pool_size=None, refunds="automatic"):
        folder.mkdir(parents=True)
        port = free_port()
        files = {name: f"file:{secret_file(folder / name, value)}" for name, value in (secrets or {}).items()}
        tables = {
            "server": {"listen": f"127.0.0.1:{port}"},
            "metrics": {"listen": f"127.0.0.1:{free_port()}"},
            "keys": {"secrets": [f"file:{secret_file(folder / 'gateway.key', token_hex(32))}"]},
            "lightning": {"backend": backend, "network": "bitcoin", **(lightning or {})},
            f"lightning.{backend}": settings | files,
            "lightning.pool": {"max_age_seconds": 60} | ({} if pool_size is None else {"size": pool_size}),
            "sandbox": {"rehearsal": True, "generation_seconds": 0.2},
            "limits": {"challenges_per_minute": 0, "network_challenges_per_minute": 0, "open_invoices": 0},
            # The wallets that refunds go to are on the loopback.
            "callbacks": {"allow_private": True},
        }
        top = {"data_dir": str(folder / "data"), "refunds": refunds}
        self.config = folder / "satforge.toml"
        self.config.write_text(f"{settings_of(top)}\n\n{toml(tables)}")
        super().__init__([BINARY, "serve", "--config", self.config], folder / "gateway.log", port)

    def check(self):
        """`satforge check --live`: its exit status and everything that it said."""
        run = subprocess.run(
            [BINARY, "check", "--live", "--config", self.config],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )
        return run.returncode, run.stdout + run.stderr

    def refuses(self):
        """Why `satforge serve` ends before it has begun."""
        run = subprocess.run(
            self.command, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
        )
        assert run.returncode != 0, run.stdout + run.stderr
        return run.stdout + run.stderr

    @contextmanager
    def running(self):
        """Started, and asked to end in the end. How it ended is looked at only when the tests did not break off."""
        self.start()
        try:
            yield self
            status = self.stop()
            assert status == 0, f"the gateway ended with status {status}:\n{self.tail()}"
        finally:
            self.kill()
