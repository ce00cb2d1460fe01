package main

// ofGateway selects the gateways that the reader picked.
const ofGateway = `namespace=~"$namespace", instance=~"$instance"`

// edgeBoard is about the gateways.
func edgeBoard() board {
	return board{
		uid: "sluice-edge", title: "Sluice / Edge", from: "now-3h",
		about:     "The gateways: what senders get, what Kafka answers, and how close the limits are.",
		variables: []variable{pickPrometheus, namespaces(), instances("gateway")},
		rows:      []row{edgeSenders(), edgeKafka(), edgeLimits(), edgeSpool(), edgeProcess("gateway")},
	}
}

func edgeSenders() row {
	return row{"Senders", []panel{
		{
			title: "Requests by status", unit: unitReqs, span: 8, stacked: true,
			normal: "nearly all 2xx. 4xx are senders' faults, 429 their rate limits.",
			act:    "503 and 500: read the rows below. 401: a key was revoked, or its projects file is stale.",
			alert:  "SluiceRequestsFailFast",
			queries: []query{
				prom(busy("status", "sluice_gateway_requests_total", ofGateway+`, route!~"health|openapi"`),
					"{{status}}"),
			},
		},
		{
			title: "Events accepted by protocol", unit: unitEvents, span: 8, stacked: true,
			normal: "the daily rhythm of your senders.",
			act:    "A protocol that falls to 0 has lost its senders, or its key.",
			queries: []query{
				prom(busy("protocol", "sluice_gateway_events_accepted_total", ofGateway), "{{protocol}}"),
			},
		},
		{
			title: "Events refused by reason", unit: unitEvents, span: 8, stacked: true,
			normal: "a few invalid events, and rate_limited for projects at their limit.",
			act:    "unavailable and internal are ours: read the rows below. sluice.outcomes names the projects.",
			alert:  "SluiceRequestsFailSlowly",
			queries: []query{
				prom(busy("reason", "sluice_gateway_events_rejected_total", ofGateway), "{{reason}}"),
			},
		},
		{
			title: "Body read to answer", unit: unitSeconds, span: 8, bad: 1,
			normal: "tens of milliseconds, mostly Kafka's acknowledgement.",
			act:    "Compare with the time of produce requests below.",
			alert:  "SluiceRequestsFailFast",
			queries: []query{
				prom(quantile("0.5", "sluice_gateway_ingest_duration_seconds", ofGateway+`, result="kept"`), "p50"),
				prom(quantile("0.99", "sluice_gateway_ingest_duration_seconds", ofGateway+`, result="kept"`), "p99"),
				prom(quantile("0.999", "sluice_gateway_ingest_duration_seconds", ofGateway+`, result="kept"`),
					"p99.9"),
			},
		},
		{
			title: "Valid requests that fail", unit: unitReqs, span: 8, bad: 1,
			normal: "0.",
			act:    "Kafka's errors or a limit are the cause: read the rows below.",
			alert:  "SluiceRequestsFailFast",
			queries: []query{
				prom(rate("instance", "sluice_gateway_ingest_duration_seconds_count", ofGateway+`, result="failed"`),
					"{{instance}}"),
			},
		},
		{
			title: "Requests by route", unit: unitReqs, span: 8, stacked: true,
			normal:  "the paths of the clients that you know.",
			act:     "other: a client has a wrong path; the answer says which it should be.",
			queries: []query{prom(busy("route", "sluice_gateway_requests_total", ofGateway), "{{route}}")},
		},
	}}
}

