// Every page, light and dark, wide and narrow, with JavaScript and without.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { check, load, LOOKS, overflow, PAGES, useChromium, withPage } from "./support.mjs";

const open = useChromium();

for (const path of PAGES) {
  suite(path, () => {
    for (const look of LOOKS) {
      test(look.name, async () => {
        await withPage(open, look.options, async (page) => {
          const { response, complaints } = await load(page, path);
          await check(page, path.replaceAll("/", "_"), look);
          assert.equal(response.status(), path === "/no-such-page" ? 404 : 200);
          assert.match(response.headers()["content-type"], /^text\/html/);
          assert.match(response.headers()["content-security-policy"] ?? "", /default-src/);
          assert.deepEqual(complaints, []);
        });
      });
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
