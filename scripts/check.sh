#!/usr/bin/env bash
# Passes every check that a change must pass: format, lints, tests, docs, then end to end with clients
# that were not written here. Installs what it needs. With CI=1 anything missing is a failure; at home
# a part that cannot run is skipped aloud and listed in the summary.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

summary=()
skipped=0

finish() {
    say "Summary after $SECONDS s"
    printf '    %s\n' "${summary[@]}"
    [ "$skipped" = 0 ] || say "$skipped part(s) were skipped: this run proves less than the pipeline does"
}

fail() {
    summary+=("FAILED   $1")
    finish
    exit 1
}

# step NAME COMMAND...: says what begins and what it took; the first failure ends the run.
step() {
    local name=$1 begin=$SECONDS
    shift
    say "$name"
    "$@" || fail "$name ($((SECONDS - begin)) s)"
    summary+=("passed   $name ($((SECONDS - begin)) s)")
    say "$name: passed in $((SECONDS - begin)) s"
}

skip() {
    [ -z "${CI:-}" ] || fail "$1: $2"
    say "SKIPPED $1: $2"
    summary+=("SKIPPED  $1: $2")
    skipped=$((skipped + 1))
}

docs() { RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps; }

# Incremental artefacts cost time and space in a build that happens once.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0

find_cargo
step 'C compiler' need cc build-essential
# librdkafka is built from C sources that come with its crate, and wants zlib's headers.
step 'C headers' need_header zlib.h zlib1g-dev
step 'Python' need python3 python3
step 'Format' cargo fmt --all --check
step 'Links of the texts' python3 scripts/links.py
step 'Metrics, told of in the texts' bash scripts/metrics-doc.sh
step 'Lints' cargo clippy --locked --workspace --all-targets -- -D warnings
# Everything is built together, so that all resolves to the same features: one build, not two.
step 'Build of tests, programs and examples' cargo build --locked --workspace --bins --tests --examples
step 'Tests' cargo test --locked --workspace
# A few cells; scripts/long.sh audit plays all of them.
step 'Loss audit, briefly' bash scripts/audit.sh smoke
step 'Examples' bash scripts/examples.sh
step 'Documentation' docs
# Long enough to try every seed and what grows from it; scripts/long.sh fuzz goes on for longer.
step 'Fuzzing, briefly' bash scripts/fuzz.sh 5

if bash scripts/e2e-clients.sh; then
    step 'Types of the page' npm --silent --prefix tests/e2e run types
    step 'End to end' node tests/e2e/run.mjs
else
    skip 'End to end' 'its clients could not be installed'
fi
finish
