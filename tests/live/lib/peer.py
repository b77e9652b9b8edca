"""The buyer's wallet for the target `peers`: `pay BOLT11`, `invoice SATS SECONDS` or `received BOLT11`, and one line.

Whose wallet it is stands in $PEER_WALLET, as JSON.
"""

import json
import os
import sys

from lnbits_server import Wallet


def main():
    wallet = Wallet(**json.loads(os.environ["PEER_WALLET"]))
    match sys.argv[1:]:
        case ["pay", bolt11]:
            print(wallet.pay(bolt11).preimage)
        case ["invoice", sats, seconds]:
            print(wallet.create(int(sats), "a payout", expiry=int(seconds))["bolt11"])
        case ["received", bolt11]:
            print(wallet.received_msat(bolt11))
        case other:
            sys.exit(f"what is {other}?")


if __name__ == "__main__":
    main()
