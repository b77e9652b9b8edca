"""Webhooks that are not cog's, and those that come twice."""

import base64
import json

import pytest
from media import bought_video, fetch
from models import TOKEN
from process import until
from sandbox import VIDEO, video_params

FORGED = b"\0\0\0\x18ftypisom" + b"forged " * 100


def forged(body):
    """The body of a webhook, as if the prediction had ended with another file."""
    event = json.loads(body)
    uri = f"data:video/mp4;base64,{base64.b64encode(FORGED).decode()}"
    return json.dumps(event | {"status": "succeeded", "output": uri}).encode()


def bearer(token):
    return {"authorization": f"Bearer {token}", "content-type": "application/json"}


@pytest.fixture
def held(seller):
    """A job that waits for its model, and the webhook that told its beginning."""
    seller.film.hold()
    purchase, poll_url = seller.order(VIDEO, video_params("not to be forged"))
    seller.film.until_runs(1)
    until(lambda: seller.postman.deliveries("processing"), "the start is told", 10)
    return purchase, poll_url, *seller.postman.deliveries("processing")[0]


def test_a_forged_webhook_changes_nothing(seller, held, tmp_path):
    purchase, poll_url, path, body = held
    wrong = path[:-1] + ("0" if path[-1] != "0" else "1")
    tries = [
        (path, bearer("wrong")),
        (path, bearer(TOKEN[:-1])),
        (path, bearer("x" + TOKEN)),
        (path, {"content-type": "application/json"}),
        (wrong, bearer(TOKEN)),
        (path.rpartition("/")[0] + "/", bearer(TOKEN)),
    ]
    for where, headers in tries:
        answer = seller.postman.post(where, forged(body), headers)
        assert 400 <= answer.status_code < 500, (where, answer.status_code)
        assert seller.kept() == []
        assert seller.document(poll_url)["status"] == "running"
    other = json.dumps(json.loads(forged(body)) | {"id": "somebody-elses"}).encode()
    assert 400 <= seller.postman.post(path, other, bearer(TOKEN)).status_code < 500
    assert seller.kept() == []
    seller.film.release()
    bought_video(seller.outcome(purchase), tmp_path)
    assert FORGED not in (tmp_path / "video.mp4").read_bytes()
    assert seller.film.runs() == ["not to be forged"]


def test_a_repeated_webhook_changes_nothing(seller, held, tmp_path):
    purchase, poll_url, path, started = held
    seller.film.release()
    answer = seller.outcome(purchase)
    fetch(answer.json()["videoUrl"], tmp_path / "first")
    document = seller.document(poll_url)
    ((_, ended),) = seller.postman.deliveries("succeeded")
    for body in (ended, started, forged(ended)):
        seller.postman.post(path, body, bearer(TOKEN))
        again = seller.outcome(purchase)
        assert again.json() == answer.json()
        assert seller.document(poll_url) == document
        fetch(again.json()["videoUrl"], tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == (tmp_path / "first").read_bytes()
    until(lambda: not seller.kept(), "nothing is kept for a job that has ended", 10)
    assert seller.film.runs() == ["not to be forged"]
    other, _ = seller.order(VIDEO, video_params("afterwards"))
    bought_video(seller.outcome(other), tmp_path)


def test_no_secret_and_no_path_of_a_webhook_is_logged(seller, held, tmp_path):
    purchase, _, path, _ = held
    seller.film.release()
    bought_video(seller.outcome(purchase), tmp_path)
    log = seller.log.read_text()
    for secret in (TOKEN, path.rpartition("/")[2], "not to be forged"):
        assert secret not in log
