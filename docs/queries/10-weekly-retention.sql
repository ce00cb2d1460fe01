-- Of the users of a week, how many come back in the weeks after?
--
-- A user belongs to the week of the user's first event in the time range. Weeks begin on Monday.
-- Adapt: toStartOfMonth and dateDiff('month', …) for months.
SELECT
    first_week,
    week_number,
    count() AS users
FROM
(
    SELECT
        arrayMin(groupUniqArray(toMonday(timestamp)) AS weeks) AS first_week,
        arrayJoin(weeks) AS week,
        intDiv(week - first_week, 7) AS week_number
    FROM events
    WHERE project_id = {project:String}
        AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
        AND user_id != ''
    GROUP BY user_id
)
GROUP BY first_week, week_number
ORDER BY first_week, week_number;
