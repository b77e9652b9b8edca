"""A gateway that is killed while a result is on its way into the bucket, and two gateways that want the same place."""

import signal

import pytest
from process import until
from sandbox import VIDEO, Gateway, video_params
from storage import Seller


def test_a_kill_during_an_upload_leaves_no_half_result(s3, tmp_path):
    seller = Seller(tmp_path / "seller", s3, seconds=1).start()
    try:
        with Gateway(seller.url) as shop:
            purchase = shop.buy(VIDEO, video_params("killed on its way"))
            assert shop.redeem(purchase, "respond-async").status_code == 202
            until(lambda: seller.jobs()[0][0] == "running", "the job runs")
            s3.freeze()
            until(lambda: seller.jobs()[0][0] == "storing", "the result is on its way")
        seller.kill()
        s3.thaw()
        assert seller.jobs() == [("storing", None, None)]

        seller.start()
        with Gateway(seller.url) as shop:
            answer = shop.redeem(purchase)
            assert answer.status_code == 200, answer.text
            url = answer.json()["videoUrl"]
            assert shop.get(url).content == s3.result(url).read_bytes()
        # Whatever the killed process had brought there belongs to no job.
        until(lambda: s3.names("results") == [url.rpartition("/")[2]], "nothing else is there")
        assert s3.unfinished() == []
        assert seller.stop() == 0
    finally:
        seller.kill()


def test_a_start_without_the_bucket_sells_nothing_until_it_is_there(s3, tmp_path):
    s3.kill()
    seller = Seller(tmp_path / "seller", s3)
    seller.ready_path, seller.ready_status = "/healthz", (200,)
    with seller.running(), Gateway(seller.url) as shop:
        answer = shop.post(VIDEO, json=video_params("nobody could keep it"))
        assert (answer.status_code, answer.headers["x-error-code"]) == (503, "UPSTREAM_UNAVAILABLE"), answer.text
        assert shop.get("/readyz").json()["checks"]["storage"] == "failing"
        s3.start()
        until(lambda: shop.get("/readyz").status_code == 200, "the gateway is ready")
        assert shop.redeem(shop.buy(VIDEO, video_params("now it can"))).status_code == 200


def test_two_gateways_do_not_share_a_prefix(s3, tmp_path):
    with Seller(tmp_path / "first", s3).running() as first, Gateway(first.url) as shop:
        url = shop.redeem(shop.buy(VIDEO, video_params("the first one's"))).json()["videoUrl"]
        second = Seller(tmp_path / "second", s3)
        with pytest.raises(AssertionError, match="another satforge keeps its results there"):
            second.start()
        status, said = second.check()
        assert status != 0 and "artifacts.url: another satforge" in said, said
        assert shop.get(url).status_code == 200
        status, said = first.check()
        assert status == 0, said


def test_a_stop_in_the_middle_of_an_upload_loses_nothing(s3, tmp_path):
    seller = Seller(tmp_path / "seller", s3, seconds=1).start()
    try:
        with Gateway(seller.url) as shop:
            purchase = shop.buy(VIDEO, video_params("stopped on its way"))
            assert shop.redeem(purchase, "respond-async").status_code == 202
            until(lambda: seller.jobs()[0][0] == "running", "the job runs")
            s3.freeze()
            until(lambda: seller.jobs()[0][0] == "storing", "the result is on its way")
        process = seller.process
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        seller.kill()
        s3.thaw()
        seller.start()
        with Gateway(seller.url) as shop:
            assert shop.redeem(purchase).status_code == 200
        assert seller.stop() == 0
    finally:
        seller.kill()
