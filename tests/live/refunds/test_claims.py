"""Claims with the credential, to an invoice or a Lightning address of LNbits, and after a lost connection."""

import re

import pytest
from owed import SATS, owed_by, scan_is_refused, shown


def paid_once(owed, claimant, purse, claim):
    """A claim that is answered when the money is there: exactly the amount, and once."""
    before, orders = (claimant.balance_msat(), purse.balance_msat()), len(purse.outgoing())
    answer = claim()
    assert (answer.status_code, answer.json()["status"]) == (200, "paid"), answer.text
    assert owed.look()["status"] == "paid"
    assert (claimant.balance_msat() - before[0], purse.balance_msat() - before[1]) == (SATS * 1000, -SATS * 1000)
    assert len(purse.outgoing()) == orders + 1


def test_to_an_invoice(owed, claimant, purse):
    invoice = claimant.create(SATS)["bolt11"]
    paid_once(owed, claimant, purse, lambda: owed.claim(invoice=invoice))
    orders = len(purse.outgoing())
    assert owed.claim(invoice=invoice).json()["status"] == "paid", "the same claim again"
    assert owed.refuses(invoice=claimant.create(SATS)["bolt11"])[:2] == (409, "REFUND_UNAVAILABLE")
    assert scan_is_refused(claimant, owed.refund["lnurl"]) == "This refund was paid before."
    assert len(purse.outgoing()) == orders


@pytest.mark.parametrize("sats", [1, SATS - 1, SATS + 1, 100_000])
def test_an_invoice_over_another_amount(owed, claimant, purse, sats):
    orders = len(purse.outgoing())
    invoice = claimant.create(sats)["bolt11"]
    status, code, why = owed.refuses(invoice=invoice)
    assert (status, code) == (422, "INVALID_PARAMS")
    assert f"exactly {SATS * 1000} msat" in why
    # The same through the wallet's offer, where LNbits has to be told a lie to send it at all.
    offer = claimant.scan(owed.refund["lnurl"])
    refused = claimant.create(sats, lnurl_withdraw=offer | {"minWithdrawable": 1000, "maxWithdrawable": 10**9})
    assert (refused["status"], shown(refused)) == ("failed", why.removeprefix("/invoice: "))
    assert owed.look()["status"] == "available"
    assert len(purse.outgoing()) == orders


def test_to_a_lightning_address(owed, claimant, purse):
    address = claimant.take_address("claimant")
    paid_once(owed, claimant, purse, lambda: owed.claim(lightning_address=address))


def test_to_an_address_that_nobody_has(owed, lnbits, claimant):
    nobody = f"nobody@127.0.0.1:{lnbits.port}"
    assert owed.refuses(lightning_address=nobody)[:2] == (502, "REFUND_FAILED")
    assert owed.look()["status"] == "available"
    assert shown(claimant.withdraw(claimant.scan(owed.refund["lnurl"]))) is True


def test_the_credential_of_another_purchase_claims_nothing(owed, shop, buyer, claimant):
    other = owed_by(shop, buyer)
    answer = shop.post(
        owed.refund["claim_url"], json={"invoice": claimant.create(SATS)["bolt11"]}, headers=other.credential
    )
    assert answer.status_code == 404, answer.text
    assert owed.look()["status"] == "available"


def test_recover(owed, shop, claimant):
    """The credential alone leads to a link that LNbits takes."""
    found = shop.get("/api/l402/recover", headers=owed.credential)
    assert found.status_code == 200, found.text
    refund = found.json()["refund"]
    assert (refund["status"], refund["claim_url"]) == ("available", owed.refund["claim_url"])
    taken = claimant.withdraw(claimant.scan(refund["lnurl"]))
    assert shown(taken) is True, taken
    owed.becomes_paid()
    assert shop.get("/api/l402/recover", headers=owed.credential).json()["refund"]["status"] == "paid"


def test_recover_by_the_form(owed, shop):
    macaroon, preimage = owed.purchase.authorization.removeprefix("L402 ").split(":")
    page = shop.post("/recover", data={"macaroon": macaroon, "preimage": preimage})
    assert page.status_code == 200, page.text
    [link] = re.findall(rf'href="({re.escape(shop.root)}/refunds/[^"]+)"', page.text)
    assert shop.get(link, headers={"Accept": "application/json"}).json() == {"status": "available", "amount_sats": SATS}
    refused = shop.post("/recover", data={"macaroon": macaroon, "preimage": "00" * 32})
    assert refused.status_code == 403
    assert "/refunds/" not in refused.text
