"""PyPI's l402kit. It reads the body before the header, and keeps one credential a path, whatever the body was."""

from l402kit import AsyncL402Client, L402Client, L402Wallet
from media import bought_model, bought_video
from sandbox import MODEL, VIDEO, video_params


class KitWallet(L402Wallet):
    def __init__(self, wallet):
        self.wallet = wallet

    def pay_invoice(self, bolt11):
        return self.wallet.pay(bolt11)


def test_video(gateway, wallet, tmp_path):
    with L402Client(wallet=KitWallet(wallet), budget_sats=500) as client:
        answer = client.post(gateway.at(VIDEO), json=video_params("l402kit buys a video"))
        bought_video(answer, tmp_path)
        assert client.spending_report().total == 500
    assert len(wallet.paid) == 1


def test_model(gateway, wallet, image, tmp_path):
    with L402Client(wallet=KitWallet(wallet), budget_sats=350) as client:
        answer = client.post(gateway.at(MODEL), json={"image": image})
        bought_model(answer, tmp_path)
        assert client.spending_report().total == 350


def test_the_kept_credential_finds_the_same_job_and_buys_no_other(gateway, wallet):
    url = gateway.at(VIDEO)
    with L402Client(wallet=KitWallet(wallet)) as client:
        first = client.post(url, json=video_params("one"))
        again = client.post(url, json=video_params("one"))
        assert again.json() == first.json()
        assert len(wallet.paid) == 1
        # Its credential for the path is refused with 402, so it throws it away and pays for the new request.
        other = client.post(url, json=video_params("another"))
        assert other.status_code == 200
        assert other.json() != first.json()
        assert len(wallet.paid) == 2


def test_asynchronous_client(gateway, wallet, tmp_path):
    import asyncio

    async def buy():
        async with AsyncL402Client(wallet=KitWallet(wallet)) as client:
            return await client.post(gateway.at(VIDEO), json=video_params("l402kit, async"))

    bought_video(asyncio.run(buy()), tmp_path)
    assert len(wallet.paid) == 1
