# Shared by the scripts beside it; sourced, never run.
# shellcheck shell=bash

say() { printf '==> %s\n' "$*"; }
complain() { printf 'error: %s\n' "$*" >&2; }
die() { complain "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# install PACKAGE...: Debian packages. Without root it says what to install
# instead of asking for a password in the middle of a script.
install() {
    if [ "$(id -u)" != 0 ] || ! have apt-get; then
        complain "please install: $* (on Debian: sudo apt-get install $*)"
        return 1
    fi
    say "Installing $*"
    # A fresh machine has no package lists yet; fetch them once a run.
    if [ -z "${lists_fetched:-}" ]; then
        apt-get update -qq || return 1
        lists_fetched=1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# need COMMAND PACKAGE...: installs the packages when the command is missing.
need() {
    local command=$1
    shift
    have "$command" || install "$@"
}

# need_header FILE PACKAGE...: the same for a header that C sources include.
need_header() {
    local header=$1
    shift
    echo "#include <$header>" | cc -E -x c - >/dev/null 2>&1 || install "$@"
}

# rustup leaves cargo outside the PATH of shells that were open before it ran.
find_cargo() {
    if ! have cargo && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH="$HOME/.cargo/bin:$PATH"
    fi
    have cargo || die 'cargo is missing; install the Rust toolchain with rustup first'
}
