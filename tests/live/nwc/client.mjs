// One request over Nostr Wallet Connect: node client.mjs METHOD PARAMETERS, with the connection's URI in $NWC_URI, prints
// the wallet's answer as JSON, {"result": …} or {"error": {"kind", "code", "message"}}, and the milliseconds it took.
import "./websocket.mjs";
import { NWCClient } from "@getalby/sdk/nwc";

const [method, parameters] = process.argv.slice(2);
// The SDK tells its troubles to the console as well; the caller wants nothing but JSON there.
console.error = console.warn = () => {};
const client = new NWCClient({ nostrWalletConnectUrl: process.env.NWC_URI });
const began = performance.now();
let answer;
try {
  answer = { result: await client[method](JSON.parse(parameters)) };
} catch (error) {
  answer = { error: { kind: error.constructor.name, code: error.code, message: error.message } };
}
console.log(JSON.stringify({ ...answer, ms: Math.round(performance.now() - began) }));
process.exit(0);
