-- How many users go through the steps of a funnel?
--
-- A user reaches a step if its transaction follows the earlier steps' in time, within a day of the first.
-- Adapt: other transactions; 86400 is the window in seconds.
SELECT
    step,
    countIf(reached >= step) AS users
FROM
(
    SELECT windowFunnel(86400)(
        toDateTime(timestamp),
        transaction = 'GET /item/{id}', transaction = 'POST /cart', transaction = 'POST /checkout', transaction = 'POST /pay'
    ) AS reached
    FROM events
    WHERE project_id = {project:String}
        AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
        AND user_id != ''
        AND transaction IN ('GET /item/{id}', 'POST /cart', 'POST /checkout', 'POST /pay')
    GROUP BY user_id
)
ARRAY JOIN [1, 2, 3, 4] AS step
GROUP BY step
ORDER BY step;
