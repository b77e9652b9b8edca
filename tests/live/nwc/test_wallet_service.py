"""What the relay and the wallet services do, seen by a client that is not ours; no gateway in between."""

import subprocess
import time
from hashlib import sha256

import pytest
from process import until
from wallet_connect import Client, WalletError

METHODS = {"get_info", "get_balance", "make_invoice", "lookup_invoice", "pay_invoice"}


@pytest.fixture(params=["selling", "older"])
def service(request):
    """Today's wallet, and one that knows NIP-04 alone."""
    service = request.getfixturevalue(request.param)
    yield service
    service.answer("normal")


@pytest.fixture
def client(service):
    return Client(service.uri)


@pytest.fixture
def payer(buying):
    return Client(buying.uri)


def test_uri_and_info(service, client, relay):
    assert service.uri.startswith("nostr+walletconnect://")
    assert f"?relay=ws%3A%2F%2F127.0.0.1%3A{relay.port}&secret=" in service.uri
    info, _ = client.call("getInfo")
    assert set(info["methods"]) == METHODS
    announced, _ = client.call("getWalletServiceInfo")
    assert set(announced["capabilities"]) == METHODS


def test_make_look_up_and_pay(service, client, payer, seller):
    made, _ = client.call("makeInvoice", amount=500_000, description="5 seconds of video", expiry=600)
    assert (made["type"], made["state"], made["amount"]) == ("incoming", "pending", 500_000)
    assert made["expires_at"] - made["created_at"] == 600
    assert seller.decode(made["invoice"])["payment_hash"] == made["payment_hash"]
    assert "preimage" not in made
    purse, _ = payer.call("getBalance")
    paid = payer.pay(made["invoice"])
    assert sha256(bytes.fromhex(paid.preimage)).hexdigest() == made["payment_hash"]
    found, _ = client.call("lookupInvoice", payment_hash=made["payment_hash"])
    assert (found["state"], found["preimage"]) == ("settled", paid.preimage)
    assert abs(found["settled_at"] - time.time()) < 60
    sent, _ = payer.call("lookupInvoice", invoice=made["invoice"])
    assert (sent["type"], sent["state"]) == ("outgoing", "settled")
    left, _ = payer.call("getBalance")
    assert purse["balance"] - left["balance"] == 500_000
    wanted = "nip04" if service.log.stem == "older" else "nip44_v2"
    assert {encryption for encryption, _ in service.requests} == {wanted}


def refused(client, method, **parameters):
    with pytest.raises(WalletError) as caught:
        client.call(method, **parameters)
    assert caught.value.kind == "Nip47WalletError"
    return caught.value.code


def test_refusals_of_the_wallet_itself(client, payer, lnbits):
    assert refused(client, "lookupInvoice", payment_hash="ab" * 32) == "NOT_FOUND"
    assert refused(client, "makeInvoice", amount=1_500) == "OTHER"
    dear, _ = client.call("makeInvoice", amount=2_000_000_000)
    assert refused(payer, "payInvoice", invoice=dear["invoice"]) == "INSUFFICIENT_BALANCE"
    cheap, _ = client.call("makeInvoice", amount=1_000)
    payer.pay(cheap["invoice"])
    assert refused(payer, "payInvoice", invoice=cheap["invoice"]) == "PAYMENT_FAILED"


@pytest.mark.parametrize("code", ["UNAUTHORIZED", "RATE_LIMITED", "INSUFFICIENT_BALANCE"])
def test_refusals_on_demand(service, client, code):
    service.answer(code)
    assert refused(client, "makeInvoice", amount=1_000) == code
    service.answer("normal")
    client.call("makeInvoice", amount=1_000)


def test_silence_on_demand(service, client):
    """Counted by a method that no gateway uses: one that sells through this wallet may be asking at the same time."""

    def asked():
        return sum(method == "get_balance" for _, method in service.requests)

    service.answer("silent")
    before = asked()
    with pytest.raises(subprocess.TimeoutExpired):
        client.call("getBalance", timeout=3)
    assert asked() == before + 1


def test_services_come_back_to_a_relay_that_was_started_again(relay, service, client):
    relay.stop()
    with pytest.raises(WalletError) as caught:
        client.call("getInfo")
    assert caught.value.kind == "Nip47NetworkError"
    relay.start()
    # Its info event is gone from the relay until the service has published it anew.
    until(client.answered, "the wallet is back", 20)
