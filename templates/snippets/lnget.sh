{% let s = self.0.service %}{% let url = self.0.site.public_url.as_str() -%}
go install github.com/lightninglabs/lnget/cmd/lnget@latest
{% if s.takes_image() %}
curl -fsS -O '{{ url }}/static/sample.png'

BODY=$(printf '{"image":"data:image/png;base64,%s"}' \
  "$(base64 < sample.png | tr -d '\n')")
{%- else %}
BODY={{ self.0.shell_body }}
{%- endif %}

lnget -q --max-cost 0 \
  -X POST -H 'Content-Type: application/json' \
  -d "$BODY" \
  '{{ url }}{{ s.path }}'
--8<--
lnget config init
lnget ln status
--8<--
while
  lnget -q --max-cost {{ self.0.sats }} \
    -X POST -H 'Content-Type: application/json' -H 'Prefer: wait=15' \
    -d "$BODY" \
    '{{ url }}{{ s.path }}' > answer.json &&
  grep -Eq '"status": *"(queued|running)"' answer.json
do :; done

cat answer.json
--8<--
URL=$(sed -n 's/.*"{{ s.result_field }}": *"\([^"]*\)".*/\1/p' answer.json)

curl -fsS -o {{ self.0.file }} "$URL"
