"""LND's REST interface, and what a wallet does through it."""

import base64
import json
import ssl
import time
from pathlib import Path
from typing import NamedTuple

import httpx


class Payment(NamedTuple):
    preimage: str
    seconds: float


class PaymentFailed(Exception):
    pass


class Rest:
    """A node that answers."""

    def __init__(self, name, rest_url, tls_cert, admin_macaroon):
        self.name = name
        self.rest_url = rest_url
        self.tls_cert = Path(tls_cert)
        self.admin_macaroon = Path(admin_macaroon)
        self._client = None

    def open(self):
        self._client = self._with_macaroon(self.admin_macaroon.read_bytes(), timeout=60)

    def _with_macaroon(self, macaroon, **more):
        headers = {"Grpc-Metadata-macaroon": macaroon.hex()}
        context = ssl.create_default_context(cafile=self.tls_cert)
        return httpx.Client(base_url=self.rest_url, headers=headers, verify=context, trust_env=False, **more)

    def get(self, path, **params):
        return self._result(self._client.get(path, params=params))

    def post(self, path, body):
        return self._result(self._client.post(path, json=body))

    def with_macaroon(self, macaroon):
        """A client of somebody who holds another macaroon than its owner does."""
        return self._with_macaroon(macaroon)

    def _result(self, answer):
        assert answer.status_code == 200, f"{self.name}: {answer.request.url.path}: {answer.text}"
        return answer.json()

    def add_invoice(self, sats, memo="", expiry_s=600):
        """A new invoice; `r_hash` is its payment hash in hexadecimal, and `payment_request` what the payer needs."""
        made = self.post("/v1/invoices", {"value": str(sats), "memo": memo, "expiry": str(expiry_s)})
        return made | {"r_hash": base64.b64decode(made["r_hash"]).hex()}

    def lookup(self, payment_hash):
        return self.get(f"/v1/invoice/{payment_hash}")

    def received_msat(self, bolt11):
        """What has arrived for an invoice of this node: every part of every payment that was kept."""
        parts = self.lookup(self.decode(bolt11)["payment_hash"])["htlcs"]
        return sum(int(part["amt_msat"]) for part in parts if part["state"] == "SETTLED")

    def decode(self, bolt11):
        return self.get(f"/v1/payreq/{bolt11}")

    def pay(self, bolt11, seconds=30):
        """Pays, and returns the preimage in hexadecimal with the time that it took."""
        body = {
            "payment_request": bolt11,
            "timeout_seconds": seconds,
            "fee_limit_sat": "100",
            "no_inflight_updates": True,
        }
        began = time.monotonic()
        with self._client.stream("POST", "/v2/router/send", json=body, timeout=seconds + 10) as answer:
            last = json.loads([line for line in answer.iter_lines() if line][-1])
        elapsed = time.monotonic() - began
        result = last.get("result", {})
        if result.get("status") != "SUCCEEDED":
            raise PaymentFailed(f"{self.name}: {last}")
        return Payment(result["payment_preimage"], elapsed)
