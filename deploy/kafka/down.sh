#!/usr/bin/env bash
# Stops every node that up.sh started, waits until they have gone, and removes their data. What a crash left behind, a node that
# is stopped by a signal or one whose process id was lost, goes too. The settings are listed in common.sh.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

NODES=$(cat -- "$KAFKA_DATA_DIR/nodes" 2>/dev/null || echo "$NODES")
pids=$(survivors)
if [ -z "$pids" ]; then
  say "not up"
else
  # Brokers go before the controller: without it they would wait for it.
  controller=$(running controller || true)
  for pid in $pids; do
    [ "$pid" = "$controller" ] || kill -TERM "$pid" 2>/dev/null || true
    kill -CONT "$pid" 2>/dev/null || true
  done
  deadline=$((SECONDS + 30))
  while pids=$(survivors) && [ -n "$pids" ]; do
    [ "$pids" = "$controller" ] && { kill -TERM "$controller" 2>/dev/null || true; }
    if [ "$SECONDS" -ge "$deadline" ]; then
      say "did not stop within 30 s, killing: $(printf '%s ' $pids)"
      for pid in $pids; do kill -KILL "$pid" 2>/dev/null || true; done
      deadline=$((SECONDS + 30))
    fi
    sleep 0.2
  done
  say "stopped"
fi
if [ "$KAFKA_KEEP" = 1 ]; then
  for node in $(nodes); do rm -f -- "$(pid_file "$node")"; done
else
  rm -rf -- "$KAFKA_DATA_DIR"
fi
