#!/bin/sh
# Sends one event, a bulk of three, and a compressed bulk.
set -eu

url=${SLUICE_URL:-http://127.0.0.1:8080}
key=${SLUICE_KEY:-dev-key}

# send PATH CONTENT-TYPE [curl's options]: posts standard input. curl sends again after 429, 503 and a broken connection, and
# waits as long as Retry-After says.
send() {
	path=$1 type=$2
	shift 2
	curl --silent --show-error --fail-with-body --retry 5 --retry-connrefused \
		"$url$path" -H "Authorization: Bearer $key" -H "Content-Type: $type" --data-binary @- "$@"
	echo
}

echo '{"message":"one event from curl","level":"info","tags":{"example":"curl"}}' |
	send /api/v1/events application/json

# One event on each line.
send /api/v1/events/bulk application/x-ndjson <<'EVENTS'
{"message":"first of a bulk from curl","level":"info"}
{"message":"second of a bulk from curl","level":"warning","tags":{"region":"eu"}}
{"message":"third of a bulk from curl","exception":{"type":"IOError","value":"disk full"}}
EVENTS

echo '[{"message":"compressed from curl","level":"info"}]' |
	gzip | send /api/v1/events/bulk application/json -H 'Content-Encoding: gzip'
