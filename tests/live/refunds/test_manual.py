"""A key of LNbits that can receive and not pay."""

from gateway import Gateway
from owed import owed_by, scan_is_refused


def test_nothing_is_sold_whose_price_could_not_be_paid_back(lnbits, seller, tmp_path):
    key = {"invoice_key": seller.invoice_key}
    said = Gateway(tmp_path / "refused", "lnbits", {"url": lnbits.url}, key).refuses()
    assert 'refunds = "manual"' in said, said


def test_the_operator_is_told_where_to_pay(manual_shop, buyer, claimant):
    owed = owed_by(manual_shop, buyer)
    assert "lnurl" not in owed.refund
    # What a wallet would be sent to if there was a code.
    link = owed.refund["url"].replace("/refunds/", "/lnurl/")
    assert "by hand" in scan_is_refused(claimant, link)
    address = claimant.take_address("claimant")
    claimed = owed.claim(lightning_address=address)
    assert (claimed.status_code, claimed.json()["status"]) == (202, "claiming"), claimed.text
    assert owed.refuses(lightning_address=address)[:2] == (409, "REFUND_UNAVAILABLE")
