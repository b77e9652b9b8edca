"""A relay, wallet services of today's and of an older kind on it, and a gateway that is paid through each."""

from contextlib import contextmanager

import pytest
from gateway import Gateway
from shop import Shop
from wallet_connect import BOTH, OLDER, Relay, WalletService

pytest_plugins = ["peers"]

# Less than the default of ten seconds: a wallet that says nothing is given up after a few of these.
PATIENCE = {"invoice_timeout_seconds": 2}


@pytest.fixture(scope="session")
def relay(scratch):
    relay = Relay(scratch).start()
    yield relay
    relay.stop()


@contextmanager
def service_of(*arguments):
    service = WalletService(*arguments).start()
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="session")
def selling(scratch, relay, seller):
    with service_of(scratch, "selling", relay, seller, BOTH) as service:
        yield service


@pytest.fixture(scope="session")
def older(scratch, relay, seller):
    with service_of(scratch, "older", relay, seller, OLDER) as service:
        yield service


@pytest.fixture(scope="session")
def buying(scratch, relay, buyer):
    with service_of(scratch, "buying", relay, buyer, BOTH) as service:
        yield service


@contextmanager
def shop_of(folder, service):
    with (
        Gateway(folder, "nwc", {}, {"uri": service.uri}, PATIENCE).running() as gateway,
        Shop(gateway.url) as shop,
    ):
        yield shop


@pytest.fixture(scope="session")
def shop(scratch, selling):
    with shop_of(scratch / "today", selling) as shop:
        yield shop


@pytest.fixture(scope="session")
def older_shop(scratch, older):
    with shop_of(scratch / "before", older) as shop:
        yield shop
