"""The contract of the adapters, held by the one for Nostr Wallet Connect and real wallet services."""

import json
from dataclasses import asdict
from pathlib import Path

import peer
import pytest
from contract import hold, names
from figures import note
from gateway import Gateway

# The other wallet is the buyer's at LNbits itself.
SCRIPT = Path(peer.__file__)


@pytest.fixture(scope="module", params=["selling", "older"])
def config(request, scratch):
    """A configuration for today's wallet, and one for a wallet that knows NIP-04 alone."""
    service = request.getfixturevalue(request.param)
    return Gateway(scratch / f"contract-{request.param}", "nwc", {}, {"uri": service.uri}).config


@pytest.mark.parametrize("name", names())
def test_contract(name, config, buyer):
    for said in hold(name, config, "lookup pay", SCRIPT, json.dumps(asdict(buyer))):
        note(f"contract: {said}")
