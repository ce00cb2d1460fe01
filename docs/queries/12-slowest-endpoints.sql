-- Which endpoints are slowest?
--
-- Takes the duration from the field duration_ms of the payload; events without the field are left out.
-- Adapt: the field's name; `HAVING requests > 100` hides rare endpoints.
SELECT
    transaction,
    count() AS requests,
    round(quantileExact(0.5)(ms)) AS p50_ms,
    round(quantileExact(0.95)(ms)) AS p95_ms
FROM
(
    SELECT transaction, JSONExtractFloat(payload, 'duration_ms') AS ms
    FROM events
    WHERE project_id = {project:String}
        AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
        AND transaction != ''
        AND JSONHas(payload, 'duration_ms')
)
GROUP BY transaction
ORDER BY p95_ms DESC, transaction
LIMIT 20;
