"""Whether a file is what was paid for, in the judgement of programs that are not ours."""

import json
import subprocess
from pathlib import Path

import httpx

HERE = Path(__file__).parent


def fetch(url, target):
    """Downloads a result to `target` and hands back the response."""
    with httpx.stream("GET", url, timeout=60, trust_env=False) as answer:
        answer.raise_for_status()
        with target.open("wb") as file:
            for part in answer.iter_bytes():
                file.write(part)
    return answer


def check_mp4(path, seconds):
    """H.264 in MP4 of exactly `seconds`, every frame of which decodes."""
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert probe.stderr == ""
    found = json.loads(probe.stdout)
    (stream,) = found["streams"]
    assert stream["codec_name"] == "h264"
    assert "mp4" in found["format"]["format_name"].split(",")
    assert abs(float(stream["duration"]) - seconds) < 0.001, stream["duration"]
    assert abs(float(found["format"]["duration"]) - seconds) < 0.001, found["format"]["duration"]
    decoded = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "null", "-"], capture_output=True, text=True)
    assert (decoded.returncode, decoded.stderr) == (0, "")


def check_glb(path):
    """A textured binary glTF in which the Khronos validator finds no error."""
    run = subprocess.run(["node", HERE / "validate_glb.mjs", path], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert report["mimeType"] == "model/gltf-binary"
    assert report["issues"]["numErrors"] == 0, report["issues"]["messages"]
    assert report["info"]["totalTriangleCount"] > 0
    return report


def bought_video(answer, folder, seconds=5):
    """The answer to a paid video request is a 200 whose file plays for `seconds`."""
    assert answer.status_code == 200, answer.text
    target = folder / "video.mp4"
    assert fetch(answer.json()["videoUrl"], target).headers["content-type"] == "video/mp4"
    check_mp4(target, seconds)


def bought_model(answer, folder):
    """The answer to a paid 3D request is a 200 whose file is a textured model."""
    assert answer.status_code == 200, answer.text
    target = folder / "model.glb"
    assert fetch(answer.json()["modelUrl"], target).headers["content-type"] == "model/gltf-binary"
    assert check_glb(target)["info"]["hasTextures"]
