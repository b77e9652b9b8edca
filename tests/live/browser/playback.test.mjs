// A bought video plays, from the gateway itself and embedded in a page of another origin.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fetchWithL402 } from "@getalby/lightning-tools/402";
import { serveSite } from "./origin.mjs";
import { GATEWAY, useChromium, withPage } from "./support.mjs";

const open = useChromium();
let site;
let videoUrl;

async function payInvoice({ invoice }) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(`${GATEWAY}/sandbox/pay`, { method: "POST", headers, body: JSON.stringify({ invoice }) });
  return answer.json();
}

before(async () => {
  const body = JSON.stringify({ prompt: "a video to be played", model: "Video Generation", duration: 5 });
  const init = { method: "POST", headers: { "Content-Type": "application/json" }, body };
  ({ videoUrl } = await (await fetchWithL402(`${GATEWAY}/api/l402/video`, init, { wallet: { payInvoice } })).json());
  site = await serveSite(`<!doctype html><html lang=en><title>player</title><video muted width=320 src="${videoUrl}"></video>`);
});
after(() => site.close());

async function play(page) {
  await page.waitForFunction(() => document.querySelector("video").readyState >= 2 || document.querySelector("video").error);
  const video = await page.evaluate(async () => {
    const element = document.querySelector("video");
    element.muted = true;
    await element.play();
    return { duration: element.duration, width: element.videoWidth, error: element.error?.message ?? null };
  });
  assert.equal(video.error, null);
  assert.ok(Math.abs(video.duration - 5) < 0.05, `${video.duration} s`);
  assert.ok(video.width > 0);
  await page.waitForFunction(() => document.querySelector("video").currentTime > 1);
  // Then close to the end, which takes a range request or a file that is buffered, and through it.
  await page.evaluate(() => {
    document.querySelector("video").currentTime = 4.5;
  });
  await page.waitForFunction(() => document.querySelector("video").ended);
  assert.ok((await page.evaluate(() => document.querySelector("video").getVideoPlaybackQuality().totalVideoFrames)) > 20);
}

test("embedded in a page of another origin", async () => {
  await withPage(open, {}, async (page) => {
    await page.goto(site.url);
    await play(page);
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/video.png` });
  });
});

test("at its own address", async () => {
  await withPage(open, {}, async (page) => {
    const answer = await fetch(videoUrl, { headers: { Range: "bytes=0-99" } });
    assert.equal(answer.status, 206);
    assert.equal((await answer.arrayBuffer()).byteLength, 100);
    if (/attachment/.test(answer.headers.get("content-disposition") ?? "")) return;
    await page.goto(videoUrl);
    await play(page);
  });
});
