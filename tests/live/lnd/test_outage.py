"""A node that goes away under load: callers are told so at once, whoever has paid is served, and it heals by itself."""

import asyncio
import json
from statistics import median

import pytest
from conftest import figure
from outage import go_through, summary, times
from sandbox import VIDEO, video_params

# The node has 10 s to make an invoice, and a second more is for two busy cores.
LONGEST_S = 11
# A frozen node is noticed when the first of its invoices is late, so its absence has to last longer.
KILLED_S, FROZEN_S = 10, 20


def paid(gateway, buyer, prompt):
    challenge = gateway.ask(VIDEO, video_params(prompt))
    return challenge.paid_with(buyer.pay(challenge.invoice).preimage)


@pytest.mark.parametrize("way", ["killed", "frozen"])
def test_callers_while_the_node_is(way, gateway, seller, buyer):
    purchase = paid(gateway, buyer, f"bought before the node is {way}")
    bought = gateway.redeem(purchase)
    assert bought.status_code == 200, bought.text
    if way == "killed":
        run = go_through(gateway, purchase, seller.kill, seller.launch, KILLED_S)
    else:
        run = go_through(gateway, purchase, seller.pause, seller.resume, FROZEN_S)
    try:
        outage = asyncio.run(run)
    finally:
        # Also for the tests after this one, if it broke off while the node was away.
        seller.make_run()

    figure(f"{way}: all challenges", summary(outage.challenges))
    figure(f"{way}: challenges before", times(outage.before))
    figure(f"{way}: challenges once the gateway knew", times(outage.while_open))
    figure(f"{way}: challenges after recovery", times(outage.after))
    figure(f"{way}: slowest of all", f"{max(answer.seconds for answer in outage.challenges):.2f} s")
    figure(f"{way}: redemptions all the while", f"{summary(outage.redemptions)}, {times(outage.redemptions)}")
    figure(f"{way}: first challenge after the node was brought back", f"{outage.first_good:.1f} s")
    figure(f"{way}: nothing but challenges for a second", f"{outage.recovered_at - outage.back_at:.1f} s")

    check_refusals(outage.challenges)
    assert max(answer.seconds for answer in outage.challenges) < LONGEST_S
    assert {answer.status for answer in outage.before} == {402}
    assert {answer.status for answer in outage.after} == {402}
    assert len(outage.while_open) > 100
    assert median(answer.seconds for answer in outage.while_open) < 0.05
    check_redemptions(outage.redemptions, bought)

    seller.wait_for_channel(buyer)
    assert gateway.redeem(paid(gateway, buyer, f"bought after the node was {way}")).status_code == 200


def check_refusals(challenges):
    """Nothing but challenges, and refusals that name their cause and a time to come back."""
    for answer in challenges:
        assert not answer.broken, answer.broken
        assert answer.status in (402, 503), answer
        if answer.status == 503:
            assert json.loads(answer.body)["error_code"] == answer.headers["x-error-code"] == "LIGHTNING_UNAVAILABLE"
            assert int(answer.headers["retry-after"]) > 0
        else:
            assert answer.headers["www-authenticate"].startswith("L402 macaroon=")


def check_redemptions(redemptions, bought):
    """Whoever has paid needs no node."""
    assert len(redemptions) > 100
    for answer in redemptions:
        assert (answer.status, answer.broken) == (200, ""), answer
        assert json.loads(answer.body) == bought.json()
    assert median(answer.seconds for answer in redemptions) < 0.05
    assert max(answer.seconds for answer in redemptions) < 2
