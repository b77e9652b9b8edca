"""Purchases from a gateway whose invoices a real node makes, paid by another over a real channel."""

import time
from datetime import datetime
from statistics import median

import pytest
from conftest import figure, milliseconds
from media import check_mp4, fetch
from processes import wait_for
from sandbox import MODEL, VIDEO, sample_png, video_params

# What the gateway promises to its callers. It keeps some invoices ready, and these live longer by as much as they may
# have waited for a caller.
EXPIRY_S = 600
WAITED_AT_MOST_S = 240

WITHOUT_POOL = "[lightning.pool]\nsize = 0\n"


def check_video(path):
    check_mp4(path, seconds=5)


def check_model(path):
    assert path.read_bytes().startswith(b"glTF\x02\0\0\0")


# What is bought: where, how it is asked for, its price, the name of its URL, and what its file must be.
VIDEO_ORDER = (VIDEO, video_params("paid over a channel"), 500, "videoUrl", check_video)
MODEL_ORDER = (MODEL, {"image": sample_png()}, 350, "modelUrl", check_model)
ORDERS = pytest.mark.parametrize("order", [VIDEO_ORDER, MODEL_ORDER], ids=["video", "3d-model"])


def buy(gateway, buyer, path, params):
    """A purchase from the request to the result: the challenge, the payment, what was presented, and the answer."""
    challenge = gateway.ask(path, params)
    payment = buyer.pay(challenge.invoice)
    purchase = challenge.paid_with(payment.preimage)
    return challenge, payment, purchase, gateway.redeem(purchase)


@ORDERS
def test_a_purchase_from_the_request_to_the_file(gateway, seller, buyer, tmp_path, order):
    path, params, sats, url, check_file = order
    began = time.monotonic()
    challenge, payment, purchase, answer = buy(gateway, buyer, path, params)
    assert answer.status_code == 200, answer.text
    took = time.monotonic() - began
    name = path.rsplit("/", 1)[-1]
    figure(f"{name}: time to 402", milliseconds(challenge.seconds))
    figure(f"{name}: payment", milliseconds(payment.seconds))
    figure(f"{name}: from the request to the result's URL", f"{took:.2f} s")
    target = tmp_path / "result"
    fetch(answer.json()[url], target)
    check_file(target)
    settled = seller.lookup(challenge.payment_hash)
    assert (settled["state"], settled["amt_paid_sat"]) == ("SETTLED", str(sats))
    # The same credential finds the same result.
    assert gateway.redeem(purchase).json() == answer.json()


@ORDERS
def test_the_invoice_at_its_node(gateway, seller, buyer, order):
    path, params, sats, _, _ = order
    asked_at = time.time()
    challenge = gateway.ask(path, params)
    decoded = buyer.decode(challenge.invoice)
    assert decoded["destination"] == seller.pubkey
    assert decoded["num_msat"] == str(sats * 1000)
    assert decoded["description"]
    assert decoded["payment_hash"] == challenge.payment_hash == challenge.terms["payment_hash"]
    assert int(decoded["expiry"]) in (EXPIRY_S, EXPIRY_S + WAITED_AT_MOST_S)
    expires_at = int(decoded["timestamp"]) + int(decoded["expiry"])
    assert datetime.fromisoformat(challenge.terms["expires_at"]).timestamp() == expires_at
    # LND's clock has whole seconds.
    assert expires_at > asked_at + EXPIRY_S - 1
    known = seller.lookup(challenge.payment_hash)
    assert (known["state"], known["memo"]) == ("OPEN", decoded["description"])
    assert known["payment_request"] == challenge.invoice


def test_another_invoices_preimage_buys_nothing(gateway, buyer):
    paid, unpaid = (gateway.ask(VIDEO, video_params(f"swapped {n}")) for n in range(2))
    preimage = buyer.pay(paid.invoice).preimage
    assert gateway.redeem(unpaid.paid_with(preimage)).status_code == 402
    assert gateway.redeem(paid.paid_with(preimage)).status_code == 200


def test_an_invoice_that_was_made_for_its_caller(configured, buyer):
    with configured(more=WITHOUT_POOL) as gateway:
        asked = [gateway.ask(VIDEO, video_params(f"asked {n}")) for n in range(50)]
        assert {buyer.decode(challenge.invoice)["expiry"] for challenge in asked} == {str(EXPIRY_S)}
        assert buy(gateway, buyer, VIDEO, video_params("bought without a pool"))[-1].status_code == 200
    times = [challenge.seconds for challenge in asked]
    figure("time to 402 when the node makes the invoice meanwhile, median of 50", milliseconds(median(times)))
    assert median(times) < 0.25


def test_settled_invoices_are_counted(configured, buyer):
    """By a gateway without a flood of unpaid invoices behind it: it asks the node about few of them a second."""
    name = "satforge_invoices_settled_total"
    with configured() as gateway:
        for path, params, *_ in (VIDEO_ORDER, MODEL_ORDER):
            assert buy(gateway, buyer, path, params)[-1].status_code == 200
        began = time.monotonic()
        wait_for(f"{name} is 2", lambda: gateway.metric(name) >= 2, 30)
        figure("two settlements counted after the purchases within", f"{time.monotonic() - began:.1f} s")
        assert gateway.metric(name) == 2
