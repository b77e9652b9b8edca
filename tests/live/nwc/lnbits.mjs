// A wallet of LNbits, in the words of NIP-47.

export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const seconds = (time) => Math.floor(Date.parse(time) / 1000);

// LNbits has one word for an invoice that nobody paid in time and a payment that was not made; NIP-47 has two.
const states = {
  incoming: { pending: "pending", success: "settled", failed: "expired" },
  outgoing: { pending: "pending", success: "settled", failed: "failed" },
};

export class LnbitsWallet {
  constructor({ url, invoiceKey, adminKey }) {
    this.url = url;
    this.invoiceKey = invoiceKey;
    this.adminKey = adminKey;
  }

  async call(key, path, body) {
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method: body ? "POST" : "GET",
      headers: { "Content-Type": "application/json", "X-Api-Key": key },
      body: body && JSON.stringify(body),
    });
    const json = await answer.json();
    if (answer.ok) return json;
    const message = `LNbits: ${json.detail}`;
    if (answer.status === 404) throw new Refusal("NOT_FOUND", message);
    throw new Refusal(json.detail === "Insufficient balance." ? "INSUFFICIENT_BALANCE" : "OTHER", message);
  }

  async getBalance() {
    return { balance: (await this.call(this.invoiceKey, "/wallet")).balance };
  }

  async makeInvoice({ amount, description, description_hash, expiry }) {
    // LNbits would round the amount down without a word.
    if (amount % 1000 !== 0) throw new Refusal("OTHER", "this wallet makes invoices of whole sats only");
    const made = await this.call(this.invoiceKey, "/payments", {
      out: false,
      amount: amount / 1000,
      memo: description ?? "",
      description_hash,
      expiry,
    });
    return this.lookupInvoice({ payment_hash: made.payment_hash });
  }

  async lookupInvoice({ payment_hash, invoice }) {
    const hash = payment_hash ?? (await this.call(this.invoiceKey, "/payments/decode", { data: invoice })).payment_hash;
    const { details } = await this.call(this.invoiceKey, `/payments/${hash}`);
    const type = details.amount < 0 ? "outgoing" : "incoming";
    const state = states[type][details.status];
    const settled = state === "settled";
    return {
      type,
      state,
      invoice: details.bolt11,
      description: details.memo,
      payment_hash: hash,
      amount: Math.abs(details.amount),
      fees_paid: Math.abs(details.fee),
      created_at: seconds(details.created_at),
      expires_at: seconds(details.expiry),
      // LNbits knows the preimage before anybody has paid.
      ...(settled && { preimage: details.preimage, settled_at: seconds(details.updated_at) }),
    };
  }

  async payInvoice({ invoice }) {
    const paid = await this.call(this.adminKey, "/payments", { out: true, bolt11: invoice }).catch((error) => {
      throw error.code === "OTHER" ? new Refusal("PAYMENT_FAILED", error.message) : error;
    });
    // LNbits answers some payments that it does not make with 201 too.
    if (paid.status !== "success") throw new Refusal("PAYMENT_FAILED", `LNbits: the payment is ${paid.status}`);
    return { preimage: paid.preimage, fees_paid: Math.abs(paid.fee) };
  }
}
