{% let s = self.0.service %}{% let url = self.0.site.public_url.as_str() %}
{%- if s.takes_image() -%}
curl -fsS -O '{{ url }}/static/sample.png'

printf '{"image":"data:image/png;base64,%s"}' \
  "$(base64 < sample.png | tr -d '\n')" > body.json

curl -sS -D challenge.txt -o challenge.json \
  -H 'Content-Type: application/json' \
  --data-binary @body.json \
  '{{ url }}{{ s.path }}'

cat challenge.txt challenge.json; echo
{%- else -%}
BODY={{ self.0.shell_body }}

curl -sS -D challenge.txt -o challenge.json \
  -H 'Content-Type: application/json' \
  --data-binary "$BODY" \
  '{{ url }}{{ s.path }}'

cat challenge.txt challenge.json; echo
{%- endif %}
--8<--
MACAROON=$(sed -n 's/.*macaroon="\([^"]*\)".*/\1/p' challenge.txt)
INVOICE=$(sed -n 's/.*invoice="\([^"]*\)".*/\1/p' challenge.txt)

{% if self.0.site.sandbox_payments -%}
curl -sS -o payment.json \
  -H 'Content-Type: application/json' \
  --data-binary "{\"invoice\":\"$INVOICE\"}" \
  '{{ url }}/sandbox/pay'

PREIMAGE=$(sed -n 's/.*"preimage": *"\([^"]*\)".*/\1/p' payment.json)
{%- else -%}
echo "$INVOICE"

PREIMAGE='the 64 hex characters that your wallet shows'
{%- endif %}
--8<--
curl -sS -o answer.json \
  -H 'Content-Type: application/json' \
  -H "Authorization: L402 $MACAROON:$PREIMAGE" \
{%- if s.takes_image() %}
  --data-binary @body.json \
{%- else %}
  --data-binary "$BODY" \
{%- endif %}
  '{{ url }}{{ s.path }}'

cat answer.json; echo
--8<--
URL=$(sed -n 's/.*"{{ s.result_field }}": *"\([^"]*\)".*/\1/p' answer.json)

curl -fsS -o {{ self.0.file }} "$URL"
