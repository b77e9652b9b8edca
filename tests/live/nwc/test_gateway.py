"""Purchases paid over Nostr Wallet Connect, `satforge check --live`, and the wallet or the relay out of reach."""

import re
import secrets

import pytest
from gateway import Gateway
from process import until
from shop import Outage, buys, model, video
from wallet_connect import Client


@pytest.fixture
def payer(buying):
    return Client(buying.uri)


@pytest.fixture
def obedient(selling):
    """The wallet, which answers again after the test."""
    yield selling
    selling.answer("normal")


@pytest.mark.parametrize("goods", [video, model])
def test_purchase(goods, shop, selling, payer, tmp_path):
    buys(f"nwc, {goods.__name__}", shop, payer, goods(), tmp_path)
    # It understands both ways, and the better one is taken.
    assert {encryption for encryption, _ in selling.requests} == {"nip44_v2"}
    assert "make_invoice" in {method for _, method in selling.requests}


def test_purchase_through_an_older_wallet(older_shop, older, payer, tmp_path):
    buys("nwc, older wallet", older_shop, payer, video(), tmp_path)
    assert {encryption for encryption, _ in older.requests} == {"nip04"}


def check(folder, uri):
    return Gateway(folder / "checked", "nwc", {}, {"uri": uri}).check()


@pytest.mark.parametrize("wallet", ["selling", "older"])
def test_check_makes_an_invoice(wallet, request, tmp_path):
    status, said = check(tmp_path, request.getfixturevalue(wallet).uri)
    assert status == 0, said
    assert re.search(r"\b1[ -]sat\b", said), said


def test_check_names_a_connection_that_was_withdrawn(obedient, tmp_path):
    obedient.answer("UNAUTHORIZED")
    status, said = check(tmp_path, obedient.uri)
    assert status != 0
    assert "lightning.nwc.uri" in said


def test_check_names_a_connection_that_never_was(selling, tmp_path):
    """The wallet does not listen to strangers, so there is no answer at all."""
    stranger = re.sub(r"secret=\w+", f"secret={secrets.token_hex(32)}", selling.uri)
    status, said = check(tmp_path, stranger)
    assert status != 0
    assert "lightning.nwc.uri" in said


def test_a_wallet_that_is_asked_too_often_is_left_alone(shop, obedient):
    obedient.answer("RATE_LIMITED")
    until(lambda: shop.ask(video())[0].status_code == 503, "challenges are refused", 30)
    answer, _ = shop.ask(video())
    assert answer.headers["x-error-code"] == "LIGHTNING_UNAVAILABLE"
    assert int(answer.headers["retry-after"]) >= 1
    obedient.answer("normal")
    until(lambda: shop.ask(video())[0].status_code == 402, "challenges are made again", 60)


def test_a_wallet_that_says_nothing(shop, obedient, payer, tmp_path):
    outage = Outage("nwc, silent wallet", shop, payer, tmp_path)
    obedient.answer("silent")
    outage.check_refusals()
    obedient.answer("normal")
    outage.check_recovery()
    buys("nwc, after the silence", shop, payer, video(), tmp_path)


def test_a_relay_that_is_away(shop, relay, payer, tmp_path):
    outage = Outage("nwc, relay away", shop, payer, tmp_path)
    relay.stop()
    try:
        outage.check_refusals()
    finally:
        relay.start()
    outage.check_recovery()
    until(payer.answered, "the payer's wallet is back")
    buys("nwc, after the relay's return", shop, payer, video(), tmp_path)
