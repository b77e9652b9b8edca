# Sourced by every suite's `run`: installing what it needs, and a gateway of its own.
# shellcheck shell=bash
set -euo pipefail

: "${LIVE_ROOT:?start suites with tests/live/run}" "${LIVE_CACHE:?}" "${LIVE_SCRATCH:?}" "${LIVE_COUNTS:?}"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo -n "$@"; fi
}

# one_at_a_time COMMAND… waits for other suites that install something.
one_at_a_time() {
  (
    flock 9
    "$@"
  ) 9>"$LIVE_CACHE/install.lock"
}

install_apt() {
  one_at_a_time install_apt_now "$@"
}

install_apt_now() {
  if [[ ! -e $LIVE_SCRATCH/apt-updated ]]; then
    as_root apt-get -qq update
    touch "$LIVE_SCRATCH/apt-updated"
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

# need_apt COMMAND:PACKAGE… installs the Debian package of every command that isn't there.
need_apt() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  if [[ ${#missing[@]} -gt 0 ]]; then install_apt "${missing[@]}"; fi
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || fail "${pair%%:*} (package ${pair#*:}) could not be installed"
  done
}

# python_env FOLDER makes $LIVE_CACHE/FOLDER/venv from FOLDER/requirements.txt and prints its path.
python_env() {
  one_at_a_time make_python_env "$1" >&2
  echo "$LIVE_CACHE/$1/venv"
}

make_python_env() {
  local wanted=$LIVE_ROOT/tests/live/$1/requirements.txt venv=$LIVE_CACHE/$1/venv
  if ! cmp -s "$wanted" "$venv/installed.txt"; then
    rm -rf "$venv"
    mkdir -p "${venv%/venv}"
    # Debian's Python comes without the part of venv that installs pip.
    python3 -c 'import ensurepip' 2>/dev/null || install_apt_now python3-venv >&2
    python3 -m venv "$venv" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >&2
    cp "$wanted" "$venv/installed.txt"
  fi
}

# npm_env FOLDER installs FOLDER/package.json's packages into FOLDER/node_modules, which git ignores.
npm_env() {
  one_at_a_time make_npm_env "$1"
}

make_npm_env() {
  local folder=$LIVE_ROOT/tests/live/$1
  if ! cmp -s "$folder/package.json" "$folder/node_modules/.installed.json"; then
    rm -rf "$folder/node_modules"
    npm install --prefix "$folder" --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error >&2
    cp "$folder/package.json" "$folder/node_modules/.installed.json"
  fi
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The binary under test: $SATFORGE_BIN, else a release build.
satforge_bin() {
  if [[ -n ${SATFORGE_BIN:-} ]]; then
    echo "$SATFORGE_BIN"
  else
    (cd "$LIVE_ROOT" && cargo build --release --locked --quiet >&2)
    echo "${CARGO_TARGET_DIR:-$LIVE_ROOT/target}/release/satforge"
  fi
}

# The tests of the target `peers`, built as `cargo test` builds its own: what they share is built already.
peers_bin() {
  (cd "$LIVE_ROOT" && cargo test --test peers --no-run --locked --quiet --message-format=json-render-diagnostics) |
    python3 -c 'import json, sys
for line in sys.stdin:
    made = json.loads(line)
    if made.get("executable") and made["target"]["name"] == "peers":
        print(made["executable"])'
}

gateway_pid=
gateway_log=

# start_gateway [ARGUMENT…] starts `satforge dev` on a free port; once it is ready, GATEWAY_URL is where it listens and
# GATEWAY_LOG what it printed.
start_gateway() {
  local bin port setting clean=()
  bin=$(satforge_bin)
  # The gateway reads SATFORGE_… variables and refuses those that it doesn't know: ours are none of its settings.
  for setting in "${!SATFORGE_@}"; do clean+=(-u "$setting"); done
  port=$(free_port)
  gateway_log=$LIVE_SCRATCH/gateway-$port.log
  GATEWAY_URL=http://127.0.0.1:$port
  GATEWAY_LOG=$gateway_log
  export GATEWAY_URL GATEWAY_LOG
  env "${clean[@]}" "$bin" dev --listen "127.0.0.1:$port" --data-dir "$LIVE_SCRATCH/data-$port" "$@" </dev/null >"$gateway_log" 2>&1 &
  gateway_pid=$!
  trap 'stop_gateway' EXIT
  local deadline=$((SECONDS + 60))
  until curl --noproxy '*' -fsS -o /dev/null --max-time 5 "$GATEWAY_URL/readyz" 2>/dev/null; do
    kill -0 "$gateway_pid" 2>/dev/null || fail "the gateway ended before it was ready: $(<"$gateway_log")"
    ((SECONDS < deadline)) || fail "the gateway was not ready within 60 s: $(<"$gateway_log")"
    sleep 0.1 # between two looks
  done
}

# stop_gateway asks the gateway to end and fails when it doesn't, or when it ends badly.
stop_gateway() {
  local status=$? ended=0
  trap - EXIT
  [[ -n $gateway_pid ]] || exit "$status"
  if [[ $status -ne 0 ]]; then
    echo "--- the gateway's last lines"
    tail -n 40 "$gateway_log"
  fi >&2
  kill -TERM "$gateway_pid" 2>/dev/null || true
  local deadline=$((SECONDS + 30))
  while kill -0 "$gateway_pid" 2>/dev/null; do
    if ((SECONDS >= deadline)); then
      kill -KILL "$gateway_pid" 2>/dev/null || true
      echo "FAILED: the gateway did not end within 30 s of SIGTERM" >&2
      status=1
      break
    fi
    sleep 0.1 # between two looks
  done
  wait "$gateway_pid" || ended=$?
  if [[ $ended -ne 0 ]]; then
    echo "FAILED: the gateway ended with status $ended: $(tail -n 5 "$gateway_log")" >&2
    status=1
  fi
  exit "$status"
}
