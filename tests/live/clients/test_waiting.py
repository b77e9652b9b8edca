"""The ways to wait for a job, over a real socket: held open, asked for later, streamed, or broken off and resumed."""

import json
import time

import httpx
import pytest
from media import bought_model, bought_video
from sandbox import MODEL, VIDEO, video_params

ENDED = ("succeeded", "failed")


def poll_until_ended(gateway, url, deadline_s=60):
    """Polls as a `202` asks for, with as long a pause as it names."""
    deadline = time.monotonic() + deadline_s
    while True:
        assert time.monotonic() < deadline, "the job did not end"
        answer = gateway.get(url)
        assert answer.status_code == 200, answer.text
        job = answer.json()
        if job["status"] in ENDED:
            return job
        assert job["status"] in ("queued", "running")
        assert 0 <= job.get("progress", 0) <= 1
        time.sleep(job.get("poll_interval_ms", 500) / 1000)


def test_ten_second_video_is_ten_seconds_long(gateway, tmp_path):
    purchase = gateway.buy(VIDEO, video_params("exactly ten seconds", duration=10))
    bought_video(gateway.redeem(purchase), tmp_path, seconds=10)


def test_a_held_response_begins_with_spaces(gateway, tmp_path):
    purchase = gateway.buy(VIDEO, video_params("held sandbox:slow=9"))
    request = gateway.build_request("POST", VIDEO, content=purchase.body, headers=purchase.headers)
    answer = gateway.send(request, stream=True)
    try:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in answer.headers
        parts = list(answer.iter_bytes())
    finally:
        answer.close()
    assert len(parts) > 1
    assert parts[0].strip() == b""
    assert json.loads(b"".join(parts)).keys() == {"videoUrl"}
    bought_video(gateway.redeem(purchase), tmp_path)


def test_a_client_with_little_patience_comes_back_to_the_same_job(gateway, tmp_path):
    purchase = gateway.buy(VIDEO, video_params("impatient sandbox:slow=8"))
    started = gateway.redeem(purchase, prefer="respond-async")
    broken_off = 0
    for _ in range(30):
        try:
            # Shorter than the silence before the first space, so this client sees nothing at all.
            with httpx.Client(base_url=gateway.base_url, timeout=1.5, trust_env=False) as impatient:
                answer = impatient.post(VIDEO, content=purchase.body, headers=purchase.headers)
            break
        except httpx.ReadTimeout:
            broken_off += 1
    else:
        pytest.fail("the job never ended")
    assert broken_off >= 2
    bought_video(answer, tmp_path)
    job = gateway.get(started.json()["poll_url"]).json()
    assert job["status"] == "succeeded"
    assert job["videoUrl"] == answer.json()["videoUrl"]


def test_respond_async_and_poll(gateway, image, tmp_path):
    purchase = gateway.buy(MODEL, {"image": image})
    answer = gateway.redeem(purchase, prefer="respond-async")
    assert answer.status_code == 202
    body = answer.json()
    assert body["status"] in ("queued", "running")
    assert body["poll_interval_ms"] > 0
    assert answer.headers["x-job-id"] == body["job_id"]
    assert answer.headers["preference-applied"] == "respond-async"
    assert int(answer.headers["retry-after"]) > 0
    assert httpx.URL(body["poll_url"]) == answer.request.url.join(answer.headers["location"])
    job = poll_until_ended(gateway, body["poll_url"])
    assert job["status"] == "succeeded"
    redeemed = gateway.redeem(purchase, prefer="respond-async")
    bought_model(redeemed, tmp_path)
    assert redeemed.json()["modelUrl"] == job["modelUrl"]


def test_prefer_wait_answers_in_time_with_a_plain_status(gateway):
    purchase = gateway.buy(VIDEO, video_params("wait sandbox:slow=6"))
    began = time.monotonic()
    answer = gateway.redeem(purchase, prefer="wait=1")
    assert answer.status_code == 202
    assert 0.9 < time.monotonic() - began < 4
    assert gateway.redeem(purchase, prefer="wait=60").json().keys() == {"videoUrl"}


def test_long_poll(gateway):
    purchase = gateway.buy(VIDEO, video_params("long poll"))
    poll_url = gateway.redeem(purchase, prefer="respond-async").json()["poll_url"]
    job = gateway.get(poll_url, params={"wait": 50}).json()
    assert job["status"] == "succeeded"
    assert "videoUrl" in job


def test_server_sent_events_until_done(gateway):
    purchase = gateway.buy(VIDEO, video_params("events"))
    poll_url = gateway.redeem(purchase, prefer="respond-async").json()["poll_url"]
    seen = []
    with gateway.stream("GET", f"{poll_url}/events") as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].split(";")[0] == "text/event-stream"
        # The stream ends by itself after the last state: nothing here breaks off.
        for line in stream.iter_lines():
            if line.startswith("data:"):
                seen.append(json.loads(line.removeprefix("data:")))
    assert seen[-1]["status"] == "succeeded"
    assert "videoUrl" in seen[-1]
    assert all(job["status"] not in ENDED for job in seen[:-1])
    progress = [job["progress"] for job in seen if "progress" in job]
    assert progress == sorted(progress)


def test_a_failed_job_says_what_is_owed(gateway):
    purchase = gateway.buy(VIDEO, video_params("sandbox:fail"))
    for _ in range(2):
        answer = gateway.redeem(purchase, prefer="wait=60")
        assert answer.status_code == 502
        assert "www-authenticate" not in answer.headers
        problem = answer.json()
        assert problem["error_code"] == answer.headers["x-error-code"] == "GENERATION_FAILED"
        assert (problem["refund"]["status"], problem["refund"]["amount_sats"]) == ("available", 500)
