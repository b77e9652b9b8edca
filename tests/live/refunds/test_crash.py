"""The gateway is killed while a refund is on its way, before LNbits has the order and after it has paid."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from owed import SATS, scan_is_refused, shown


@pytest.mark.parametrize(("lost", "already"), [("order", 0), ("answer", SATS * 1000)])
def test_a_refund_survives_a_kill_and_is_paid_once(lost, already, gateway, line, owed, claimant, purse):
    before, orders = (claimant.balance_msat(), purse.balance_msat()), len(purse.outgoing())
    offer = claimant.scan(owed.refund["lnurl"])
    with ThreadPoolExecutor() as pool:
        with line.holds(lost):
            claiming = pool.submit(claimant.withdraw, offer)
            assert line.holding.wait(30), "the order to pay is on its way"
            # The claim is on disk, and there is none beside it.
            assert owed.look()["status"] == "claiming"
            assert owed.refuses(invoice=claimant.create(SATS)["bolt11"])[:2] == (409, "REFUND_UNAVAILABLE")
            assert "is being paid" in scan_is_refused(claimant, owed.refund["lnurl"])
            gateway.kill()
            mine = claiming.result(30)["bolt11"]
        assert claimant.received_msat(mine) == already
        gateway.start()
    owed.becomes_paid()
    assert claimant.received_msat(mine) == SATS * 1000
    assert len(purse.outgoing()) == orders + 1
    # Nothing more comes of it, by whatever way.
    assert shown(claimant.withdraw(offer)) == "This refund was paid before."
    assert owed.claim(invoice=mine).json()["status"] == "paid"
    assert (claimant.balance_msat() - before[0], purse.balance_msat() - before[1]) == (SATS * 1000, -SATS * 1000)
    assert len(purse.outgoing()) == orders + 1
