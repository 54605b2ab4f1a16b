#!/usr/bin/env bash
# A real MariaDB on loopback, for tests and for trying things out; no system service is started or touched.
#   scripts/mariadb.sh start [--port P] [--owner PID]
#                                         a fresh, empty server; the last line is its URL for --database;
#                                         it is stopped when the process PID has ended, however that ended
#   scripts/mariadb.sh stop               ends it and forgets its data
#   scripts/mariadb.sh kill | pause       it dies at once (kill -9), or stands still
#   scripts/mariadb.sh resume             it goes on, or starts again with what it had
#   scripts/mariadb.sh database NAME      another empty database on it; the last line is its URL
#   scripts/mariadb.sh url | status       its URL; its process and port
# MARIADB_STATE (default .cache/mariadb/state) is the folder of one server; several can run side by side.
# MARIADB_OPTIONS: more options for the server, e.g. --innodb-flush-log-at-trx-commit=1 to measure what is safe
# against a loss of power (by default a commit is safe against the end of the process only, which is quicker).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

state=${MARIADB_STATE:-.cache/mariadb/state}
[[ $state = /* ]] || state=$PWD/$state
ports=$PWD/.cache/mariadb/ports

# The parts without the service: nothing of them starts by itself.
fetch() {
    mkdir -p .cache/mariadb
    exec 9> .cache/mariadb/lock
    flock 9 # two tests may want it at once
    PATH=$PATH:/usr/sbin
    need mariadbd mariadb-server-core || die 'MariaDB is needed'
    need mariadb mariadb-client-core || die 'the client of MariaDB is needed'
    exec 9>&-
}

is_free() { ! (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A free port, kept from servers that are started at the same time: until one listens, it looks free.
# Below those that outgoing connections take, and apart from those of scripts/kafka.sh.
free_port() {
    local port
    mkdir -p "$ports"
    find "$ports" -mindepth 1 -maxdepth 1 -mmin +10 -delete
    for _ in {1..50}; do
        port=$((19000 + RANDOM % 1000))
        if is_free "$port" && mkdir "$ports/$port" 2>/dev/null; then echo "$port" && return; fi
    done
    die 'no free port after 50 attempts'
}

# It runs as who starts it, and as root only where that is said.
as_whom() { if [ "$(id -u)" = 0 ]; then echo --user=root; fi; }

# The process, if it is one that this script started and that still runs.
process() {
    local pid
    pid=$(cat "$state/pid" 2>/dev/null) || return 1
    tr '\0' '\n' < "/proc/$pid/cmdline" 2>/dev/null | grep -qxF -- "--datadir=$state/data" || return 1
    echo "$pid"
}

port() { cat "$state/port"; }
url() { echo "mysql://chat:chat@127.0.0.1:$(port)/${1:-chat}"; }
client() { mariadb --no-defaults --connect-timeout=1 -h127.0.0.1 -P"$(port)" "$@"; }

launch() {
    # A session of its own, holding none of our files: it outlives this script and whoever called it.
    # shellcheck disable=SC2046,SC2086 # several options, or none
    setsid mariadbd --no-defaults $(as_whom) --datadir="$state/data" --bind-address=127.0.0.1 --port="$(port)" \
        --socket="$state/socket" --pid-file="$state/server.pid" --skip-name-resolve --skip-log-bin \
        --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=2 \
        --performance-schema=0 --character-set-server=utf8mb4 --collation-server=utf8mb4_bin \
        ${MARIADB_OPTIONS:-} > "$state/out" 2>&1 < /dev/null &
    echo $! > "$state/pid"
}

# until_ready USER: once it answers this user.
until_ready() {
    for _ in {1..600}; do
        if client "$@" -e 'select 1' > /dev/null 2>&1; then return; fi
        process > /dev/null || break
        sleep 0.1
    done
    tail -n 20 "$state/out" >&2
    die "MariaDB did not start; all it said is in $state/out"
}

start() {
    local port='' owner=''
    while [ $# -gt 0 ]; do
        case $1 in
            --port) port=$2 ;;
            --owner) owner=$2 ;;
            *) die "unknown argument: $1" ;;
        esac
        shift 2
    done
    fetch
    stop
    mkdir -p "$state"
    echo "${port:-$(free_port)}" > "$state/port"
    # shellcheck disable=SC2046 # one option, or none
    mariadb-install-db --no-defaults $(as_whom) --datadir="$state/data" --auth-root-authentication-method=normal \
        --skip-test-db --skip-name-resolve > "$state/install" 2>&1 \
        || die "the data folder could not be made: $(cat "$state/install")"
    launch
    [ -z "$owner" ] || guard "$owner"
    until_ready -uroot
    client -uroot -e "create database chat; create user 'chat'@'127.0.0.1' identified by 'chat';
        grant all on *.* to 'chat'@'127.0.0.1'"
    status
    url
}

# Stops the server once its owner has ended.
guard() {
    # shellcheck disable=SC2016 # it is the other shell that expands
    MARIADB_STATE=$state setsid bash -c 'while [ -e "/proc/$0" ]; do sleep 0.5; done; exec bash scripts/mariadb.sh stop' \
        "$1" > /dev/null 2>&1 < /dev/null &
}

stop() {
    local pid
    # What is thrown away needs no orderly end, and a server that stands still would not hear of one.
    if pid=$(process); then
        kill -9 "$pid"
        until_gone
    fi
    rm -rf "${state:?}"
}

until_gone() {
    for _ in {1..100}; do
        process > /dev/null || return 0
        sleep 0.1
    done
    die 'MariaDB does not end'
}

status() {
    local pid how=stopped
    [ -e "$state/port" ] || { say 'no server' && return; }
    if pid=$(process); then
        how="process $pid"
        [ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat")" = T ] && how+=', paused'
    fi
    say "MariaDB: 127.0.0.1:$(port), $how"
}

running() { process || die 'MariaDB does not run'; }

resume() {
    local pid
    [ -e "$state/port" ] || die 'there is no server'
    if pid=$(process); then kill -CONT "$pid"; else PATH=$PATH:/usr/sbin launch; fi
    until_ready -uchat -pchat
}

case ${1:-} in
    start) shift && start "$@" ;;
    stop) stop ;;
    kill) kill -9 "$(running)" && until_gone ;;
    pause) kill -STOP "$(running)" ;;
    resume) resume ;;
    database) client -uchat -pchat -e "create database $2" && url "$2" ;;
    url) url ;;
    status) status ;;
    *) sed -n '2,15s/^# \{0,1\}//p' "$0" ;;
esac
