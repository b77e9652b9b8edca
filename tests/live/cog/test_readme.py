"""The section of the README on cog, followed word for word."""

import os
import re
import shutil
import subprocess

import httpx
import pytest
from media import check_glb, check_mp4
from models import ROOT, copy_examples
from process import clean_environment, free_port, until

TEXT = (ROOT / "README.md").read_text()


def block(name):
    """The commands below a mark of that name."""
    found = re.search(rf"<!-- {re.escape(name)} -->\n```sh\n(.*?)```", TEXT, re.DOTALL)
    assert found, f"the README has no <!-- {name} -->"
    return found.group(1)


@pytest.fixture
def shop(tmp_path):
    """What the README's first terminal does, on ports that are free, and with the suite's cog instead of another one."""
    copy_examples(tmp_path / "examples")
    commands = block("models of your own")
    install = re.search(r"^.*pip install (.*)\n", commands, re.MULTILINE)
    assert install.group(1) in (ROOT / "tests/live/cog/requirements.txt").read_text().splitlines()
    commands = re.sub(r"^python3 -m venv .*\n", "", commands.replace(install.group(0), ""), flags=re.MULTILINE)
    config = tmp_path / "examples" / "cog" / "satforge.toml"
    for usual in ("5301", "5302"):
        assert usual in commands and usual in config.read_text()
        port = str(free_port())
        commands = commands.replace(usual, port)
        config.write_text(config.read_text().replace(usual, port))
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "satforge").symlink_to(shutil.which(os.environ["GATEWAY_BIN"]))
    url = f"127.0.0.1:{free_port()}"
    env = clean_environment(
        PATH=f"{binaries}:{os.environ['PATH']}",
        SATFORGE_SERVER__LISTEN=url,
        SATFORGE_METRICS__LISTEN=f"127.0.0.1:{free_port()}",
    )
    log = (tmp_path / "log").open("wb")
    # The shell waits for nobody: its end is that of its whole group.
    shell = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "bash", "-euc", commands],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        until(lambda: answers(f"http://{url}/readyz"), "the gateway is ready")
        yield f"http://{url}"
    finally:
        os.killpg(shell.pid, 15)
        shell.wait(30)
        log.close()


def answers(url):
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def buy(name, shop, folder):
    folder.mkdir()
    env = clean_environment(GATEWAY_URL=shop)
    run = subprocess.run(["bash", "-euc", block(name)], cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr


def test_whoever_follows_it_sells_a_video_and_a_model(shop, tmp_path):
    buy("purchase", shop, tmp_path / "video")
    check_mp4(tmp_path / "video" / "video.mp4", 5)
    buy("purchase of a model", shop, tmp_path / "model")
    check_glb(tmp_path / "model" / "model.glb")
    assert "satforge's example" in (tmp_path / "model" / "model.glb").read_bytes().decode("latin1")

