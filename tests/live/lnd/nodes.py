"""An LND node, as its REST interface and its process."""

import ssl
import time
from contextlib import suppress

import httpx
from chain import NETWORK, environment
from processes import Process, free_port, wait_for
from rest import Rest


class Lnd(Rest):
    """A node, its REST interface, and what a test does to it."""

    network = NETWORK

    def __init__(self, name, binary, folder, btcd):
        folder.mkdir()
        macaroon = folder / "data" / "chain" / "bitcoin" / NETWORK / "admin.macaroon"
        super().__init__(name, f"https://127.0.0.1:{free_port()}", folder / "tls.cert", macaroon)
        self.address = f"127.0.0.1:{free_port()}"
        command = [
            binary,
            f"--lnddir={folder}",
            f"--alias={name}",
            f"--restlisten={self.rest_url.removeprefix('https://')}",
            f"--rpclisten=127.0.0.1:{free_port()}",
            f"--listen={self.address}",
            # Once a peer's announcement names no address, LND forgets the one that it knew, and never connects again.
            f"--externalip={self.address}",
            f"--bitcoin.{NETWORK}",
            "--bitcoin.node=btcd",
            "--bitcoin.defaultchanconfs=1",
            f"--btcd.rpchost={btcd.rpc}",
            f"--btcd.rpcuser={btcd.user}",
            f"--btcd.rpcpass={btcd.password}",
            f"--btcd.rpccert={btcd.certificate}",
            "--noseedbackup",
            "--nobootstrap",
            # A node that lost its peer tries again soon.
            "--minbackoff=1s",
            "--maxbackoff=2s",
            "--trickledelay=50",
            "--gossip.sub-batch-delay=5ms",
            # They end the node when a disk is nearly full, or when btcd is started again.
            "--healthcheck.diskspace.attempts=0",
            "--healthcheck.chainbackend.attempts=0",
            "--logging.file.disable",
        ]
        self.process = Process(f"lnd ({name})", command, folder / "output.log", environment(folder))
        self.pubkey = None
        self.start_seconds = None
        self._launched_at = None
        # They only send the process a signal, or start it and return at once.
        self.kill, self.stop = self.process.kill, self.process.stop
        self.pause, self.resume = self.process.pause, self.process.resume

    def launch(self):
        self._launched_at = time.monotonic()
        self.process.launch()

    def wait_until_ready(self, seconds=60):
        """Returns once every interface of the node answers; payments need `wait_for_channel` besides."""
        wait_for(f"lnd ({self.name}) answers", self._answers, seconds, self.process.check_alive)
        self.start_seconds = time.monotonic() - self._launched_at
        self.pubkey = self.get("/v1/getinfo")["identity_pubkey"]

    def restart(self):
        """Stops the node, if it runs, and starts it with the same ports and data."""
        self.process.stop()
        self.launch()
        self.wait_until_ready()

    def make_run(self):
        """Whatever was done to the node: it runs, and answers, when this returns."""
        if not self.process.runs:
            self.launch()
        self.resume()
        self.wait_until_ready()

    def _answers(self):
        with suppress(httpx.TransportError, FileNotFoundError, ssl.SSLError):
            context = ssl.create_default_context(cafile=self.tls_cert)
            state = httpx.get(f"{self.rest_url}/v1/state", verify=context, timeout=5, trust_env=False)
            if state.status_code != 200 or state.json()["state"] != "SERVER_ACTIVE":
                return False
            self.open()
            return True

    def answers_within(self, seconds):
        try:
            return self._client.get("/v1/getinfo", timeout=seconds).status_code == 200
        except httpx.TimeoutException:
            return False

    def bake_macaroon(self, *permissions):
        """The bytes of a macaroon that allows no more than these, each written as `entity:action`."""
        pairs = [permission.split(":") for permission in permissions]
        body = {"permissions": [{"entity": entity, "action": action} for entity, action in pairs]}
        return bytes.fromhex(self.post("/v1/macaroon", body)["macaroon"])

    def connect(self, peer):
        """Connects to a peer for good: the connection is made again whenever it is lost."""
        body = {"addr": {"pubkey": peer.pubkey, "host": peer.address}, "perm": True}
        self.post("/v1/peers", body)
        wait_for(f"{self.name} is connected to {peer.name}", lambda: self.has_peer(peer), 30)

    def has_peer(self, peer):
        return any(found["pub_key"] == peer.pubkey for found in self.get("/v1/peers")["peers"])

    def is_at(self, height):
        info = self.get("/v1/getinfo")
        return info["block_height"] >= height and info["synced_to_chain"]

    def wait_for_channel(self, peer, seconds=60):
        """Returns once either end could pay the other a sat through their channel."""
        for node, other in ((self, peer), (peer, self)):
            wait_for(f"{node.name} has a route to {other.name}", lambda n=node, o=other: n.has_route(o), seconds)

    def has_route(self, peer):
        """An active channel is not enough: the node finds its own channels in its graph, which lags behind."""
        channels = self.get("/v1/channels", active_only="true")["channels"]
        if not any(channel["remote_pubkey"] == peer.pubkey for channel in channels):
            return False
        return self._client.get(f"/v1/graph/routes/{peer.pubkey}/1").status_code == 200
