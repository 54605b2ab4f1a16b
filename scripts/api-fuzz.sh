#!/usr/bin/env bash
# Drives the chat's REST interface from its own description: an independent validator reads that first, then a
# schema-based fuzzer asks every operation what nobody would ask, as a person and as a service. A 5xx or a
# panic in the log is a failure; whether answers are as described is not asked here.
#   cargo build -p chat-app && scripts/api-fuzz.sh [SECONDS]         60 by default, half for each
# CHAT_APP is the program (target/debug/chat-app). openapi-spec-validator and schemathesis come from PyPI into .cache.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

seconds=${1:-60}
chat=${CHAT_APP:-target/debug/chat-app}
[ -x "$chat" ] || die 'build it first: cargo build -p chat-app'
tools=.cache/api-fuzz
if [ ! -x $tools/bin/schemathesis ]; then
    say 'Installing openapi-spec-validator and schemathesis (once)'
    python3 -m venv $tools
    $tools/bin/pip --quiet install openapi-spec-validator==0.9.0 schemathesis==4.32.5
fi

work=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2> /dev/null || true
    wait 2> /dev/null || true
    rm -rf "$work"
}
trap finish EXIT

"$chat" demo --data "$work/data" > /dev/null 2>&1
person=$("$chat" token mina --data "$work/data" 2> /dev/null | tail -1)
service=$("$chat" token house --scope service --data "$work/data" 2> /dev/null | tail -1)
"$chat" serve --data "$work/data" --http 127.0.0.1:0 --tcp 127.0.0.1:0 > "$work/out" 2> "$work/log" &
server=$!
address=
for ((tries = 0; tries < 200; tries++)); do
    address=$(sed -n 's/.*ws:\/\/\([^/]*\)\/ws.*/\1/p' "$work/out" | head -1)
    [ -z "$address" ] || break
    sleep 0.1
done
[ -n "$address" ] || die "it did not start: $(tail -3 "$work/log")"

curl --silent --fail "http://$address/api/v1/openapi.json" > "$work/openapi.json"
$tools/bin/openapi-spec-validator "$work/openapi.json"

# ask WHO TOKEN: what a bearer of this token finds.
ask() {
    say "Asking as $1 for $((seconds / 2)) s"
    $tools/bin/schemathesis run "http://$address/api/v1/openapi.json" --max-time $((seconds / 2)) --no-color \
        --checks not_a_server_error --phases examples,coverage,fuzzing,stateful --request-timeout 30 --warnings off \
        --header "Authorization: Bearer $2" > "$work/report" 2>&1 || { cat "$work/report"; die "as $1"; }
    sed -n '/SUMMARY/,$p' "$work/report"
}
ask 'a person' "$person"
ask 'a service' "$service"
kill -0 "$server" || die "the server has ended: $(tail -5 "$work/log")"
! grep -q 'panicked' "$work/log" || die "$(grep -A3 panicked "$work/log")"
