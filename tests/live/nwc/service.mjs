// A NIP-47 wallet service over a wallet of LNbits: node service.mjs, with its settings as JSON in $SERVICE:
//
//   relay, walletSecret, clientSecret   who talks to whom, and where
//   encryption                          what it understands: "nip44_v2 nip04", or "nip04" as older wallets do
//   lnbits                              {url, invoiceKey, adminKey}
//   port                                where it is controlled: GET tells the connection's URI and the requests so far,
//                                       POST sets how it answers: "normal", "silent", or the code of an error
import "./websocket.mjs";
import { createServer } from "node:http";
import { NWCWalletService, NWCWalletServiceKeyPair } from "@getalby/sdk/nwc";
import { getPublicKey } from "nostr-tools";
import { hexToBytes } from "nostr-tools/utils";
import { LnbitsWallet, Refusal } from "./lnbits.mjs";

const settings = JSON.parse(process.env.SERVICE);
const { relay, walletSecret, clientSecret, encryption } = settings;
const methods = ["get_info", "get_balance", "make_invoice", "lookup_invoice", "pay_invoice"];
const keys = new NWCWalletServiceKeyPair(walletSecret, getPublicKey(hexToBytes(clientSecret)));
const wallet = new LnbitsWallet(settings.lnbits);
const requests = [];
let answers = "normal";

class Service extends NWCWalletService {
  async decrypt(keypair, content, type) {
    if (!encryption.split(" ").includes(type)) {
      // An older wallet does not know the tag that names another encryption; it cannot read this, and says nothing.
      requests.push({ encryption: type, method: "unreadable" });
      throw new Error(`this wallet does not read ${type}`);
    }
    const text = await super.decrypt(keypair, content, type);
    requests.push({ encryption: type, method: JSON.parse(text).method });
    return text;
  }

  // The SDK's own info event names the encryptions in the order of an earlier draft, and always both.
  async publishInfo() {
    const tags = encryption === "nip04" ? [] : [["encryption", encryption]];
    const template = { kind: 13194, created_at: Math.floor(Date.now() / 1000), tags, content: methods.join(" ") };
    await Promise.any(this.pool.publish([relay], await this.signEvent(template, walletSecret)));
  }
}

async function answer(action) {
  if (answers === "silent") return new Promise(() => {});
  if (answers !== "normal") return { error: { code: answers, message: "as the test wants it" }, result: undefined };
  try {
    return { result: await action(), error: undefined };
  } catch (error) {
    const code = error instanceof Refusal ? error.code : "INTERNAL";
    return { error: { code, message: error.message }, result: undefined };
  }
}

const info = () => ({ alias: "LNbits", pubkey: "", network: "mainnet", block_height: 1, block_hash: "", methods });

const service = new Service({ relayUrls: [relay] });
await service.publishInfo();
await service.subscribe(keys, {
  getInfo: () => answer(info),
  getBalance: () => answer(() => wallet.getBalance()),
  makeInvoice: (params) => answer(() => wallet.makeInvoice(params)),
  lookupInvoice: (params) => answer(() => wallet.lookupInvoice(params)),
  payInvoice: (params) => answer(() => wallet.payInvoice(params)),
});
// A relay that was started again has forgotten the info event.
service.pool.subscribe(
  [relay],
  { kinds: [13194], authors: [keys.walletPubkey], limit: 1 },
  {
    onconnect: () => service.publishInfo().catch((error) => console.error("the info event is lost:", error)),
    onevent: () => {},
  },
);

const uri = `nostr+walletconnect://${keys.walletPubkey}?relay=${encodeURIComponent(relay)}&secret=${clientSecret}`;
createServer(async (request, response) => {
  if (request.method === "POST") {
    let wanted = "";
    for await (const part of request) wanted += part;
    answers = wanted;
  }
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({ uri, answers, requests }));
}).listen(settings.port, "127.0.0.1");
