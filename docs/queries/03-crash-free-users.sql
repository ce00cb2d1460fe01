-- What share of the users of each release had no crash?
--
-- A crash is an event of the level fatal. Users without an id are not counted.
-- Adapt: `level >= 'error'` for users without any error; tags['session'] in place of user_id for sessions.
SELECT
    release,
    uniqExact(user_id) AS users,
    uniqExactIf(user_id, level = 'fatal') AS crashed,
    round(100 * (1 - crashed / users), 3) AS crash_free_percent
FROM events
WHERE project_id = {project:String}
    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
    AND user_id != ''
GROUP BY release
ORDER BY users DESC, release;
