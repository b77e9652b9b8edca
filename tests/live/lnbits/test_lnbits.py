"""What a seller and a payer get from LNbits itself: what the gateway relies on, and what it must not trust."""

import time
from hashlib import sha256

import pytest
from lnbits_server import LnbitsError, anonymous_lookup


def hash_of(preimage):
    return sha256(bytes.fromhex(preimage)).hexdigest()


def refused(call, *arguments, **more):
    """The status and the JSON of an answer that is an error."""
    with pytest.raises(LnbitsError) as caught:
        call(*arguments, **more)
    return caught.value.status, caught.value.body


def expired(wallet):
    made = wallet.create(2, expiry=1)
    time.sleep(2.1)  # it takes no less to expire
    return made


def test_create_and_look_up(seller):
    made = seller.create(500, memo="5 seconds of video", expiry=600)
    assert (made["amount"], made["status"]) == (500_000, "pending")
    decoded = seller.decode(made["bolt11"])
    assert (decoded["currency"], decoded["amount_msat"], decoded["expiry"]) == ("bc", 500_000, 600)
    assert (decoded["payment_hash"], decoded["description"]) == (made["payment_hash"], "5 seconds of video")
    open_ = seller.lookup(made["payment_hash"])
    assert (open_["paid"], open_["status"], open_["preimage"]) == (False, "pending", None)
    # A preimage in an answer proves no payment: the wallet's own keys see it from the beginning.
    assert hash_of(made["preimage"]) == hash_of(open_["details"]["preimage"]) == made["payment_hash"]


def test_whole_sats_only(seller):
    assert seller.create(1.5)["amount"] == 1_000
    assert seller.create(0.5)["amount"] == 0
    status, body = refused(seller.create, 0)
    assert (status, body) == (520, {"detail": "Amountless invoices not supported.", "status": "failed"})


def test_pay(lnbits, seller, buyer):
    made = seller.create(21)
    purses = buyer.balance_msat(), seller.balance_msat()
    paid = buyer.pay(made["bolt11"])
    assert hash_of(paid.preimage) == made["payment_hash"]
    assert (buyer.balance_msat(), seller.balance_msat()) == (purses[0] - 21_000, purses[1] + 21_000)
    incoming, outgoing = seller.lookup(made["payment_hash"]), buyer.lookup(made["payment_hash"])
    assert incoming["paid"] and outgoing["paid"]
    assert (incoming["details"]["amount"], outgoing["details"]["amount"]) == (21_000, -21_000)
    # Whoever knows the hash learns the preimage, without any key.
    assert anonymous_lookup(lnbits, made["payment_hash"]) == {"paid": True, "preimage": paid.preimage}


def test_pay_twice(lnbits, seller, buyer):
    made = seller.create(3)
    buyer.pay(made["bolt11"])
    other = lnbits.wallet("another", sats=100)
    for wallet in (buyer, other):
        again = refused(wallet.pay, made["bolt11"])
        assert again == (520, {"detail": "Internal invoice already paid.", "status": "failed"})
    assert other.balance_msat() == 100_000


def test_pay_without_a_balance(lnbits, seller):
    made = seller.create(2)
    answer = refused(lnbits.wallet("poor", sats=1).pay, made["bolt11"])
    assert answer == (520, {"detail": "Insufficient balance.", "status": "failed"})
    assert seller.lookup(made["payment_hash"])["status"] == "pending"


def test_an_expired_invoice_that_nobody_looked_up_can_still_be_paid(seller, buyer):
    made = expired(seller)
    assert hash_of(buyer.pay(made["bolt11"]).preimage) == made["payment_hash"]
    assert seller.lookup(made["payment_hash"])["paid"]


def test_an_expired_invoice_that_was_looked_up_gives_its_preimage_away(seller, buyer):
    made = expired(seller)
    for _ in range(2):
        state = seller.lookup(made["payment_hash"])
        assert (state["paid"], state["status"]) == (False, "failed")
        assert state["details"]["labels"] == ["expired"]
    balance = buyer.balance_msat()
    # 201, the seller's own entry, and a preimage, for nothing.
    answer = buyer.try_to_pay(made["bolt11"])
    assert (answer["status"], answer["wallet_id"], answer["amount"]) == ("failed", seller.id, 2_000)
    assert hash_of(answer["preimage"]) == made["payment_hash"]
    assert buyer.balance_msat() == balance
    assert not seller.lookup(made["payment_hash"])["paid"]


def test_unknown(seller):
    assert refused(seller.lookup, "ab" * 32) == (404, {"detail": "Payment does not exist."})


def test_keys(lnbits, seller, buyer):
    made = seller.create(1)
    unknown = {"detail": "Wallet not found."}
    assert refused(seller.create, 1, key="0" * 32) == (404, unknown)
    assert refused(seller.call, "GET", "/wallet", key="0" * 32) == (404, unknown)
    read_only = refused(buyer.try_to_pay, made["bolt11"], key=buyer.invoice_key)
    assert read_only == (403, {"detail": "Invoice (or Admin) key required."})
    # Another wallet's key hides the invoice; a wrong one is taken for none at all.
    assert refused(buyer.lookup, made["payment_hash"])[0] == 404
    wrong = seller.call("GET", f"/payments/{made['payment_hash']}", key="0" * 32)
    assert wrong == anonymous_lookup(lnbits, made["payment_hash"]) == {"paid": False, "preimage": None}
    # Only the admin key is told the wallet's id.
    assert "id" in seller.call("GET", "/wallet", key=seller.admin_key)
    assert "id" not in seller.call("GET", "/wallet")
