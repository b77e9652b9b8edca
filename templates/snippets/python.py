{% let s = self.0.service %}{% let url = self.0.site.public_url.as_str() -%}
{% if s.takes_image() -%}
import base64
{% endif -%}
import json
import urllib.error
import urllib.request

API = "{{ url }}{{ s.path }}"
{%- if s.takes_image() %}

with urllib.request.urlopen("{{ url }}/static/sample.png") as sample:
    IMAGE = base64.b64encode(sample.read()).decode()

BODY = json.dumps({"image": "data:image/png;base64," + IMAGE}).encode()
{%- else %}
BODY = {{ self.0.script_body }}.encode()
{%- endif %}


def post(url, body, **headers):
    headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, body, headers)
    try:
        return json.load(urllib.request.urlopen(request, timeout={{ self.0.site.read_timeout_seconds() }}))
    except urllib.error.HTTPError as answer:
        return json.load(answer)


challenge = post(API, BODY)
print(challenge["price_sats"], "sats:", challenge["invoice"])
--8<--
{% if self.0.site.sandbox_payments -%}
bill = json.dumps({"invoice": challenge["invoice"]}).encode()
preimage = post("{{ url }}/sandbox/pay", bill)["preimage"]
{%- else -%}
preimage = input("Preimage: ").strip()
{%- endif %}
--8<--
credential = f"L402 {challenge['macaroon']}:{preimage}"

answer = post(API, BODY, Authorization=credential)
print(answer)
--8<--
urllib.request.urlretrieve(answer["{{ s.result_field }}"], "{{ self.0.file }}")
