"""The nodes and the gateway that all tests share, the figures that they print, and the counts for tests/live/run."""

import os
import resource
import signal
from pathlib import Path

import pytest
from gateway import PERMISSIONS, Gateway
from network import Network

SCRATCH = Path(os.environ["LIVE_SCRATCH"]) / "lnd"

# How much of every program's output is shown when a test has failed.
LAST_LINES = 20

figures = []


def figure(name, value):
    """Something measured, printed at the end of the run."""
    figures.append(f"{name}: {value}")


def milliseconds(seconds):
    return f"{seconds * 1000:.1f} ms"


@pytest.fixture(scope="session")
def network():
    SCRATCH.mkdir()
    with Network(Path(os.environ["LND_BINARIES"]), SCRATCH) as network:
        yield network


@pytest.fixture(scope="session")
def seller(network):
    return network.seller


@pytest.fixture(scope="session")
def buyer(network):
    return network.buyer


@pytest.fixture(scope="session")
def gateway(seller):
    with Gateway(SCRATCH / "gateway", seller, seller.bake_macaroon(*PERMISSIONS)) as gateway:
        yield gateway


@pytest.fixture
def configured(request, seller):
    """Makes a gateway of the test's own, which is not started."""

    def make(macaroon=None, certificate=None, more=""):
        macaroon = macaroon or seller.bake_macaroon(*PERMISSIONS)
        return Gateway(SCRATCH / request.node.name, seller, macaroon, certificate, more)

    return make


def pytest_sessionstart():
    # Being told to end is like Ctrl-C: the fixtures are left, and with them the nodes and the gateway.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Two thousand callers may wait for a frozen node at once; the gateway inherits the limit.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def pytest_terminal_summary(terminalreporter):
    for line in figures:
        terminalreporter.write_line(line)
    if terminalreporter.stats.keys() & {"failed", "error"}:
        for log in sorted(SCRATCH.glob("*/output.log")):
            last = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
            terminalreporter.section(f"last lines of {log.parent.name}")
            terminalreporter.write_line("\n".join(last))


def pytest_sessionfinish(session):
    """Leaves the counts where the runner looks. A skipped test counts as failed: its peer was missing."""
    stats = session.config.pluginmanager.getplugin("terminalreporter").stats
    passed = len(stats.get("passed", []))
    failed = sum(len(stats.get(outcome, [])) for outcome in ("failed", "error", "skipped", "xfailed", "xpassed"))
    Path(os.environ["LIVE_COUNTS"]).write_text(f"{passed} {failed}\n")
