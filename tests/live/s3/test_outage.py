"""A bucket that is away for a while, and what `satforge check --live` says of one that cannot be used."""

import httpx
from process import until
from sandbox import VIDEO, Gateway, video_params
from storage import Seller


def sells(shop):
    """Whether a purchase can begin; where it cannot, no invoice is made."""
    answer = shop.post(VIDEO, json=video_params("on sale?"))
    if answer.status_code == 402:
        return True
    assert (answer.status_code, answer.headers["x-error-code"]) == (503, "UPSTREAM_UNAVAILABLE"), answer.text
    assert "www-authenticate" not in answer.headers and int(answer.headers["retry-after"]) >= 1
    return False


def test_a_job_waits_for_the_bucket_and_nothing_is_sold_meanwhile(s3, tmp_path):
    with Seller(tmp_path / "seller", s3, seconds=1).running() as seller, Gateway(seller.url) as shop:
        purchase = shop.buy(VIDEO, video_params("stored when it can be"))
        assert shop.redeem(purchase, "respond-async").status_code == 202
        s3.kill()
        until(lambda: "storing a result failed" in seller.log.read_text(), "storing fails")
        until(lambda: not sells(shop), "purchases are refused")
        ready = shop.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["storage"]) == (503, "failing")
        s3.start()
        answer = shop.redeem(purchase)
        assert answer.status_code == 200, answer.text
        url = answer.json()["videoUrl"]
        assert shop.get(url).content == s3.result(url).read_bytes()
        until(lambda: sells(shop), "purchases begin again")
        assert shop.get("/readyz").status_code == 200
        assert s3.unfinished() == []
        # Neither what is secret nor what a result is called gets into the log.
        said = seller.log.read_text()
        assert s3.secret not in said and url.rpartition("/")[2].partition(".")[0] not in said


def test_a_result_that_cannot_be_fetched_now_is_not_gone(s3, tmp_path):
    with Seller(tmp_path / "seller", s3).running() as seller, Gateway(seller.url) as shop:
        url = shop.redeem(shop.buy(VIDEO, video_params("away for a while"))).json()["videoUrl"]
        s3.kill()
        answer = shop.get(url)
        assert (answer.status_code, answer.headers["x-error-code"]) == (503, "UPSTREAM_UNAVAILABLE"), answer.text
        s3.start()
        assert shop.get(url).status_code == 200


def test_a_good_bucket_passes_the_check_and_keeps_nothing_of_it(s3, tmp_path):
    status, said = Seller(tmp_path / "seller", s3).check()
    assert status == 0, said
    assert "The storage takes, lists, hands out and deletes files." in said
    assert not [path for path in (s3.bucket / "shop").rglob("*") if path.is_file()]


def test_the_check_names_what_is_wrong(s3, tmp_path):
    folder = tmp_path / "wrong"
    folder.mkdir()
    wrong = folder / "key"
    wrong.touch(mode=0o600)
    wrong.write_text("not the key")
    for number, (settings, key) in enumerate(
        [
            ({"secret_access_key": f"file:{wrong}"}, "artifacts.secret_access_key: "),
            ({"access_key_id": f"file:{wrong}"}, "artifacts.access_key_id: "),
            ({"endpoint": "http://127.0.0.1:9"}, "artifacts.endpoint: "),
        ]
    ):
        status, said = Seller(folder / str(number), s3, settings).check()
        assert status != 0 and key in said, said
        assert s3.secret not in said and s3.key not in said


def test_an_endpoint_without_tls_has_to_be_near(s3, tmp_path):
    status, said = Seller(tmp_path / "seller", s3, {"endpoint": "http://s3.example.com"}).check()
    assert status == 2 and "artifacts.endpoint: " in said, said
    assert httpx.get(s3.url, trust_env=False).status_code == 403
