#!/usr/bin/env bash
# A real Apache Kafka (KRaft, one process a node) on loopback, for tests and for trying things out.
#   scripts/kafka.sh start [--nodes N] [--port P]   fresh nodes (default 1); the last line is the bootstrap list
#   scripts/kafka.sh stop                           ends the nodes and forgets their messages
#   scripts/kafka.sh kill N | pause N               node N dies at once (kill -9), or stands still
#   scripts/kafka.sh resume N...                    the nodes go on, or start again with what they had
#   scripts/kafka.sh status                         nodes, process ids, ports
# KAFKA_STATE (default .cache/kafka/state) is the folder of one cluster; several can run side by side.
# Node N listens on port P+N-1 for clients and P+100+N-1 for controllers; without --port a free range is taken.
# KAFKA_PROPERTIES: more lines for server.properties, e.g. to try weaker settings.
# For the loss audit, which must be able to hurt one node alone: KAFKA_LOGS, a folder with a folder for each node
# (one of them a small disk); KAFKA_FIRST_UID, node N runs as user U+N; KAFKA_ADVERTISED, node N is reached on A+N-1.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

libs=$PWD/.cache/kafka/libs
state=${KAFKA_STATE:-.cache/kafka/state}
[[ $state = /* ]] || state=$PWD/$state

# Small heaps and the quick compiler: a node is up in seconds and takes 0.3 GB.
java=(java -Xms256m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto
    -Dlog4j2.configurationFile="$PWD/scripts/kafka/log4j2.xml" -cp "$libs/*")
cluster_id=MkU3OEVBNTcwNTJENDM2Qk

fetch() {
    need java default-jdk-headless || die 'Java is needed to run Kafka'
    need mvn maven || die 'Maven is needed to fetch Kafka'
    mkdir -p .cache/kafka
    exec 9> .cache/kafka/lock
    flock 9 # two tests may want it at once
    if ! cmp -s scripts/kafka/pom.xml "$libs/pom.xml"; then
        say 'Fetching Kafka (once)'
        rm -rf "$libs"
        mvn -q -B -f scripts/kafka/pom.xml dependency:copy-dependencies \
            -DoutputDirectory="$libs" -DincludeScope=runtime || die 'Kafka could not be fetched'
        cp scripts/kafka/pom.xml "$libs/"
    fi
    exec 9>&-
}

is_free() { ! (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Keeps a range from clusters that are started at the same time: until a node listens, it looks free.
reserve() {
    mkdir -p .cache/kafka/ports
    find .cache/kafka/ports -mindepth 1 -maxdepth 1 -mmin +10 -delete
    mkdir ".cache/kafka/ports/$1" 2>/dev/null && mkdir ".cache/kafka/ports/$(($1 + 100))" 2>/dev/null
}

# A port P with P.. and P+100.. free for so many nodes, below those that outgoing connections take.
free_port() {
    local try port i
    for try in {1..50}; do
        port=$((20000 + (RANDOM % 1000) * 10))
        for ((i = 0; i < $1; i++)); do
            if ! is_free $((port + i)) || ! is_free $((port + 100 + i)); then continue 2; fi
        done
        if reserve "$port"; then echo "$port" && return; fi
    done
    die "no free ports after $try attempts"
}

# properties NODE NODES PORT: short sessions and small internal topics, so that faults are noticed in seconds.
properties() {
    local node=$1 nodes=$2 port=$3 i voters='' advertised=${KAFKA_ADVERTISED:-$3}
    local copies=$((nodes < 3 ? nodes : 3)) in_sync=$((nodes < 3 ? 1 : 2))
    for ((i = 1; i <= nodes; i++)); do voters+=${voters:+,}$i@127.0.0.1:$((port + 99 + i)); done
    cat << END
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$((port + node - 1)),CONTROLLER://127.0.0.1:$((port + 99 + node))
advertised.listeners=PLAINTEXT://127.0.0.1:$((advertised + node - 1))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=${KAFKA_LOGS:-$state}/$node/log
num.network.threads=2
num.io.threads=2
auto.create.topics.enable=false
default.replication.factor=$copies
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$copies
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=$copies
share.coordinator.state.topic.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=3
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1000
${KAFKA_PROPERTIES:-}
END
}

# The process of a node, if it is one that this script started and that still runs.
process() {
    local pid
    pid=$(cat "$state/$1/pid" 2>/dev/null) || return 1
    tr '\0' '\n' < "/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$state/$1/server.properties" || return 1
    echo "$pid"
}

nodes() { find "$state" -mindepth 2 -maxdepth 2 -name server.properties -printf '%h\n' 2>/dev/null | sed 's|.*/||' | sort -n; }

launch() {
    local as=()
    if [ -n "${KAFKA_FIRST_UID:-}" ]; then
        local user=$((KAFKA_FIRST_UID + $1))
        chown -R "$user" "$state/$1" "${KAFKA_LOGS:-$state}/$1"
        as=(setpriv "--reuid=$user" --clear-groups)
    fi
    # A session of its own, holding none of our files: it outlives this script and whoever called it.
    setsid "${as[@]}" "${java[@]}" kafka.Kafka "$state/$1/server.properties" > "$state/$1/out" 2>&1 < /dev/null &
    echo $! > "$state/$1/pid"
}

until_ready() {
    local waited
    for ((waited = 0; waited < 1800; waited++)); do
        sleep 0.1
        grep -qs 'Kafka Server started' "$state/$1/out" && return
        process "$1" > /dev/null || [ "$waited" -lt 20 ] || break
    done
    tail -n 20 "$state/$1/out" >&2
    die "node $1 did not start; all it said is in $state/$1/out"
}

start() {
    local nodes=1 port='' node
    while [ $# -gt 0 ]; do
        case $1 in
            --nodes) nodes=$2 ;;
            --port) port=$2 ;;
            *) die "unknown argument: $1" ;;
        esac
        shift 2
    done
    fetch
    stop
    port=${port:-$(free_port "$nodes")}
    for ((node = 1; node <= nodes; node++)); do
        mkdir -p "$state/$node"
        properties "$node" "$nodes" "$port" > "$state/$node/server.properties"
        "${java[@]}" kafka.tools.StorageTool format -t "$cluster_id" -c "$state/$node/server.properties" \
            > "$state/$node/format" 2>&1 || die "node $node could not be formatted: $(cat "$state/$node/format")"
        launch "$node"
    done
    for ((node = 1; node <= nodes; node++)); do until_ready "$node"; done
    status
    bootstrap
}

