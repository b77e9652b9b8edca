"""Fixtures shared by the client tests, and the counts that tests/live/run adds up."""

import os
from pathlib import Path

import httpx
import pytest
from pages import flows
from sandbox import Gateway, Wallet, sample_png

GATEWAY_URL = os.environ["GATEWAY_URL"]


@pytest.fixture
def gateway():
    with Gateway(GATEWAY_URL) as gateway:
        yield gateway


@pytest.fixture
def wallet():
    return Wallet(GATEWAY_URL)


@pytest.fixture(scope="session")
def image():
    return sample_png()


def pytest_generate_tests(metafunc):
    """One case for every flow that a page prints, in every language it is printed in."""
    if "snippet" in metafunc.fixturenames:
        found = flows(lambda path: httpx.get(GATEWAY_URL + path, trust_env=False).raise_for_status().text)
        metafunc.parametrize("snippet", found, ids=lambda snippet: snippet.name)


def pytest_sessionfinish(session):
    """Leaves the counts where the runner looks. A skipped test counts as failed: its peer was missing."""
    stats = session.config.pluginmanager.getplugin("terminalreporter").stats
    passed = len(stats.get("passed", []))
    failed = sum(len(stats.get(outcome, [])) for outcome in ("failed", "error", "skipped", "xfailed", "xpassed"))
    Path(os.environ["LIVE_COUNTS"]).write_text(f"{passed} {failed}\n")
