import base64
import hmac
import json
import os
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, HTTPServer

# Deliveries that have been taken: one may come again.
SEEN = deque(maxlen=10_000)


def secret_of(callback_id):
    # The callback_secret of each 402, by callback_id.
    with open("secrets.json") as file:
        return json.load(file)[callback_id]


def is_genuine(secret, headers, body):
    # Signed by this secret, within five minutes of now.
    sent = headers["webhook-timestamp"]
    if abs(time.time() - int(sent)) > 300:
        return False
    signed = f"{headers['webhook-id']}.{sent}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    right = b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(right, one.encode()) for one in given)


class Receiver(BaseHTTPRequestHandler):
    timeout = 5

    def do_POST(self):
        try:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length) if 0 < length < 100_000 else b""
            job = json.loads(body)
            genuine = is_genuine(secret_of(job["callback_id"]), self.headers, body)
        except (LookupError, TypeError, ValueError, RecursionError):
            genuine = False
        if genuine and self.headers["webhook-id"] not in SEEN:
            # Your own work goes here.
            print(json.dumps(job), flush=True)
            SEEN.append(self.headers["webhook-id"])
        self.send_response(204 if genuine else 401)
        self.end_headers()


port = int(os.environ.get("PORT", "8000"))
HTTPServer(("localhost", port), Receiver).serve_forever()
