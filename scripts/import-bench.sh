#!/usr/bin/env bash
# How long does it take to move a large chat in, and how much memory? 1,000 people, 1,000 rooms of ten, and as many
# messages as asked (1,000,000), into SQLite, and into the database of CHAT_DATABASE_URL if that is set (an empty one).
#   cargo build --release -p chat-app && scripts/import-bench.sh [MESSAGES]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

messages=${1:-1000000}
chat=${CHAT_APP:-target/release/chat-app}
[ -x "$chat" ] || die 'build it first: cargo build --release -p chat-app'
need /usr/bin/time time || die 'GNU time is needed, for the peak of memory'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say "Writing a chat of $messages messages"
python3 - "$messages" > "$work/chat.jsonl" << 'END'
import json, sys

messages, rooms, people = int(sys.argv[1]), 1000, 1000
when = "2026-01-02T03:%02d:%02dZ"

def line(**record):
    print(json.dumps(record, separators=(",", ":")))

line(type="header", version=1)
for n in range(people):
    line(type="user", id=f"u{n}", name=f"Person {n}")
for r in range(rooms):
    line(type="room", id=f"r{r}", kind="group", public=False, name=f"Room {r}", created_at=when % (0, 0))
    for n in range(10):
        role = "owner" if n == 0 else "member"
        line(type="member", room=f"r{r}", user=f"u{(r + n) % people}", role=role, joined_at=when % (0, 0))
    for o in range(messages // rooms):
        line(type="message", room=f"r{r}", ordinal=o + 1, id=f"m{r}-{o}", sender=f"u{(r + o % 10) % people}",
             text=f"message {o} of room {r}, long enough to be one that somebody wrote",
             created_at=when % (o // 60 % 60, o % 60))
END

# into NAME FLAGS...: imports, and says the rate and the peak.
into() {
    local name=$1 begin=$EPOCHREALTIME
    shift
    /usr/bin/time -f %M -o "$work/peak" "$chat" import "$work/chat.jsonl" --data "$work/data-$name" "$@" < /dev/null > "$work/$name.out" 2>&1 ||
        die "$(tail -5 "$work/$name.out")"
    awk -v name="$name" -v count="$messages" -v begin="$begin" -v end="$EPOCHREALTIME" -v peak="$(tail -1 "$work/peak")" \
        'BEGIN { took = end - begin; printf "%s: %d messages in %.1f s, %.0f a second, at most %.0f MiB\n", name, count, took, count / took, peak / 1024 }'
}

into SQLite
[ -z "${CHAT_DATABASE_URL:-}" ] || into MariaDB --database "$CHAT_DATABASE_URL"
