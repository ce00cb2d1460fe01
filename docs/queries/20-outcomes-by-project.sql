-- What became of everything that was sent, by project?
--
-- Minutes are those of receipt. See docs/queries.md for the outcomes.
-- Adapt: add reason to both lists of columns for the causes.
SELECT
    project_id,
    sumIf(events, outcome = 'accepted') AS accepted,
    sumIf(events, outcome = 'rejected') AS rejected,
    sumIf(events, outcome = 'rate_limited') AS rate_limited,
    sumIf(events, outcome NOT IN ('accepted', 'rejected', 'rate_limited')) AS others
FROM outcomes
WHERE minute >= {start:DateTime('UTC')} AND minute < {end:DateTime('UTC')}
GROUP BY project_id
ORDER BY accepted DESC, project_id;
