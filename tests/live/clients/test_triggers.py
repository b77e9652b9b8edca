"""The words by which an integrator rehearses trouble do what the pages say, in a prompt and in a picture's bytes."""

import base64
import re

import httpx
import pytest
from conftest import GATEWAY_URL
from sandbox import MODEL, VIDEO, video_params

PREFIX = "data:image/png;base64,"


@pytest.fixture(params=["prompt", "picture"])
def rehearse(request, gateway, image):
    """Buys with a trigger and hands back a function that presents the credential."""

    def buy(word):
        if request.param == "prompt":
            purchase = gateway.buy(VIDEO, video_params(f"rehearsal {word}"))
        else:
            picture = base64.b64decode(image.removeprefix(PREFIX)) + word.encode()
            purchase = gateway.buy(MODEL, {"image": PREFIX + base64.b64encode(picture).decode()})
        return lambda prefer: gateway.redeem(purchase, prefer=prefer)

    return buy


@pytest.mark.parametrize(
    ("word", "code"), [("sandbox:fail", "GENERATION_FAILED"), ("sandbox:reject", "CONTENT_REJECTED")]
)
def test_failures(rehearse, word, code):
    answer = rehearse(word)("wait=60")
    assert answer.status_code == 502
    assert answer.headers["x-error-code"] == code
    assert answer.json()["refund"]["status"] == "available"


def test_two_lost_attempts_are_not_seen(rehearse):
    answer = rehearse("sandbox:flaky")("wait=120")
    assert answer.status_code == 200, answer.text


def test_a_slow_one(rehearse):
    present = rehearse("sandbox:slow=8")
    assert present("wait=4").status_code == 202
    assert present("wait=60").status_code == 200


@pytest.mark.parametrize("service", ["video", "3d-model"])
def test_the_pages_name_them_all(service):
    html = httpx.get(f"{GATEWAY_URL}/l402/{service}", trust_env=False).raise_for_status().text
    named = set(re.findall(r"<dt><code>(sandbox:\w+)", html))
    assert named == {"sandbox:fail", "sandbox:reject", "sandbox:slow", "sandbox:flaky"}
