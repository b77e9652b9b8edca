"""Models, servers and the gateway end in the middle of a job that is paid for."""

import pytest
from figures import note
from media import bought_video
from process import until
from sandbox import MODEL, VIDEO, sample_png, video_params

# A probe finds out that a server is back; the pauses between probes grow.
REOPENS_S = 60


@pytest.fixture
def held(seller):
    """A job that is with its model."""
    seller.film.hold()
    purchase, poll_url = seller.order(VIDEO, video_params("to be survived"))
    seller.film.until_runs(1)
    until(lambda: seller.document(poll_url)["status"] == "running", "the job runs", 10)
    return purchase


def result_and_runs(seller, purchase, folder, runs):
    bought_video(seller.outcome(purchase), folder)
    assert seller.film.runs() == ["to be survived"] * runs


def test_a_dead_worker_costs_a_second_run_and_no_money(seller, held, tmp_path):
    seller.film.kill_worker()
    until(lambda: seller.film.health() == "UNHEALTHY", "cog notices", 10)
    until(lambda: seller.refusal() == "UPSTREAM_UNAVAILABLE", "nothing more is sold", 30)
    assert seller.refusal(MODEL, image=sample_png()) is None, "the other model is still for sale"
    seller.film.kill()
    seller.film.release()
    seller.film.start()
    took = until(lambda: seller.refusal() is None, "it is for sale again", REOPENS_S)
    result_and_runs(seller, held, tmp_path, 2)
    note(f"worker killed: a result by a second run after the server's restart; for sale again {took:.1f} s after it")


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_server_that_is_started_again_costs_a_second_run(seller, held, tmp_path, end):
    getattr(seller.film, end)()
    seller.film.release()
    seller.film.start()
    result_and_runs(seller, held, tmp_path, 2)
    assert seller.refusal() is None
    note(f"server ended by {end} and started again: a result by a second run")


def test_a_gateway_that_is_killed_meanwhile_gets_the_result_all_the_same(seller, held, tmp_path):
    seller.kill()
    seller.film.release()
    until(lambda: seller.film.health() == "READY", "the model is done", 30)
    # It has told nobody yet: the webhook is tried again.
    seller.start()
    result_and_runs(seller, held, tmp_path, 1)
    note("gateway killed while the model worked: the result, without a second run")


def test_a_gateway_that_is_killed_after_the_webhook_still_has_the_result(seller, held, tmp_path):
    seller.film.release()
    until(lambda: seller.postman.deliveries("succeeded"), "the end is told", 30)
    seller.kill()
    seller.start()
    result_and_runs(seller, held, tmp_path, 1)


def test_a_server_that_is_down_sells_nothing_until_it_is_back(seller, tmp_path):
    seller.film.stop()
    # Nobody has noticed yet: one buyer pays, and is not forgotten.
    purchase, _ = seller.order(VIDEO, video_params("to be survived"))
    until(lambda: seller.refusal() == "UPSTREAM_UNAVAILABLE", "nothing more is sold", 30)
    assert seller.refusal(MODEL, image=sample_png()) is None
    seller.film.start()
    took = until(lambda: seller.refusal() is None, "it is for sale again", REOPENS_S)
    result_and_runs(seller, purchase, tmp_path, 1)
    note(f"server down: for sale again {took:.1f} s after its start, and whoever had paid has their video")
