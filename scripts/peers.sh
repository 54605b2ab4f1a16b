#!/usr/bin/env bash
# The brokers that the benches compare with, from Debian's packages, on loopback.
#   scripts/peers.sh install      nats-server and rabbitmq-server, without starting anything
#   scripts/peers.sh start        both, in the foreground of nobody; prints what the bench needs as NAME=value
#   scripts/peers.sh stop         ends them, by the process ids that start has written down
# PEERS_STATE (default .cache/peers) is their folder; NATS_PORT (14222), RABBIT_STOMP (16613), RABBIT_AMQP
# (15672), RABBIT_DIST (15673) and RABBIT_EPMD (14369) their ports. Nothing of the system's own services is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

state=${PEERS_STATE:-.cache/peers}
[[ $state = /* ]] || state=$PWD/$state
nats_port=${NATS_PORT:-14222}
stomp_port=${RABBIT_STOMP:-16613}
amqp_port=${RABBIT_AMQP:-15672}
dist_port=${RABBIT_DIST:-15673}
epmd_port=${RABBIT_EPMD:-14369}
rabbit=/usr/lib/rabbitmq/bin

install_peers() {
    # Debian starts services as it installs them; whoever benches wants them still.
    local policy=/usr/sbin/policy-rc.d ours=
    if [ "$(id -u)" = 0 ] && [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod +x "$policy"
        ours=1
    fi
    local done=0
    need nats-server nats-server && need rabbitmq-server rabbitmq-server || done=$?
    [ -z "$ours" ] || rm -f "$policy"
    return $done
}

is_up() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

until_up() {
    local waited
    for ((waited = 0; waited < 1200; waited++)); do
        is_up "$1" && return
        sleep 0.1
    done
    die "nothing listens on port $1; see $state"
}

rabbit_environment() {
    export RABBITMQ_NODENAME=bench@localhost RABBITMQ_MNESIA_BASE=$state/mnesia RABBITMQ_LOG_BASE=$state/log
    export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT=$amqp_port RABBITMQ_DIST_PORT=$dist_port
    export RABBITMQ_ENABLED_PLUGINS_FILE=$state/enabled_plugins RABBITMQ_PID_FILE=$state/rabbitmq.pid
    export RABBITMQ_CONFIG_FILE=$state/rabbitmq RABBITMQ_CONF_ENV_FILE=/dev/null
    export RABBITMQ_ADVANCED_CONFIG_FILE=$state/advanced.config RABBITMQ_GENERATED_CONFIG_DIR=$state/generated
    # A name service of its own, on loopback as everything else.
    export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$epmd_port HOME=$state
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
}

start() {
    have nats-server || die 'nats-server is missing; run scripts/peers.sh install'
    [ -x "$rabbit/rabbitmq-server" ] || die 'rabbitmq-server is missing; run scripts/peers.sh install'
    mkdir -p "$state"
    if is_up "$nats_port" || is_up "$stomp_port"; then die 'one of the ports is taken; stop first'; fi
    setsid nats-server -a 127.0.0.1 -p "$nats_port" > "$state/nats.out" 2>&1 < /dev/null &
    echo $! > "$state/nats.pid"
    echo '[rabbitmq_stomp].' > "$state/enabled_plugins"
    cat > "$state/rabbitmq.conf" << END
stomp.listeners.tcp.1 = 127.0.0.1:$stomp_port
stomp.default_user = guest
stomp.default_pass = guest
END
    rabbit_environment
    setsid "$rabbit/rabbitmq-server" > "$state/rabbitmq.out" 2>&1 < /dev/null &
    until_up "$nats_port"
    until_up "$stomp_port"
    echo "NATS=127.0.0.1:$nats_port"
    echo "NATS_PID=$(cat "$state/nats.pid")"
    echo "RABBITMQ=127.0.0.1:$stomp_port"
    echo "RABBITMQ_PID=$(cat "$state/rabbitmq.pid")"
}

# end FILE WORD: ends the process of a file, if it is still the one that was started.
end() {
    local pid waited
    pid=$(cat "$1" 2>/dev/null) || return 0
    if tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -q "$2"; then
        kill "$pid"
        for ((waited = 0; waited < 300; waited++)); do
            [ -d "/proc/$pid" ] || break
            sleep 0.1
        done
        [ ! -d "/proc/$pid" ] || kill -9 "$pid"
    fi
    rm -f "$1"
}

stop() {
    end "$state/nats.pid" nats-server
    end "$state/rabbitmq.pid" "$state"
    ERL_EPMD_PORT=$epmd_port epmd -kill > /dev/null 2>&1 || true
    rm -rf "$state/mnesia" "$state/log" "$state/generated"
}

case ${1:-help} in
    install) install_peers ;;
    start) start ;;
    stop) stop ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0" ;;
esac
