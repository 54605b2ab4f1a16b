#!/usr/bin/env bash
# Runs every example. Each checks itself and ends; one that hangs or fails ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."
# Together with everything else, so that no crate is built twice with different features.
cargo build --locked --workspace --bins --tests --examples
for example in embed mount_in_axum handlers own_auth own_broker client_bot ws_echo; do
    printf '==> %s\n' "$example"
    timeout 120 "${CARGO_TARGET_DIR:-target}/debug/examples/$example"
done
