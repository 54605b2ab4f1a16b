#!/usr/bin/env bash
# The loss audit: real servers on a real Kafka of three nodes, hurt by plan and seed, and one judge.
#   scripts/audit.sh [smoke|full] [--seed N] [--cell NAME]... [--list]
# smoke: a few cells, within 3 minutes, with five times the time to recover. full: all of them, within 20. A seed repeats a run; without it one is drawn.
# The last line says how many cells hold; where one does not, the exit code is 1. JSON goes to .cache/audit/.
# AUDIT_PROFILE=release measures release builds; the default is what tests are built with.
# Cutting off a node, filling disks and moving clocks need root, nft and libfaketime: where these are missing, the
# cells say so and count as not held.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
find_cargo

profile=${AUDIT_PROFILE:-dev}
folder=$profile
[ "$profile" != dev ] || folder=debug

if [ "${1:-smoke}" = full ]; then
    need nft nftables || complain 'without nft no node can be cut off'
    need faketime faketime || complain 'without libfaketime no clock can jump'
fi
if [ "$profile" = dev ]; then
    # Exactly as scripts/check.sh builds it, so that nothing is built twice.
    cargo build --locked --workspace --bins --tests --examples
else
    # Together, so that the server has the features that it is shipped with.
    cargo build --locked --profile "$profile" -p stomp-server -p audit --bins
fi

# Its end stops Kafka and undoes what was done to the machine; what a kill -9 leaves is cleared by the next run.
exec "target/$folder/audit" "$@"
