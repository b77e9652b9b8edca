"""A gateway whose invoices an LND node makes, and the steps of a purchase from it."""

import base64
import json
import os
import re
import secrets
import subprocess
import time
from dataclasses import dataclass

import httpx
from processes import Process, free_port, wait_for
from sandbox import Purchase

# What the gateway is given: enough to make invoices, to see what became of them and to pay, and no more.
PERMISSIONS = ("invoices:read", "invoices:write", "offchain:read", "offchain:write", "info:read")

CONFIG = """
data_dir = "{folder}/data"
[server]
listen = "127.0.0.1:{port}"
[metrics]
listen = "127.0.0.1:{metrics_port}"
[keys]
secrets = ["file:{folder}/gateway.key"]
[lightning]
backend = "lnd"
network = "{node.network}"
[lightning.lnd]
url = "{node.rest_url}"
macaroon = "file:{folder}/lnd.macaroon"
tls_certificate = "{certificate}"
[sandbox]
generation_seconds = 0.2
[limits]
challenges_per_minute = 0
network_challenges_per_minute = 0
open_invoices = 0
"""


@dataclass
class Challenge:
    path: str
    body: bytes
    macaroon: str
    invoice: str
    terms: dict
    seconds: float

    @property
    def payment_hash(self):
        """The one that the macaroon is for: its identifier is a version, this hash, and what else it is bound to."""
        decoded = base64.b64decode(self.macaroon)
        return identifier(decoded)[2:34].hex()

    def paid_with(self, preimage):
        return Purchase(self.path, self.body, f"L402 {self.macaroon}:{preimage}")


def identifier(macaroon):
    """The identifier of a binary macaroon of version 2: fields of a type, a length below 128 and so many bytes."""
    assert macaroon[0] == 2, macaroon.hex()
    position = 1
    while True:
        kind, length = macaroon[position], macaroon[position + 1]
        assert kind in (1, 2) and length < 128, macaroon.hex()
        value = macaroon[position + 2 : position + 2 + length]
        if kind == 2:
            return value
        position += 2 + length


class Gateway:
    """`satforge serve` with a folder and ports of its own, and `more` in its configuration."""

    def __init__(self, folder, node, macaroon, certificate=None, more=""):
        folder.mkdir()
        self.port, metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
        self.config = folder / "satforge.toml"
        self.config.write_text(
            CONFIG.format(
                folder=folder,
                port=self.port,
                metrics_port=metrics_port,
                node=node,
                certificate=certificate or node.tls_cert,
            )
            + more
        )
        write_secret(folder / "gateway.key", secrets.token_hex(32).encode())
        write_secret(folder / "lnd.macaroon", macaroon)
        self._binary = os.environ["GATEWAY_BIN"]
        # The gateway reads SATFORGE_… variables and refuses those that it doesn't know: ours are none of its settings.
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("SATFORGE_")}
        command = [self._binary, "serve", "--config", self.config]
        self._process = Process("satforge", command, folder / "output.log", self._env)
        self._client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def __enter__(self):
        self._process.launch()
        try:
            wait_for("the gateway is ready", self._is_ready, 30, self._process.check_alive)
        except BaseException:
            self._process.discard()
            raise
        return self

    def __exit__(self, *raised):
        self._client.close()
        try:
            self._process.check_alive()
            status = self._process.stop()
        finally:
            self._process.discard()
        assert status == 0, f"the gateway ended with status {status}:\n{self._process.last_lines()}"

    def _is_ready(self):
        try:
            return self._client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def check(self):
        """`satforge check --live` of the same configuration: its status, and all that it printed."""
        command = [self._binary, "check", "--live", "--config", self.config]
        run = subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=60)
        return run.returncode, run.stdout + run.stderr

    def ask(self, path, params):
        body = json.dumps(params).encode()
        began = time.monotonic()
        answer = self._client.post(path, content=body, headers={"Content-Type": "application/json"})
        elapsed = time.monotonic() - began
        assert answer.status_code == 402, answer.text
        header = answer.headers["www-authenticate"]
        macaroon, invoice = re.match(r'L402 macaroon="([^"]+)", invoice="([^"]+)"', header).groups()
        return Challenge(path, body, macaroon, invoice, answer.json(), elapsed)

    def redeem(self, purchase):
        return self._client.post(purchase.path, content=purchase.body, headers=purchase.headers)

    def metric(self, name):
        """The sum of a metric over all its labels; zero while there is none of it."""
        answer = httpx.get(self._metrics_url, timeout=10, trust_env=False)
        answer.raise_for_status()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", answer.text, re.MULTILINE))


def write_secret(path, content):
    """A file that is its owner's alone from the start."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
