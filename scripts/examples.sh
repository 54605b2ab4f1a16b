#!/usr/bin/env bash
# Runs every example. Each checks itself and ends; one that hangs or fails ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked -p examples --examples
for example in embed mount_in_axum handlers own_auth own_broker client_bot ws_echo; do
    printf '==> %s\n' "$example"
    timeout 120 cargo run --quiet --locked -p examples --example "$example"
done
