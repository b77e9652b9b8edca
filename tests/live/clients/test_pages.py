"""What the pages and the terminal print can be pasted: every flow is run as it stands, and its file examined."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from conftest import GATEWAY_URL
from media import check_glb, check_mp4
from pages import PAGES, all_snippets

NODE_MODULES = Path(__file__).parent / "node_modules"

# The pages promise a purchase "with nothing but curl": besides it, only what every Unix has.
PLAIN_TOOLS = "awk base64 cat curl cut date dirname grep head ls mkdir mv printf rm sed sh sleep tail tee tr wc".split()


@pytest.fixture
def empty(tmp_path):
    """An empty folder that Node finds the npm packages from."""
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def run(command, folder, script, path):
    environment = {"HOME": str(folder.parent), "LANG": "C.UTF-8", "PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{script}\n--- printed\n{done.stdout}\n--- and\n{done.stderr}"


def run_curl(script, folder):
    tools = folder.parent / "bin"
    tools.mkdir()
    for tool in PLAIN_TOOLS:
        (tools / tool).symlink_to(shutil.which(tool))
    run(["sh", "-eu", "-c", script], folder, script, str(tools))


def run_python(script, folder):
    file = folder / "buy.py"
    file.write_text(script)
    run(["python3", file.name], folder, script, os.environ["PATH"])


def run_javascript(script, folder):
    file = folder / "buy.mjs"
    file.write_text(script)
    run(["node", file.name], folder, script, os.environ["PATH"])


RUNNERS = {"curl": run_curl, "python": run_python, "javascript": run_javascript}

# What each flow buys, for how much: the default video, the longer one, a model.
VIDEO_5, VIDEO_10, MODEL = ("*.mp4", 5, 500), ("*.mp4", 10, 1000), ("*.glb", None, 350)
FLOWS = {"home": VIDEO_5, "video": VIDEO_5, "video-variation-2": VIDEO_10, "3d-model": MODEL}


def check_bought(folder, script, pattern, seconds):
    files = sorted(folder.rglob(pattern))
    assert len(files) == 1, f"{files} after\n{script}"
    if seconds:
        check_mp4(files[0], seconds)
    else:
        check_glb(files[0])


def test_printed_commands_buy(snippet, empty):
    pattern, seconds, sats = FLOWS[snippet.flow]
    RUNNERS[snippet.language](snippet.script, empty)
    check_bought(empty, snippet.script, pattern, seconds)
    if snippet.language == "curl":
        assert json.loads((empty / "challenge.json").read_text())["price_sats"] == sats


def test_the_purchase_that_the_terminal_prints(empty):
    printed = Path(os.environ["GATEWAY_LOG"]).read_text()
    (script,) = re.findall(r"^---- paste from here ----\n(.*?)^---- to here ----$", printed, re.DOTALL | re.MULTILINE)
    run_curl(script, empty)
    check_bought(empty, script, "*.mp4", 5)


@pytest.mark.parametrize(("name", "bought"), [("purchase", VIDEO_5), ("purchase of a model", MODEL)])
def test_the_purchases_in_the_readme(name, bought, empty):
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    (script,) = re.findall(rf"^<!-- {name} -->\n```sh\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    script = f"GATEWAY_URL={GATEWAY_URL}\n{script}"
    run_curl(script, empty)
    pattern, seconds, _ = bought
    check_bought(empty, script, pattern, seconds)


def test_the_refund_in_the_readme(empty):
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    (script,) = re.findall(r"^<!-- refund -->\n```sh\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    run_curl(f"GATEWAY_URL={GATEWAY_URL}\n{script}", empty)
    assert json.loads((empty / "answer.json").read_text())["refund"]["status"] == "available"
    refund = json.loads((empty / "refund.json").read_text())
    assert (refund["status"], refund["amount_sats"]) == ("paid", 500)


def test_the_printed_way_to_hide_a_trigger_in_a_picture(empty):
    """It goes between the download and the rest of the first step, and the purchase fails as the word says."""
    html = httpx.get(GATEWAY_URL + "/l402/3d-model", trust_env=False).raise_for_status().text
    scripts = {s.flow: s.script for s in all_snippets("/l402/3d-model", html) if s.language == "curl"}
    download, rest = scripts["3d-model"].split("\n", 1)
    bought, _ = rest.split("\nURL=", 1)
    run_curl("\n".join([download, scripts["3d-model-trigger"], bought]), empty)
    problem = json.loads((empty / "answer.json").read_text())
    assert (problem["status"], problem["error_code"]) == (502, "GENERATION_FAILED")
    assert (problem["refund"]["status"], problem["refund"]["amount_sats"]) == ("available", 350)


def test_every_page_prints_its_flow():
    found = set()
    for page in PAGES:
        html = httpx.get(GATEWAY_URL + page, trust_env=False).raise_for_status().text
        found |= {(page, s.flow, s.language) for s in all_snippets(page, html)}
    services = {("/l402/video", "video"), ("/l402/video", "video-variation-2"), ("/l402/3d-model", "3d-model")}
    wanted = {(*service, language) for service in services for language in RUNNERS}
    assert found == wanted | {("/", "home", "curl"), ("/l402/3d-model", "3d-model-trigger", "curl")}
