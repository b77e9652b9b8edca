"""Buying from a gateway: a challenge, a payment by a real wallet, the goods, and what a caller sees of an outage."""

import itertools
import json
import re
import time
from dataclasses import dataclass

import sandbox
from figures import note
from media import fetch
from process import until
from sandbox import MODEL, VIDEO, Purchase, sample_png, video_params

# No two requests of a run are the same, so none can be answered with what another one has bought.
count = itertools.count()


@dataclass(frozen=True)
class Goods:
    path: str
    params: dict
    url_key: str
    magic: bytes
    magic_at: int = 0


def video():
    return Goods(VIDEO, video_params(f"bought for real, number {next(count)}"), "videoUrl", b"ftyp", 4)


def model():
    return Goods(MODEL, {"image": sample_png(text=b"%d" % next(count))}, "modelUrl", b"glTF")


@dataclass(frozen=True)
class Challenge:
    path: str
    body: bytes
    macaroon: str
    invoice: str
    seconds: float

    def paid(self, preimage):
        return Purchase(self.path, self.body, f"L402 {self.macaroon}:{preimage}")


class Shop(sandbox.Gateway):
    """A gateway as its callers see it."""

    def ask(self, goods):
        """One request without a credential, and how long its answer took."""
        body = json.dumps(goods.params).encode()
        began = time.monotonic()
        answer = self.post(goods.path, content=body, headers={"Content-Type": "application/json"})
        return answer, time.monotonic() - began

    def challenge(self, goods):
        answer, seconds = self.ask(goods)
        assert answer.status_code == 402, answer.text
        assert answer.json()["error_code"] == "PAYMENT_REQUIRED"
        found = re.match(r'L402 macaroon="([^"]+)", invoice="([^"]+)"', answer.headers["www-authenticate"])
        assert found, answer.headers["www-authenticate"]
        return Challenge(goods.path, answer.request.content, *found.groups(), seconds)

    def deliver(self, goods, purchase, folder):
        """Presents a paid credential, fetches the file, and hands back its address."""
        answer = self.redeem(purchase)
        assert answer.status_code == 200, answer.text
        url = answer.json()[goods.url_key]
        fetch(url, folder / "result")
        with (folder / "result").open("rb") as file:
            start = file.read(64)
        assert start[goods.magic_at :].startswith(goods.magic), start
        return url


def buys(label, shop, payer, goods, folder):
    """A whole purchase. The preimage that is presented is the one that came over the wire."""
    challenge = shop.challenge(goods)
    paid = payer.pay(challenge.invoice)
    shop.deliver(goods, challenge.paid(paid.preimage), folder)
    note(f"{label}: challenge {challenge.seconds * 1000:.0f} ms, payment {paid.seconds * 1000:.0f} ms")


class Outage:
    """One gateway before, while and after its wallet is away. Make it while all is well.

    `confirms` says whether the gateway has the wallet confirm each payment before it counts.
    """

    def __init__(self, label, shop, payer, folder, confirms=False):
        self.label, self.shop, self.payer, self.folder = label, shop, payer, folder
        self.confirms = confirms
        self.goods, self.unredeemed_goods = video(), video()
        self.redeemed, self.unredeemed = self.pays(self.goods), self.pays(self.unredeemed_goods)
        self.url = shop.deliver(self.goods, self.redeemed, folder)

    def pays(self, goods):
        challenge = self.shop.challenge(goods)
        return challenge.paid(self.payer.pay(challenge.invoice).preimage)

    def refused(self):
        return self.shop.ask(video())[0].status_code == 503

    def check_refusals(self):
        """New purchases are refused at once once the circuit is open. Whoever has paid is served, or told to come back
        where the wallet must confirm it first."""
        opened = until(self.refused, f"{self.label}: challenges are refused", 45)
        # The first refusals may still have waited for the wallet; the circuit opens after a few of them.
        until(lambda: self.shop.ask(video())[1] < 0.1, f"{self.label}: refusals are quick", 45)
        took = []
        for _ in range(5):
            answer, seconds = self.shop.ask(video())
            assert answer.status_code == 503, answer.text
            assert answer.json()["error_code"] == answer.headers["x-error-code"] == "LIGHTNING_UNAVAILABLE"
            assert int(answer.headers["retry-after"]) >= 1
            assert "www-authenticate" not in answer.headers
            took.append(seconds)
        middle = sorted(took)[2]
        assert middle < 0.05, took
        assert self.shop.deliver(self.goods, self.redeemed, self.folder) == self.url
        if self.confirms:
            answer = self.shop.redeem(self.unredeemed)
            assert (answer.status_code, answer.headers["x-error-code"]) == (503, "PAYMENT_UNCONFIRMED"), answer.text
        else:
            self.shop.deliver(self.unredeemed_goods, self.unredeemed, self.folder)
        note(f"{self.label}: refused after {opened:.1f} s of outage, then within {middle * 1000:.1f} ms")

    def check_recovery(self):
        """Nobody has to do anything: sixty seconds after the wallet is back, at most, the shop is open again."""
        back = until(lambda: not self.refused(), f"{self.label}: challenges are made again", 60)
        note(f"{self.label}: open again {back:.1f} s after its wallet")
        self.shop.deliver(self.unredeemed_goods, self.unredeemed, self.folder)
