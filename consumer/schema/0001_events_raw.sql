-- The table behind sluice.events: one row for each Kafka record, until the resends of an event are merged.
--
-- An event is identified by project_id, event_id and id_time. id_time comes from the bytes of the event: the time in a
-- UUIDv7 id, else the timestamp as the client wrote it, else 1970-01-01. Nothing in the sorting key or the partition
-- depends on when or where an event was received. A resend therefore meets its first copy in the same partition under
-- the same key, however late it comes. _ver makes the first copy win. Without _ver the last copy would win, and anybody
-- who knows a public key could overwrite events.
--
-- Within a minute events lie in the order of the bytes of their ids. ClickHouse sorts a UUID by its second half, which
-- is random in a UUIDv7. The bytes are in the order of time, so that neighbours are of the same millisecond. Their
-- times, offsets and ids then take fewer bytes, and merging costs half: 16 parts of 83,600 rows of 200 bytes take 2.75
-- us a row with event_id itself in the key, and 1.35 us as the key is (1.4 KB: 6.3 and 4.8 us; insert: 1.47 and 1.44,
-- 5.8 and 5.8 us). A query for an id uses the key as well. event_id comes last for FINAL, which finds a row by the
-- columns of the key before it reads other columns. The minute comes before the id for ids that are random as a whole.
-- A finer time would make their rows smaller. A coarser time forgives clients that send an event again with another
-- timestamp. The partition expression comes first, so that FINAL can work on one partition at a time. A partition
-- without an insert for an hour is merged into one part, which FINAL reads as fast as a plain table.
--
-- A partition is a day, and shares its number with the day 128 days before, which retention has removed by then. So a
-- block touches 128 partitions at most, whatever times clients invent. FINAL merges what overlaps by the key, and each
-- part has a few late events: sorted by month, project and minute, a few rows of every part overlap with a whole month,
-- and FINAL merges all of it for a question about one hour. With days it merges a day, and closed days are one part
-- each. Processor time through the view, divided by that on the table, of the twenty questions of docs/queries, three
-- million events of thirty days, 15 parts of two days each and ten young ones:
--
--                             median   errors of a day by minute   events of an hour   last 50 events
--     month, project, minute     4.4                           7                 7.3               13
--     day, project, minute       1.6                         0.8                 1.5              1.3
--
-- Ten million events take 1.1 times as long merged, 1.5 times while events arrive, and 2.0 times with 15 parts of each
-- day (medians): docs/performance.md has each question.
--
-- What days cost: 2,000 events of which 12 are hours to days late go into 6 parts in place of 2, which takes 55 ms of
-- processor time in place of 30, and merging 20 such blocks 530 ms in place of 300. The day itself is not in the key,
-- because the minute has it: with toDate(id_time) after the partition the consumer inserts 121,000 rows of 1.4 KB a
-- second in place of 135,000 (medians of three, by turns).
-- A table of an earlier version keeps its months: keys cannot be changed in a table with rows.
--
-- Without event_id at the end, without the partition expression, without the minute, and with event_id in place of its
-- number, FINAL takes what it takes now (250 to 290 ms of processor time for two million rows, half of it to read the
-- key).
--
-- Indices that were tried, one at a time: a million rows of ten days, inserted in eight blocks and merged. Processor
-- time a row, bytes a row, and processor time of a question about one project through the view:
--
--                                       insert   merging   bytes   question          without   with
--     none                             6.54 us   4.18 us   120.3
--     received_at, minmax (here)       6.44      4.28      120.3   outcomes, 1 hour      280     50 ms
--     message, text index              7.23      4.71      126.5   hasToken               50     30
--     message, ngrambf_v1 of 3         7.40      4.57      120.7   LIKE                   50     50
--     message, tokenbf_v1              6.91      4.10      120.7   hasToken               50     50
--     user_id, bloom filter            6.86      4.30      121.3   events of a user       60     70
--     trace_id, bloom filter                               120.8   events of a trace      70     30
--     fingerprint, set                           3.98      120.5   events of an issue     20     20
--
-- A granule has 8,192 rows, among which every frequent word, user and issue occurs. The index on trace_id is of no use
-- to who names a time range. Projections are not used under FINAL. Rollups of issues, minutes and outcomes that are
-- rebuilt for each day that has changed do not pay: late events change some ten days every second, and a day is rebuilt
-- at the price of one question about all of it.
--
-- Bytes a row on disk of 200,000 events, merged: of 1.5 KB with stack traces of 300 issues, and of 165 bytes. One
-- column of their JSON in ZSTD(1) takes 148.8 and 34.3:
--
--     key to the hour,   payload ZSTD(1), numbers and low cardinality LZ4     248.3   84.0
--     key to the second, all ZSTD(1)                                          232.8   73.3
--     the same, payload and message in blocks of 1 MiB                        232.0   73.1
--     key to the minute, all ZSTD(1) but payload ZSTD(3)                      222.9   77.3
--     the same, message and exception_value in ZSTD(3) as well                222.2   77.2
--     the same, ids in the order of their bytes                               204.8   65.4
--     the same, message and exception_value in ZSTD(1)                        206.4   66.1
--     the same, low cardinality in LZ4                                        208.3   66.7
--     the same, times, offset and version T64 and LZ4 in place of Delta       209.8   67.6
--     the same, tags and fingerprint in LZ4                                   212.1   68.5   this table
--     the seventh, payload in ZSTD(1)                                         221.8   66.6
--
-- The fifth line is of another run, in which the fourth took 223.8. The lines below it are of events in the order of
-- their receipt, 20 to 80 ms after they were made; with these the fifth took 223.2 and 77.9. The weaker codecs of this
-- table save a tenth of an insert of 200 bytes (1.21 us a row without them, 1.07 with them) and a little of merging
-- (1.46 and 1.41 us). T64, and LZ4 for tags and fingerprint, save as much again (1.11 and 1.02 us, 1.28 and 1.17 us on
-- another day). payload in ZSTD(1) saves little more.
--
-- format is that of the payload: '' is our own, and then the column is not sent. The view outcomes needs it.
--
-- The settings bound what an insert costs. Parts under 64 MiB are compact: two files each in place of about seventy.
-- Small parts are merged about thirty at a time in place of five, because merging a row once costs more than inserting
-- it. With merge_selector_base = 64 ClickHouse waits for about 32 parts of a size, with 16 for 15, and from 50 parts on
-- for fewer in any case. Rows a second while 4 million rows of 200 bytes are inserted, with event_id itself in the key,
-- in two runs each: 348,000 and 362,000 with 16, 378,000 and 398,000 with 32, 444,000 and 443,000 with 64. At twelve
-- inserts a second 5 to 50 parts are active (3 to 25 with 16). FINAL reads them until they are merged.
CREATE TABLE IF NOT EXISTS {{.Table}}{{.OnCluster}}
(
    project_id         LowCardinality(String) COMMENT 'the project that the key of the sender belongs to' CODEC(LZ4),
    event_id           UUID
        COMMENT 'the UUID of the event, as sent or made by the gateway, unique within a project' CODEC(ZSTD(1)),
    id_time            DateTime('UTC')
        COMMENT 'the time in the identity of the event: that of a UUIDv7, else the timestamp as sent, else 1970' CODEC(Delta, ZSTD(1)),
    timestamp          DateTime64(3, 'UTC')
        COMMENT 'when the event happened (UTC), corrected if the clock of the sender was wrong' CODEC(T64, LZ4),
    client_timestamp   DateTime64(3, 'UTC')
        COMMENT 'the timestamp as sent (UTC), 1970-01-01 if there was none' CODEC(T64, LZ4),
    timestamp_adjusted Bool
        COMMENT 'true if the timestamp could not be right and the time received replaced it' CODEC(ZSTD(1)),
    received_at        DateTime64(3, 'UTC')
        COMMENT 'when the gateway received the event (UTC), retention counts from here' CODEC(T64, LZ4),
    inserted_at        DateTime64(3, 'UTC') DEFAULT now64(3)
        COMMENT 'when the row was inserted (UTC)' CODEC(Delta, ZSTD(1)),
    level              Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5)
        COMMENT 'debug < info < warning < error < fatal: critical, warn and so on are stored as these' CODEC(ZSTD(1)),
    message            String COMMENT 'the first 64 KiB of the message' CODEC(ZSTD(1)),
    fingerprint        UInt64 COMMENT 'the hash that groups events into issues' CODEC(LZ4),
    issue_id           String ALIAS lower(leftPad(hex(fingerprint), 16, '0'))
        COMMENT 'the fingerprint as 16 hex digits, because JSON would round the number',
    exception_type     LowCardinality(String) COMMENT 'the type of the exception, empty if there is none' CODEC(LZ4),
    exception_value    String COMMENT 'the text of the exception, empty if there is none' CODEC(ZSTD(1)),
    environment        LowCardinality(String) COMMENT 'the environment as sent, such as production' CODEC(LZ4),
    release            LowCardinality(String) COMMENT 'the release as sent' CODEC(LZ4),
    platform           LowCardinality(String) COMMENT 'the platform as sent, such as javascript' CODEC(LZ4),
    server_name        LowCardinality(String) COMMENT 'the server as sent' CODEC(LZ4),
    transaction        LowCardinality(String) COMMENT 'the endpoint, page or job as sent' CODEC(LZ4),
    trace_id           String COMMENT 'the trace that the event belongs to, empty if there is none' CODEC(ZSTD(1)),
    user_id            String COMMENT 'the id of the user, empty if there is none' CODEC(ZSTD(1)),
    user_email         String COMMENT 'the email address of the user, empty if there is none' CODEC(ZSTD(1)),
    sdk_name           LowCardinality(String) COMMENT 'the name of the SDK that sent the event' CODEC(LZ4),
    sdk_version        LowCardinality(String) COMMENT 'the version of the SDK that sent the event' CODEC(LZ4),
    tags               Map(LowCardinality(String), String)
        COMMENT 'the first 256 tags: tags[''name''] is empty if the event lacks the tag' CODEC(LZ4),
    payload            String
        COMMENT 'the event as sent, as JSON: JSONExtractString(payload, ''user'', ''name'') reads a field' CODEC(ZSTD(3)),
    format             LowCardinality(String)
        COMMENT 'the protocol whose JSON the payload is, empty for the native one' CODEC(LZ4),
    _topic             LowCardinality(String)
        COMMENT 'the Kafka topic of the record that the row was made from' CODEC(LZ4),
    _partition         Int32 COMMENT 'the Kafka partition of that record' CODEC(ZSTD(1)),
    _offset            Int64 COMMENT 'the Kafka offset of that record' CODEC(T64, LZ4),
    _ver               UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(received_at)))
        COMMENT 'the version for merging: the first copy received wins' CODEC(T64, LZ4),
{{- range .Custom}}
    {{.Column}},
{{- end}}

    INDEX timestamp_range timestamp TYPE minmax GRANULARITY 1,
    INDEX received_range received_at TYPE minmax GRANULARITY 1,
    INDEX offset_range (_partition, _offset) TYPE minmax GRANULARITY 1
)
ENGINE = {{if .Cluster}}ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{{.Table}}', '{replica}', _ver)
{{- else}}ReplacingMergeTree(_ver){{end}}
PARTITION BY toRelativeDayNum(id_time) % 128
ORDER BY (toRelativeDayNum(id_time) % 128, project_id, toStartOfMinute(id_time), UUIDToNum(event_id), event_id)
{{- with .TTL}}
TTL {{.}}
{{- end}}
SETTINGS
{{- if .Replicated}} replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = {{.TokenSeconds}},
{{- else}} non_replicated_deduplication_window = 10000,
{{- end}}
{{- if not .Cloud}}
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_bytes_for_wide_part = 67108864,
    merge_selector_base = 64,
{{- end}}
    min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'The rows behind the view events: resends of an event may be here until they are merged. Query events instead.';
{{- if .Cluster}}

CREATE TABLE IF NOT EXISTS events_raw{{.OnCluster}} AS {{.Table}}
ENGINE = Distributed({{quote .Cluster}}, {{quote .Database}}, {{quote .Table}}, {{.ShardKey}})
COMMENT 'The rows behind the view events: resends of an event may be here until they are merged. Query events instead.';
{{- end}}
