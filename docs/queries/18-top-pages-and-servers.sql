-- Which pages and servers have the most events?
--
-- Adapt: add `level >= 'error'` for the pages and servers with the most errors.
SELECT
    transaction,
    server_name,
    count() AS events,
    uniqExactIf(user_id, user_id != '') AS users
FROM events
WHERE project_id = {project:String}
    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
GROUP BY transaction, server_name
ORDER BY events DESC, transaction, server_name
LIMIT 20;
