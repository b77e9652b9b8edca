"""A real Nostr relay, and NIP-47 wallet services on it that answer for wallets of LNbits."""

import json
import os
import secrets
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx
from lnbits_server import Payment
from process import Process, clean_environment, free_port

HERE = Path(__file__).parent
BOTH = "nip44_v2 nip04"
OLDER = "nip04"


class Relay(Process):
    def __init__(self, folder):
        port = free_port()
        super().__init__([os.environ["RELAY_BIN"], port], folder / "relay.log", port)
        self.url = f"ws://127.0.0.1:{port}"

    def ready(self):
        assert self.process.poll() is None, f"the relay ended before it was ready:\n{self.tail()}"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True


class WalletService(Process):
    """Answers on a relay for one wallet, and as the test wants it: `answers` takes "normal", "silent" or an error code.

    `encryption` says what it understands: both ways, or NIP-04 alone as older wallets do.
    """

    def __init__(self, folder, name, relay, wallet, encryption=BOTH):
        port = free_port()
        lnbits = {"url": wallet.url, "invoiceKey": wallet.invoice_key, "adminKey": wallet.admin_key}
        settings = {
            "relay": relay.url,
            "walletSecret": secrets.token_hex(32),
            "clientSecret": secrets.token_hex(32),
            "encryption": encryption,
            "lnbits": lnbits,
            "port": port,
        }
        env = clean_environment(SERVICE=json.dumps(settings))
        super().__init__(["node", HERE / "service.mjs"], folder / f"{name}.log", port, env=env)

    def state(self):
        return httpx.get(self.url, trust_env=False).json()

    @property
    def uri(self):
        return self.state()["uri"]

    @property
    def requests(self):
        """What was asked so far, as (encryption, method)."""
        return [(request["encryption"], request["method"]) for request in self.state()["requests"]]

    def answer(self, how):
        httpx.post(self.url, content=how, trust_env=False).raise_for_status()


class WalletError(Exception):
    """A wallet's refusal, or the SDK's."""

    def __init__(self, kind, message, code=None):
        super().__init__(f"{kind} {code}: {message}")
        self.kind = kind
        self.code = code


@dataclass(frozen=True)
class Client:
    """The holder of a connection's URI, through npm's @getalby/sdk."""

    uri: str

    def call(self, method, timeout=30, **parameters):
        """The result, and the seconds that the wallet took."""
        run = subprocess.run(
            ["node", HERE / "client.mjs", method, json.dumps(parameters)],
            env=clean_environment(NWC_URI=self.uri),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert run.returncode == 0, run.stderr
        answer = json.loads(run.stdout)
        if "error" in answer:
            raise WalletError(**answer["error"])
        return answer["result"], answer["ms"] / 1000

    def answered(self):
        """Whether the wallet answers. What is said to a relay before its service is back there is lost."""
        try:
            self.call("getInfo", timeout=3)
        except (WalletError, subprocess.TimeoutExpired):
            return False
        return True

    def pay(self, bolt11):
        result, seconds = self.call("payInvoice", invoice=bolt11)
        return Payment(result["preimage"], seconds)
