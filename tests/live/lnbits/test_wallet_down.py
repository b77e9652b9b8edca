"""LNbits stops and comes back, under both gateways at once."""

import pytest
from lnbits_server import LnbitsError
from process import until
from shop import Outage, buys, video


def buys_again(label, shop, payer, folder):
    """FakeWallet has forgotten the invoices of before: one that the gateway had in store can't be paid any more."""

    def bought():
        try:
            buys(label, shop, payer, video(), folder)
        except LnbitsError as error:
            assert "retrying is not possible" in error.body["detail"], error
            return False
        return True

    until(bought, f"{label}: a new invoice that can be paid", 30)


@pytest.fixture
def outages(lnbits_shop, address_shop, buyer, tmp_path):
    # What LNbits says of a payment is asked by default, because its preimages alone prove too little.
    by_key = Outage("lnbits_shop", lnbits_shop, buyer, tmp_path, confirms=True)
    return [by_key, Outage("address_shop", address_shop, buyer, tmp_path)]


def test_outage_and_recovery(lnbits, outages, buyer, tmp_path):
    lnbits.stop()
    try:
        for outage in outages:
            outage.check_refusals()
    finally:
        lnbits.start()
    for outage in outages:
        outage.check_recovery()
    for outage in outages:
        buys_again(f"{outage.label}, after the outage", outage.shop, buyer, tmp_path)
