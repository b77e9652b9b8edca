// Chromium, the pages to look at, and what a page complained of while it loaded.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before } from "node:test";
import { chromium } from "playwright-core";

export const GATEWAY = process.env.GATEWAY_URL;
export const PAGES = ["/", "/l402", "/l402/video", "/l402/3d-model", "/errors", "/recover", "/no-such-page"];
/** What every page is looked at as: wide and narrow, light and dark, with JavaScript and without. */
export const LOOKS = [1280, 390].flatMap((width) =>
  ["light", "dark"].flatMap((colorScheme) =>
    [true, false].map((javaScriptEnabled) => {
      const script = javaScriptEnabled ? "script" : "no script";
      const options = { viewport: { width, height: width > 1000 ? 900 : 844 }, colorScheme, javaScriptEnabled };
      return { name: `${colorScheme}, ${width} px, ${script}`, file: `${width}-${colorScheme}-${script.replace(" ", "-")}`, options };
    }),
  ),
);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
await mkdir(process.env.SCREENSHOTS, { recursive: true });

/** Starts Chromium before the tests of a file and ends it after them. Hands back what makes contexts in it. */
export function useChromium() {
  let browser;
  before(async () => {
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--no-proxy-server",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });
  after(() => browser.close());
  return (options) => browser.newContext(options);
}

/** Runs `use` with a page in a context of its own, which is closed whatever happens. */
export async function withPage(open, options, use) {
  const context = await open(options);
  try {
    return await use(await context.newPage());
  } finally {
    await context.close();
  }
}

/** Loads a path and returns everything that went wrong on the way: console errors, exceptions, CSP, lost requests. */
export async function load(page, path) {
  const complaints = [];
  const url = GATEWAY + path;
  page.on("console", (message) => {
    const isOwnStatus = message.location().url === url && message.text().startsWith("Failed to load resource");
    if (["error", "warning"].includes(message.type()) && !isOwnStatus) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== GATEWAY) {
      complaints.push(`asks another host: ${request.url()}`);
    }
  });
  page.on("response", (answer) => {
    if (answer.status() >= 400 && answer.url() !== url) complaints.push(`${answer.url()}: ${answer.status()}`);
  });
  const response = await page.goto(url, { waitUntil: "load" });
  return { response, complaints };
}

/** Whether the page can be scrolled sideways, and by what. */
export function overflow(page) {
  return page.evaluate(() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    const wide = [...document.querySelectorAll("body *")].filter(
      (element) => element.getBoundingClientRect().right > root.clientWidth + 0.5,
    );
    return wide.slice(0, 5).map((element) => element.outerHTML.slice(0, 120));
  });
}

async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  return found.violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`);
}

/** Takes a picture of the page as it stands, and holds it to what is true of all of them. */
export async function check(page, name, { file, options }) {
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-${file}.png`, fullPage: true });
  assert.deepEqual(await overflow(page), []);
  assert.equal(await page.locator("h1").count(), 1);
  assert.ok(await page.locator("h1").isVisible());
  if (options.javaScriptEnabled) assert.deepEqual(await violations(page), []);
}
