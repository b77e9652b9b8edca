"""Results in a bucket, through the gateway and by redirect: what callers get, across a restart and to the end."""

import json
from secrets import token_hex

import httpx
import pytest
from process import until
from sandbox import MODEL, VIDEO, Gateway, sample_png, video_params

# An image over 64 KiB, whose bytes go through the bucket on their way to the model.
IMAGE = sample_png(text=token_hex(50_000).encode())
GOODS = {
    "video": (VIDEO, video_params("kept in a bucket"), "videoUrl", "video/mp4", "video", b"ftyp", 4),
    "model": (MODEL, {"image": IMAGE}, "modelUrl", "model/gltf-binary", "model", b"glTF", 0),
}


def buy(seller, goods):
    """The URL that a purchase of `goods` ends with."""
    with Gateway(seller.url) as shop:
        answer = shop.redeem(shop.buy(goods[0], goods[1]))
    assert answer.status_code == 200, answer.text
    return answer.json()[goods[2]]


def get(seller, url, **headers):
    """The answer that ends up with the caller, after the redirect where there has to be one."""
    with httpx.Client(timeout=30, trust_env=False, follow_redirects=True) as client:
        answer = client.get(url, headers=headers)
    steps = [step.status_code for step in answer.history]
    assert steps == ([302] if seller.redirects and answer.is_success else []), steps
    for step in answer.history:
        assert step.headers["cache-control"] == "no-store"
        assert "X-Amz-Signature=" in step.headers["location"]
    return answer


@pytest.mark.parametrize("kind", GOODS)
def test_a_result_is_in_the_bucket_and_reaches_its_buyer(seller, s3, kind):
    goods = GOODS[kind]
    url = buy(seller, goods)
    kept = s3.result(url).read_bytes()
    assert kept[goods[6] :].startswith(goods[5])

    whole = get(seller, url)
    assert (whole.status_code, whole.content) == (200, kept)
    assert whole.headers["content-type"] == goods[3]
    assert whole.headers["content-disposition"].startswith(f'inline; filename="satforge-{goods[4]}-')
    part = get(seller, url, Range="bytes=4-11")
    assert (part.status_code, part.content) == (206, kept[4:12])
    assert part.headers["content-range"] == f"bytes 4-11/{len(kept)}"
    tail = get(seller, url, Range="bytes=-5")
    assert (tail.status_code, tail.content) == (206, kept[-5:])
    head = httpx.head(url, trust_env=False)
    assert (head.status_code, int(head.headers["content-length"])) == (200, len(kept))

    # Inputs are gone with the job, and nothing lies on the gateway's own disk.
    assert not [path for path in (s3.bucket / "shop/one/inputs").glob("*") if path.is_file()]
    assert not (seller.data / "artifacts").exists()
    assert s3.unfinished() == []


def test_a_signed_url_is_good_for_its_file_alone(seller, s3):
    if not seller.redirects:
        answer = httpx.get(buy(seller, GOODS["video"]), trust_env=False)
        assert "location" not in answer.headers
        return
    url, other = buy(seller, GOODS["video"]), buy(seller, GOODS["model"])
    signed = httpx.get(url, trust_env=False).headers["location"]
    forged = signed.replace(url.rpartition("/")[2], other.rpartition("/")[2])
    assert httpx.get(signed, trust_env=False).status_code == 200
    assert httpx.get(forged, trust_env=False).status_code == 403
    assert httpx.get(signed.partition("?")[0], trust_env=False).status_code == 403


def test_results_outlive_a_restart_and_end_with_their_retention(seller, s3):
    kept, expired = buy(seller, GOODS["video"]), buy(seller, GOODS["model"])
    stray = s3.result("/" + "0" * 32 + ".mp4")
    stray.write_bytes(b"no row names it")
    assert seller.stop() == 0
    seller.expire(expired.rpartition("/")[2])
    seller.start()
    until(lambda: not s3.result(expired).exists(), "the expired result is deleted")
    until(lambda: not stray.exists(), "what no job has is deleted")
    assert get(seller, kept).content == s3.result(kept).read_bytes()
    gone = get(seller, expired)
    assert (gone.status_code, gone.headers["x-error-code"]) == (410, "RESULT_EXPIRED")
    never = get(seller, f"{seller.url}/artifacts/{'0' * 32}.mp4")
    assert (never.status_code, json.loads(never.content)["error_code"]) == (404, "NOT_FOUND")
