// Chromium, the pages to look at, and what a page complained of while it loaded.
import { after, before } from "node:test";
import { chromium } from "playwright-core";

export const GATEWAY = process.env.GATEWAY_URL;
export const PAGES = ["/", "/l402", "/l402/video", "/l402/3d-model", "/errors", "/no-such-page"];

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
