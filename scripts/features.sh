#!/usr/bin/env bash
# Checks that features only add: stomp-server compiles with each alone and with the usual mixes, and
# who leaves one out does not get what it brings.
set -euo pipefail
cd "$(dirname "$0")/.."

for features in '' websocket client client,tls users jwt tls sqlite rate prometheus admin program testing \
    websocket,tls websocket,client,testing; do
    printf '==> stomp-server with [%s]\n' "$features"
    cargo check --quiet --locked -p stomp-server --lib --no-default-features --features "$features"
done

# without PATTERN FEATURES: no dependency of this name in a build with these features.
without() {
    local found
    found=$(cargo tree --locked -p stomp-server -e normal,build --no-default-features --features "$2" --prefix none | grep -E "^($1) " || true)
    if [ -n "$found" ]; then
        printf 'stomp-server with [%s] has what it should not: %s\n' "$2" "$found"
        exit 1
    fi
    printf '==> [%s] is without %s\n' "$2" "$1"
}

without 'clap|clap_derive|indicatif' websocket,client,sqlite,users,jwt,tls,rate,prometheus,admin,testing
without 'rdkafka|rdkafka-sys' websocket,client,sqlite,users,jwt,tls,rate,prometheus,admin,testing
without 'openssl-sys|aws-lc-sys|aws-lc-rs' websocket,client,sqlite,users,jwt,tls,rate,prometheus,testing,cli
without 'cc|ring|libsqlite3-sys|libmimalloc-sys' websocket,client,users,admin,testing
