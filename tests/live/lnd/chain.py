"""A private chain that grows when it is told to."""

import os
import secrets
import ssl
from contextlib import suppress

import httpx
from processes import Process, free_port, wait_for

NETWORK = "simnet"

# The simnet address of a public key hash of twenty zeros: nobody's, for blocks that are mined before there is a wallet.
NOBODY = "SMJ12qn9jNCCXJnTYRz5Yu9ZenERqvYwfg"


def environment(folder):
    """Little of ours, and another home. btcd asks for the real one nonetheless, and leaves an empty `.btcd` in it."""
    return {"HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


class Btcd:
    """The node that has the chain, and mines it."""

    def __init__(self, binary, folder):
        folder.mkdir()
        self.user, self.password = secrets.token_hex(8), secrets.token_hex(16)
        self.rpc = f"127.0.0.1:{free_port()}"
        self.certificate = folder / "rpc.cert"
        self._settings = folder / "btcd.conf"
        command = [binary, f"--configfile={self._settings}"]
        self.process = Process("btcd", command, folder / "output.log", environment(folder))
        self._folder = folder

    def start(self, mining_address):
        """Starts, or starts again, and pays for blocks to this address from now on. It can only be set at a start."""
        self.process.stop()
        settings = {
            NETWORK: 1,
            "datadir": self._folder / "data",
            "logdir": self._folder / "logs",
            "rpclisten": self.rpc,
            "rpcuser": self.user,
            "rpcpass": self.password,
            "rpccert": self.certificate,
            "rpckey": self._folder / "rpc.key",
            "miningaddr": mining_address,
            "nolisten": 1,
            "nodnsseed": 1,
            "txindex": 1,
        }
        lines = "".join(f"{key}={value}\n" for key, value in settings.items())
        self._settings.write_text(f"[Application Options]\n{lines}")
        self.process.launch()
        wait_for("btcd answers", self._answers, 30, self.process.check_alive)

    def _answers(self):
        with suppress(httpx.TransportError, FileNotFoundError, ssl.SSLError):
            self.call("getblockcount")
            return True

    def call(self, method, *params):
        answer = httpx.post(
            f"https://{self.rpc}",
            json={"jsonrpc": "1.0", "id": 1, "method": method, "params": params},
            auth=(self.user, self.password),
            verify=ssl.create_default_context(cafile=self.certificate),
            timeout=60,
            trust_env=False,
        )
        answer.raise_for_status()
        assert answer.json()["error"] is None, answer.text
        return answer.json()["result"]

    def mine(self, blocks):
        self.call("generate", blocks)
