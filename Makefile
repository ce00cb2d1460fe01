# What a developer types. `make` alone lists it.

GO            ?= go
VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS       := -s -w -X sluice/internal/process.version=$(VERSION)
TEST_TIMEOUT  ?= 20m
# Packages under test at a time: one more than there are processors, because many tests wait most of their time.
TEST_PACKAGES ?= $(shell expr 1 + `getconf _NPROCESSORS_ONLN`)
FUZZTIME      ?= 1m
# Events on the topic of the consumer's benchmark, for each size.
BENCHROWS     ?= 1000000
# The broker that test-kafka uses; kafka-up prints the address of the one it started.
KAFKA         ?= 127.0.0.1:19092
# The race detector lets a program sleep for a second before it exits. make test starts hundreds.
export GORACE ?= atexit_sleep_ms=0
# The gateway's tests of what a topic refuses, which Apache Kafka and the embedded broker refuse each in a way of its own.
REFUSALS      := TopicRefusesAll|TopicRefusesOne|TopicTakesLess|TopicLimitToTheByte|TooLargeForTheTopicIsNotSpooled|TopicFaultsAreSaid
# How often exactly-once kills the consumer at each crash point, and the scenarios that it runs.
KILLS         ?= 50
EXACTLY_ONCE  := CrashPoints|Zombies|LostAnswers|RebalanceStorm|TopicMadeAnew|EngineKilledDuringInserts|TwoOwners|TornCommits|LateCommits|PartitionsAdded|OldAndNewVersion|RecordedRangesLost
# Brokers that kafka-up starts: 1 or 3.
NODES         ?= 1

# The versions of the tools are pinned in a go.mod of their own. The first use of a tool builds it, which takes minutes.
TOOL          := $(GO) tool -modfile=tools/go.mod

.DEFAULT_GOAL := help
.PHONY: help build test vet lint house observe test-observe vuln licences test-clients test-models test-deploy test-kafka test-brokers exactly-once kafka-up kafka-down fuzz bench scale docs release release-check clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## the three programs, into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/ ./cmd/gateway ./cmd/consumer ./cmd/sluice

test: ## every test with the race detector, end to end on the embedded broker and engine; lists what was skipped and why
	GO=$(GO) $(GO) run ./internal/tools/testsum -race -p=$(TEST_PACKAGES) -timeout=$(TEST_TIMEOUT) ./...

vet: ## go vet alone, which needs nothing but Go
	$(GO) vet ./...

lint: ## golangci-lint, go vet among its checks; the first time it builds the linter, which takes minutes
	$(TOOL) golangci-lint run ./...

vuln: ## known vulnerabilities in what the programs link (asks vuln.go.dev)
	$(TOOL) govulncheck ./cmd/...

licences: ## docs/licences.md, the licences of the modules that the programs link
	$(GO) run ./internal/tools/licences > docs/licences.md

house: ## the measures of the tree: files, packages, cycles, line widths, and their limits
	$(GO) run ./internal/tools/house

test-clients: ## clients that code generators make of openapi.json send events (asks the registries of Go, PyPI and npm)
	$(GO) test ./gateway -count=1 -run 'TestGeneratedClients$$' -v -generators

test-models: ## the model tests with all of their histories; the race detector would take ten times as long
	$(GO) test -count=1 ./consumer/delivery

test-deploy: ## the Helm chart, the systemd units and the compose file, against the types of Kubernetes and the programs
	cd deploy/tests && $(GO) test -vet=off -count=1 -timeout $(TEST_TIMEOUT) ./...

test-kafka: ## the end-to-end tests, and the gateway's of what a topic refuses, on Apache Kafka at KAFKA=host:port (see kafka-up)
	SLUICE_TEST_KAFKA=$(KAFKA) GO=$(GO) $(GO) run ./internal/tools/testsum -race -count=1 -timeout=$(TEST_TIMEOUT) ./internal/e2e
	SLUICE_TEST_KAFKA=$(KAFKA) $(GO) test -race -count=1 -timeout $(TEST_TIMEOUT) ./gateway ./gateway/kafka -run '^Test($(REFUSALS))$$'

