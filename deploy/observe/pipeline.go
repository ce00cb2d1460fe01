package main

// pipelineBoard follows events from the edge to their row, to show where they are delayed.
func pipelineBoard() board {
	return board{
		uid: "sluice-pipeline", title: "Sluice / Pipeline", from: "now-3h",
		about:     "From the request to the row: do events flow, and where are they delayed?",
		variables: []variable{pickPrometheus, namespaces()},
		rows: []row{
			{"Objectives", []panel{
				{
					kind: number, title: "Bad requests, 1 h", unit: unitPercent, span: 6, bad: 0.001,
					normal: "under 0.1 % of valid requests fail or take longer than 1 s.",
					act:    "Look at Sluice / Edge: which status, which reason of Kafka's errors, which limit?",
					alert:  "SluiceRequestsFailFast",
					queries: []query{
						prom(`max(sluice:bad_requests:ratio_rate1h{namespace=~"$namespace"})`, "bad"),
					},
				},
				{
					kind: number, title: "Late events, 1 h", unit: unitPercent, span: 6, bad: 0.01,
					normal: "under 1 % of events become a row later than 60 s after their receipt, or never.",
					act:    "Read the panels below from left to right: the first that is not normal is the place.",
					alert:  "SluiceEventsLateFast",
					queries: []query{
						prom(`max(sluice:bad_events:ratio_rate1h{namespace=~"$namespace"})`, "late"),
					},
				},
				{
					kind: number, title: "Oldest event not in ClickHouse", unit: unitSeconds, span: 6, bad: 60,
					normal:  "a few seconds.",
					act:     "Look at Sluice / Consumer: is a partition blocked, or are inserts slow?",
					alert:   "SluiceLag",
					queries: []query{prom(`max(sluice:lag_seconds:max{namespace=~"$namespace"})`, "age")},
				},
				{
					kind: number, title: "Unaccounted records", unit: unitShort, span: 6, bad: 1,
					normal: "0, or no data where sluice audit does not run.",
					act:    "Run sluice audit, which names the partition.",
					alert:  "SluiceUnaccountedRecords",
					queries: []query{
						prom(`sum(sluice_audit_unaccounted_records{namespace=~"$namespace"})`, "records"),
					},
				},
			}},
			{"Do events flow?", []panel{
				{
					title: "Events accepted and rows inserted", unit: unitEvents, span: 12,
					normal: "the two lines lie on each other. Rows are above while a backlog is worked off.",
					act: "If rows stay below, consumers are too slow or blocked. " +
						"If events fell to 0, look at senders.",
					alert: "SluiceLag",
					queries: []query{
						prom(`sum(sluice:events_accepted:rate1m{namespace=~"$namespace"})`, "accepted"),
						prom(`sum(sluice:rows_inserted:rate1m{namespace=~"$namespace"})`, "rows"),
					},
				},
				{
					title: "Events that do not become rows", unit: unitEvents, span: 12, stacked: true,
					normal: "0, except for what a step drops on purpose.",
					act: "Dead letters: sluice dead list. " +
						"Gaps: records are lost; make retention longer or consumers faster.",
					alert: "SluiceDeadLetters",
					queries: []query{
						prom(busy("reason", "sluice_consumer_dead_letters_total", `namespace=~"$namespace"`),
							"dead letter: {{reason}}"),
						prom(busy("processor", "sluice_consumer_dropped_total", `namespace=~"$namespace"`),
							"dropped: {{processor}}"),
						prom(busy("", "sluice_consumer_offset_gaps_total", `namespace=~"$namespace"`), "gap"),
					},
				},
			}},
			{"Where is the delay? From left to right", []panel{
				{
					title: "1. Request to answer (p99)", unit: unitSeconds, span: 6, bad: 1,
					normal: "tens of milliseconds.",
					act:    "If panel 2 is slow too, Kafka is. Otherwise the gateways lack CPU.",
					alert:  "SluiceRequestsFailFast",
					queries: []query{
						prom(quantile("0.99", "sluice_gateway_ingest_duration_seconds", `namespace=~"$namespace", result="kept"`),
							"p99"),
					},
				},
				{
					title: "2. Produce request to Kafka (p99)", unit: unitSeconds, span: 6, bad: 1,
					normal: "5 to 50 ms with replicas in one region.",
					act:    "Look at the brokers: replication, disks, network, the in-sync set.",
					alert:  "SluiceKafkaErrors",
					queries: []query{
						prom(quantile("0.99", "sluice_gateway_publish_duration_seconds", `namespace=~"$namespace"`),
							"p99"),
					},
				},
				{
					title: "3. Waiting on gateways' disks", unit: unitSeconds, span: 6, bad: 600,
					normal: "0: the spool is empty.",
					act:    "Kafka does not take events, or a gateway with a spool is gone.",
					alert:  "SluiceSpoolWaits",
					queries: []query{
						prom(`max by (instance) (sluice_gateway_spool_oldest_seconds{namespace=~"$namespace"})`,
							"{{instance}}"),
					},
				},
				{
					title: "4. Waiting on Kafka", unit: unitShort, span: 6,
					normal:  "no more than a few seconds of events.",
					act:     "Add consumers up to the number of partitions, or find out what blocks them.",
					alert:   "SluiceLag",
					queries: []query{prom(`sum(sluice:lag_records:sum{namespace=~"$namespace"})`, "records")},
				},
				{
					title: "5. Blocked partitions", unit: unitShort, span: 6, bad: 1,
					normal: "0.",
					act:    "The reason says who must act; the consumer's log has a hint.",
					alert:  "SluiceConsumerBlocked",
					queries: []query{
						prom(`sum by (reason) (sluice_consumer_blocked{namespace=~"$namespace"})`, "{{reason}}"),
					},
				},
				{
					title: "6. Insert (p99)", unit: unitSeconds, span: 6, bad: 10,
					normal: "under a second.",
					act:    "Look at Sluice / ClickHouse: parts, merges, memory, disks.",
					alert:  "SluiceInsertErrors",
					queries: []query{
						prom(quantile("0.99", "sluice_consumer_insert_duration_seconds", `namespace=~"$namespace"`),
							"p99"),
					},
				},
				{
					title: "7. Receipt to row, oldest event of each batch", unit: unitSeconds, span: 6, bad: 60,
					normal: "one flush age (1 s by default) and one insert.",
					act:    "The panels before this one show where the time goes.",
					alert:  "SluiceEventsLateFast",
					queries: []query{
						prom(quantile("0.5", "sluice_consumer_end_to_end_seconds", `namespace=~"$namespace"`), "p50"),
						prom(quantile("0.99", "sluice_consumer_end_to_end_seconds", `namespace=~"$namespace"`),
							"p99"),
					},
				},
				{
					title: "Programs that answer", unit: unitShort, span: 6,
					normal: "as many as you run.",
					act:    "Look at the logs of the one that is missing.",
					alert:  "SluiceTargetDown",
					queries: []query{
						prom(`sum by (program, version) (sluice_build_info{namespace=~"$namespace"})`,
							"{{program}} {{version}}"),
					},
				},
			}},
		},
	}
}
