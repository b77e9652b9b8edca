"""The contract of the adapters, held by the one for LND and two real nodes."""

import json
from pathlib import Path

import pytest
from conftest import figure
from contract import hold, names

SCRIPT = Path(__file__).parent / "peer.py"


@pytest.fixture(scope="module")
def wallet(buyer):
    """The buyer's node, as peer.py reads it."""
    return json.dumps(
        {
            "name": buyer.name,
            "rest_url": buyer.rest_url,
            "tls_cert": str(buyer.tls_cert),
            "admin_macaroon": str(buyer.admin_macaroon),
        }
    )


@pytest.mark.parametrize("name", names())
def test_contract(name, gateway, wallet):
    for said in hold(name, gateway.config, "lookup pay msat", SCRIPT, wallet):
        figure("contract", said)
