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
    project_id LowCardinality(String)
        COMMENT 'the project, empty for requests without a valid key, and for records without valid headers' CODEC(LZ4),
    minute     DateTime('UTC') COMMENT 'the minute of receipt (UTC)' CODEC(Delta, ZSTD(1)),
    protocol   LowCardinality(String)
        COMMENT 'native, sentry, otlp, segment and so on, unknown for a record that does not say' CODEC(LZ4),
    outcome    LowCardinality(String)
        COMMENT 'accepted, rejected, rate_limited, filtered, dead_lettered or client_dropped' CODEC(LZ4),
    reason     LowCardinality(String)
        COMMENT 'why: the code of the answer, the processing step, the reason of the dead letter or of the client' CODEC(LZ4),
    category   LowCardinality(String)
        COMMENT 'of client_dropped: what was dropped, such as error or transaction' CODEC(LZ4),
    source     UUID COMMENT 'what counted: a process, a range of a partition, or one record' CODEC(ZSTD(1)),
    events     UInt64 COMMENT 'how many events' CODEC(T64, LZ4)
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
{{- end}}
COMMENT 'Counts behind the view outcomes. Rows with the same key are one count, the largest. Query outcomes instead.';
{{- if .Cluster}}

CREATE TABLE IF NOT EXISTS outcomes_raw{{.OnCluster}} AS {{.Outcomes}}
ENGINE = Distributed({{quote .Cluster}}, {{quote .Database}}, {{quote .Outcomes}}, {{.OutcomesShardKey}})
COMMENT 'Counts behind the view outcomes. Rows with the same key are one count, the largest. Query outcomes instead.';
{{- end}}
