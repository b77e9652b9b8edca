"""npm's @getalby/lightning-tools. It reads the header alone, `token` before `macaroon`, and decodes the invoice."""

import json
import subprocess
from pathlib import Path

import pytest
from media import check_glb, check_mp4, fetch
from sandbox import MODEL, VIDEO, video_params

SCRIPT = Path(__file__).parent / "lightning_tools.mjs"
FUNCTIONS = ("fetchWithL402", "fetch402")


def buy(function, gateway, path, params, folder):
    body = folder / "body.json"
    body.write_text(json.dumps(params))
    run = subprocess.run(
        ["node", SCRIPT, function, gateway.at(path), body], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    done = json.loads(run.stdout)
    assert done["status"] == 200, done
    # The credential that it hands back finds the same job, for nothing.
    assert done["again"] == {"status": 200, "result": done["result"]}
    assert done["payments"] == 1
    return done


@pytest.mark.parametrize("function", FUNCTIONS)
def test_video(function, gateway, tmp_path):
    done = buy(function, gateway, VIDEO, video_params(f"{function} buys a video"), tmp_path)
    assert done["amountSat"] == 500
    fetch(done["result"]["videoUrl"], tmp_path / "video.mp4")
    check_mp4(tmp_path / "video.mp4", seconds=5)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_model(function, gateway, image, tmp_path):
    done = buy(function, gateway, MODEL, {"image": image}, tmp_path)
    assert done["amountSat"] == 350
    fetch(done["result"]["modelUrl"], tmp_path / "model.glb")
    check_glb(tmp_path / "model.glb")
