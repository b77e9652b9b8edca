"""The Lightning address that LNbits itself gives a wallet: LUD-16 and LUD-06, without LUD-21."""

from hashlib import sha256

import httpx
import pytest


@pytest.fixture
def address(seller):
    return seller.take_address("seller")


def get(lnbits, path, **parameters):
    url = path if path.startswith("http") else lnbits.url + path
    return httpx.get(url, params=parameters or None, timeout=30, trust_env=False)


def described(lnbits):
    return get(lnbits, "/.well-known/lnurlp/seller").json()


def test_address_and_callback(lnbits, address, seller, buyer):
    described_as = described(lnbits)
    assert described_as["tag"] == "payRequest"
    assert described_as["callback"] == f"{lnbits.url}/api/v1/lnurl/wallet/seller/cb"
    assert described_as["minSendable"] == 1_000
    assert f'["text/identifier", "{address}"]' in described_as["metadata"]
    answer = get(lnbits, described_as["callback"], amount=500_000)
    assert answer.status_code == 200
    body = answer.json()
    # No `verify`: the seller can't ask whether an invoice was paid.
    assert body.keys() == {"pr", "routes", "disposable"}
    decoded = seller.decode(body["pr"])
    assert (decoded["amount_msat"], decoded["expiry"]) == (500_000, 3_600)
    assert decoded["description_hash"] == sha256(described_as["metadata"].encode()).hexdigest()
    paid = buyer.pay(body["pr"])
    assert sha256(bytes.fromhex(paid.preimage)).hexdigest() == decoded["payment_hash"]


def test_amounts_are_rounded_down_without_a_word(lnbits, address, seller):
    body = get(lnbits, described(lnbits)["callback"], amount=500_999).json()
    assert seller.decode(body["pr"])["amount_msat"] == 500_000


def test_refusals_come_with_status_200(lnbits, address):
    callback = described(lnbits)["callback"]
    for answer, reason in (
        (get(lnbits, "/.well-known/lnurlp/nobody"), "Lightning address not found."),
        (get(lnbits, callback, amount=999), "Amount is smaller than minimum 1000."),
    ):
        assert answer.status_code == 200
        assert answer.json() == {"status": "ERROR", "reason": reason}
