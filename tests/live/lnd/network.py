"""Two LND nodes on a private chain, with a channel between them from which either can pay the other."""

import time
from contextlib import ExitStack

from chain import NOBODY, Btcd
from nodes import Lnd
from processes import wait_for

# Simnet's rules change by votes of a hundred blocks each: one to start, one to lock in, and then segwit is active.
BLOCKS_UNTIL_SEGWIT = 300
BLOCKS_UNTIL_MATURE = 100
# What it takes for a channel to be announced, which its ends do not need but a real one has.
BLOCKS_UNTIL_ANNOUNCED = 6

CHANNEL_SATS = 16_000_000


class Network:
    """A context: what it starts is gone when it is left, however it is left."""

    def __init__(self, binaries, folder):
        self.btcd = Btcd(binaries / "btcd", folder / "btcd")
        self.seller = Lnd("seller", binaries / "lnd", folder / "seller", self.btcd)
        self.buyer = Lnd("buyer", binaries / "lnd", folder / "buyer", self.btcd)
        self._cleanup = ExitStack()
        self.open_seconds = None

    def __enter__(self):
        with ExitStack() as stack:
            for process in (self.btcd.process, self.seller.process, self.buyer.process):
                stack.callback(process.discard)
            began = time.monotonic()
            self._open()
            self.open_seconds = time.monotonic() - began
            self._cleanup = stack.pop_all()
        return self

    def __exit__(self, *raised):
        self._cleanup.close()

    def _open(self):
        self.btcd.start(NOBODY)
        # Nodes do not start on a chain whose last block is old, and simnet's first is of 2014.
        self.btcd.mine(BLOCKS_UNTIL_SEGWIT)
        nodes = (self.seller, self.buyer)
        for node in nodes:
            node.launch()
        for node in nodes:
            node.wait_until_ready()
        self.btcd.start(self.buyer.get("/v1/newaddress", type="WITNESS_PUBKEY_HASH")["address"])
        self.mine(BLOCKS_UNTIL_MATURE + 1)
        wait_for("the buyer has coins", self._buyer_has_coins, 60)
        self.buyer.connect(self.seller)
        self._open_channel()

    def mine(self, blocks):
        """Makes blocks, and returns once both nodes know them."""
        self.btcd.mine(blocks)
        height = self.btcd.call("getblockcount")
        for node in (self.seller, self.buyer):
            wait_for(f"{node.name} is at block {height}", lambda n=node: n.is_at(height), 60)

    def _buyer_has_coins(self):
        return int(self.buyer.get("/v1/balance/blockchain")["confirmed_balance"]) > CHANNEL_SATS

    def _open_channel(self):
        """Half of it belongs to the seller from the start, so that payments can go both ways."""
        wanted = {
            "node_pubkey_string": self.seller.pubkey,
            "local_funding_amount": str(CHANNEL_SATS),
            "push_sat": str(CHANNEL_SATS // 2),
        }
        self.buyer.post("/v1/channels", wanted)
        wait_for("the channel's transaction is in the pool", lambda: self.btcd.call("getrawmempool"), 30)
        self.mine(BLOCKS_UNTIL_ANNOUNCED)
        self.buyer.wait_for_channel(self.seller)
