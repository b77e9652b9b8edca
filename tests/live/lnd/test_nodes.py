"""The nodes by themselves: what the other tests rely on, without a gateway."""

import hashlib
import time
from statistics import median

import pytest
from conftest import figure, milliseconds
from processes import wait_for
from rest import PaymentFailed


def pays(payer, payee, sats):
    """Has one node pay the other, and holds what both say of it against each other."""
    began = time.monotonic()
    invoice = payee.add_invoice(sats, memo="between nodes")
    made_in = time.monotonic() - began
    decoded = payer.decode(invoice["payment_request"])
    assert decoded["destination"] == payee.pubkey
    assert decoded["num_satoshis"] == str(sats)
    assert decoded["description"] == "between nodes"
    assert payee.lookup(invoice["r_hash"])["state"] == "OPEN"
    payment = payer.pay(invoice["payment_request"])
    assert hashlib.sha256(bytes.fromhex(payment.preimage)).hexdigest() == decoded["payment_hash"] == invoice["r_hash"]
    assert payee.lookup(invoice["r_hash"])["state"] == "SETTLED"
    return made_in, payment.seconds


def test_the_buyer_pays_the_seller(network, seller, buyer):
    figure("LND start", f"seller {seller.start_seconds:.1f} s, buyer {buyer.start_seconds:.1f} s")
    figure("chain, both nodes and their channel", f"{network.open_seconds:.1f} s")
    made_in, paid_in = zip(*(pays(buyer, seller, 500) for _ in range(10)), strict=True)
    figure("LND makes an invoice, median of 10", milliseconds(median(made_in)))
    figure("buyer pays seller, median of 10", milliseconds(median(paid_in)))


def test_the_seller_pays_the_buyer(seller, buyer):
    made_in, paid_in = pays(seller, buyer, 350)
    figure("seller pays buyer", milliseconds(paid_in))


def test_an_invoice_is_paid_once(seller, buyer):
    invoice = seller.add_invoice(7)["payment_request"]
    buyer.pay(invoice)
    with pytest.raises(PaymentFailed):
        buyer.pay(invoice)


def test_a_baked_macaroon_allows_what_it_says(seller):
    with seller.with_macaroon(seller.bake_macaroon("info:read")) as reader:
        assert reader.get("/v1/getinfo").status_code == 200
        refused = reader.post("/v1/invoices", json={})
    assert refused.status_code >= 400
    assert "permission denied" in refused.text


def test_a_killed_node_comes_back_with_its_channel(seller, buyer):
    before = seller.rest_url, seller.pubkey, seller.tls_cert.read_bytes()
    seller.kill()
    wait_for("the buyer misses the seller", lambda: not buyer.has_peer(seller), 30)
    began = time.monotonic()
    seller.restart()
    seller.wait_for_channel(buyer)
    figure("killed LND until it answers", f"{seller.start_seconds:.1f} s")
    figure("killed LND until its channel can be paid through", f"{time.monotonic() - began:.1f} s")
    assert (seller.rest_url, seller.pubkey, seller.tls_cert.read_bytes()) == before
    pays(buyer, seller, 500)
    pays(seller, buyer, 500)


def test_a_stopped_node_comes_back_with_its_channel(seller, buyer):
    assert seller.stop() == 0
    seller.restart()
    seller.wait_for_channel(buyer)
    pays(buyer, seller, 500)


def test_a_paused_node_answers_once_it_is_resumed(seller, buyer):
    seller.pause()
    try:
        assert not seller.answers_within(1)
    finally:
        seller.resume()
    assert seller.answers_within(10)
    seller.wait_for_channel(buyer)
    pays(buyer, seller, 500)
