{% let s = self.0.service %}{% let url = self.0.site.public_url.as_str() -%}
import { writeFile } from "node:fs/promises";
{%- if !self.0.site.sandbox_payments %}
import { createInterface } from "node:readline/promises";
{%- endif %}

const api = "{{ url }}{{ s.path }}";
{%- if s.takes_image() %}
const sample = await fetch("{{ url }}/static/sample.png");
const image = Buffer.from(await sample.arrayBuffer()).toString("base64");
const body = JSON.stringify({ image: `data:image/png;base64,${image}` });
{%- else %}
const body = {{ self.0.script_body }};
{%- endif %}

const post = async (url, body, headers = {}) => {
  headers["Content-Type"] = "application/json";
  const response = await fetch(url, { method: "POST", headers, body });
  return response.json();
};

const challenge = await post(api, body);
console.log(`${challenge.price_sats} sats: ${challenge.invoice}`);
--8<--
{% if self.0.site.sandbox_payments -%}
const bill = JSON.stringify({ invoice: challenge.invoice });
const { preimage } = await post("{{ url }}/sandbox/pay", bill);
{%- else -%}
const terminal = createInterface(process.stdin, process.stdout);
const preimage = (await terminal.question("Preimage: ")).trim();
terminal.close();
{%- endif %}
--8<--
const answer = await post(api, body, {
  Authorization: `L402 ${challenge.macaroon}:${preimage}`,
});
console.log(answer);
--8<--
const file = await fetch(answer.{{ s.result_field }});
await writeFile("{{ self.0.file }}", file.body);
