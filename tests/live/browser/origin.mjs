// A site of another origin, as a customer's own web page would be: another port of the loopback.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const TOOLS = createRequire(import.meta.url).resolve("@getalby/lightning-tools/402").replace("/cjs/402.cjs", "/esm/402.js");

/** Serves `html` at / and the lightning-tools library at /402.js. */
export async function serveSite(html) {
  const library = await readFile(TOOLS);
  const server = createServer((request, response) => {
    const isLibrary = request.url === "/402.js";
    response.setHeader("Content-Type", isLibrary ? "text/javascript" : "text/html; charset=utf-8");
    if (request.url === "/favicon.ico") response.statusCode = 204;
    response.end(request.url === "/" ? html : isLibrary ? library : undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}/`;
  return { url, close: () => server.close() };
}
