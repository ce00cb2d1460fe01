#!/usr/bin/env bash
# Starts a real Apache Kafka, one node, loopback only, and prints its address. Does nothing if it is up already.
# Needs Java 17 or later, and Maven the first time. The settings are listed in common.sh.
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

configure() {
  mkdir -p -- "$KAFKA_DATA_DIR"
  cat >"$properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$KAFKA_CONTROLLER_PORT
listeners=PLAINTEXT://$address,CONTROLLER://127.0.0.1:$KAFKA_CONTROLLER_PORT
advertised.listeners=PLAINTEXT://$address
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$KAFKA_DATA_DIR/log
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
EOF
  [ -z "${KAFKA_EXTRA:-}" ] || cat -- "$KAFKA_EXTRA" >>"$properties"
}

# Becomes a Java process, so it is called in a subshell, whose process id is then Java's.
become_java() {
  exec java -Xmx"$KAFKA_HEAP" -XX:+UseSerialGC "-Dlog4j2.configurationFile=$here/log4j2.properties" -cp "$KAFKA_HOME/libs/*" "$@"
}

# Asks which requests the node knows; true if it answers. Bytes: length 10, ApiVersions, version 0, correlation 1, no client id.
answers() (
  exec 3<>"/dev/tcp/127.0.0.1/$KAFKA_PORT" || exit 1
  printf '\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff' >&3
  IFS= read -r -t 2 -n 1 -d '' -u 3
) 2>/dev/null

start() {
  (exec 3<>"/dev/tcp/127.0.0.1/$KAFKA_PORT") 2>/dev/null &&
    die "another program uses $address: set KAFKA_PORT to another port"
  # The id of the cluster is a constant: nobody tells two of these apart by it.
  (become_java kafka.tools.StorageTool format -t c2x1aWNlLWthZmthLWRldg -c "$properties" --ignore-formatted) >"$log_file" 2>&1 ||
    { tail -n 20 -- "$log_file" >&2; die "could not format $KAFKA_DATA_DIR/log"; }
  set -m # a process group of its own: Ctrl-C here is not for it
  become_java kafka.Kafka "$properties" </dev/null >>"$log_file" 2>&1 &
  printf '%s\n' "$!" >"$pid_file"
  set +m
  disown
}

await() {
  local deadline=$((SECONDS + KAFKA_WAIT))
  until answers; do
    running >/dev/null || { tail -n 20 -- "$log_file" >&2; die "the node ended, see $log_file"; }
    [ "$SECONDS" -lt "$deadline" ] || { tail -n 20 -- "$log_file" >&2; die "no answer within $KAFKA_WAIT s, see $log_file"; }
    sleep 0.2
  done
}

if pid=$(running); then
  say "already up, process $pid"
else
  check_java
  fetch
  configure
  start
fi
await
printf '%s\n' "$address"
