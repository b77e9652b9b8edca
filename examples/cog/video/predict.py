"""A video of two colours that flow into each other; the prompt decides which. It needs ffmpeg and no GPU."""

import hashlib
import subprocess
import tempfile

from cog import BaseRunner, Path, current_scope

FRAMES_PER_SECOND = 24


class Runner(BaseRunner):
    def setup(self):
        # One prediction runs at a time, so one file is enough.
        self.film = Path(tempfile.mkdtemp()) / "film.mp4"

    def run(self, prompt: str, duration: int, camera_fixed: bool) -> Path:
        digest = hashlib.sha256(prompt.encode()).hexdigest()
        picture = (
            f"gradients=size=640x360:rate={FRAMES_PER_SECOND}:c0=#{digest[:6]}:c1=#{digest[6:12]}"
            f":seed={int(digest[12:18], 16)}:speed={0.002 if camera_fixed else 0.01}"
        )
        command = ["ffmpeg", "-y", "-v", "error", "-progress", "pipe:1", "-f", "lavfi", "-i", picture]
        command += ["-frames:v", str(duration * FRAMES_PER_SECOND), "-c:v", "libx264", "-pix_fmt", "yuv420p"]
        command += ["-movflags", "+faststart", self.film]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ffmpeg:
            for line in ffmpeg.stdout:
                key, _, value = line.strip().partition("=")
                if key == "frame":
                    # The gateway shows its callers this number, from 0 to 1.
                    current_scope().record_metric("progress", int(value) / (duration * FRAMES_PER_SECOND))
        if ffmpeg.returncode != 0:
            raise RuntimeError("ffmpeg has failed")
        return self.film
