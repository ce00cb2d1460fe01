-- The view for analysts: one row for each event, the first copy received. FINAL removes resends that have not been
-- merged yet.
--
-- FINAL does not have to look for resends in other partitions, because a resend comes into the partition of its first
-- copy. ClickHouse sees that by itself, but not where a skip index is used: hence the first setting. Conditions on
-- project_id and event_id may be checked before the other columns are read (PREWHERE), because all copies of an event
-- have the same values. ClickHouse does so for conditions over the sorting key only. Of ten million merged rows, a
-- count by hour of one day takes 1.2 times as long as on events_raw (1.4 times without these settings), and one event
-- by its id 1.3 to 1.4 times as long (1.5 to 1.7).
--
-- The third setting is the default of ClickHouse, but not of every profile. With 0 an index on a time may drop the first
-- copy, whose corrected timestamp lies outside of the question's range, and the question shows a resend in its place.
--
-- Tried without a gain: query_plan_optimize_lazy_final, with and without a low max_rows_for_lazy_final, because it
-- aggregates all granules that overlap; enable_vertical_final = 0 (350 ms of processor time in place of 210) and
-- split_intersecting_parts_ranges_into_layers_final = 0 (200); a list of the copies that lost in place of FINAL, because
-- finding the resends of the last 5,000 rows among three million takes 280 ms, more than most questions. FINAL reads the
-- key of every granule in which a late event may have a place: one late event in two hundred is forty in a granule. So
-- it costs some 100 ns a row in a day that has one large part and a few of late events, as in a day with many parts, and
-- nothing in a day that is one part.
CREATE VIEW IF NOT EXISTS events{{.OnCluster}}
(
    project_id         LowCardinality(String) COMMENT 'the project that the key of the sender belongs to',
    event_id           UUID COMMENT 'the UUID of the event, as sent or made by the gateway, unique within a project',
    timestamp          DateTime64(3, 'UTC')
        COMMENT 'when the event happened (UTC), corrected if the clock of the sender was wrong',
    client_timestamp   DateTime64(3, 'UTC') COMMENT 'the timestamp as sent (UTC), 1970-01-01 if there was none',
    timestamp_adjusted Bool COMMENT 'true if the timestamp could not be right and the time received replaced it',
    received_at        DateTime64(3, 'UTC')
        COMMENT 'when the gateway received the event (UTC), retention counts from here',
    inserted_at        DateTime64(3, 'UTC') COMMENT 'when the row was inserted (UTC)',
    level              Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5)
        COMMENT 'debug < info < warning < error < fatal: critical, warn and so on are stored as these',
    message            String COMMENT 'the first 64 KiB of the message',
    fingerprint        UInt64 COMMENT 'the hash that groups events into issues',
    issue_id           String COMMENT 'the fingerprint as 16 hex digits, because JSON would round the number',
    exception_type     LowCardinality(String) COMMENT 'the type of the exception, empty if there is none',
    exception_value    String COMMENT 'the text of the exception, empty if there is none',
    environment        LowCardinality(String) COMMENT 'the environment as sent, such as production',
    release            LowCardinality(String) COMMENT 'the release as sent',
    platform           LowCardinality(String) COMMENT 'the platform as sent, such as javascript',
    server_name        LowCardinality(String) COMMENT 'the server as sent',
    transaction        LowCardinality(String) COMMENT 'the endpoint, page or job as sent',
    trace_id           String COMMENT 'the trace that the event belongs to, empty if there is none',
    user_id            String COMMENT 'the id of the user, empty if there is none',
    user_email         String COMMENT 'the email address of the user, empty if there is none',
    sdk_name           LowCardinality(String) COMMENT 'the name of the SDK that sent the event',
    sdk_version        LowCardinality(String) COMMENT 'the version of the SDK that sent the event',
    tags               Map(LowCardinality(String), String)
        COMMENT 'the first 256 tags: tags[''name''] is empty if the event lacks the tag',
    payload            String
        COMMENT 'the event as sent, as JSON: JSONExtractString(payload, ''user'', ''name'') reads a field',
    _topic             LowCardinality(String) COMMENT 'the Kafka topic of the record that the row was made from',
    _partition         Int32 COMMENT 'the Kafka partition of that record',
    _offset            Int64 COMMENT 'the Kafka offset of that record'
{{- range .Extra}},
    {{.Definition}}
{{- end}}
)
COMMENT 'One row for each event: the first copy received. Fresh within seconds. Name a project_id and a range of timestamp.' AS
SELECT
    project_id, event_id, timestamp, client_timestamp, timestamp_adjusted, received_at, inserted_at, level, message,
    fingerprint, issue_id, exception_type, exception_value, environment, release, platform, server_name, transaction,
    trace_id, user_id, user_email, sdk_name, sdk_version, tags, payload, _topic, _partition, _offset
    {{- range .Extra}}, {{.Expression}}{{end}}
FROM events_raw FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1,
    use_skip_indexes_if_final_exact_mode = 1;
