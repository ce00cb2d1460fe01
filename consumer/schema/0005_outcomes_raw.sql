-- The counts behind sluice.outcomes that do not follow from events_raw: what gateways refused, what clients dropped,
-- what processing steps dropped, and dead letters.
--
-- A row says how many events a source has counted. A source is a gateway's process, a recorded range of a partition, or
-- one record. Rows with the same key are the same count, written again or written later: the larger number wins. So
-- nothing here depends on how often a row is inserted, and the consumer inserts these rows without a token.
--
-- Years bound the table partitions of a block, whatever minutes a record has: a DateTime ends in 2106.
CREATE TABLE IF NOT EXISTS {{.Outcomes}}{{.OnCluster}}
(
    project_id LowCardinality(String) CODEC(LZ4),
    minute     DateTime('UTC') CODEC(Delta, ZSTD(1)),
    protocol   LowCardinality(String) CODEC(LZ4),
    outcome    LowCardinality(String) CODEC(LZ4),
    reason     LowCardinality(String) CODEC(LZ4),
    category   LowCardinality(String) CODEC(LZ4),
    source     UUID CODEC(ZSTD(1)),
    events     UInt64 CODEC(T64, LZ4)
)
ENGINE = {{if .Cluster}}ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{{.Outcomes}}', '{replica}', events)
{{- else}}ReplacingMergeTree(events){{end}}
PARTITION BY toYear(minute)
ORDER BY (toYear(minute), project_id, minute, outcome, protocol, reason, category, source)
{{- with .OutcomesTTL}}
TTL {{.}}
{{- end}}
SETTINGS
{{- if .Replicated}} replicated_deduplication_window = 0
{{- else}} non_replicated_deduplication_window = 0
{{- end}}
{{- if not .Cloud}},
    fsync_after_insert = 1,
    fsync_part_directory = 1
{{- end}};
{{- if .Cluster}}

CREATE TABLE IF NOT EXISTS outcomes_raw{{.OnCluster}} AS {{.Outcomes}}
ENGINE = Distributed({{quote .Cluster}}, {{quote .Database}}, {{quote .Outcomes}}, {{.OutcomesShardKey}});
{{- end}}
