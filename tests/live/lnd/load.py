"""Requests at a constant rate, whatever becomes of the ones before, and what came of each."""

import asyncio
import json
import time
from dataclasses import dataclass, field

# Far more than any answer may take: whoever waits for so long will not be answered at all.
GIVE_UP_S = 30


@dataclass
class Answer:
    """What came of a request. `sent` is when it was due, so a late start counts as part of its time."""

    sent: float
    seconds: float = 0
    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    broken: str = ""

    @property
    def ended(self):
        return self.sent + self.seconds

    @property
    def outcome(self):
        """The status, with the code of a refusal; or why there was none."""
        if self.broken:
            return self.broken
        if self.status < 400 or self.status == 402:
            return str(self.status)
        return f"{self.status} {json.loads(self.body).get('error_code')}"


class Peer:
    """A server as sockets see it. Connections are kept and used again, and there are as many as it takes."""

    def __init__(self, host, port, context=None):
        self._where = {"host": host, "port": port, "ssl": context}
        self._host = f"{host}:{port}"
        self._idle = []

    async def post(self, path, body, headers=(), due=None):
        answer = Answer(sent=time.monotonic() if due is None else due)
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: {self._host}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *headers,
        ]
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        try:
            async with asyncio.timeout(GIVE_UP_S):
                answer.status, answer.headers, answer.body = await self._exchange(request)
        except TimeoutError:
            answer.broken = f"no answer within {GIVE_UP_S} s"
        except (OSError, EOFError, ValueError) as error:
            answer.broken = repr(error)
        answer.seconds = time.monotonic() - answer.sent
        return answer

    async def _exchange(self, request):
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                break
            writer.close()
        else:
            reader, writer = await asyncio.open_connection(**self._where)
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in head[1:-2])}
            body = await reader.readexactly(int(headers["content-length"])) if "content-length" in headers else None
            if body is None:
                body = await self._read_chunks(reader)
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return int(head[0].split()[1]), headers, body

    @staticmethod
    async def _read_chunks(reader):
        body = b""
        while length := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(length + 2))[:-2]
        await reader.readexactly(2)
        return body

    def close(self):
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


class Load:
    """A context: `send(number, due)` is begun `rate` times a second, from entering until leaving it."""

    def __init__(self, rate, send):
        self.rate = rate
        self.answers = []
        self._send = send
        self._open = set()
        self._sender = None

    async def __aenter__(self):
        self._sender = asyncio.create_task(self._send_all())
        return self

    async def __aexit__(self, *raised):
        """Waits for what is still open, so that every request has its answer."""
        self._sender.cancel()
        await asyncio.gather(self._sender, *self._open, return_exceptions=True)

    async def _send_all(self):
        began, number = time.monotonic(), 0
        while True:
            due = began + number / self.rate
            await asyncio.sleep(max(0, due - time.monotonic()))
            task = asyncio.create_task(self._one(number, due))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            number += 1

    async def _one(self, number, due):
        self.answers.append(await self._send(number, due))
