"""LNbits hands out the preimage of an expired invoice to whoever tries to pay it, and takes no money.

A gateway that asks LNbits about every payment does not fall for it.

Runs after test_gateway.py, which leaves an invoice to expire, and before test_wallet_down.py: FakeWallet forgets its
invoices when LNbits is started again.
"""

import time
from hashlib import sha256

from lnbits_server import anonymous_lookup


def test_a_preimage_that_nobody_paid_for_buys_nothing(lnbits, careful_shop, forgotten, buyer, seller):
    decoded = buyer.decode(forgotten.invoice)
    time.sleep(max(0, decoded["date"] + decoded["expiry"] + 2 - time.time()))  # it takes no less to expire
    # Anybody can make LNbits note that the invoice has expired, by looking it up.
    assert not anonymous_lookup(lnbits, decoded["payment_hash"])["paid"]
    purses = buyer.balance_msat(), seller.balance_msat()
    answer = buyer.try_to_pay(forgotten.invoice)
    assert answer["status"] == "failed"
    assert sha256(bytes.fromhex(answer["preimage"])).hexdigest() == decoded["payment_hash"]
    assert (buyer.balance_msat(), seller.balance_msat()) == purses
    refused = careful_shop.redeem(forgotten.paid(answer["preimage"]))
    assert (refused.status_code, refused.headers.get("x-error-code")) == (503, "PAYMENT_UNCONFIRMED"), refused.text