func edgeKafka() row {
	return row{"Kafka", []panel{
		{
			title: "Produce requests", unit: unitSeconds, span: 8, bad: 1,
			normal: "5 to 50 ms.",
			act:    "Look at the brokers' disks and replication.",
			alert:  "SluiceKafkaErrors",
			queries: []query{
				prom(quantile("0.5", "sluice_gateway_publish_duration_seconds", ofGateway), "p50"),
				prom(quantile("0.99", "sluice_gateway_publish_duration_seconds", ofGateway), "p99"),
			},
		},
		{
			title: "Failed requests to Kafka by reason", unit: unitOps, span: 8, stacked: true,
			normal: "0, and a few of leader and timeout while a broker restarts.",
			act:    "The reason says what to repair.",
			alert:  "SluiceKafkaErrors",
			queries: []query{
				prom(busy("reason", "sluice_gateway_publish_errors_total", ofGateway), "{{reason}}"),
			},
		},
		{
			title: "Waiting for acknowledgement", unit: unitBytes, span: 8,
			normal: "far below --max-inflight-bytes.",
			act:    "If it rises, Kafka is slower than the senders.",
			alert:  "SluiceOverload",
			queries: []query{
				prom(`sum by (instance) (sluice_gateway_inflight_bytes{`+ofGateway+`})`, "{{instance}}"),
			},
		},
	}}
}

func edgeLimits() row {
	return row{"Limits", []panel{
		{
			title: "Turned away by limit", unit: unitReqs, span: 8, stacked: true,
			normal:  "0.",
			act:     "Add gateways, or raise the limit that is named. failed_keys: an address sends unknown keys.",
			alert:   "SluiceOverload",
			queries: []query{prom(busy("limit", "sluice_gateway_overload_total", ofGateway), "{{limit}}")},
		},
		{
			title: "Requests under way", unit: unitShort, span: 4,
			normal: "requests a second times their duration.",
			act:    "If it rises while requests do not, Kafka is slow.",
			alert:  "SluiceOverload",
			queries: []query{
				prom(`sum by (instance) (sluice_gateway_inflight_requests{`+ofGateway+`})`, "{{instance}}"),
			},
		},
		{
			title: "Connections", unit: unitShort, span: 4,
			normal: "far below --max-connections.",
			act:    "Add gateways, or let the load balancer reuse connections.",
			alert:  "SluiceOverload",
			queries: []query{
				prom(`sum by (instance) (sluice_gateway_connections{`+ofGateway+`})`, "{{instance}}"),
			},
		},
		{
			title: "Bodies in memory", unit: unitBytes, span: 4,
			normal: "far below --max-body-bytes.",
			act:    "Senders are slow, or bulks are large: add gateways.",
			alert:  "SluiceOverload",
			queries: []query{
				prom(`sum by (instance) (sluice_gateway_body_bytes{`+ofGateway+`})`, "{{instance}}"),
			},
		},
		{
			title: "Keys in force", unit: unitShort, span: 4,
			normal: "all gateways have the same number.",
			act:    "A gateway with another number does not see the current projects file.",
			alert:  "SluiceProjectsDiffer",
			queries: []query{
				prom(`sum by (instance) (sluice_gateway_project_keys{`+ofGateway+`})`, "{{instance}}"),
			},
		},
		{
			title: "Certificate expires in", unit: unitSeconds, span: 4,
			normal: "more than seven days; empty without TLS on the public port.",
			act:    "Renew the certificate and replace both files.",
			alert:  "SluiceCertificateExpires",
			queries: []query{
				prom(`min by (instance) (sluice_gateway_tls_certificate_expires_seconds{`+ofGateway+`})`, "{{instance}}"),
			},
		},
		{
			title: "Projects file is broken", unit: unitYesNo, span: 5, bad: 1,
			normal: "no.",
			act:    "gateway check names the line.",
			alert:  "SluiceProjectsFileBroken",
			queries: []query{
				prom(`max by (instance) (sluice_gateway_projects_file_broken{`+ofGateway+`})`, "{{instance}}"),
			},
		},
		{
			title: "Limit store answers", unit: unitYesNo, span: 5,
			normal: "yes, or no data without --limit-store.",
			act:    "Look at Redis and the network to it.",
			alert:  "SluiceLimitStoreAway",
			queries: []query{
				prom(`min by (instance) (sluice_gateway_limit_store_up{`+ofGateway+`})`, "{{instance}}"),
			},
		},
		{
			title: "Exchanges with the limit store (p99)", unit: unitSeconds, span: 5, bad: 0.05,
			normal: "a few milliseconds.",
			act:    "Look at Redis' slow log and the network to it.",
			alert:  "SluiceLimitStoreAway",
			queries: []query{
				prom(quantile("0.99", "sluice_gateway_limit_store_duration_seconds", ofGateway), "p99"),
			},
		},
		{
			title: "Errors of the limit store", unit: unitOps, span: 5,
			normal: "0.",
			act:    "auth and settings are for somebody to repair; network and timeout may pass.",
			alert:  "SluiceLimitStoreAway",
			queries: []query{
				prom(busy("reason", "sluice_gateway_limit_store_errors_total", ofGateway), "{{reason}}"),
			},
		},
	}}
}

