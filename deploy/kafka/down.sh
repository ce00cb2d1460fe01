#!/usr/bin/env bash
# Stops the Apache Kafka that up.sh started and waits until it has gone. Its data stays. The settings are listed in common.sh.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

pid=$(running) || { say "not up"; rm -f -- "$pid_file"; exit 0; }
kill -TERM "$pid"
deadline=$((SECONDS + 30))
while running >/dev/null; do
  if [ "$SECONDS" -ge "$deadline" ]; then
    say "process $pid did not stop within 30 s, killing it"
    kill -KILL "$pid" 2>/dev/null || true
    deadline=$((SECONDS + 30))
  fi
  sleep 0.2
done
rm -f -- "$pid_file"
say "stopped"
