"""Purchases paid through LNbits, by its API and by the Lightning address of its wallet; and `satforge check --live`."""

import re

import pytest
from gateway import Gateway
from shop import buys, model, video

# Made first, to have expired when test_unpaid.py wants it.
pytestmark = pytest.mark.usefixtures("forgotten")


@pytest.mark.parametrize("goods", [video, model])
@pytest.mark.parametrize("shop", ["lnbits_shop", "careful_shop", "address_shop"])
def test_purchase(shop, goods, request, seller, buyer, tmp_path):
    before = seller.balance_msat()
    buys(f"{shop}, {goods.__name__}", request.getfixturevalue(shop), buyer, goods(), tmp_path)
    assert seller.balance_msat() > before


def test_invoices_are_for_the_price_and_name_the_goods(careful_shop, seller):
    challenge = careful_shop.challenge(video())
    decoded = seller.decode(challenge.invoice)
    assert decoded["amount_msat"] == 500_000
    assert decoded["expiry"] == 60
    assert decoded["description"]


def test_an_invoice_that_is_not_paid_yet_buys_nothing(lnbits_shop):
    answer = lnbits_shop.redeem(lnbits_shop.challenge(video()).paid("00" * 32))
    assert answer.status_code == 402
    assert answer.headers["x-error-code"] == "PREIMAGE_MISMATCH"


def check(folder, backend, settings, secrets=None, refunds="manual"):
    return Gateway(folder / "checked", backend, settings, secrets, refunds=refunds).check()


def test_check_makes_an_invoice(lnbits, seller, tmp_path):
    keys = {"invoice_key": seller.invoice_key, "admin_key": seller.admin_key}
    status, said = check(tmp_path, "lnbits", {"url": lnbits.url}, keys, refunds="automatic")
    assert status == 0, said
    assert re.search(r"\b1[ -]sat\b", said), said


def test_check_makes_an_invoice_with_no_right_to_pay(lnbits, seller, tmp_path):
    status, said = check(tmp_path, "lnbits", {"url": lnbits.url}, {"invoice_key": seller.invoice_key})
    assert status == 0, said


def test_check_names_a_wrong_key(lnbits, tmp_path):
    status, said = check(tmp_path, "lnbits", {"url": lnbits.url}, {"invoice_key": "0" * 32})
    assert status != 0
    assert "lightning.lnbits.invoice_key" in said


def test_check_makes_an_invoice_of_an_address(seller, tmp_path):
    settings = {"address": seller.take_address("seller"), "allow_private_hosts": True}
    status, said = check(tmp_path, "lightning_address", settings)
    assert status == 0, said
    assert re.search(r"\b1[ -]sat\b", said), said


def test_check_names_an_address_that_nobody_has(lnbits, tmp_path):
    address = f"nobody@127.0.0.1:{lnbits.port}"
    status, said = check(tmp_path, "lightning_address", {"address": address, "allow_private_hosts": True})
    assert status != 0
    assert "lightning.lightning_address.address" in said


def test_check_does_not_go_to_a_private_host_unless_it_may(seller, tmp_path):
    status, said = check(tmp_path, "lightning_address", {"address": seller.take_address("seller")})
    assert status != 0
    assert "lightning.lightning_address" in said
