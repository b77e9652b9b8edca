// The copy buttons: by mouse, by keyboard, and not there where they could do nothing.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { GATEWAY, load, useChromium, withPage } from "./support.mjs";

const open = useChromium();
const COPY = "button[data-copy]";

/** Tabs through the whole page; returns what had the focus, in order, and whether one could see it. */
async function tabThrough(page) {
  const stops = [];
  for (let presses = 0; presses < 300; presses += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      globalThis.seenStops ??= new Set();
      if (globalThis.seenStops.has(element)) return null;
      globalThis.seenStops.add(element);
      const style = getComputedStyle(element);
      const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
      const { width, height } = element.getBoundingClientRect();
      return { html: element.outerHTML.slice(0, 100), copy: element.matches("button[data-copy]"), ring, size: width * height };
    });
    if (!stop) return stops;
    stops.push(stop);
  }
  throw new Error("the focus never comes back: a keyboard trap");
}

for (const path of ["/", "/l402/video", "/l402/3d-model"]) {
  suite(path, () => {
    test("Tab reaches every copy button, and shows where it is", async () => {
      await withPage(open, {}, async (page) => {
        await load(page, path);
        const buttons = await page.locator(COPY).filter({ visible: true }).count();
        assert.ok(buttons > 0);
        const stops = await tabThrough(page);
        assert.equal(stops.filter(({ copy }) => copy).length, buttons);
        assert.deepEqual(stops.filter(({ ring, size }) => !ring || size === 0), []);
      });
    });

    test("a copy button copies the command beside it", async () => {
      await withPage(open, { permissions: ["clipboard-read", "clipboard-write"] }, async (page) => {
        const { complaints } = await load(page, path);
        const texts = await page.locator("pre code").allTextContents();
        const buttons = page.locator(COPY).filter({ visible: true });
        const copied = new Set();
        for (let i = 0; i < (await buttons.count()); i += 1) {
          await page.evaluate(() => navigator.clipboard.writeText(""));
          const button = buttons.nth(i);
          if (i % 2) await button.click();
          else {
            await button.focus();
            await page.keyboard.press("Enter");
          }
          const text = await page.waitForFunction(() => navigator.clipboard.readText()).then((value) => value.jsonValue());
          assert.ok(texts.some((printed) => printed.trim() === text.trim()), `copied ${JSON.stringify(text)}`);
          copied.add(text);
        }
        assert.equal(copied.size, await buttons.count(), "two buttons copy the same text");
        assert.deepEqual(complaints, []);
      });
    });

    test("without JavaScript the commands are there and the buttons are not", async () => {
      await withPage(open, { javaScriptEnabled: false }, async (page) => {
        await load(page, path);
        assert.ok((await page.locator("code[data-run=curl]").filter({ visible: true }).count()) > 0);
        assert.equal(await page.locator(COPY).filter({ visible: true }).count(), 0);
      });
    });
  });
}

test("what says it copies is a button with a name", async () => {
  await withPage(open, {}, async (page) => {
    await page.goto(GATEWAY);
    const first = page.getByRole("button", { name: /copy/i }).filter({ visible: true }).first();
    assert.ok(await first.isVisible());
  });
});
