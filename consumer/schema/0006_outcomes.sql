-- What became of everything that was sent: each event once, however often its count was written.
--
-- Accepted events are counted where they lie, so that their number is always that of sluice.events. Their minute is that
-- of their receipt, as it is for what the gateway refused.
CREATE VIEW IF NOT EXISTS outcomes{{.OnCluster}} AS
SELECT
    project_id,
    minute,
    protocol,
    outcome,
    reason,
    sum(o.counted) AS events,
    category
FROM
(
    SELECT
        project_id,
        toStartOfMinute(toDateTime(received_at, 'UTC')) AS minute,
        toLowCardinality(if(format = '', 'native', format)) AS protocol,
        toLowCardinality('accepted') AS outcome,
        toLowCardinality('') AS reason,
        toLowCardinality('') AS category,
        toUInt64(1) AS counted
    FROM events_raw FINAL
    UNION ALL
    SELECT project_id, minute, protocol, outcome, reason, category, events AS counted
    FROM outcomes_raw FINAL
) AS o
GROUP BY project_id, minute, protocol, outcome, reason, category
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1;
