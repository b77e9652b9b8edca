"""Callbacks against the receiver that the pages print, started as it stands, and the library of the specification."""

import html
import json
import os
import re
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import pytest
from conftest import GATEWAY_URL
from sandbox import MODEL, VIDEO, Wallet, video_params
from standardwebhooks import Webhook, WebhookVerificationError

PAGES = {VIDEO: "/l402/video", MODEL: "/l402/3d-model"}
OTHER_SECRET = "whsec_" + 43 * "A" + "="


def printed_receiver(page):
    text = httpx.get(GATEWAY_URL + page, trust_env=False).raise_for_status().text
    (code,) = re.findall(r'<code data-receiver="python">(.*?)</code>', text, re.DOTALL)
    return html.unescape(code)


def wait_for(what, happened, seconds=60):
    until = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < until, what
        time.sleep(0.02)  # between two looks
    return found


class Receiver:
    """The printed program in a folder of its own, with the file that it reads secrets from."""

    def __init__(self, code, folder):
        (folder / "receive.py").write_text(code)
        self.secrets, self.out, self.err = folder / "secrets.json", folder / "printed", folder / "complained"
        self.secrets.write_text("{}")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://localhost:{self.port}/done"
        with self.out.open("w") as out, self.err.open("w") as err:
            command, environment = [sys.executable, "receive.py"], {**os.environ, "PORT": str(self.port)}
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=err)
        wait_for("the receiver listens", self.listens)

    def listens(self):
        assert self.process.poll() is None, self.err.read_text()
        try:
            return self.answers("GET", b"").status_code == 501
        except httpx.ConnectError:
            return False

    def answers(self, method, body, headers=None):
        return httpx.request(method, self.url, content=body, headers=headers, timeout=10, trust_env=False)

    def post(self, body, headers):
        return self.answers("POST", body, headers).status_code

    def status_of_length(self, length):
        """What a request that only says how long it is is answered with."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest("POST", "/done")
        if length is not None:
            connection.putheader("Content-Length", length)
        connection.endheaders()
        status = connection.getresponse().status
        connection.close()
        return status

    def knows(self, **secrets):
        self.secrets.write_text(json.dumps({name.replace("_", "-"): secret for name, secret in secrets.items()}))

    def printed(self):
        return [json.loads(line) for line in self.out.read_text().splitlines() if line]

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def receiver(tmp_path):
    started = Receiver(printed_receiver("/l402/video"), tmp_path)
    yield started
    assert started.process.poll() is None, started.err.read_text()
    started.stop()


@pytest.fixture
def inbox():
    """A server's URL, and what was posted to it: the headers of the signature and the bytes."""
    kept = []

    class Keeper(BaseHTTPRequestHandler):
        def do_POST(self):
            headers = {name.lower(): value for name, value in self.headers.items()}
            signed = {name: headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
            kept.append((signed, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Keeper) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/done", kept
        server.shutdown()
        thread.join()


def ask(gateway, path, params, url):
    """The body that is to be called back at `url`, and its challenge."""
    body = json.dumps(params | {"callback_url": url, "callback_id": "order-7"})
    answer = gateway.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 402, answer.text
    return body, answer.json()


def redeem(gateway, path, body, challenge):
    preimage = Wallet(GATEWAY_URL).pay(challenge["invoice"])
    credential = f"L402 {challenge['macaroon']}:{preimage}"
    headers = {"Content-Type": "application/json", "Authorization": credential, "Prefer": "wait=60"}
    answer = gateway.post(path, content=body, headers=headers)
    assert answer.json()["callback_secret"] == challenge["callback_secret"], answer.text
    return answer


def job_of(gateway, answer):
    return gateway.get(f"/api/l402/jobs/{answer.headers['x-job-id']}").raise_for_status().json()


@pytest.mark.parametrize("path", PAGES)
def test_the_printed_receiver_gets_the_result(path, gateway, receiver, image):
    assert printed_receiver(PAGES[path]) == printed_receiver("/l402/video")
    params = video_params("A boat at dusk") if path == VIDEO else {"image": image}
    body, challenge = ask(gateway, path, params, receiver.url)
    receiver.knows(order_7=challenge["callback_secret"], order_8=OTHER_SECRET)
    answer = redeem(gateway, path, body, challenge)
    assert answer.status_code == 200
    (document,) = wait_for("a callback", receiver.printed)
    assert document["status"] == "succeeded"
    assert document == job_of(gateway, answer) | {"callback_id": "order-7"}


def test_the_printed_receiver_gets_the_error(gateway, receiver):
    body, challenge = ask(gateway, VIDEO, video_params("A boat sandbox:fail"), receiver.url)
    receiver.knows(order_7=challenge["callback_secret"])
    answer = redeem(gateway, VIDEO, body, challenge)
    assert answer.status_code == 502
    (document,) = wait_for("a callback", receiver.printed)
    assert (document["status"], document["error_code"]) == ("failed", "GENERATION_FAILED")
    assert document == job_of(gateway, answer) | {"callback_id": "order-7"}


def test_the_printed_receiver_tells_a_callback_from_a_forgery(gateway, receiver, inbox):
    """A real callback, taken down on its way, is what the forgeries are made from."""
    url, kept = inbox
    body, challenge = ask(gateway, VIDEO, video_params("A boat at noon"), url)
    secret = challenge["callback_secret"]
    receiver.knows(order_7=secret, order_8=OTHER_SECRET)
    redeem(gateway, VIDEO, body, challenge)
    ((headers, posted),) = wait_for("a callback", lambda: kept)
    assert posted.count(b"order-7") == 1

    def signed_with(key, body):
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        return {"webhook-signature": Webhook(key).sign(headers["webhook-id"], at, body.decode())}

    assert signed_with(secret, posted)["webhook-signature"] == headers["webhook-signature"]
    order_8 = posted.replace(b"order-7", b"order-8")
    later = str(int(headers["webhook-timestamp"]) + 1)
    signature = headers["webhook-signature"]
    forged = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    for what, head, bytes_sent in [
        ("another body", {}, posted.replace(b'"succeeded"', b'"failed"')),
        ("a longer body", {}, posted + b" "),
        ("another purchase", {}, order_8),
        ("another purchase, with this one's secret", signed_with(secret, order_8), order_8),
        ("another purchase's secret", signed_with(OTHER_SECRET, posted), posted),
        ("an unknown purchase", {}, posted.replace(b"order-7", b"order-9")),
        ("another delivery", {"webhook-id": headers["webhook-id"] + "x"}, posted),
        ("another time", {"webhook-timestamp": later}, posted),
        ("another signature", {"webhook-signature": forged}, posted),
        ("another version", {"webhook-signature": signature.replace("v1,", "v2,")}, posted),
        ("no signature", {"webhook-signature": ""}, posted),
    ]:
        assert receiver.post(bytes_sent, headers | head) == 401, what
    assert receiver.printed() == []

    assert receiver.post(posted, headers) == 204
    assert receiver.post(posted, headers) == 204, "a repetition is not refused, or it would be repeated again"
    assert receiver.printed() == [json.loads(posted)]


def test_the_printed_receiver_believes_nothing_old(receiver):
    receiver.knows(order_7=OTHER_SECRET)
    body, now = '{"callback_id": "order-7", "status": "succeeded"}', datetime.now(UTC)
    for age, status in [(0, 204), (290, 204), (310, 401), (-290, 204), (-310, 401)]:
        sent = now - timedelta(seconds=age)
        headers = {"webhook-id": f"of {age}", "webhook-timestamp": str(int(sent.timestamp()))}
        headers["webhook-signature"] = Webhook(OTHER_SECRET).sign(headers["webhook-id"], sent, body)
        assert receiver.post(body.encode(), headers) == status, age
    assert len(receiver.printed()) == 3


def test_the_printed_receiver_outlives_nonsense(receiver):
    receiver.knows(order_7=OTHER_SECRET)
    now = str(int(time.time()))
    signed = {"webhook-id": "x", "webhook-timestamp": now, "webhook-signature": "v1,AAAA"}
    for body in (b"", b"{", b"[]", b"7", b'"order-7"', b'{"callback_id":[]}', b"\xff", b"[" * 90_000):
        assert receiver.post(body, signed) == 401, body[:20]
    good = b'{"callback_id":"order-7"}'
    for name, value in [
        ("webhook-timestamp", ""),
        ("webhook-timestamp", "²"),
        ("webhook-timestamp", "9" * 5_000),
        ("webhook-signature", "é"),
        ("webhook-signature", "v1"),
    ]:
        raw = {key: text.encode("latin-1") for key, text in (signed | {name: value}).items()}
        assert receiver.post(good, raw) == 401, (name, value[:20])
    for length in ("-1", "x", "100000000000", "9" * 5_000, None):
        assert receiver.status_of_length(length) == 401, length
    assert receiver.printed() == [] and "Traceback" not in receiver.err.read_text()


def test_the_reference_library_believes_a_callback(gateway, inbox):
    url, kept = inbox
    body, challenge = ask(gateway, VIDEO, video_params("A boat at night"), url)
    answer = redeem(gateway, VIDEO, body, challenge)
    ((headers, posted),) = wait_for("a callback", lambda: kept)
    verified = Webhook(challenge["callback_secret"]).verify(posted, headers)
    assert verified == job_of(gateway, answer) | {"callback_id": "order-7"}
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER_SECRET).verify(posted, headers)