bootstrap() {
    local node
    for node in $(nodes); do
        sed -n 's|^advertised.listeners=PLAINTEXT://||p' "$state/$node/server.properties"
    done | paste -sd,
}

stop() {
    local node pid waited
    for node in $(nodes); do
        # What is thrown away needs no orderly end, and a node that stands still would not hear of one.
        pid=$(process "$node") && kill -9 "$pid"
        for ((waited = 0; waited < 50; waited++)); do
            process "$node" > /dev/null || break
            sleep 0.1
        done
        rm -rf "${state:?}/$node"
    done
}

status() {
    local node pid how
    for node in $(nodes); do
        how=stopped
        if pid=$(process "$node"); then
            how="process $pid"
            [ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat")" = T ] && how+=', paused'
        fi
        say "node $node: $(sed -n 's|^advertised.listeners=PLAINTEXT://||p' "$state/$node/server.properties"), $how"
    done
}

# signal NODE SIGNAL
signal() {
    local pid
    pid=$(process "${1:-}") || die "node ${1:-?} does not run"
    kill "-$2" "$pid"
}

resume() {
    local node
    [ $# -gt 0 ] || die 'which node?'
    # All at once: a majority of the controllers has to be there before any node is ready.
    for node in "$@"; do
        [ -e "$state/$node/server.properties" ] || die "there is no node $node"
        if process "$node" > /dev/null; then signal "$node" CONT; else launch "$node"; fi
    done
    for node in "$@"; do until_ready "$node"; done
}

case ${1:-} in
    start) shift && start "$@" ;;
    stop) stop ;;
    kill) signal "${2:-}" KILL ;;
    pause) signal "${2:-}" STOP ;;
    resume) shift && resume "$@" ;;
    status) status ;;
    *) sed -n '2,13s/^# \{0,1\}//p' "$0" ;;
esac
