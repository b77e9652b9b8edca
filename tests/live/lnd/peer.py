"""The buyer's node for the target `peers`: `pay BOLT11`, `invoice SATS SECONDS` or `received BOLT11`, and one line.

Where the node is stands in $PEER_WALLET, as JSON.
"""

import json
import os
import sys

from rest import Rest


def main():
    node = Rest(**json.loads(os.environ["PEER_WALLET"]))
    node.open()
    match sys.argv[1:]:
        case ["pay", bolt11]:
            print(node.pay(bolt11).preimage)
        case ["invoice", sats, seconds]:
            print(node.add_invoice(int(sats), "a payout", int(seconds))["payment_request"])
        case ["received", bolt11]:
            print(node.received_msat(bolt11))
        case other:
            sys.exit(f"what is {other}?")


if __name__ == "__main__":
    main()
