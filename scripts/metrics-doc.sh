#!/usr/bin/env bash
# Are all metrics that the sources export in the table of docs/operations.md, and none that no source exports?
#   scripts/metrics-doc.sh
# A metric's name is a string of its own in the sources: "stomp_…" or "chat_…", beside or in a counter!, gauge! or
# histogram!. The table is the section "Every metric, and what to do when it moves".
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

table='## Every metric, and what to do when it moves'

# Only files that export metrics count: other strings may look the same.
exported() {
    grep -rlE '\b(counter|gauge|histogram)!\(|\b[A-Z_]+: &str = "(stomp|chat)_' stomp-server/src chat-app/src --include='*.rs' |
        xargs grep -hoE '"(stomp|chat)_[a-z0-9_]+"' | tr -d '"' | sort -u
}

# A name stands in the first column, with its labels behind it in braces.
documented() {
    awk -v title="$table" '$0 == title { inside = 1; next } /^## / { inside = 0 } inside' docs/operations.md |
        awk -F'|' '/^\|/ { print $2 }' | grep -oE '(stomp|chat)_[a-z0-9_]+' | sort
}

grep -qxF "$table" docs/operations.md || die "docs/operations.md has no section '${table#\#\# }'"
[ -n "$(exported)" ] || die 'the sources export no metric: this script does not find them any more'

faults=0
while read -r name; do
    complain "$name is exported, and not in the table"
    faults=1
done < <(comm -23 <(exported) <(documented | uniq))
while read -r name; do
    complain "$name is in the table, and no source exports it"
    faults=1
done < <(comm -13 <(exported) <(documented | uniq))
while read -r name; do
    complain "$name is in the table twice"
    faults=1
done < <(documented | uniq -d)
[ "$faults" = 0 ] || exit 1
say "$(exported | wc -l) metrics, each with its line in docs/operations.md"
