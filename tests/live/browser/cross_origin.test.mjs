// A page of another origin buys: it may read every header of the protocol, pay, redeem and poll.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { serveSite } from "./origin.mjs";
import { GATEWAY, useChromium, withPage } from "./support.mjs";

const open = useChromium();
let site;
before(async () => {
  site = await serveSite("<!doctype html><html lang=en><title>another origin</title>");
});
after(() => site.close());

const request = (prompt) => ({
  gateway: GATEWAY,
  body: JSON.stringify({ prompt, model: "Video Generation", duration: 5 }),
});

test("reads the challenge, pays, redeems and polls with plain fetch", async () => {
  const seen = await withPage(open, {}, async (page) => {
    await page.goto(site.url);
    return page.evaluate(async ({ gateway, body }) => {
      const json = { "Content-Type": "application/json" };
      const headers = (answer) => Object.fromEntries(answer.headers);
      const challenge = await fetch(`${gateway}/api/l402/video`, { method: "POST", headers: json, body });
      const [, macaroon, invoice] = challenge.headers
        .get("www-authenticate")
        .match(/^L402 macaroon="([^"]+)", invoice="([^"]+)"/);
      const payment = await fetch(`${gateway}/sandbox/pay`, { method: "POST", headers: json, body: JSON.stringify({ invoice }) });
      const { preimage } = await payment.json();
      const authorization = { ...json, Authorization: `L402 ${macaroon}:${preimage}` };
      const accepted = await fetch(`${gateway}/api/l402/video`, {
        method: "POST",
        headers: { ...authorization, Prefer: "respond-async" },
        body,
      });
      const job = await accepted.json();
      const polled = await fetch(`${job.poll_url}?wait=60`);
      const result = await fetch(`${gateway}/api/l402/video`, { method: "POST", headers: authorization, body });
      return {
        challenge: [challenge.status, headers(challenge)],
        accepted: [accepted.status, headers(accepted)],
        polled: await polled.json(),
        result: [result.status, await result.json()],
      };
    }, request("another origin"));
  });

  const [challenged, challenge] = seen.challenge;
  assert.equal(challenged, 402);
  assert.match(challenge["www-authenticate"], /^L402 macaroon=/);
  assert.equal(challenge["x-error-code"], "PAYMENT_REQUIRED");
  assert.ok(challenge["x-request-id"]);

  const [accepted, headers] = seen.accepted;
  assert.equal(accepted, 202);
  for (const name of ["location", "preference-applied", "retry-after", "x-job-id", "x-request-id"]) {
    assert.ok(headers[name], `${name} can't be read from another origin`);
  }
  assert.equal(seen.polled.status, "succeeded");
  assert.deepEqual(seen.result, [200, { videoUrl: seen.polled.videoUrl }]);
});

test("streams a job's events", async () => {
  const states = await withPage(open, {}, async (page) => {
    await page.goto(site.url);
    return page.evaluate(async ({ gateway, body }) => {
      const { fetch402 } = await import("/402.js");
      const payInvoice = async ({ invoice }) => {
        const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ invoice }) };
        return (await fetch(`${gateway}/sandbox/pay`, init)).json();
      };
      const headers = { "Content-Type": "application/json", Prefer: "respond-async" };
      const accepted = await fetch402(`${gateway}/api/l402/video`, { method: "POST", headers, body }, { wallet: { payInvoice } });
      const { poll_url } = await accepted.json();
      const reader = (await fetch(`${poll_url}/events`)).body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
      return [...text.matchAll(/^data: ?(.*)$/gm)].map(([, data]) => JSON.parse(data).status);
    }, request("events for another origin"));
  });
  assert.equal(states.at(-1), "succeeded");
});

test("buys with @getalby/lightning-tools in the page", async () => {
  const bought = await withPage(open, {}, async (page) => {
    await page.goto(site.url);
    return page.evaluate(async ({ gateway, body }) => {
      const { fetchWithL402 } = await import("/402.js");
      const payInvoice = async ({ invoice }) => {
        const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ invoice }) };
        return (await fetch(`${gateway}/sandbox/pay`, init)).json();
      };
      const init = { method: "POST", headers: { "Content-Type": "application/json" }, body };
      const answer = await fetchWithL402(`${gateway}/api/l402/video`, init, { wallet: { payInvoice } });
      return { status: answer.status, amountSat: answer.payment.amountSat, result: await answer.json() };
    }, request("lightning-tools in a page"));
  });
  assert.equal(bought.status, 200);
  assert.equal(bought.amountSat, 500);
  assert.ok(bought.result.videoUrl);
});
