"""Programs that the suites start on the loopback, stop by their process id, and start again on the same port."""

import os
import signal
import socket
import subprocess
import time

import httpx


def free_port():
    """A port that nobody listens on now, for a program that has to be told where to listen."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_environment(**more):
    """This environment without the variables that would set up the programs under test in place of their files."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SATFORGE_", "LNBITS_"))}
    return kept | more


def secret_file(path, content):
    """A file that its owner alone can read, as the gateway demands of its secrets."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    return path


def until(found, what, seconds=60):
    """Asks `found` again and again until it says yes, and hands back how long that took."""
    began = time.monotonic()
    while not found():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.05)  # between two looks
    return time.monotonic() - began


class Process:
    """A program with an address of its own; its output goes to one file, however often it is started."""

    # How it shows that it serves: this path answers with one of these statuses.
    ready_path = "/"
    ready_status = (200,)

    def __init__(self, command, log, port, cwd=None, env=None):
        # The kernel ends it when the tests are killed before they could.
        self.command = ["setpriv", "--pdeathsig", "KILL", *map(str, command)]
        self.log = log
        self.port = port
        self.cwd = cwd
        self.env = clean_environment() if env is None else env
        self.url = f"http://127.0.0.1:{port}"
        self.process = None

    def start(self):
        assert self.process is None, "it runs already"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            until(self.ready, f"{self.command} is ready")
        except BaseException:
            self.kill()
            raise
        return self

    def ready(self):
        assert self.process.poll() is None, f"{self.command} ended before it was ready:\n{self.tail()}"
        try:
            answer = httpx.get(self.url + self.ready_path, timeout=5, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code in self.ready_status

    def tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self):
        """Asks the program to end and hands back its exit status; one that does not end is killed and an error."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.command} did not end within 30 s of SIGTERM:\n{self.tail()}") from None
        finally:
            self.kill()

    def kill(self):
        """Ends the program without asking it."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
