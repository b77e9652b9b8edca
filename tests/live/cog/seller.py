"""`satforge serve` with the configuration of the examples."""

import os
import re
from contextlib import contextmanager
from secrets import token_hex

from models import TOKEN, Model, Postman, copy_examples
from process import Process, clean_environment, free_port
from sandbox import VIDEO, Gateway

BINARY = os.environ["GATEWAY_BIN"]


class Seller(Process):
    """A gateway with simulated payments that sells what two cog servers make."""

    ready_path = "/readyz"

    def __init__(self, folder, image="{image_url}"):
        self.examples = copy_examples(folder)
        self.film, self.screen = Model(self.examples, "video", "Film"), Model(self.examples, "model", "Screen")
        self.postman, port = Postman(), free_port()
        config = (self.examples / "satforge.toml").read_text()
        for model, usual in ((self.film, 5301), (self.screen, 5302)):
            there = f'url = "http://127.0.0.1:{usual}"'
            assert there in config
            config = config.replace(there, f'url = "{model.url}"\ngateway_url = "{self.postman.url}"')
        assert '"{image_url}"' in config
        (self.examples / "satforge.toml").write_text(config.replace('"{image_url}"', f'"{image}"'))
        env = clean_environment(
            GATEWAY_KEY=token_hex(32),
            WEBHOOK_AUTH_TOKEN=TOKEN,
            SATFORGE_SERVER__LISTEN=f"127.0.0.1:{port}",
            SATFORGE_METRICS__LISTEN=f"127.0.0.1:{free_port()}",
            SATFORGE_LIMITS__CHALLENGES_PER_MINUTE="0",
        )
        command = [BINARY, "serve", "--config", "satforge.toml"]
        super().__init__(command, folder / "gateway.log", port, cwd=self.examples, env=env)
        self.postman.gateway = self.url

    @contextmanager
    def running(self):
        """All of it, and ended in the end. How it ended is looked at only when the tests did not break off."""
        self.postman.start()
        try:
            self.film.start()
            self.screen.start()
            self.start()
            yield self
            status = self.stop()
            assert status == 0, f"the gateway ended with status {status}:\n{self.tail()}"
        finally:
            for process in (self, self.film, self.screen):
                process.kill()
            self.postman.stop()

    def order(self, path, params):
        """Buys something and does not wait for it: the shop, the purchase and where to poll."""
        with Gateway(self.url) as shop:
            purchase = shop.buy(path, params)
            answer = shop.redeem(purchase, prefer="respond-async")
        assert answer.status_code in (200, 202), answer.text
        return purchase, answer.json().get("poll_url")

    def outcome(self, purchase, seconds=120):
        """What a purchase ends with."""
        with Gateway(self.url) as shop:
            answer = shop.redeem(purchase, prefer=f"wait={seconds}", timeout=seconds + 30)
        assert answer.status_code != 202, f"not within {seconds} s: {answer.text}\n{self.tail()}"
        return answer

    def document(self, poll_url):
        with Gateway(self.url) as shop:
            answer = shop.get(poll_url)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refusal(self, path=VIDEO, **params):
        """The error code of a request without a payment; `None`: it got its challenge."""
        with Gateway(self.url) as shop:
            answer = shop.post(path, json=params or {"prompt": "for sale?", "model": "Video Generation"})
        if answer.status_code == 402:
            return None
        assert "www-authenticate" not in answer.headers
        return answer.json()["error_code"]

    def kept(self):
        """What the gateway keeps of webhooks."""
        kept = [path for path in (self.examples / "satforge-data").rglob("*") if path.is_file() and is_kept(path)]
        return sorted(path.name for path in kept)


def is_kept(path):
    """Whether a file is named as those of predictions are: by a job's id and the number of a create."""
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]+\..*", path.name) is not None
