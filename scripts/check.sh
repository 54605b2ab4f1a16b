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
started=$SECONDS

# step NAME COMMAND...: one line before, one after with the seconds taken; the first failure ends the run.
step() {
    local name=$1 begin=$SECONDS
    shift
    say "$name"
    if ! "$@"; then
        summary+=("FAILED   $name ($((SECONDS - begin)) s)")
        finish
        exit 1
    fi
    summary+=("passed   $name ($((SECONDS - begin)) s)")
    say "$name: passed in $((SECONDS - begin)) s"
}

skip() {
    if [ -n "${CI:-}" ]; then
        summary+=("FAILED   $1: $2")
        finish
        exit 1
    fi
    say "SKIPPED $1: $2"
    summary+=("SKIPPED  $1: $2")
    skipped=$((skipped + 1))
}

finish() {
    say "Summary after $((SECONDS - started)) s"
    printf '    %s\n' "${summary[@]}"
    [ "$skipped" = 0 ] || printf '    %s part(s) were skipped: this run proves less than CI does\n' "$skipped"
}

rust_ready() {
    find_cargo
    need cc build-essential
}

docs() { RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps; }

# Links in an .npmrc or a lock file would tie the checkout to one registry: the lock has none.
clients_ready() {
    need node nodejs && need npm npm && need python3 python3 && need chromium chromium || return 1
    python3 -c 'import ensurepip, venv' 2>/dev/null || need no-such-command python3-venv || true

    local wanted
    wanted=$(cat tests/e2e/package-lock.json tests/e2e/requirements.txt | cksum)
    [ "$(cat .cache/e2e-installed 2>/dev/null)" = "$wanted" ] && return 0
    mkdir -p .cache
    say 'Installing the pinned test clients (npm and pip)'
    (cd tests/e2e && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent --no-audit --no-fund) || return 1
    python3 -m venv .cache/venv || return 1
    .cache/venv/bin/pip install -q --disable-pip-version-check -r tests/e2e/requirements.txt || return 1
    echo "$wanted" > .cache/e2e-installed
}

# Incremental artefacts cost space and time in a build that happens once.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0

step 'Rust toolchain and C compiler' rust_ready
step 'Format' cargo fmt --all --check
step 'Lints (clippy, every target)' cargo clippy --locked --workspace --all-targets -- -D warnings
# The binaries are built together with the tests, so that both resolve to the same features: one build, not two.
step 'Build of tests and binaries' cargo build --locked --workspace --bins --tests
step 'Tests' cargo test --locked --workspace
step 'Documentation' docs

if clients_ready; then
    step 'Page types (tsc)' npm --silent --prefix tests/e2e run types
    step 'End to end' node tests/e2e/run.mjs
else
    skip 'End to end' 'its clients could not be installed'
fi
finish
