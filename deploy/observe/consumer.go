package main

// ofConsumer selects the consumers that the reader picked.
const ofConsumer = ofGateway

// consumerBoard is about the consumers.
func consumerBoard() board {
	return board{
		uid: "sluice-consumer", title: "Sluice / Consumer", from: "now-3h",
		about:     "The consumers: how far they are behind, what blocks them, and how they insert.",
		variables: []variable{pickPrometheus, namespaces(), instances("consumer")},
		rows:      []row{consumerLag(), consumerInserts(), consumerGroup(), edgeProcess("consumer")},
	}
}

func consumerLag() row {
	return row{"Lag", []panel{
		{
			title: "Age of the oldest event not in ClickHouse", unit: unitSeconds, span: 8, bad: 60,
			normal: "a few seconds.",
			act:    "Is a partition blocked? If not, add consumers up to the number of partitions.",
			alert:  "SluiceLag",
			queries: []query{
				prom(`max by (instance) (sluice_consumer_lag_seconds{`+ofConsumer+`})`, "{{instance}}"),
			},
		},
		{
			title: "Records behind by partition", unit: unitShort, span: 8,
			normal: "about the same on all partitions.",
			act:    "One partition alone: its consumer is stuck, or --partition-by makes one key heavy.",
			alert:  "SluiceConsumerStuck",
			queries: []query{
				prom(`max by (topic, partition) (sluice_consumer_lag_records{`+ofConsumer+`})`,
					"{{topic}}/{{partition}}"),
			},
		},
		{
			title: "Blocked by reason", unit: unitShort, span: 8, stacked: true, bad: 1,
			normal:  "0.",
			act:     "clickhouse and kafka pass by themselves; setup and dead_letters need somebody, see the log.",
			alert:   "SluiceConsumerNeedsRepair",
			queries: []query{prom(`sum by (reason) (sluice_consumer_blocked{`+ofConsumer+`})`, "{{reason}}")},
		},
		{
			title: "Receipt to row, oldest event of each batch", unit: unitSeconds, span: 8, bad: 60,
			normal: "one flush age and one insert.",
			act:    "See the pipeline's dashboard.",
			alert:  "SluiceEventsLateFast",
			queries: []query{
				prom(quantile("0.5", "sluice_consumer_end_to_end_seconds", ofConsumer), "p50"),
				prom(quantile("0.99", "sluice_consumer_end_to_end_seconds", ofConsumer), "p99"),
			},
		},
		{
			title: "Late rows", unit: unitRows, span: 8,
			normal: "0.",
			act:    "Rows are late after an outage, while a spool is sent, and while dead letters are replayed.",
			alert:  "SluiceEventsLateSlowly",
			queries: []query{
				prom(rate("instance", "sluice_consumer_late_rows_total", ofConsumer), "{{instance}}"),
			},
		},
		{
			title: "Dead letters, gaps and truncations", unit: unitOps, span: 8, stacked: true,
			normal: "0.",
			act:    "sluice dead list shows dead letters. Gaps and truncations are lost records.",
			alert:  "SluiceOffsetGaps",
			queries: []query{
				prom(busy("reason", "sluice_consumer_dead_letters_total", ofConsumer), "{{reason}}"),
				prom(busy("", "sluice_consumer_offset_gaps_total", ofConsumer), "gap"),
				prom(busy("", "sluice_consumer_truncations_total", ofConsumer), "truncation"),
			},
		},
	}}
}

func consumerInserts() row {
	return row{"Inserts", []panel{
		{
			title: "Rows inserted", unit: unitRows, span: 6, stacked: true,
			normal: "as many as events are accepted.",
			act:    "See the lag.",
			alert:  "SluiceLag",
			queries: []query{
				prom(rate("instance", "sluice_consumer_rows_inserted_total", ofConsumer), "{{instance}}"),
			},
		},
		{
			title: "Time of an insert", unit: unitSeconds, span: 6, bad: 10,
			normal: "under a second.",
			act:    "Look at Sluice / ClickHouse: parts, merges, memory.",
			alert:  "SluiceInsertErrors",
			queries: []query{
				prom(quantile("0.5", "sluice_consumer_insert_duration_seconds", ofConsumer), "p50"),
				prom(quantile("0.99", "sluice_consumer_insert_duration_seconds", ofConsumer), "p99"),
			},
		},
		{
			title: "Rows of an insert", unit: unitShort, span: 6,
			normal: "events a second times the flush age, divided by partitions, or by 12 if there are more.",
			act:    "Very small batches make many parts: lower --inserts-per-second or raise --flush-age.",
			queries: []query{
				prom(rate("", "sluice_consumer_batch_rows_sum", ofConsumer)+" / "+
					rate("", "sluice_consumer_batch_rows_count", ofConsumer), "mean"),
			},
		},
		{
			title: "Failed inserts by ClickHouse's code", unit: unitOps, span: 6, stacked: true,
			normal:  "0.",
			act:     "252: too many parts. 241: memory. 243: disk. 497: rights. 60: no table. network: it is away.",
			alert:   "SluiceInsertErrors",
			queries: []query{prom(busy("code", "sluice_consumer_insert_errors_total", ofConsumer), "{{code}}")},
		},
	}}
}

func consumerGroup() row {
	return row{"Group", []panel{
		{
			title: "Partitions by consumer", unit: unitShort, span: 6, stacked: true,
			normal: "the stack is as high as the topic has partitions.",
			act:    "A gap means partitions without a consumer.",
			alert:  "SluicePartitionsUnassigned",
			queries: []query{
				prom(`sum by (instance) (sluice_consumer_assigned_partitions{`+ofConsumer+`})`, "{{instance}}"),
			},
		},
		{
			title: "Partitions of the topic", unit: unitShort, span: 6,
			normal:  "what sluice topics apply was told.",
			act:     "More consumers than this have nothing to do.",
			alert:   "SluiceConsumerIdle",
			queries: []query{prom(`max(sluice_consumer_topic_partitions{`+ofConsumer+`})`, "partitions")},
		},
		{
			title: "Rebalances", unit: unitShort, span: 6,
			normal: "one or two for each restart of a consumer.",
			act:    "If they do not end, a consumer restarts again and again, or the network breaks.",
			alert:  "SluiceRebalances",
			queries: []query{
				prom(`sum by (instance) (increase(sluice_consumer_rebalances_total{`+ofConsumer+`}[$__rate_interval]))`,
					"{{instance}}"),
			},
		},
		{
			title: "Event bytes in memory", unit: unitBytes, span: 6,
			normal: "far below --buffer-bytes. At the bound while ClickHouse is away.",
			act:    "See what blocks the partitions.",
			alert:  "SluiceConsumerBlocked",
			queries: []query{
				prom(`sum by (instance) (sluice_consumer_buffered_bytes{`+ofConsumer+`})`, "{{instance}}"),
			},
		},
	}}
}
