#!/usr/bin/env bash
# What is too long for every change. Each part ends by itself; results worth keeping go into docs/.
#   scripts/long.sh fuzz SECONDS    fuzz every target that long
#   scripts/long.sh miri            stomp-core's tests under miri
#   scripts/long.sh core            the long tests of stomp-core
#   scripts/long.sh coverage        line coverage of the workspace
#   scripts/long.sh mutants CRATE   does a test notice each small damage to the code?
#   scripts/long.sh kill9 ROUNDS    kill the chat server in the middle of sending, that many times
#   scripts/long.sh chat ROUNDS     kill the chat that often on SQLite, MariaDB and Kafka, and its roles in turn
#   scripts/long.sh push ROUNDS     kill the chat server while pushes are due and on their way, that many times
#   scripts/long.sh kafka           what a Kafka of three nodes survives, all of them killed included
#   scripts/long.sh audit SEEDS     the whole matrix of the loss audit, with that many seeds
#   scripts/long.sh api SECONDS     the chat's REST interface under a fuzzer that reads its description
#   scripts/long.sh import MESSAGES how long a large chat takes to move in, and how much memory
#   scripts/long.sh all             everything above with moderate figures
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
find_cargo

tools=$PWD/.cache/tools

# cargo_tool COMMAND CRATE VERSION: a pinned cargo subcommand, built once into .cache.
cargo_tool() {
    [ -x "$tools/bin/$1" ] && return 0
    say "Building $2 $3 (once)"
    cargo install --quiet --locked --root "$tools" --profile dev --target-dir .cache/tools-target "$2@$3"
}

# part NAME ARGUMENTS...: the parts that have a script of their own.
part() {
    local script=scripts/$1.sh
    shift
    [ -f "$script" ] || die "$script is missing"
    bash "$script" "$@"
}

coverage() {
    rustup component add llvm-tools
    cargo_tool cargo-llvm-cov cargo-llvm-cov 0.9.1
    PATH="$tools/bin:$PATH" cargo llvm-cov --workspace --summary-only
}

mutants() {
    cargo_tool cargo-mutants cargo-mutants 27.1.0
    PATH="$tools/bin:$PATH" cargo mutants --package "${1:-stomp-core}" --timeout 60 --output .cache
}

kill9() {
    cargo build --locked --workspace --bins --tests
    bash scripts/e2e-clients.sh
    E2E_CRASH_ROUNDS=${1:-50} node tests/e2e/run.mjs crash
}

chat() {
    local rounds=${1:-100}
    export CI=1 CHAT_KILLS=$rounds CHAT_ROUNDS=$(((rounds + 4) / 5))
    cargo test --locked -p chat-app --test crash --test roles -- --nocapture every_receipted_message
}

push() {
    PUSH_KILLS=${1:-100} cargo test --locked -p chat-app --test push_crash -- --nocapture
}

kafka() {
    CI=1 cargo test --locked -p stomp-server --test broker_kafka -- --nocapture nodes::
}

# Goes on after a seed that does not hold, so that all of them are seen.
audit() {
    local round failed=0
    for ((round = 0; round < ${1:-1}; round++)); do
        AUDIT_PROFILE=release bash scripts/audit.sh full || failed=1
    done
    return "$failed"
}

command=${1:-help}
[ $# = 0 ] || shift
case $command in
    fuzz) part fuzz "${1:-60}" ;;
    miri) part miri "$@" ;;
    core) part long-core "$@" ;;
    coverage) coverage ;;
    mutants) mutants "$@" ;;
    kill9) kill9 "$@" ;;
    chat) chat "$@" ;;
    push) push "$@" ;;
    kafka) kafka ;;
    audit) audit "$@" ;;
    api)
        cargo build --locked -p chat-app
        part api-fuzz "${1:-60}"
        ;;
    import)
        cargo build --locked --release -p chat-app
        part import-bench "$@"
        ;;
    all)
        part fuzz 60
        part miri
        part long-core
        coverage
        kill9 50
        audit 1
        chat 100
        push 100
        cargo build --locked -p chat-app
        part api-fuzz 120
        mutants stomp-core
        ;;
    *) sed -n '2,15s/^# \{0,1\}//p' "$0" ;;
esac
