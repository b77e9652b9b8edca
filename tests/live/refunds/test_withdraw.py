"""LNURL-withdraw: LNbits scans what the gateway owes, and takes it."""

from owed import SATS, owed_by, scan_is_refused, shown

PAID = "This refund was paid before."


def test_scan(owed, claimant):
    offer = claimant.scan(owed.refund["lnurl"])
    assert offer["tag"] == "withdrawRequest"
    assert (offer["minWithdrawable"], offer["maxWithdrawable"]) == (SATS * 1000, SATS * 1000)
    # The same with the prefix that the QR code has.
    assert claimant.scan(f"lightning:{owed.refund['lnurl']}") == offer


def test_withdraw(owed, claimant, purse):
    before, orders = (claimant.balance_msat(), purse.balance_msat()), len(purse.outgoing())
    offer = claimant.scan(owed.refund["lnurl"])
    taken = claimant.withdraw(offer)
    assert shown(taken) is True, taken
    owed.becomes_paid()
    assert owed.look()["paid_at"]
    assert (claimant.balance_msat() - before[0], purse.balance_msat() - before[1]) == (SATS * 1000, -SATS * 1000)
    assert claimant.received_msat(taken["bolt11"]) == SATS * 1000
    # Whoever presents the credential anew sees that; so does the page of the job.
    presented = owed.shop.redeem(owed.purchase).json()
    assert (presented["error_code"], presented["refund"]["status"]) == ("GENERATION_FAILED", "paid")
    assert "lnurl" not in presented["refund"]

    # A second time, by somebody who scans it, and by somebody who has scanned it before.
    assert scan_is_refused(claimant, owed.refund["lnurl"]) == PAID
    refused = claimant.withdraw(offer)
    assert (refused["status"], shown(refused)) == ("failed", PAID)
    assert claimant.received_msat(refused["bolt11"]) == 0
    assert len(purse.outgoing()) == orders + 1
    assert claimant.balance_msat() - before[0] == SATS * 1000


def test_a_link_that_was_tampered_with_leads_nowhere(owed, claimant):
    offer = claimant.scan(owed.refund["lnurl"])
    refused = claimant.withdraw(offer | {"k1": "00" * 32})
    assert (refused["status"], shown(refused)) == ("failed", "k1 is not the one of this link.")
    assert owed.look()["status"] == "available"


def test_one_invoice_is_not_paid_for_two_refunds(owed, shop, buyer, claimant):
    other = owed_by(shop, buyer)
    taken = claimant.withdraw(claimant.scan(owed.refund["lnurl"]))
    assert shown(taken) is True, taken
    owed.becomes_paid()
    status, code, why = other.refuses(invoice=taken["bolt11"])
    assert (status, code) == (422, "INVALID_PARAMS"), why
    assert other.look()["status"] == "available"
    assert claimant.received_msat(taken["bolt11"]) == SATS * 1000


def test_a_purse_without_money(poor_shop, lnbits, empty_purse, buyer, claimant):
    owed = owed_by(poor_shop, buyer)
    offer = claimant.scan(owed.refund["lnurl"])
    refused = claimant.withdraw(offer)
    assert refused["status"] == "failed"
    assert shown(refused) == "The payment failed and nothing was sent. Try again, or with another wallet."
    mine = claimant.create(SATS)["bolt11"]
    status, code, why = owed.refuses(invoice=mine)
    assert (status, code) == (502, "REFUND_FAILED"), why
    assert owed.look()["status"] == "available"
    assert empty_purse.balance_msat() == 0

    lnbits.fill(empty_purse, SATS)
    # What was scanned before the money was there is as good as ever.
    assert shown(claimant.withdraw(offer)) is True
    owed.becomes_paid()
    assert empty_purse.balance_msat() == 0
    assert owed.refuses(invoice=mine)[:2] == (409, "REFUND_UNAVAILABLE")
