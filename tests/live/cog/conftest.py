"""Gateways over cog servers, and the counts that tests/live/run adds up."""

import os
from pathlib import Path

import pytest
from figures import figures
from seller import Seller


@pytest.fixture
def seller(tmp_path):
    """With models of its own, because tests end them."""
    with Seller(tmp_path).running() as seller:
        yield seller


def pytest_sessionfinish(session):
    """Leaves the counts where the runner looks. A skipped test counts as failed: its peer was missing."""
    for figure in figures:
        print(f"\n{figure}", end="")
    stats = session.config.pluginmanager.getplugin("terminalreporter").stats
    passed = len(stats.get("passed", []))
    failed = sum(len(stats.get(outcome, [])) for outcome in ("failed", "error", "skipped", "xfailed", "xpassed"))
    Path(os.environ["LIVE_COUNTS"]).write_text(f"{passed} {failed}\n")
