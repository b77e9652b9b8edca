"""`satforge check --live` makes an invoice of one sat, or names the setting by which it can't."""

import re

from gateway import PERMISSIONS


def test_a_good_configuration(configured):
    status, printed = configured().check()
    assert status == 0, printed
    assert re.search(r"\b(1|one)[ -]sat\b", printed), printed
    assert "invoice" in printed


def check_macaroon_is_named(configured, macaroon):
    status, printed = configured(macaroon=macaroon).check()
    assert status != 0, printed
    assert "lightning.lnd.macaroon" in printed
    assert "lightning.lnd.tls_certificate" not in printed


def test_a_macaroon_that_may_only_read(configured, seller):
    check_macaroon_is_named(configured, seller.bake_macaroon("invoices:read", "offchain:read", "info:read"))


def test_the_macaroon_of_another_node(configured, buyer):
    check_macaroon_is_named(configured, buyer.bake_macaroon(*PERMISSIONS))


def test_the_certificate_of_another_node(configured, buyer):
    status, printed = configured(certificate=buyer.tls_cert).check()
    assert status != 0, printed
    assert "lightning.lnd.tls_certificate" in printed
    assert "lightning.lnd.macaroon" not in printed
