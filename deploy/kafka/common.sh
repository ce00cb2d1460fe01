# shellcheck shell=bash disable=SC2034 # the files that read this one use its names
# Settings and small helpers of up.sh, down.sh and node.sh, which read this file.
#
#   NODES                  1: one node that is broker and controller; 3: three brokers and a controller of their own (1)
#   KAFKA_PORT             port of the first broker (19092); the next ones have ports that are 10 higher each
#   KAFKA_CONTROLLER_PORT  port of the controller (19093)
#   KAFKA_HOME             where Kafka itself is kept (~/.cache/sluice/kafka-VERSION)
#   KAFKA_DATA_DIR         where logs and process ids are kept (KAFKA_HOME/data-KAFKA_PORT)
#   KAFKA_KEEP             1: down.sh leaves the data where they are
#   KAFKA_HEAP             heap of a node, as Java writes it (1g for one node, as Kafka itself has it; 256m for each of three brokers)
#   KAFKA_WAIT             seconds until the nodes must answer (60)
#   KAFKA_EXTRA            file with broker settings that are added, or win over those of up.sh (none)

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$here/pom.xml")
: "${NODES:=1}"
: "${KAFKA_PORT:=19092}"
: "${KAFKA_CONTROLLER_PORT:=19093}"
: "${KAFKA_HOME:=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/kafka-$version}"
: "${KAFKA_DATA_DIR:=$KAFKA_HOME/data-$KAFKA_PORT}"
: "${KAFKA_KEEP:=0}"
if [ "$NODES" = 1 ]; then : "${KAFKA_HEAP:=1g}"; else : "${KAFKA_HEAP:=256m}"; fi
: "${KAFKA_WAIT:=60}"

say() { printf '%s\n' "kafka: $*" >&2; }
die() { say "$@"; exit 1; }

case $NODES in 1 | 3) ;; *) die "NODES is 1 or 3, not $NODES" ;; esac

# The names of the nodes, in the order in which they start. A node's folder has its name.
nodes() {
  if [ "$NODES" = 1 ]; then echo 1; else echo controller 1 2 3; fi
}

port() { if [ "$1" = controller ]; then echo "$KAFKA_CONTROLLER_PORT"; else echo $((KAFKA_PORT + 10 * ($1 - 1))); fi; }
dir() { echo "$KAFKA_DATA_DIR/$1"; }
pid_file() { echo "$(dir "$1")/kafka.pid"; }
log_file() { echo "$(dir "$1")/kafka.log"; }
properties() { echo "$(dir "$1")/server.properties"; }

# What clients are given: the brokers' addresses with commas between them.
addresses() {
  local all=
  for node in $(nodes); do
    [ "$node" = controller ] || all=$all${all:+,}127.0.0.1:$(port "$node")
  done
  printf '%s\n' "$all"
}

# The process id of a node; fails if it does not run. A number that another program has by now does not count: the command
# line must name this node's settings.
running() {
  local pid
  pid=$(cat -- "$(pid_file "$1")" 2>/dev/null) || return 1
  [ -n "$pid" ] || return 1
  case $(ps -ww -p "$pid" -o args= 2>/dev/null) in
    *kafka.Kafka*"$(properties "$1")"*) printf '%s\n' "$pid" ;;
    *) return 1 ;;
  esac
}

# The process ids of all nodes on this data folder, whether their files still say so or not.
survivors() {
  ps -ww -e -o pid=,args= | awk -v dir="$KAFKA_DATA_DIR/" 'index($0, "kafka.Kafka " dir) { print $1 }'
}

# Becomes a Java process, so it is called in a subshell, whose process id is then Java's. Four nodes on a small machine start
# in half the time when Java compiles quickly instead of well; a single node is also measured, and is left alone.
become_java() {
  local compile=()
  [ "$NODES" = 1 ] || compile=(-XX:TieredStopAtLevel=1)
  exec java -Xmx"$KAFKA_HEAP" -XX:+UseSerialGC "${compile[@]}" "-Dlog4j2.configurationFile=$here/log4j2.properties" \
    -cp "$KAFKA_HOME/libs/*" "$@"
}

# Closes what this shell inherited besides the standard streams, such as a lock file's descriptor, which a node would keep open.
close_inherited() {
  local fd
  for fd in /dev/fd/*; do
    fd=${fd##*/}
    if [ "$fd" -gt 2 ] 2>/dev/null; then eval "exec $fd>&-"; fi
  done
}

# Starts one node, without waiting for its answer.
start_node() {
  local node=$1
  set -m # a process group of its own: Ctrl-C here is not for it
  {
    close_inherited
    become_java kafka.Kafka "$(properties "$node")"
  } </dev/null >>"$(log_file "$node")" 2>&1 &
  printf '%s\n' "$!" >"$(pid_file "$node")"
  set +m
  disown
}

# Asks which requests a node knows; true if it answers. Bytes: length 10, ApiVersions, version 0, correlation 1, no client id.
answers() (
  exec 3<>"/dev/tcp/127.0.0.1/$(port "$1")" || exit 1
  printf '\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff' >&3
  IFS= read -r -t 2 -n 1 -d '' -u 3
) 2>/dev/null

# Waits until a node answers.
await() {
  local node=$1 deadline=$((SECONDS + KAFKA_WAIT))
  until answers "$node"; do
    running "$node" >/dev/null ||
      { tail -n 20 -- "$(log_file "$node")" >&2; die "node $node ended, see $(log_file "$node")"; }
    [ "$SECONDS" -lt "$deadline" ] ||
      { tail -n 20 -- "$(log_file "$node")" >&2; die "no answer of node $node within $KAFKA_WAIT s, see $(log_file "$node")"; }
    sleep 0.2
  done
}
