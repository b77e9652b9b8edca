"""A gateway that is paid into one wallet of LNbits and pays refunds out of another, and wallets that claim them.

LNbits scans LNURLs of plain http on 127.0.0.1 alone, and only with `LNBITS_LNURL_ALLOW_PRIVATE_IPS`, which lib's server
sets; so no certificate is needed here.
"""

import pytest
from gateway import Gateway
from line import Line
from owed import owed_by
from shop import Shop

pytest_plugins = ["peers"]


def keys(seller, purse):
    return {"invoice_key": seller.invoice_key, "admin_key": purse.admin_key}


@pytest.fixture(scope="session")
def purse(lnbits):
    """What refunds are paid from."""
    return lnbits.wallet("purse", sats=100_000)


@pytest.fixture(scope="session")
def claimant(lnbits):
    """Whose wallet refunds go to; it has paid for nothing."""
    return lnbits.wallet("claimant")


@pytest.fixture(scope="session")
def line(lnbits):
    with Line(lnbits.url).running() as line:
        yield line


@pytest.fixture(scope="session")
def gateway(line, seller, purse, scratch):
    with Gateway(scratch / "gateway", "lnbits", {"url": line.url}, keys(seller, purse)).running() as gateway:
        yield gateway


@pytest.fixture(scope="session")
def shop(gateway):
    with Shop(gateway.url) as shop:
        yield shop


@pytest.fixture
def owed(shop, buyer):
    return owed_by(shop, buyer)


@pytest.fixture(scope="session")
def empty_purse(lnbits):
    return lnbits.wallet("empty purse")


@pytest.fixture(scope="session")
def poor_shop(lnbits, seller, empty_purse, scratch):
    """A gateway whose purse is empty."""
    gateway = Gateway(scratch / "poor", "lnbits", {"url": lnbits.url}, keys(seller, empty_purse))
    with gateway.running(), Shop(gateway.url) as shop:
        yield shop


@pytest.fixture(scope="session")
def manual_shop(lnbits, seller, scratch):
    """A gateway with a key that can receive and not pay, whose operator pays by hand."""
    key = {"invoice_key": seller.invoice_key}
    gateway = Gateway(scratch / "by-hand", "lnbits", {"url": lnbits.url}, key, refunds="manual")
    with gateway.running(), Shop(gateway.url) as shop:
        yield shop
