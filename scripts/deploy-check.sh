#!/usr/bin/env bash
# Checks deploy/ without running it: nginx reads its files, systemd the units, a YAML reader the rest, and every flag and
# variable in them is one that the programs' help shows.
#   scripts/deploy-check.sh
# PROGRAMS: the folder with chat-app and stomp-server, target/debug by default. What is missing is skipped aloud; with
# CI=1 that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

skip() {
    [ -z "${CI:-}" ] || die "$1"
    say "SKIPPED $1"
}

# The sample names a certificate and hosts that are not here; it gets a certificate made for this, and loopback for hosts.
check_nginx() {
    need nginx nginx-light || { skip 'nginx: it is not installed'; return; }
    need openssl openssl || { skip 'nginx: no openssl to make a certificate with'; return; }
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=chat.example.org \
        -keyout "$scratch/chat.key" -out "$scratch/chat.crt" 2>/dev/null
    local file
    for file in deploy/nginx*.conf; do
        say "nginx -t: $file"
        sed -e "s|/etc/nginx/chat|$scratch/chat|" -e 's/server \(api\|chat-[0-9]\):/server 127.0.0.1:/' \
            "$file" > "$scratch/nginx.conf"
        nginx -t -q -c "$scratch/nginx.conf" -g "pid $scratch/pid; error_log stderr;"
    done
}

# The programs are not where the units will find them: /bin/true stands in for them.
check_units() {
    have systemd-analyze || { skip 'units: there is no systemd-analyze'; return; }
    local unit
    for unit in deploy/systemd/*.service; do
        sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$unit" > "$scratch/$(basename "$unit")"
        grep -q '^ExecStart=/bin/true' "$scratch/$(basename "$unit")" || die "$unit starts nothing"
    done
    mv "$scratch/chat-app@.service" "$scratch/chat-app@chat-1.service"
    for unit in "$scratch"/*.service; do
        say "systemd-analyze verify: $(basename "$unit")"
        # It tells of a key that it does not know, and is content all the same.
        systemd-analyze verify --man=no "$unit" 2> "$scratch/told" || { cat "$scratch/told" >&2; die 'refused'; }
        ! grep -F "$scratch/" "$scratch/told" >&2 || die 'something in it was passed over'
    done
}

check_users() {
    have systemd-sysusers || { skip 'users: there is no systemd-sysusers'; return; }
    say 'systemd-sysusers --dry-run'
    systemd-sysusers --dry-run "$PWD/deploy/systemd/sysusers.conf" > /dev/null 2> "$scratch/told" ||
        { cat "$scratch/told" >&2; die 'refused'; }
}

# Python with a YAML reader: the system's one has Debian's.
python_with_yaml() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -c 'import yaml' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

check_names() {
    python_with_yaml >/dev/null || install python3-yaml || { skip 'YAML: Python has no reader for it'; return; }
    local programs=${PROGRAMS:-target/debug}
    if [ -x "$programs/chat-app" ] && [ -x "$programs/stomp-server" ]; then
        "$(python_with_yaml)" scripts/deploy_names.py "$programs"
    else
        skip "names of flags and variables: no programs in $programs"
        "$(python_with_yaml)" scripts/deploy_names.py
    fi
}

check_nginx
check_units
check_users
check_names
say 'Nothing wrong was found in deploy/; what was skipped, and what only a run shows, is not in that'
