-- The erasures that consumers heed, see `sluice erase`: events that come again are not inserted again.
--
-- The table must not itself say whose events were erased. So it has a salted hash of the user's id or address. Rows are
-- removed once nothing that was erased can come again: neither from Kafka, nor out of what the table of the events
-- still takes as new.
--
-- On a cluster each server has all rows, whatever its shard: a consumer reads them where it inserts. There are few rows.
CREATE TABLE IF NOT EXISTS erasures{{.OnCluster}}
(
    id            UUID COMMENT 'the id of the erasure, which its receipt names',
    project_id    String COMMENT 'the project whose events were erased',
    kind          LowCardinality(String) COMMENT 'project, user or email: what the erasure goes by',
    salt          FixedString(16) COMMENT 'what the digest begins with',
    digest        FixedString(32)
        COMMENT 'the SHA-256 of salt, kind, project and the id or address of the user, zero for a project',
    erased_at     DateTime64(3, 'UTC') COMMENT 'events that happened or were received before are erased (UTC)',
    doubt_seconds UInt32
        COMMENT 'how long after erased_at events are dropped that do not tell when they happened, in seconds',
    forget_at     DateTime('UTC') COMMENT 'when the row may be removed, because nothing can come again (UTC)',
    note          String COMMENT 'what the operator noted, such as the number of a request'
)
ENGINE = {{if .Cluster}}ReplicatedMergeTree('/clickhouse/tables/all/{database}/erasures', '{shard}-{replica}')
{{- else}}MergeTree{{end}}
ORDER BY (project_id, erased_at)
TTL forget_at
SETTINGS
{{- if .Replicated}} replicated_deduplication_window = 0
{{- else}} non_replicated_deduplication_window = 0
{{- end}}
{{- if not .Cloud}},
    fsync_after_insert = 1,
    fsync_part_directory = 1
{{- end}}
COMMENT 'Erasures by `sluice erase`: consumers drop what comes again. No ids or addresses of users, only salted hashes.';
