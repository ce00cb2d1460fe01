#!/usr/bin/env bash
# Does something to one broker of a running cluster: node.sh kill|pause|resume|start|pid NODE. The settings are listed in common.sh.
#
#   kill    ends it at once, as a crash does     pause   stops it by SIGSTOP: it keeps its connections and answers nothing
#   start   starts it again and waits            resume  lets a paused one go on
#   pid     prints its process id
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

[ $# = 2 ] || die "usage: node.sh kill|pause|resume|start|pid NODE"
NODES=$(cat -- "$KAFKA_DATA_DIR/nodes" 2>/dev/null) || die "not up: run make kafka-up"
node=$2
[ -e "$(properties "$node")" ] || die "there is no node $node; there are: $(nodes)"

pid() { running "$node" || die "node $node does not run"; }

case $1 in
  kill)
    victim=$(pid)
    kill -KILL "$victim"
    while running "$node" >/dev/null; do sleep 0.05; done
    ;;
  pause) kill -STOP "$(pid)" ;;
  resume) kill -CONT "$(pid)" ;;
  start)
    running "$node" >/dev/null || start_node "$node"
    await "$node"
    ;;
  pid) pid ;;
  *) die "kill, pause, resume, start or pid, not $1" ;;
esac
