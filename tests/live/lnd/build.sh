#!/usr/bin/env bash
# Builds lnd and btcd from the Go module proxy into the folder that is named, unless they are there already.
# The first build takes minutes and a few gigabytes of Go's caches; after it only a changed go.mod or go.sum costs one.
set -euo pipefail

bin=$1
cd "$(dirname "${BASH_SOURCE[0]}")"
wanted=$(cat go.mod go.sum build.sh | sha256sum)
if [[ -x $bin/lnd && -x $bin/btcd && $(cat "$bin/built-from" 2>/dev/null) == "$wanted" ]]; then exit 0; fi

command -v go >/dev/null || {
  echo "building LND needs Go 1.24.11 or newer, and there is no 'go'" >&2
  exit 1
}
mkdir -p "$bin"
rm -f "$bin/built-from"
began=$SECONDS
echo "building lnd and btcd" >&2
# The releases of LND have the invoices service, too; the services for its databases and for signing play no part here.
GOFLAGS=-buildvcs=false GOWORK=off go build -trimpath -ldflags '-s -w' -tags invoicesrpc -o "$bin/" \
  github.com/lightningnetwork/lnd/cmd/lnd github.com/btcsuite/btcd
echo "built lnd and btcd in $((SECONDS - began)) s" >&2
echo "$wanted" >"$bin/built-from"
