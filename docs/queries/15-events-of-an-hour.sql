-- What happened in an hour?
--
-- Adapt: another range; add environment or release to both lists of columns.
SELECT
    transaction,
    count() AS events,
    countIf(level >= 'error') AS errors,
    uniqExactIf(user_id, user_id != '') AS users
FROM events
WHERE project_id = {project:String}
    AND timestamp >= {hour:DateTime('UTC')} AND timestamp < {hour:DateTime('UTC')} + INTERVAL 1 HOUR
GROUP BY transaction
ORDER BY events DESC, transaction;
