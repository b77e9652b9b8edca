"""Callers at a constant rate while the node goes away and comes back: what they were told, and when."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from statistics import median

from load import Load, Peer
from sandbox import VIDEO, video_params

CHALLENGES_PER_SECOND = 200
# Somebody who has paid comes back so often.
REDEMPTIONS_PER_SECOND = 20

BEFORE_S = 3
AFTER_S = 2
RECOVERY_LIMIT_S = 60


@dataclass
class Outage:
    """Every answer of the whole time, and when the node went away and was brought back."""

    challenges: list = field(default_factory=list)
    redemptions: list = field(default_factory=list)
    gone_at: float = 0
    back_at: float = 0
    recovered_at: float = 0

    @property
    def before(self):
        """What was over when the node went away."""
        return [answer for answer in self.challenges if answer.ended < self.gone_at]

    @property
    def after(self):
        """What was asked once all was well again."""
        return [answer for answer in self.challenges if answer.sent > self.recovered_at]

    @property
    def while_open(self):
        """What was asked without a node, a second or more after the first refusal: by then the gateway knows."""
        refused = [answer.ended for answer in self.challenges if answer.status == 503]
        known_at = min(refused, default=self.back_at) + 1
        return [answer for answer in self.challenges if known_at < answer.sent < self.back_at]

    @property
    def first_good(self):
        """Seconds from the node's return to the first challenge that was asked for after it."""
        return min(a.ended for a in self.challenges if a.status == 402 and a.sent > self.back_at) - self.back_at


async def go_through(gateway, purchase, take_away, bring_back, gone_s):
    """Keeps asking while `take_away` and then, `gone_s` later, `bring_back` are done to the node. Both are quick."""
    outage = Outage()
    peer = Peer("127.0.0.1", gateway.port)

    async def ask(number, due):
        return await peer.post(VIDEO, json.dumps(video_params(f"outage {number}")).encode(), due=due)

    async def redeem(_, due):
        headers = [f"Authorization: {purchase.authorization}"]
        return await peer.post(purchase.path, purchase.body, headers, due)

    async with Load(CHALLENGES_PER_SECOND, ask) as asked, Load(REDEMPTIONS_PER_SECOND, redeem) as redeemed:
        outage.challenges, outage.redemptions = asked.answers, redeemed.answers
        await asyncio.sleep(BEFORE_S)
        outage.gone_at = time.monotonic()
        take_away()
        await asyncio.sleep(gone_s)
        outage.back_at = time.monotonic()
        bring_back()
        await _recovery(outage)
        await asyncio.sleep(AFTER_S)
    peer.close()
    return outage


async def _recovery(outage):
    """Waits until nothing that was asked in the last second was refused, and most of it has been answered."""
    while not outage.recovered_at:
        now = time.monotonic()
        assert now < outage.back_at + RECOVERY_LIMIT_S, summary(outage.challenges)
        recent = [a for a in outage.challenges if a.sent > max(now - 1, outage.back_at)]
        if len(recent) > CHALLENGES_PER_SECOND / 2 and all(answer.status == 402 for answer in recent):
            outage.recovered_at = now
        await asyncio.sleep(0.1)


def times(answers):
    """The median and the longest, for people."""
    seconds = [answer.seconds for answer in answers]
    return f"median {median(seconds) * 1000:.1f} ms, longest {max(seconds) * 1000:.0f} ms of {len(seconds)}"


def summary(answers):
    """How many of each outcome."""
    outcomes = [answer.outcome for answer in answers]
    return ", ".join(f"{outcomes.count(outcome)} × {outcome}" for outcome in sorted(set(outcomes)))
