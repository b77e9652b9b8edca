// Every link of every page leads somewhere, and every fragment names something that is there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GATEWAY, load, PAGES, useChromium, withPage } from "./support.mjs";

const open = useChromium();

function documentOf(url) {
  return withPage(open, { javaScriptEnabled: false }, async (page) => {
    const { response } = await load(page, url.slice(GATEWAY.length));
    const links = await page.$$eval("[href], [src]", (all) =>
      all.map((element) => element.href?.baseVal ?? element.href ?? element.src),
    );
    const ids = await page.$$eval("[id]", (all) => all.map((element) => element.id));
    return { status: response.status(), links, ids: new Set(ids), repeated: ids.filter((id, i) => ids.indexOf(id) !== i) };
  });
}

const documents = new Map();
async function visit(url) {
  if (!documents.has(url)) documents.set(url, await documentOf(url));
  return documents.get(url);
}

/** Says what is wrong with a link, or nothing. A link within its own page is good whatever the page's status. */
async function trouble(link) {
  const url = new URL(link);
  const fragment = decodeURIComponent(url.hash.slice(1));
  url.hash = "";
  if (fragment && documents.has(url.href)) {
    return (await visit(url.href)).ids.has(fragment) ? null : `${link}: no such fragment`;
  }
  const answer = await fetch(url);
  await answer.body?.cancel();
  if (answer.status !== 200) return `${link}: ${answer.status}`;
  if (!fragment || !answer.headers.get("content-type").startsWith("text/html")) return null;
  return (await visit(url.href)).ids.has(fragment) ? null : `${link}: no such fragment`;
}

for (const path of PAGES) {
  test(`links of ${path}`, async () => {
    const { links, repeated } = await visit(GATEWAY + path);
    assert.deepEqual(repeated, [], "an id is used twice");
    const own = [...new Set(links)].filter((link) => link.startsWith(`${GATEWAY}/`));
    assert.ok(own.length > 0);
    const troubles = await Promise.all(own.map(trouble));
    assert.deepEqual(troubles.filter(Boolean), []);
  });
}

test("every page can be reached from the first", async () => {
  const reached = new Set([`${GATEWAY}/`]);
  for (const url of reached) {
    for (const link of (await visit(url)).links) {
      const page = link.split("#")[0];
      if (PAGES.some((path) => page === GATEWAY + path)) reached.add(page);
    }
  }
  const wanted = PAGES.filter((path) => path !== "/no-such-page").map((path) => GATEWAY + path);
  assert.deepEqual([...reached].sort(), wanted.sort());
});

test("every error code's address is an entry of the errors page", async () => {
  const catalogue = await (await fetch(`${GATEWAY}/api/error-codes`)).text();
  const types = [...new Set(catalogue.match(/https?:[^"\s]*\/errors[^"\s]*/g) ?? [])];
  assert.ok(types.length > 0, "the catalogue names no entry of the errors page");
  const troubles = await Promise.all(types.map(trouble));
  assert.deepEqual(troubles.filter(Boolean), []);
});
