"""A real LNbits on the loopback, its wallets, and what a payer needs of them.

Its funding source is its own FakeWallet, so nothing leaves the machine; two wallets of one LNbits pay each other for
real all the same: with balances, true preimages and invoices that a payer can't pay twice.
"""

import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
from process import Process, clean_environment, free_port

PASSWORD = "correct horse battery staple"


class LnbitsError(Exception):
    """An answer of LNbits other than the hoped-for one."""

    def __init__(self, answer):
        super().__init__(f"{answer.status_code}: {answer.text}")
        self.status = answer.status_code
        self.body = answer.json()


@dataclass(frozen=True)
class Payment:
    preimage: str
    seconds: float


@dataclass(frozen=True)
class Wallet:
    """One wallet, through the REST interface and its keys."""

    url: str
    id: str
    admin_key: str
    invoice_key: str

    def call(self, method, path, key=None, **more):
        answer = httpx.request(
            method,
            f"{self.url}/api/v1{path}",
            headers={"X-Api-Key": key or self.invoice_key},
            timeout=30,
            trust_env=False,
            **more,
        )
        if answer.is_error:
            raise LnbitsError(answer)
        return answer.json()

    def create(self, sats, memo="a test", key=None, **more):
        return self.call("POST", "/payments", key, json={"out": False, "amount": sats, "memo": memo, **more})

    def lookup(self, payment_hash):
        return self.call("GET", f"/payments/{payment_hash}")

    def decode(self, bolt11):
        return self.call("POST", "/payments/decode", json={"data": bolt11})

    def received_msat(self, bolt11):
        """What has arrived for an invoice of this wallet, over all that its books say of that."""
        payments = self.call("GET", "/payments", params={"payment_hash": self.decode(bolt11)["payment_hash"]})
        wanted = [payment for payment in payments if payment["bolt11"] == bolt11]
        assert wanted, "this wallet has not made that invoice"
        return sum(payment["amount"] for payment in wanted if payment["status"] == "success")

    def balance_msat(self):
        return self.call("GET", "/wallet")["balance"]

    def try_to_pay(self, bolt11, key=None):
        """What LNbits says to the wish to pay an invoice. It says 201 to some that it does not pay, too."""
        return self.call("POST", "/payments", key or self.admin_key, json={"out": True, "bolt11": bolt11})

    def pay(self, bolt11):
        """Pays an invoice; the preimage is the one that came over the wire."""
        began = time.monotonic()
        paid = self.try_to_pay(bolt11)
        seconds = time.monotonic() - began
        assert paid["status"] == "success", paid
        return Payment(paid["preimage"], seconds)

    def scan(self, lnurl):
        """What the wallet's own camera makes of an LNURL."""
        return self.call("POST", "/lnurlscan", json={"lnurl": lnurl})

    def withdraw(self, offer):
        """Takes up an offer that was scanned, as the wallet's own page does: an invoice that it sends to the offerer.

        What the page shows of that is `extra.lnurl_response`: true, or why not.
        """
        return self.create(offer["maxWithdrawable"] // 1000, offer["defaultDescription"], lnurl_withdraw=offer)

    def outgoing(self):
        """Every order to pay that the wallet's books know."""
        entries = self.call("GET", "/payments", params={"limit": 1000})
        return [entry for entry in entries if entry["amount"] < 0]

    def take_address(self, user):
        """Gives the wallet the Lightning address `user@` of this LNbits."""
        self.call("PATCH", "/wallet", key=self.admin_key, json={"lightning_address": user})
        return f"{user}@{self.url.removeprefix('http://')}"


def anonymous_lookup(lnbits, payment_hash):
    """What LNbits tells of a payment to somebody who has no key."""
    return httpx.get(f"{lnbits.url}/api/v1/payments/{payment_hash}", timeout=30, trust_env=False).json()


class Lnbits(Process):
    # A fresh LNbits sends everybody to its first installation.
    ready_path = "/api/v1/health"
    ready_status = (200, 307)

    def __init__(self, folder):
        port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        # LNbits looks for its pages and pictures in ./lnbits.
        package = folder / "lnbits"
        if not package.is_symlink():
            package.symlink_to(Path(find_spec("lnbits").origin).parent)
        super().__init__(
            [sys.executable, "-m", "uvicorn", "lnbits.__main__:app", "--host", "127.0.0.1", "--port", str(port)],
            log=folder / "lnbits.log",
            port=port,
            cwd=folder,
            env=clean_environment(
                LNBITS_DATA_FOLDER=str(folder / "data"),
                LNBITS_EXTENSIONS_PATH=str(folder / "extensions"),
                LNBITS_BACKEND_WALLET_CLASS="FakeWallet",
                LNBITS_ADMIN_UI="true",
                LNBITS_ALLOW_CUSTOM_WALLET_LIGHTNING_ADDRESSES="true",
                LNBITS_RATE_LIMIT_NO="1000000",
                LNBITS_CALLBACK_URL_RULES="[]",
                LNBITS_CALLBACK_ALLOW_PRIVATE_IPS="true",
                LNBITS_LNURL_ALLOW_PRIVATE_IPS="true",
                # What is left asks hosts of the Internet: prices at every call, lists of extensions at the start.
                LNBITS_PRICE_AGGREGATOR_ENABLED="false",
                LNBITS_EXCHANGE_RATE_PROVIDERS="[]",
                LNBITS_EXTENSIONS_DEFAULT_INSTALL="[]",
                LNBITS_EXTENSIONS_MANIFESTS="[]",
                LNBITS_WASM_EXTENSIONS_MANIFESTS="[]",
            ),
        )
        self.token = None

    def install(self):
        """Creates the first user, who may make wallets and fill them."""
        user = {"username": "owner", "password": PASSWORD, "password_repeat": PASSWORD}
        self.token = self.call("PUT", "/api/v1/auth/first_install", json=user)["access_token"]

    def call(self, method, path, **more):
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = httpx.request(method, self.url + path, headers=headers, timeout=30, trust_env=False, **more)
        if answer.is_error:
            raise LnbitsError(answer)
        return answer.json()

    def wallet(self, name, sats=0):
        """A new wallet with `sats` in it."""
        made = self.call("POST", "/api/v1/wallet", json={"name": name})
        wallet = Wallet(self.url, made["id"], made["adminkey"], made["inkey"])
        if sats:
            self.fill(wallet, sats)
        return wallet

    def fill(self, wallet, sats):
        self.call("PUT", "/users/api/v1/balance", json={"id": wallet.id, "amount": sats})
