// What is owed back, as its owner sees it: the refund's page, and /recover with what its form finds.
import assert from "node:assert/strict";
import { before, suite, test } from "node:test";
import { check, GATEWAY, load, LOOKS, useChromium, withPage } from "./support.mjs";

const open = useChromium();
const JSON_BODY = { "Content-Type": "application/json" };

async function post(path, body, headers = {}) {
  const answer = await fetch(new URL(path, GATEWAY), { method: "POST", headers: { ...JSON_BODY, ...headers }, body: JSON.stringify(body) });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

/** Pays for a video; `redeem` presents the payment. */
async function buy(prompt) {
  const video = { prompt, model: "Video Generation", duration: 5 };
  const challenge = await post("/api/l402/video", video);
  const [, macaroon, invoice] = challenge.headers.get("www-authenticate").match(/^L402 macaroon="([^"]+)", invoice="([^"]+)"/);
  const { preimage } = (await post("/sandbox/pay", { invoice })).body;
  const credential = { Authorization: `L402 ${macaroon}:${preimage}` };
  const redeem = (prefer = "wait=60") => post("/api/l402/video", video, { ...credential, Prefer: prefer });
  return { macaroon, preimage, credential, redeem };
}

async function fail(prompt) {
  const purchase = await buy(`sandbox:fail ${prompt}`);
  const { status, body } = await purchase.redeem();
  assert.equal(status, 502);
  return { ...purchase, refund: body.refund };
}

async function failAndClaim(prompt) {
  const purchase = await fail(prompt);
  const { invoice } = (await post("/sandbox/invoice", { amount_sats: purchase.refund.amount_sats })).body;
  const claimed = await post(purchase.refund.claim_url, { invoice }, purchase.credential);
  assert.deepEqual([claimed.status, claimed.body.status], [200, "paid"]);
  return purchase;
}

const bought = {};
before(async () => {
  const [owed, paid, delivered, unredeemed, running] = await Promise.all([
    fail("owed"),
    failAndClaim("paid"),
    buy("a video that comes"),
    buy("a video that nobody asks for"),
    buy("sandbox:slow=600 a video that takes its time"),
  ]);
  assert.equal((await delivered.redeem()).status, 200);
  assert.equal((await running.redeem("respond-async")).status, 202);
  const refused = { macaroon: owed.macaroon, preimage: "00".repeat(32) };
  Object.assign(bought, { owed, paid, delivered, unredeemed, running, refused });
});

const path = (url) => url.slice(GATEWAY.length);

suite("the refund's page", () => {
  for (const look of LOOKS) {
    test(`to be claimed: ${look.name}`, async () => {
      await withPage(open, look.options, async (page) => {
        const { url, lnurl } = bought.owed.refund;
        const { response, complaints } = await load(page, path(url));
        assert.equal(response.status(), 200);
        await check(page, "refund-available", look);
        assert.ok((await page.locator("main").innerText()).includes("500 sats"));
        assert.equal(await page.locator(".qr a").getAttribute("href"), `lightning:${lnurl}`);
        assert.equal((await page.locator(".panel code").innerText()).trim(), lnurl);
        const code = await page.locator(".qr svg").boundingBox();
        assert.ok(code.width >= 200 && Math.abs(code.width - code.height) < 1, JSON.stringify(code));
        assert.deepEqual(complaints, []);
      });
    });

    test(`paid: ${look.name}`, async () => {
      await withPage(open, look.options, async (page) => {
        const { complaints } = await load(page, path(bought.paid.refund.url));
        await check(page, "refund-paid", look);
        assert.equal(await page.locator(".qr").count(), 0);
        assert.ok((await page.locator("main").innerText()).includes("was paid"));
        assert.deepEqual(complaints, []);
      });
    });
  }
});

const OUTCOMES = {
  owed: [200, /500 sats are owed back to you/],
  paid: [200, /500 sats were paid back/],
  delivered: [200, /It was delivered/],
  unredeemed: [200, /has bought nothing yet/],
  running: [200, /It is under way/],
  refused: [403, /not a credential of this gateway/],
};

for (const [outcome, [status, said]] of Object.entries(OUTCOMES)) {
  suite(`/recover finds what is ${outcome}`, () => {
    for (const look of LOOKS) {
      test(look.name, async () => {
        await withPage(open, look.options, async (page) => {
          const { complaints } = await load(page, "/recover");
          await page.getByLabel("Macaroon").fill(bought[outcome].macaroon);
          await page.getByLabel("Preimage").fill(bought[outcome].preimage);
          const [response] = await Promise.all([page.waitForNavigation(), page.getByRole("button", { name: "Find it" }).click()]);
          assert.equal(response.status(), status);
          await check(page, `recover-${outcome}`, look);
          assert.match(await page.locator(".found").innerText(), said);
          const links = await page.locator(".found a").evaluateAll((all) => all.map(({ href }) => href));
          for (const link of links) assert.ok((await fetch(link)).ok, link);
          assert.equal(links.length, ["unredeemed", "refused"].includes(outcome) ? 0 : 1);
          assert.deepEqual(complaints, []);
        });
      });
    }
  });
}
