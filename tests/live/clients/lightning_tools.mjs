// Buys with @getalby/lightning-tools: node lightning_tools.mjs FUNCTION URL BODY-FILE prints what came of it.
import { readFile } from "node:fs/promises";
import * as tools from "@getalby/lightning-tools/402";

const [name, url, file] = process.argv.slice(2);
const body = await readFile(file, "utf8");
const paid = [];
const wallet = {
  async payInvoice({ invoice }) {
    const answer = await fetch(new URL("/sandbox/pay", url), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ invoice }),
    });
    if (!answer.ok) throw new Error(`the sandbox would not pay: ${answer.status}`);
    paid.push(invoice);
    return { preimage: (await answer.json()).preimage };
  },
};
const request = () => ({ method: "POST", headers: { "Content-Type": "application/json" }, body });

const first = await tools[name](url, request(), { wallet });
const result = await first.json();
const again = await tools[name](url, request(), { wallet, credentials: first.payment.credentials });
console.log(
  JSON.stringify({
    status: first.status,
    result,
    amountSat: first.payment.amountSat,
    again: { status: again.status, result: await again.json() },
    payments: paid.length,
  }),
);
