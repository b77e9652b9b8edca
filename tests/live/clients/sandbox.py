"""The gateway as raw HTTP sees it, and the sandbox's wallet: no L402 library in between."""

import base64
import json
import re
import struct
import zlib
from dataclasses import dataclass, field

import httpx

VIDEO = "/api/l402/video"
MODEL = "/api/l402/3d-model"


def video_params(prompt, **more):
    return {"prompt": prompt, "model": "Video Generation", **more}


def sample_png(side=192, text=b"sample"):
    """A colourful PNG of `side` pixels as a data URI. `text` goes into a comment, so that two images differ."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + bytes(v for x in range(side) for v in (x * 255 // side, y * 255 // side, (x ^ y) & 255))
        for y in range(side)
    )
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    png += chunk(b"tEXt", b"Comment\0" + text) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


@dataclass
class Wallet:
    """Pays through the sandbox and keeps the invoices that it paid."""

    url: str
    paid: list = field(default_factory=list)

    def pay(self, invoice):
        answer = httpx.post(f"{self.url}/sandbox/pay", json={"invoice": invoice}, trust_env=False)
        answer.raise_for_status()
        self.paid.append(invoice)
        return answer.json()["preimage"]


@dataclass
class Purchase:
    """A paid challenge: what has to be sent, to where, as often as one likes."""

    path: str
    body: bytes
    authorization: str

    @property
    def headers(self):
        return {"Content-Type": "application/json", "Authorization": self.authorization}


class Gateway(httpx.Client):
    """An HTTP client with long patience, and the two steps of a purchase."""

    def __init__(self, url):
        super().__init__(base_url=url, timeout=60, trust_env=False)
        self.root = url

    def at(self, path):
        """The address of a path, for clients that make their own connections."""
        return self.root + path

    def buy(self, path, params):
        """Asks, pays, and stops before redeeming."""
        body = json.dumps(params).encode()
        answer = self.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 402, answer.text
        challenge = answer.headers["www-authenticate"]
        macaroon, invoice = re.match(r'L402 macaroon="([^"]+)", invoice="([^"]+)"', challenge).groups()
        preimage = Wallet(self.root).pay(invoice)
        return Purchase(path, body, f"L402 {macaroon}:{preimage}")

    def redeem(self, purchase, prefer=None, **more):
        headers = purchase.headers | ({"Prefer": prefer} if prefer else {})
        return self.post(purchase.path, content=purchase.body, headers=headers, **more)
