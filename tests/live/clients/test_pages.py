"""What the pages print can be pasted: every flow is run as it stands, in an empty folder, and its file examined."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from conftest import GATEWAY_URL
from media import check_glb, check_mp4
from pages import PAGES, page_snippets

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


def run_curl(snippet, folder):
    tools = folder.parent / "bin"
    tools.mkdir()
    for tool in PLAIN_TOOLS:
        (tools / tool).symlink_to(shutil.which(tool))
    run(["sh", "-eu", "-c", snippet.script], folder, snippet.script, str(tools))


def run_python(snippet, folder):
    venv = Path(sys.executable).parent
    run(["python3", "-c", snippet.script], folder, snippet.script, f"{venv}:{os.environ['PATH']}")


def run_javascript(snippet, folder):
    script = folder / "flow.mjs"
    script.write_text(snippet.script)
    run(["node", script.name], folder, snippet.script, os.environ["PATH"])


RUNNERS = {"curl": run_curl, "python": run_python, "javascript": run_javascript}


def test_printed_commands_buy(snippet, empty):
    RUNNERS[snippet.language](snippet, empty)
    videos, models = sorted(empty.rglob("*.mp4")), sorted(empty.rglob("*.glb"))
    wanted = {"video": [videos], "3d-model": [models], "home": [videos or models]}[snippet.flow]
    assert all(wanted), f"no file in {sorted(empty.rglob('*'))} after\n{snippet.script}"
    for video in videos:
        check_mp4(video, seconds=10 if '"duration":10' in snippet.script.replace(" ", "") else 5)
    for model in models:
        check_glb(model)


def test_every_page_prints_its_flow():
    found = set()
    for page in PAGES:
        html = httpx.get(GATEWAY_URL + page, trust_env=False).raise_for_status().text
        found |= {(page, s.flow, s.language) for s in page_snippets(page, html)}
    services = {("/l402/video", "video"), ("/l402/3d-model", "3d-model")}
    wanted = {(*service, language) for service in services for language in RUNNERS} | {("/", "home", "curl")}
    assert wanted <= found
