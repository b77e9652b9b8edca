"""Whole purchases of what real models make."""

import base64
import json
import struct
import subprocess

import httpx
import pytest
from media import bought_model, bought_video
from process import until
from sandbox import MODEL, VIDEO, sample_png, video_params
from seller import Seller

IMAGES = {"png": [], "jpeg": ["-c:v", "mjpeg"], "webp": ["-c:v", "libwebp"]}


def picture(kind):
    """A test card in that format."""
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x200", "-frames:v", "1", *IMAGES[kind]]
    container = "webp" if kind == "webp" else "image2pipe"
    codec = ["-c:v", "png"] if kind == "png" else []
    made = subprocess.run([*command, *codec, "-f", container, "-"], capture_output=True, check=True)
    return made.stdout


def texture(glb):
    """The bytes of the one image in a binary glTF."""
    magic, version, length = struct.unpack("<4sII", glb[:12])
    assert (magic, version, length) == (b"glTF", 2, len(glb))
    size, kind = struct.unpack("<I4s", glb[12:20])
    assert kind == b"JSON"
    document = json.loads(glb[20 : 20 + size])
    binary = glb[20 + size + 8 :]
    (image,) = document["images"]
    view = document["bufferViews"][image["bufferView"]]
    return binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]


@pytest.mark.parametrize("seconds", [5, 10])
def test_a_video_has_the_length_that_was_paid_for(seller, tmp_path, seconds):
    purchase, _ = seller.order(VIDEO, video_params("a harbour at dusk", duration=seconds))
    bought_video(seller.outcome(purchase), tmp_path, seconds)
    assert seller.film.runs() == ["a harbour at dusk"]
    until(lambda: not seller.kept(), "what was kept for the job is gone with it", 10)


@pytest.mark.parametrize("image", ["{image_url}", "{image_data_uri}"])
def test_a_model_shows_the_image_that_was_sent(tmp_path, image):
    with Seller(tmp_path, image).running() as seller:
        for kind in IMAGES:
            content = picture(kind)
            uri = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
            purchase, _ = seller.order(MODEL, {"image": uri})
            answer = seller.outcome(purchase)
            bought_model(answer, tmp_path)
            assert texture((tmp_path / "model.glb").read_bytes()) == content
        assert seller.screen.runs() == ["image"] * len(IMAGES)


def test_progress_reaches_the_caller(seller, tmp_path):
    seller.film.hold()
    purchase, poll_url = seller.order(VIDEO, video_params("held up"))
    until(lambda: seller.document(poll_url).get("progress") == 0.25, "progress is told", 30)
    assert seller.document(poll_url)["status"] == "running"
    seller.film.release()
    bought_video(seller.outcome(purchase), tmp_path)


def test_buyers_of_a_busy_server_all_get_what_is_theirs(seller, tmp_path):
    seller.film.hold()
    prompts = [f"number {number}" for number in range(3)]
    purchases = [seller.order(VIDEO, video_params(prompt))[0] for prompt in prompts]
    seller.film.until_runs(1)
    assert seller.refusal() is None, "a server that works is for sale"
    seller.film.release()
    films = set()
    for purchase in purchases:
        answer = seller.outcome(purchase)
        bought_video(answer, tmp_path)
        films.add(httpx.get(answer.json()["videoUrl"], trust_env=False).content)
    assert len(films) == 3
    assert sorted(seller.film.runs()) == prompts, "nothing ran twice"


def test_both_models_work_at_the_same_time(seller, tmp_path):
    seller.film.hold()
    video, _ = seller.order(VIDEO, video_params("meanwhile"))
    seller.film.until_runs(1)
    model, _ = seller.order(MODEL, {"image": sample_png()})
    bought_model(seller.outcome(model), tmp_path)
    seller.film.release()
    bought_video(seller.outcome(video), tmp_path)


@pytest.mark.parametrize(
    "prompt, code", [("fail, please", "GENERATION_FAILED"), ("reject this", "CONTENT_REJECTED")]
)
def test_what_the_predictor_refuses_is_owed_back(seller, prompt, code):
    purchase, _ = seller.order(VIDEO, video_params(prompt))
    answer = seller.outcome(purchase)
    assert (answer.status_code, answer.json()["error_code"]) == (502, code)
    assert "the sentence of the predictor" not in answer.text + seller.log.read_text()
    assert seller.film.runs() == [prompt], "it is not tried again"
    assert seller.refusal() is None, "what one caller asks for closes no shop"
