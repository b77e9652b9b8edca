"""A buyer at an address of their own, who asks, pays and redeems at a constant rate."""

import http.client
import json
import time
from dataclasses import dataclass, field

ADDRESS = "127.0.0.2"
PER_SECOND = 40
TIMEOUT_S = 30
PATH = "/api/l402/video"


@dataclass
class Latencies:
    """Seconds, one for each purchase."""

    challenge: list = field(default_factory=list)
    redemption: list = field(default_factory=list)


class Buyer:
    def __init__(self, port):
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=TIMEOUT_S, source_address=(ADDRESS, 0)
        )
        self.bought = 0

    def buy(self, count):
        """Buys `count` times. Whatever is not answered as it must be is an error."""
        latencies, began = Latencies(), time.monotonic()
        for n in range(count):
            time.sleep(max(0, began + n / PER_SECOND - time.monotonic()))  # the rate
            body = json.dumps({"model": "Video Generation", "prompt": f"purchase {self.bought}"})
            seconds, terms = self._post(402, PATH, body)
            latencies.challenge.append(seconds)
            _, paid = self._post(200, "/sandbox/pay", json.dumps({"invoice": terms["invoice"]}))
            credential = f"L402 {terms['macaroon']}:{paid['preimage']}"
            headers = {"Authorization": credential, "Prefer": "respond-async"}
            seconds, _ = self._post(202, PATH, body, headers)
            latencies.redemption.append(seconds)
            self.bought += 1
        return latencies

    def _post(self, status, path, body, headers=None):
        began = time.perf_counter()
        self._connection.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})})
        answer = self._connection.getresponse()
        text = answer.read()
        seconds = time.perf_counter() - began
        assert answer.status == status, (answer.status, text)
        return seconds, json.loads(text)
