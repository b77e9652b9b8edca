"""cog servers that run the examples, and what stands between them and the gateway."""

import http.server
import os
import shutil
import signal
import threading
from pathlib import Path
from secrets import token_hex

import httpx
from process import Process, clean_environment, free_port, until

ROOT = Path(os.environ["LIVE_ROOT"])
EXAMPLES = ROOT / "examples" / "cog"
HERE = Path(__file__).parent
TOKEN = token_hex(32)


def copy_examples(folder):
    """The examples in a folder of their own, with the suite's cog in place of what their README installs."""
    target = folder / "cog"
    shutil.copytree(EXAMPLES, target, ignore=shutil.ignore_patterns(".venv", "satforge-data", "__pycache__"))
    (target / ".venv").symlink_to(os.environ["COG_VENV"])
    for name in ("video", "model"):
        shutil.copy(HERE / "trial.py", target / name)
    return target


class Model(Process):
    """One of the examples behind cog. Its predictor is the trial's, which counts and can be held up."""

    ready_path = "/health-check"

    def __init__(self, examples, name, runner):
        self.folder, port = examples / name, free_port()
        env = clean_environment(
            PATH=f"{os.environ['COG_VENV']}/bin:{os.environ['PATH']}",
            COG_PREDICT_TYPE_STUB=f"trial.py:{runner}",
            WEBHOOK_AUTH_TOKEN=TOKEN,
            PORT=str(port),
        )
        command = ["python", "-m", "cog.server.http", "--host", "127.0.0.1"]
        super().__init__(command, examples / f"{name}.log", port, cwd=self.folder, env=env)

    def ready(self):
        return super().ready() and self.health() == "READY"

    def health(self):
        return httpx.get(f"{self.url}/health-check", timeout=5, trust_env=False).json()["status"]

    def hold(self):
        (self.folder / "hold").touch()

    def release(self):
        (self.folder / "hold").unlink(missing_ok=True)

    def runs(self):
        """What was run, in order."""
        runs = self.folder / "runs"
        return runs.read_text().splitlines() if runs.exists() else []

    def until_runs(self, count):
        until(lambda: len(self.runs()) >= count, f"{count} runs")

    def kill_worker(self):
        """Ends the process that the model is in, and leaves the server alone."""
        # Any of its threads may have started it.
        children = [path.read_text().split() for path in Path(f"/proc/{self.process.pid}/task").glob("*/children")]
        (worker,) = sum(children, [])
        os.kill(int(worker), signal.SIGKILL)


class Postman:
    """Hands webhooks on to the gateway and keeps a copy of each."""

    def __init__(self):
        self.received, self.gateway = [], None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def handler(postman):
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, content=b""):
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self):
                # Images are fetched from the same address.
                try:
                    answer = httpx.get(postman.gateway + self.path, timeout=10, trust_env=False)
                except httpx.TransportError:
                    return self.answer(502)
                self.answer(answer.status_code, answer.content)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {key: self.headers[key] for key in ("authorization", "content-type")}
                try:
                    status = postman.post(self.path, body, headers).status_code
                except httpx.TransportError:
                    status = 502
                postman.received.append((self.path, body, status))
                self.answer(status)

            def log_message(self, *args):
                pass

        return Handler

    def post(self, path, body, headers):
        return httpx.post(self.gateway + path, content=body, headers=headers, timeout=10, trust_env=False)

    def start(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def deliveries(self, status):
        """The path and body of each webhook that told `status`."""
        return [(path, body) for path, body, _ in self.received if f'"status":"{status}"'.encode() in body]
