// The commands' copy buttons and language tabs: by mouse, by keyboard, and without JavaScript.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { load, useChromium, withPage } from "./support.mjs";

const open = useChromium();
const PAGES = ["/", "/l402/video", "/l402/3d-model"];
const CLIPBOARD = ["clipboard-read", "clipboard-write"];

const visible = (page, selector) => page.locator(selector).filter({ visible: true });

/** Tabs through the whole page; returns what had the focus, in order, and whether one could see it. */
async function tabThrough(page) {
  const stops = [];
  for (let presses = 0; presses < 300; presses += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      globalThis.seenStops ??= new Set();
      if (!element || element === document.body || globalThis.seenStops.has(element)) return null;
      globalThis.seenStops.add(element);
      // A radio button that is drawn by its label shows the focus there.
      const drawn = [element, ...(element.labels ?? []), ...[...(element.labels ?? [])].flatMap((label) => [...label.children])];
      const hasRing = drawn.some((part) => {
        const style = getComputedStyle(part);
        return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
      });
      const { width, height } = element.getBoundingClientRect();
      return { html: element.outerHTML.slice(0, 100), copies: element.matches("button.copy"), hasRing, size: width * height };
    });
    if (!stop) return stops;
    stops.push(stop);
  }
  throw new Error("the focus never comes back: a keyboard trap");
}

/** Presses every copy button that can be seen, by mouse and by keyboard in turn; returns how many there were. */
async function copyEach(page) {
  const buttons = visible(page, "button.copy");
  const count = await buttons.count();
  for (let i = 0; i < count; i += 1) {
    await page.evaluate(() => navigator.clipboard.writeText(""));
    const button = buttons.nth(i);
    const printed = await button.evaluate((element) => element.closest(".panel").querySelector("pre code").textContent);
    assert.match(await button.evaluate((element) => element.ariaLabel ?? element.textContent), /copy/i);
    if (i % 2) {
      await button.click();
    } else {
      await button.focus();
      await page.keyboard.press("Enter");
    }
    const copied = await page.waitForFunction(() => navigator.clipboard.readText());
    assert.equal((await copied.jsonValue()).trimEnd(), printed.trimEnd());
  }
  return count;
}

for (const path of PAGES) {
  suite(path, () => {
    test("Tab reaches every copy button, and shows where it is", async () => {
      await withPage(open, {}, async (page) => {
        await load(page, path);
        const buttons = await visible(page, "button.copy").count();
        assert.ok(buttons > 0);
        const stops = await tabThrough(page);
        assert.equal(stops.filter(({ copies }) => copies).length, buttons);
        assert.deepEqual(stops.filter(({ hasRing, size }) => !hasRing || size === 0), []);
      });
    });

    test("copy buttons copy the command beside them, in every language", async () => {
      await withPage(open, { permissions: CLIPBOARD }, async (page) => {
        const { complaints } = await load(page, path);
        const languages = await page.locator("input[name=language]").evaluateAll((all) => all.map(({ value }) => value));
        assert.ok((await copyEach(page)) > 0);
        for (const language of languages) {
          await page.locator(`label:has(input[name=language][value=${language}])`).click();
          assert.ok((await copyEach(page)) > 0, language);
        }
        assert.deepEqual(complaints, []);
      });
    });

    test("every command can be reached without JavaScript, and no button is there that would do nothing", async () => {
      await withPage(open, { javaScriptEnabled: false }, async (page) => {
        await load(page, path);
        assert.equal(await visible(page, "button").count(), 0);
        assert.ok((await visible(page, "code[data-run=curl]").count()) > 0);
        const radios = page.locator("input[name=language]");
        const seen = new Set();
        for (let i = 0; i < (await radios.count()); i += 1) {
          if (i === 0) await radios.first().focus();
          else await page.keyboard.press("ArrowRight");
          for (const language of await visible(page, "code[data-run]").evaluateAll((all) => all.map((c) => c.dataset.run))) {
            seen.add(language);
          }
        }
        if (await radios.count()) assert.deepEqual([...seen].sort(), ["curl", "javascript", "python"]);
      });
    });
  });
}
