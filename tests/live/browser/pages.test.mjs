// Every page, light and dark, wide and narrow, with JavaScript and without.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { load, overflow, PAGES, useChromium, withPage } from "./support.mjs";

const open = useChromium();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
await mkdir(process.env.SCREENSHOTS, { recursive: true });

const SIZES = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
];

async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  return found.violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`);
}

for (const path of PAGES) {
  suite(path, () => {
    for (const viewport of SIZES) {
      for (const colorScheme of ["light", "dark"]) {
        for (const javaScriptEnabled of [true, false]) {
          const script = javaScriptEnabled ? "script" : "no script";
          test(`${colorScheme}, ${viewport.width} px, ${script}`, async () => {
            await withPage(open, { viewport, colorScheme, javaScriptEnabled }, async (page) => {
              const { response, complaints } = await load(page, path);
              const name = `${path.replaceAll("/", "_")}-${viewport.width}-${colorScheme}-${script.replace(" ", "-")}.png`;
              await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}`, fullPage: true });
              assert.equal(response.status(), path === "/no-such-page" ? 404 : 200);
              assert.match(response.headers()["content-type"], /^text\/html/);
              assert.match(response.headers()["content-security-policy"] ?? "", /default-src/);
              assert.deepEqual(complaints, []);
              assert.deepEqual(await overflow(page), []);
              assert.equal(await page.locator("h1").count(), 1);
              assert.ok(await page.locator("h1").isVisible());
              if (javaScriptEnabled) assert.deepEqual(await violations(page), []);
            });
          });
        }
      }
    }

    test("fits 360 px", async () => {
      await withPage(open, { viewport: { width: 360, height: 740 } }, async (page) => {
        await load(page, path);
        assert.deepEqual(await overflow(page), []);
      });
    });
  });
}

test("the page follows the colour scheme", async () => {
  const background = (colorScheme) =>
    withPage(open, { colorScheme }, async (page) => {
      await load(page, "/");
      return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    });
  assert.notEqual(await background("light"), await background("dark"));
});
