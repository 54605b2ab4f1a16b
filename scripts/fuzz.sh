#!/usr/bin/env bash
# Fuzzes every target of fuzz/ for SECONDS each (default 10): scripts/fuzz.sh 60
# Needs a nightly toolchain; installs it and cargo-fuzz where they are missing. The first build takes
# one to two minutes, later ones seconds. What is found lands in fuzz/artifacts, with the command to
# repeat it; what was learnt stays in fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
find_cargo
need cc build-essential
need c++ build-essential

seconds=${1:-10}
tools=$PWD/.cache/tools

cargo +nightly --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal
if [ ! -x "$tools/bin/cargo-fuzz" ]; then
    say 'Building cargo-fuzz (once)'
    cargo install --quiet --locked --root "$tools" --profile dev --target-dir .cache/tools-target cargo-fuzz@0.13.2
fi
export PATH="$tools/bin:$PATH"
# One target folder in the checkout, whatever the caller uses for other builds.
unset CARGO_TARGET_DIR

for target in decode split roundtrip unescape negotiate session; do
    say "Fuzzing $target for $seconds s"
    mkdir -p "fuzz/corpus/$target"
    log=$(mktemp)
    if ! cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -dict=fuzz/stomp.dict -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 >"$log" 2>&1; then
        tail -n 60 "$log"
        rm -f "$log"
        die "fuzzing $target found something"
    fi
    grep -E 'number_of_executed_units|average_exec_per_sec' "$log" | sed 's/^/    /'
    rm -f "$log"
done
