#!/usr/bin/env bash
# What is too long for every change of stomp-core. Without an argument everything.
#   scripts/long-core.sh tests       10^6 frames against the reference parser, 100,000 cases a property
#   scripts/long-core.sh coverage    line coverage of the crate: at least 95 %
#   scripts/long-core.sh mutants     small damages to the code: at least 90 % noticed
#   scripts/long-core.sh benches     all questions of benches/, the published codecs too
#   scripts/long-core.sh publish     the package is whole, and builds with the oldest Rust that it names
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
find_cargo

tools=$PWD/.cache/tools
crate=(--package stomp-core --all-features)

# tool COMMAND VERSION: a pinned cargo subcommand, built once into .cache.
tool() {
    PATH="$tools/bin:$PATH"
    [ -x "$tools/bin/$1" ] && return 0
    say "Building $1 $2 (once)"
    cargo install --quiet --locked --root "$tools" --profile dev --target-dir .cache/tools-target "$1@$2"
}

tests() {
    say 'A million frames against the reference parser'
    DIFFERENTIAL_FRAMES=1000000 DIFFERENTIAL_SEED=${DIFFERENTIAL_SEED:-$RANDOM} \
        cargo test --locked --release "${crate[@]}" --test differential -- --nocapture
    say 'Properties, 100,000 cases each'
    PROPTEST_CASES=${PROPTEST_CASES:-100000} cargo test --locked --release "${crate[@]}" --test roundtrip
}

coverage() {
    rustup component add llvm-tools
    tool cargo-llvm-cov 0.9.1
    cargo llvm-cov "${crate[@]}" --summary-only --fail-under-lines 95
}

mutants() {
    tool cargo-mutants 27.1.0
    # Missed ones make it fail; what counts is the share.
    cargo mutants "${crate[@]}" --timeout 60 --output .cache -- --lib --tests || true
    local caught missed
    caught=$(cat .cache/mutants.out/caught.txt .cache/mutants.out/timeout.txt | wc -l)
    missed=$(wc -l < .cache/mutants.out/missed.txt)
    say "Mutants: $caught noticed, $missed missed"
    [ $((caught * 100)) -ge $(((caught + missed) * 90)) ] || die 'less than 90 % noticed'
}

benches() {
    cargo bench --locked --package benches --bench parse --bench fanout_encode
    cargo run --locked --release --manifest-path benches/published/Cargo.toml
}

publish() {
    cargo publish --dry-run --locked --allow-dirty --package stomp-core
    local oldest
    oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' stomp-core/Cargo.toml)
    rustup toolchain install "$oldest" --profile minimal --no-self-update
    cargo "+$oldest" check --locked --package stomp-core --lib
    cargo "+$oldest" check --locked "${crate[@]}" --lib
}

case ${1:-all} in
    tests | coverage | mutants | benches | publish) "$1" ;;
    all)
        tests
        publish
        benches
        coverage
        mutants
        ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0" ;;
esac
