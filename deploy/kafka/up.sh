#!/usr/bin/env bash
# Starts a real Apache Kafka on loopback, one node or three brokers, and prints the brokers' addresses. Starts only what does not
# run yet. Needs Java 17 or later, and Maven the first time. The settings are listed in common.sh.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

check_java() {
  command -v java >/dev/null || die "java is not installed: Kafka $version needs Java 17 or later"
  local major
  major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${major:-0}" -ge 17 ] || die "Java ${major:-of unknown version} is too old: Kafka $version needs 17 or later"
}

# Copies Kafka and what it needs into the cache, once for each pom.xml. A copy that stopped half-way never counts.
fetch() {
  cmp -s "$here/pom.xml" "$KAFKA_HOME/libs/pom.xml" && return
  command -v mvn >/dev/null || die "mvn is not installed: it fetches Apache Kafka"
  say "fetching Apache Kafka $version into $KAFKA_HOME"
  local partial
  mkdir -p -- "$KAFKA_HOME"
  partial=$(mktemp -d "$KAFKA_HOME/partial.XXXXXX")
  # shellcheck disable=SC2064 # the name as it is now
  trap "rm -rf -- '$partial'" EXIT
  mvn -q -B -ntp -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$partial" >&2 || die "mvn could not fetch Apache Kafka"
  cp -- "$here/pom.xml" "$partial/pom.xml"
  rm -rf -- "$KAFKA_HOME/libs"
  mv -- "$partial" "$KAFKA_HOME/libs"
  trap - EXIT
}

# The settings that all nodes have.
common_settings() {
  local copies=$NODES
  cat <<SETTINGS
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$(dir "$1")/log
auto.create.topics.enable=false
offsets.topic.replication.factor=$copies
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$((copies / 2 + 1))
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$copies
share.coordinator.state.topic.min.isr=$((copies / 2 + 1))
group.initial.rebalance.delay.ms=0
SETTINGS
  [ -z "${KAFKA_EXTRA:-}" ] || cat -- "$KAFKA_EXTRA"
}

configure() {
  local node=$1 here_is="PLAINTEXT://127.0.0.1:$(port "$1")" controller="CONTROLLER://127.0.0.1:$KAFKA_CONTROLLER_PORT"
  mkdir -p -- "$(dir "$node")"
  {
    case $NODES-$node in
      1-1) printf '%s\n' process.roles=broker,controller node.id=1 "controller.quorum.voters=1@127.0.0.1:$KAFKA_CONTROLLER_PORT" \
        "listeners=$here_is,$controller" "advertised.listeners=$here_is" ;;
      3-controller) printf '%s\n' process.roles=controller node.id=100 \
        "controller.quorum.voters=100@127.0.0.1:$KAFKA_CONTROLLER_PORT" "listeners=$controller" ;;
      *) printf '%s\n' process.roles=broker "node.id=$node" "controller.quorum.voters=100@127.0.0.1:$KAFKA_CONTROLLER_PORT" \
        "listeners=$here_is" "advertised.listeners=$here_is" ;;
    esac
    common_settings "$node"
  } >"$(properties "$node")"
}

start() {
  local node=$1
  (exec 3<>"/dev/tcp/127.0.0.1/$(port "$node")") 2>/dev/null &&
    die "another program uses 127.0.0.1:$(port "$node"): set KAFKA_PORT or KAFKA_CONTROLLER_PORT to another port"
  # The id of the cluster is a constant: nobody tells two of these apart by it.
  (become_java kafka.tools.StorageTool format -t c2x1aWNlLWthZmthLWRldg -c "$(properties "$node")" --ignore-formatted) \
    >"$(log_file "$node")" 2>&1 ||
    { tail -n 20 -- "$(log_file "$node")" >&2; die "could not format $(dir "$node")/log"; }
  start_node "$node"
}

# A folder that was made for another number of nodes has other settings and other replicas.
other_layout() { [ -e "$KAFKA_DATA_DIR/nodes" ] && [ "$(cat -- "$KAFKA_DATA_DIR/nodes")" != "$NODES" ]; }

other_layout && die "$KAFKA_DATA_DIR is of $(cat -- "$KAFKA_DATA_DIR/nodes") node(s), not $NODES: run make kafka-down first"
check_java
fetch
mkdir -p -- "$KAFKA_DATA_DIR"
printf '%s\n' "$NODES" >"$KAFKA_DATA_DIR/nodes"
for node in $(nodes); do
  if pid=$(running "$node"); then
    say "node $node is already up, process $pid"
  else
    configure "$node"
    start "$node"
  fi
done
for node in $(nodes); do await "$node"; done
addresses
