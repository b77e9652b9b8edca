"""Purchases that are not delivered, and what their buyers can do about it."""

import itertools
from dataclasses import dataclass

from lnbits_server import LnbitsError
from process import until
from sandbox import VIDEO, Purchase, video_params
from shop import Goods, Shop

SATS = 500
count = itertools.count()


def doomed():
    """A video that the simulated model fails to make. No two of them are the same."""
    return Goods(VIDEO, video_params(f"sandbox:fail {next(count)}"), "videoUrl", b"ftyp", 4)


@dataclass(frozen=True)
class Owed:
    """A purchase that has failed, for whoever has its credential."""

    shop: Shop
    purchase: Purchase
    refund: dict

    @property
    def credential(self):
        return {"Authorization": self.purchase.authorization}

    def look(self):
        """The refund as it stands."""
        answer = self.shop.get(self.refund["claim_url"], headers=self.credential)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def claim(self, **destination):
        """Claims it with the credential: `invoice` or `lightning_address`."""
        return self.shop.post(self.refund["claim_url"], json=destination, headers=self.credential)

    def is_paid(self):
        return self.look()["status"] == "paid"

    def becomes_paid(self):
        until(self.is_paid, "the refund is paid", 60)

    def refuses(self, **destination):
        """The status, the code and the sentence with which a claim is refused."""
        refused = self.claim(**destination)
        assert "www-authenticate" not in refused.headers, "nothing is sold here"
        problem = refused.json()
        return refused.status_code, problem["error_code"], problem["detail"]


def owed_by(shop, payer, sats=SATS):
    """Pays for something that is not delivered, and is told so."""
    challenge = shop.challenge(doomed())
    purchase = challenge.paid(payer.pay(challenge.invoice).preimage)
    answer = shop.redeem(purchase)
    assert (answer.status_code, answer.headers["x-error-code"]) == (502, "GENERATION_FAILED"), answer.text
    refund = answer.json()["refund"]
    assert (refund["status"], refund["amount_sats"]) == ("available", sats)
    return Owed(shop, purchase, refund)


def scan_is_refused(wallet, lnurl):
    """The sentence that LNbits shows to whoever scans this."""
    try:
        offer = wallet.scan(lnurl)
    except LnbitsError as error:
        assert error.status == 400, error
        return error.body["detail"]
    raise AssertionError(f"it was scanned: {offer}")


def shown(withdrawal):
    """What LNbits shows of a withdrawal: True, or the sentence of whoever refused it."""
    return withdrawal["extra"]["lnurl_response"]
