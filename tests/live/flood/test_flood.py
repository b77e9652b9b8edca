"""A single host must not keep a paying buyer waiting, nor have the backend make more invoices than the ceiling."""

import gc
import re
import subprocess
import threading

from buyer import Buyer
from gateway import CEILING

# Purchases on each side: the slowest hundredth of them are six.
SAMPLES = 600
CONNECTIONS = 64
# Longer than the purchases under the flood take, so that the flood outlasts them.
FLOOD_S = 25
# What the buyer may wait for in comparison.
FACTOR = 3
# What is answered to the flood beyond its first burst, in a second.
REFUSALS_PER_SECOND = 150


class Flood:
    """wrk from another address than the buyer's, and the most unpaid invoices that were seen meanwhile."""

    def __init__(self, gateway):
        self._gateway = gateway
        self.most_open = 0

    def __enter__(self):
        url = f"http://127.0.0.1:{self._gateway.port}"
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{FLOOD_S}s", "--timeout", "10s", "-s", "flood.lua", url]
        self._wrk = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def __exit__(self, *_):
        self.outlasted = self._wrk.poll() is None
        self.report, _ = self._wrk.communicate(timeout=2 * FLOOD_S)
        self._ended.set()
        self._watcher.join()

    def answers(self):
        return int(re.search(r"(\d+) requests in", self.report)[1])

    def _watch(self):
        while not self._ended.wait(0.5):
            self.most_open = max(self.most_open, self._gateway.metrics("satforge_open_invoices"))


def test_a_flood_from_one_host_leaves_a_buyer_alone(gateway):
    gc.disable()
    buyer = Buyer(gateway.port)
    buyer.buy(50)
    calm = buyer.buy(SAMPLES)
    cpu = gateway.cpu_seconds()
    with Flood(gateway) as flood:
        busy = buyer.buy(SAMPLES)
        cpu = gateway.cpu_seconds() - cpu
    gc.enable()

    for name in ("challenge", "redemption"):
        _say(name, getattr(calm, name), getattr(busy, name))
    made, paid = gateway.metrics("satforge_invoices_made_total"), buyer.bought
    refused, delayed = gateway.metrics("satforge_refused_total"), gateway.metrics("satforge_delayed_total")
    print(f"flood: {flood.answers()} answers in {FLOOD_S} s, {refused:.0f} of them refused and {delayed:.0f} delayed")
    print(f"gateway: {cpu:.1f} s of a core for {SAMPLES} purchases and the flood")
    print(f"invoices: {made:.0f} made, {paid} paid, at most {flood.most_open:.0f} unpaid at once of {CEILING} allowed")

    assert flood.outlasted, "the flood ended before the purchases did"
    assert flood.answers() > REFUSALS_PER_SECOND, f"that was no flood: {flood.report}"
    assert made - paid <= CEILING and flood.most_open <= CEILING
    assert made - paid < CEILING / 4, "one host has less than a quarter"
    assert flood.answers() < made + REFUSALS_PER_SECOND * FLOOD_S, "refusals take their time"
    for name in ("challenge", "redemption"):
        assert _p99(getattr(busy, name)) < FACTOR * _p99(getattr(calm, name)), name


def _say(name, calm, busy):
    figures = [1_000 * of(samples) for of in (_median, _p99) for samples in (calm, busy)]
    ratio = _p99(busy) / _p99(calm)
    print("\n{}: median {:.2f} ms alone, {:.2f} ms in the flood; p99 {:.2f} ms and {:.2f} ms, {:.2f} times".format(
        name, *figures, ratio), end="")
    print()


def _median(samples):
    return sorted(samples)[len(samples) // 2]


def _p99(samples):
    return sorted(samples)[len(samples) * 99 // 100]
