"""One S3 server, and the counts that tests/live/run adds up."""

import os
from pathlib import Path

import pytest
from storage import S3, Seller


@pytest.fixture
def s3(tmp_path):
    server = S3(tmp_path / "s3").start()
    yield server
    server.kill()


@pytest.fixture(params=["gateway", "redirect"])
def seller(request, s3, tmp_path):
    """A gateway that serves results itself, and one that sends callers to the bucket."""
    with Seller(tmp_path / request.param, s3, {"serve": request.param}).running() as seller:
        seller.redirects = request.param == "redirect"
        yield seller


def pytest_sessionfinish(session):
    """Leaves the counts where the runner looks. A skipped test counts as failed: its peer was missing."""
    stats = session.config.pluginmanager.getplugin("terminalreporter").stats
    passed = len(stats.get("passed", []))
    failed = sum(len(stats.get(outcome, [])) for outcome in ("failed", "error", "skipped", "xfailed", "xpassed"))
    Path(os.environ["LIVE_COUNTS"]).write_text(f"{passed} {failed}\n")
