# Shared by the scripts beside it; sourced, never run.
# shellcheck shell=bash

say() { printf '==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# need COMMAND PACKAGE...: installs the Debian packages when the command is missing.
# Without root it says what to install instead of asking for a password in the middle of a script.
need() {
    local command=$1
    shift
    have "$command" && return 0
    if [ "$(id -u)" != 0 ]; then
        printf 'error: "%s" is missing; install it with: sudo apt-get install %s\n' "$command" "$*" >&2
        return 1
    fi
    have apt-get || { printf 'error: "%s" is missing and there is no apt-get to install %s\n' "$command" "$*" >&2; return 1; }
    say "Installing $* (for $command)"
    # A fresh machine has no package lists yet; fetch them once a run.
    if [ -z "${apt_updated:-}" ]; then
        apt-get update -qq
        apt_updated=1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    have "$command"
}

# rustup leaves cargo outside the PATH of shells that were open before it ran.
find_cargo() {
    if ! have cargo && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH="$HOME/.cargo/bin:$PATH"
    fi
    have cargo || die 'cargo is missing; install the Rust toolchain with rustup first'
}