test-brokers: ## what happens when brokers die or hang, on three of them at KAFKA=host:port,host:port,host:port (see kafka-up)
	SLUICE_TEST_KAFKA=$(KAFKA) $(GO) test -count=1 -timeout $(TEST_TIMEOUT) ./internal/e2e -plain -run 'TestBrokers' -outage.lasts 15s -v

# exactly-once runs on the embedded broker, or on Apache Kafka if KAFKA is given.
exactly-once: ## the consumer killed KILLS times at each crash point, and all else it has to survive; on Apache Kafka with KAFKA=host:port
	cd internal/e2e && $(if $(filter file,$(origin KAFKA)),,SLUICE_TEST_KAFKA=$(KAFKA)) $(GO) test -count=1 -timeout 4h -run '^Test($(EXACTLY_ONCE))$$' -kills $(KILLS) -progress

kafka-up: ## start an Apache Kafka for test-kafka and print its address; NODES=3 for three brokers
	@NODES=$(NODES) deploy/kafka/up.sh

kafka-down: ## stop it, with its data, also what a crash left of it
	@deploy/kafka/down.sh

fuzz: ## every fuzz target for FUZZTIME each
	@set -e; \
	grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed 's|/[^/]*_test.go:func | |' | sort -u | \
	while read -r dir target; do \
		echo "$$dir $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null; \
	done

bench: ## edge and consumer against their ceilings and rivals in pairs, and micro benchmarks with allocations
	$(GO) test ./gateway -run '^$$' -bench Edge -benchtime 1x -timeout $(TEST_TIMEOUT)
	$(GO) test ./gateway -run '^$$' -bench SlowBroker -benchtime 1x -timeout $(TEST_TIMEOUT)
	$(GO) test ./gateway -run '^$$' -bench Projects -benchtime 1x -timeout $(TEST_TIMEOUT)
	$(GO) test ./internal/e2e -run '^$$' -bench Freshness -benchtime 1x -timeout $(TEST_TIMEOUT)
	$(GO) test ./internal/e2e -run '^$$' -bench 'Plan$$' -benchtime 1x -timeout $(TEST_TIMEOUT)
	$(GO) test ./consumer/schema/questions -run '^$$' -bench Questions -benchtime 1x -timeout 2h -v
	$(GO) test ./consumer -run '^$$' -bench 'Consumer$$' -benchtime 1x -timeout 3h -args -consumer.rows $(BENCHROWS)
	$(GO) test -run '^$$' -bench 'Decode|Encode|Split|Fingerprint|Headers' -benchmem -timeout $(TEST_TIMEOUT) ./internal/event ./internal/recordbatch

# Where the runbook is, and where the files go; see deploy/observe/README.md.
RUNBOOK       ?=
OBSERVE_OUT   ?=

observe: ## dashboards and rules for Grafana, Prometheus and the Helm chart; RUNBOOK=URL OBSERVE_OUT=DIR for your own links
	cd deploy/observe && $(GO) run . $(if $(RUNBOOK),-runbook $(RUNBOOK)) $(if $(OBSERVE_OUT),-out $(abspath $(OBSERVE_OUT)))

test-observe: ## the tests of dashboards, rules and docker-compose.yml, with promtool
	cd deploy/observe && $(GO) vet ./... && $(GO) test ./...

SCALE_EVENTS  ?= 2000000

scale: ## one consumer with 12 to 1,536 partitions: time to catch up on SCALE_EVENTS, freshness, what it costs
	for n in 12 96 384 1536; do \
		$(GO) test ./consumer -run '^$$' -bench Scale -benchtime 1x -timeout $(TEST_TIMEOUT) -args -scale.partitions $$n -scale.rows $(SCALE_EVENTS) || exit 1; \
	done

docs: ## the tables of docs/settings.md and docs/metrics.md, from the programs themselves
	$(GO) test -p 1 -count=1 ./cmd/gateway ./cmd/consumer ./cmd/sluice -run '^TestDocs' -args -docs.update

release: ## archives of the programs for Linux and macOS, SHA256SUMS and bills of materials, into dist/
	$(GO) run ./internal/tools/release -out dist

release-check: ## build the last commit's release twice, in two directories, and compare; the second time without a cache
	$(GO) run ./internal/tools/release -check

clean: ## remove what build and the tests leave in the tree
	rm -rf bin dist coverage.out
