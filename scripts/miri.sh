#!/usr/bin/env bash
# Runs stomp-core's tests under miri, which notices what the language leaves undefined. The crate has
# no unsafe code of its own; this looks at how it uses others'. Slow: the properties run few cases.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
find_cargo

cargo +nightly --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal
rustup component add --toolchain nightly miri rust-src
# Isolation off: the tests read files and the clock. allocations.rs counts what miri does differently.
export MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=${PROPTEST_CASES:-1}
cargo +nightly miri test -p stomp-core --all-features --lib --test traces --test spec --test split \
    --test differential --test roundtrip
