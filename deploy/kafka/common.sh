# shellcheck shell=bash disable=SC2034 # the files that read this one use its names
# Settings and small helpers of up.sh and down.sh, which read this file.
#
#   KAFKA_PORT             port that clients use (19092)
#   KAFKA_CONTROLLER_PORT  port the node uses to talk to itself (19093)
#   KAFKA_HOME             where Kafka itself is kept (~/.cache/sluice/kafka-VERSION)
#   KAFKA_DATA_DIR         where its log is kept (KAFKA_HOME/data-KAFKA_PORT)
#   KAFKA_HEAP             heap of the node, as Java writes it (256m)
#   KAFKA_WAIT             seconds until it must answer (60)
#   KAFKA_EXTRA            file with broker settings that are added, or win over those of up.sh (none)

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$here/pom.xml")
: "${KAFKA_PORT:=19092}"
: "${KAFKA_CONTROLLER_PORT:=19093}"
: "${KAFKA_HOME:=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/kafka-$version}"
: "${KAFKA_DATA_DIR:=$KAFKA_HOME/data-$KAFKA_PORT}"
: "${KAFKA_HEAP:=256m}"
: "${KAFKA_WAIT:=60}"

address=127.0.0.1:$KAFKA_PORT
pid_file=$KAFKA_DATA_DIR/kafka.pid
log_file=$KAFKA_DATA_DIR/kafka.log
properties=$KAFKA_DATA_DIR/server.properties

say() { printf '%s\n' "kafka: $*" >&2; }
die() { say "$@"; exit 1; }

# The process id of the node on this data directory; fails if it does not run. A number that another program has by now does
# not count: the command line must name this node's settings.
running() {
  local pid
  pid=$(cat -- "$pid_file" 2>/dev/null) || return 1
  [ -n "$pid" ] || return 1
  case $(ps -ww -p "$pid" -o args= 2>/dev/null) in
    *kafka.Kafka*"$properties"*) printf '%s\n' "$pid" ;;
    *) return 1 ;;
  esac
}
