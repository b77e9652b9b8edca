"""`satforge serve` with limits that a single buyer does not meet, and what its metrics say."""

import os
import re
import socket
import subprocess
import time
import urllib.request

BIN = os.environ["GATEWAY_BIN"]
START_S = 30
STOP_S = 30

# Unpaid invoices at once.
CEILING = 700
# Both addresses have the same rights. A buyer who pays 40 times a second stays below; so much the flood may have.
CHALLENGES_PER_MINUTE = 2_700
CHALLENGE_BURST = 300

CONFIG = f"""
data_dir = "{{data}}"
[server]
listen = "127.0.0.1:{{port}}"
[metrics]
listen = "127.0.0.1:{{metrics_port}}"
[keys]
secrets = ["env:FLOOD_KEY"]
[lightning]
backend = "sandbox"
[limits]
challenges_per_minute = {CHALLENGES_PER_MINUTE}
challenge_burst = {CHALLENGE_BURST}
network_challenges_per_minute = {4 * CHALLENGES_PER_MINUTE}
network_challenge_burst = {4 * CHALLENGE_BURST}
open_invoices = {CEILING}
[sandbox]
# No job ends while latencies are measured: rendering would take the core that is measured.
generation_seconds = 600
"""


class Gateway:
    """A gateway of the binary under test, from `with` to its end."""

    def __init__(self, folder):
        self._folder = folder
        self.port, self._metrics_port = _free_port(), _free_port()

    def __enter__(self):
        config = self._folder / "satforge.toml"
        data = self._folder / "data"
        config.write_text(CONFIG.format(data=data, port=self.port, metrics_port=self._metrics_port))
        env = {key: value for key, value in os.environ.items() if not key.startswith("SATFORGE_")}
        env["FLOOD_KEY"] = "5e" * 32
        self.log = self._folder / "gateway.log"
        with self.log.open("w") as log:
            command = [BIN, "serve", "--config", config]
            self._process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)  # between two looks
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            assert self._process.wait(STOP_S) == 0, self.log.read_text()[-2_000:]
        finally:
            self._process.kill()

    def cpu_seconds(self):
        fields = open(f"/proc/{self._process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metrics(self, name):
        """The sum of a metric over its labels, or 0 where it was never measured."""
        text = _get(f"http://127.0.0.1:{self._metrics_port}/metrics")
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for value in found)

    def _is_ready(self):
        try:
            _get(f"http://127.0.0.1:{self.port}/readyz")
        except OSError:
            return False
        return True


def _get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return answer.read().decode()


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
