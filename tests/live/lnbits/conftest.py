"""Gateways over one LNbits: through its API, and through the Lightning address of the same wallet."""

import pytest
from gateway import Gateway
from shop import Shop, video

pytest_plugins = ["peers"]


@pytest.fixture(scope="session")
def lnbits_gateway(lnbits, seller, scratch):
    keys = {"invoice_key": seller.invoice_key, "admin_key": seller.admin_key}
    with Gateway(scratch / "by-key", "lnbits", {"url": lnbits.url}, keys).running() as gateway:
        yield gateway


@pytest.fixture(scope="session")
def careful_gateway(lnbits, seller, scratch):
    """Asks LNbits about every payment, has no right to pay, and keeps no invoices."""
    keys = {"invoice_key": seller.invoice_key}
    # One test waits for an invoice to expire; less than a minute is not to be had.
    lightning = {"require_settled": True, "invoice_expiry_seconds": 60}
    careful = Gateway(scratch / "careful", "lnbits", {"url": lnbits.url}, keys, lightning, 0, refunds="manual")
    with careful.running() as gateway:
        yield gateway


@pytest.fixture(scope="session")
def address_gateway(seller, scratch):
    settings = {"address": seller.take_address("seller"), "allow_private_hosts": True}
    with Gateway(scratch / "by-address", "lightning_address", settings, refunds="manual").running() as gateway:
        yield gateway


@pytest.fixture(scope="session")
def lnbits_shop(lnbits_gateway):
    with Shop(lnbits_gateway.url) as shop:
        yield shop


@pytest.fixture(scope="session")
def careful_shop(careful_gateway):
    with Shop(careful_gateway.url) as shop:
        yield shop


@pytest.fixture(scope="session")
def address_shop(address_gateway):
    with Shop(address_gateway.url) as shop:
        yield shop


@pytest.fixture(scope="session")
def forgotten(careful_shop):
    """A challenge from the beginning of the run that nobody pays in time."""
    return careful_shop.challenge(video())
