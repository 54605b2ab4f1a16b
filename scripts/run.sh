#!/usr/bin/env bash
# Builds the chat server and runs it on embedded defaults: SQLite in ./chat-data, nothing to configure.
# Arguments go to chat-app, e.g. scripts/run.sh --http 127.0.0.1:9000
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

find_cargo
# SQLite, ring and librdkafka are compiled from C sources that come with their crates; the last one wants zlib's headers.
need cc build-essential || die 'a C compiler is needed to build'
need_header zlib.h zlib1g-dev || die "zlib's headers are needed to build"

say 'Building chat-app in release mode (the first build takes some minutes)'
cargo build --release --locked -p chat-app

say 'Starting the chat server; Ctrl-C stops it, ./chat-data keeps everything'
exec "${CARGO_TARGET_DIR:-target}/release/chat-app" "$@"
