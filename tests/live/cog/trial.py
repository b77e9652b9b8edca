"""The example beside this file, which counts its runs and waits while the file `hold` is there."""

import os
import time

import predict
from cog import Path, current_scope


def begin(what):
    with open("runs", "a") as runs:
        runs.write(f"{what}\n")
    while os.path.exists("hold"):
        current_scope().record_metric("progress", 0.25)
        time.sleep(0.05)


class Film(predict.Runner):
    def run(self, prompt: str, duration: int, camera_fixed: bool) -> Path:
        begin(prompt)
        if prompt.startswith("fail"):
            raise ValueError("the sentence of the predictor")
        if prompt.startswith("reject"):
            raise ValueError("CONTENT_REJECTED")
        return super().run(prompt, duration, camera_fixed)


class Screen(predict.Runner):
    def run(self, image: Path) -> Path:
        begin("image")
        return super().run(image)
