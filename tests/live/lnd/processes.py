"""Child processes that do not outlive the tests, and waiting for them without blind pauses."""

import os
import signal
import socket
import subprocess
import time

LOOK_EVERY_S = 0.05


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(what, look, seconds, alive=lambda: None):
    """Calls `look` until it returns something true, and returns that. `alive` raises when waiting is pointless."""
    deadline = time.monotonic() + seconds
    while True:
        alive()
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(LOOK_EVERY_S)


class Process:
    """A program that is started, stopped and started again with the same arguments; its output goes to one file."""

    def __init__(self, name, command, log, env):
        self.name = name
        self.log = log
        self._command = command
        self._env = env
        self._child = None

    def launch(self):
        """Starts the program and returns at once."""
        assert self._child is None, f"{self.name} runs already"
        with self.log.open("ab") as log:
            # A session of its own keeps the terminal's Ctrl-C from it: the tests end it, in their order. The kernel
            # ends it when they are killed before they could. That is tied to the thread which starts it, so only the
            # main thread does.
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *map(str, self._command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )

    @property
    def runs(self):
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self):
        assert self._child is not None, f"{self.name} does not run"
        return self._child.pid

    def check_alive(self):
        assert self._child is not None, f"{self.name} does not run"
        if self._child.poll() is not None:
            raise RuntimeError(f"{self.name} ended with status {self._child.returncode}:\n{self.last_lines()}")

    def last_lines(self, count=20):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def pause(self):
        """Returns once it stands still: some of its threads go on for a moment on a busy machine."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self.check_alive()

    def resume(self):
        os.kill(self.pid, signal.SIGCONT)

    def kill(self):
        """Ends it with SIGKILL, as a power cut would."""
        self.check_alive()
        self.discard()

    def discard(self):
        """Ends it at once, in whatever state it is: for when its data are thrown away, too."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def stop(self, seconds=30):
        """Asks it to end and returns its exit status; kills it when it takes too long. Nothing if it does not run."""
        if self._child is None:
            return None
        child, self._child = self._child, None
        # What is paused reads no signal but this one. A child that has ended stays ours until it is waited for, so its
        # id cannot have gone to another process.
        os.kill(child.pid, signal.SIGCONT)
        child.terminate()
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise TimeoutError(f"{self.name} did not end within {seconds} s:\n{self.last_lines()}") from None
