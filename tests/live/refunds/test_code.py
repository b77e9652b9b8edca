"""The QR code of a refund's page, read off a picture of the page."""

import os
import subprocess
from pathlib import Path

import pytest
from owed import shown

SCREENSHOTS = Path(os.environ["SCREENSHOTS"])
# Values of Chromium's enumeration of colour schemes.
SCHEMES = {"dark": 0, "light": 1}


def picture(url, scheme, width):
    file = SCREENSHOTS / f"refund-{width}-{scheme}.png"
    subprocess.run(
        [
            os.environ["CHROMIUM"],
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--hide-scrollbars",
            f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            f"--window-size={width},1400",
            f"--screenshot={file}",
            url,
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return file


def decoded(file):
    read = subprocess.run(["zbarimg", "--quiet", "--raw", str(file)], capture_output=True, text=True, timeout=60)
    assert read.returncode == 0, f"no code in {file}: {read.stderr}"
    return read.stdout.strip()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [500, 1280])  # by itself, Chromium makes no narrower window
def test_a_camera_reads_the_lnurl(owed, claimant, scheme, width):
    code = decoded(picture(owed.refund["url"], scheme, width))
    assert code == f"lightning:{owed.refund['lnurl'].upper()}"
    # The wallet takes it as the camera read it.
    assert shown(claimant.withdraw(claimant.scan(code))) is True
