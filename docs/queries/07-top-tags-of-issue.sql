-- Which tags do the events of an issue have?
--
-- The share is that of all events of the issue.
-- Adapt: tags['browser'] alone for one tag; the columns release, platform and server_name work in the same way.
SELECT
    tag,
    value,
    count() AS events,
    round(100 * events / max(total), 1) AS percent
FROM
(
    SELECT tags, count() OVER () AS total
    FROM events
    WHERE project_id = {project:String}
        AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
        AND fingerprint = reinterpretAsUInt64(reverse(unhex({issue:String})))
)
ARRAY JOIN mapKeys(tags) AS tag, mapValues(tags) AS value
GROUP BY tag, value
ORDER BY events DESC, tag, value
LIMIT 20;
