"""The contract that tests/lightning holds every adapter to, against the peers of a suite.

Each test of the target `peers` becomes one of pytest's, so that it counts like any other.
"""

import os
import shlex
import subprocess
import sys

PEERS = os.environ["PEERS_BIN"]
# A test waits for invoices to expire, some of them for a minute.
TIMEOUT_S = 240


def names():
    """The tests that the target has."""
    listed = subprocess.run([PEERS, "--list", "--format=terse"], check=True, capture_output=True, text=True)
    return [line.removesuffix(": test") for line in listed.stdout.splitlines() if line.endswith(": test")]


def hold(name, config, can, script, wallet):
    """Runs one test on the backend in `config` and returns what it measured and noted.

    `can` says what this backend must be able to. `script` drives the wallet that `wallet` describes: it takes `pay`,
    `invoice` or `received`, and what they need.
    """
    command = shlex.join([sys.executable, str(script)])
    env = {key: value for key, value in os.environ.items() if not key.startswith("SATFORGE_")} | {
        "PEERS_CONFIG": str(config),
        "PEERS_CAN": can,
        "PEER_WALLET": wallet,
        "PEER_PAY": f"{command} pay",
        "PEER_INVOICE": f"{command} invoice",
        "PEER_RECEIVED": f"{command} received",
    }
    run = subprocess.run(
        [PEERS, "--exact", name, "--show-output"],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert run.returncode == 0 and "1 passed" in run.stdout, run.stdout + run.stderr
    lines = (line.partition(" ") for line in run.stdout.splitlines())
    return [said for kind, _, said in lines if kind in ("FIGURE", "NOTE")]
