"""The contract of the adapters, held by those for LNbits and for Lightning addresses, and a real LNbits."""

import json
from dataclasses import asdict
from pathlib import Path

import peer
import pytest
from contract import hold, names
from figures import note

SCRIPT = Path(peer.__file__)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(("backend", "can"), [("lnbits_gateway", "lookup pay"), ("address_gateway", "")])
def test_contract(name, backend, can, buyer, request):
    config = request.getfixturevalue(backend).config
    for said in hold(name, config, can, SCRIPT, json.dumps(asdict(buyer))):
        note(f"contract: {said}")
