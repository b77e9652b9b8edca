"""PyPI's l402-requests. It reads the header alone, prices the invoice itself, and gives up a read after 5 s."""

from l402_requests import L402Client
from l402_requests.wallets import WalletBase
from media import bought_model, bought_video
from sandbox import MODEL, VIDEO, video_params


class RequestsWallet(WalletBase):
    def __init__(self, wallet):
        self.wallet = wallet

    async def pay_invoice(self, bolt11):
        return self.wallet.pay(bolt11)


def test_video_that_takes_longer_than_its_read_timeout(gateway, wallet, tmp_path):
    client = L402Client(wallet=RequestsWallet(wallet))
    answer = client.post(gateway.at(VIDEO), json=video_params("l402-requests sandbox:slow=12"))
    bought_video(answer, tmp_path)
    assert len(wallet.paid) == 1
    assert client.spending_log.total_spent() == 500


def test_ten_second_video_fits_its_default_budget(gateway, wallet, tmp_path):
    client = L402Client(wallet=RequestsWallet(wallet))
    answer = client.post(gateway.at(VIDEO), json=video_params("ten seconds", duration=10))
    bought_video(answer, tmp_path, seconds=10)
    assert client.spending_log.total_spent() == 1000


def test_model_after_a_video(gateway, wallet, image, tmp_path):
    """It keeps one credential for all of /api/l402: the video's is refused for the model, which it then pays for."""
    client = L402Client(wallet=RequestsWallet(wallet))
    video = client.post(gateway.at(VIDEO), json=video_params("before the model"))
    assert video.status_code == 200
    bought_model(client.post(gateway.at(MODEL), json={"image": image}), tmp_path)
    assert len(wallet.paid) == 2


def test_free_resources_take_no_offence_at_its_credential(gateway, wallet):
    client = L402Client(wallet=RequestsWallet(wallet))
    bought = client.post(gateway.at(VIDEO), json=video_params("polled"), headers={"Prefer": "respond-async"})
    assert bought.status_code == 202
    for free in (bought.json()["poll_url"], gateway.at(VIDEO), gateway.at(MODEL)):
        assert client.get(free).status_code == 200
    assert len(wallet.paid) == 1
