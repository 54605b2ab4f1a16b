#!/bin/sh
# What a back end does to bring its users into the chat: a token, users, a room, a word from it.
#
#   examples/service-token.sh [CHAT_APP]     the program; target/debug/chat-app where none is named
#
# It starts a server of its own on a folder that goes with it. Against yours, the same requests.
set -eu
chat_app=${1:-target/debug/chat-app}
folder=$(mktemp -d)
"$chat_app" serve --http 127.0.0.1:0 --data "$folder" >"$folder/banner" 2>"$folder/log" &
server=$!
trap 'kill "$server"; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
base=
for _ in $(seq 300); do
    base=$(sed -n 's/^ *REST *//p' "$folder/banner")
    [ -n "$base" ] && break
    sleep 0.1
done
[ -n "$base" ] || { cat "$folder/log"; exit 1; }

# The token of the back end: printed once by whoever runs the server, kept like a password.
token=$("$chat_app" token backend --scope service --ttl 1h --data "$folder" | tail -n 1)

ask() { # METHOD PATH [JSON]
    if [ $# -gt 2 ]; then
        curl -sS --fail-with-body -X "$1" "$base$2" -H "Authorization: Bearer $token" \
            -H 'Content-Type: application/json' -d "$3"
    else
        curl -sS --fail-with-body -X "$1" "$base$2" -H "Authorization: Bearer $token"
    fi
}
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# Users, by the ids that they have at the back end. The same again changes nothing.
ask PUT /users/customer-7 '{"name": "Customer 7"}' && echo
ask PUT /users/agent-1 '{"name": "Agent 1"}' && echo

# The room of these two; asked for again, it is the same.
room=$(ask POST /rooms '{"kind": "direct", "members": ["customer-7", "agent-1"]}' | sed 's/^{"id":"\([^"]*\)".*/\1/')
echo "room $room"

# A word from a user, under the back end's own id for it: sent twice, it is there once.
for _ in 1 2; do
    ask POST "/rooms/$room/messages" \
        '{"text": "Where is my parcel?", "sender": "customer-7", "client_message_id": "order-4711"}' && echo
done
position=$(ask POST "/rooms/$room/messages" '{"text": "On its way.", "sender": "agent-1"}' | field position)

# What is there now, as any client would see it.
page=$(ask GET "/rooms/$room/messages?at_least=$position")
echo "$page"
[ "$(echo "$page" | grep -o '"ordinal"' | wc -l)" -eq 2 ] || { echo "not two messages"; exit 1; }
echo "ok"