func edgeSpool() row {
	return row{"Spool", []panel{
		{
			title: "Oldest event", unit: unitSeconds, span: 6, bad: 600,
			normal: "0.",
			act:    "Bring Kafka back. At --spool-max-age the gateway answers 503.",
			alert:  "SluiceSpoolWaits",
			queries: []query{
				prom(`max by (instance) (sluice_gateway_spool_oldest_seconds{`+ofGateway+`})`, "{{instance}}"),
			},
		},
		{
			title: "Share of the largest size", unit: unitPercent, span: 6, bad: 0.8,
			normal: "0.",
			act:    "Bring Kafka back, or enlarge the disk and --spool-max-bytes.",
			alert:  "SluiceSpoolFills",
			queries: []query{
				prom(`max by (instance) (
  sluice_gateway_spool_bytes{`+ofGateway+`} / (sluice_gateway_spool_max_bytes{`+ofGateway+`} > 0)
)`, "{{instance}}"),
			},
		},
		{
			title: "Events that wait, and that Kafka refuses", unit: unitShort, span: 6,
			normal: "0.",
			act:    "Refused events: gateway check says what is wrong with the topic.",
			alert:  "SluiceSpoolRefused",
			queries: []query{
				prom(`sum by (instance) (sluice_gateway_spool_events{`+ofGateway+`})`, "{{instance}}"),
				prom(`sum by (instance) (sluice_gateway_spool_refused_events{`+ofGateway+`}) > 0`,
					"{{instance}} refused"),
			},
		},
		{
			title: "Errors, and fsync (p99)", unit: unitSeconds, span: 6,
			normal: "fsync within some milliseconds.",
			act:    "Look at the disk under --spool-dir.",
			alert:  "SluiceSpoolErrors",
			queries: []query{
				prom(quantile("0.99", "sluice_gateway_spool_fsync_seconds", ofGateway), "fsync p99"),
			},
		},
	}}
}

// edgeProcess is about the processes of a program.
func edgeProcess(program string) row {
	// of narrows a metric that every program has to one program.
	of := func(metric string) string {
		return `sum by (instance) (` + metric + ` * on (namespace, job, instance) group_left ()
  max by (namespace, job, instance) (sluice_build_info{` + ofGateway + `, program="` + program + `"}))`
	}
	return row{"Processes", []panel{
		{
			title: "CPU", unit: unitShort, span: 6,
			normal:  "below the number of processors, about equal on all.",
			act:     "Add " + program + "s.",
			queries: []query{prom(of(`rate(process_cpu_seconds_total[$__rate_interval])`), "{{instance}}")},
		},
		{
			title: "Memory", unit: unitBytes, span: 6,
			normal:  "flat.",
			act:     "If it rises without end, take /debug/pprof/heap and restart.",
			alert:   "SluiceRestarts",
			queries: []query{prom(of(`process_resident_memory_bytes`), "{{instance}}")},
		},
		{
			title: "Open files", unit: unitShort, span: 6,
			normal:  "far below the limit of open files.",
			act:     "Raise LimitNOFILE or ulimit.",
			queries: []query{prom(of(`process_open_fds`), "{{instance}}")},
		},
		{
			title: "Age of the process", unit: unitSeconds, span: 6,
			normal:  "rises since the last release.",
			act:     "Look at why it ended: the log's last lines, the OOM killer.",
			alert:   "SluiceRestarts",
			queries: []query{prom(of(`(time() - process_start_time_seconds)`), "{{instance}}")},
		},
	}}
}
