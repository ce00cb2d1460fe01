-- Which issues became more frequent from one release to another?
--
-- Compares events of the issue per thousand events of the release, so that a release with more traffic is not worse for
-- it alone.
-- Adapt: a lower bound for `after_count` hides rare issues.
WITH
    (
        SELECT (countIf(release = {before:String}), countIf(release = {after:String}))
        FROM events
        WHERE project_id = {project:String} AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
    ) AS totals
SELECT
    issue_id,
    countIf(release = {before:String}) AS before_count,
    countIf(release = {after:String}) AS after_count,
    round(1000 * before_count / totals.1, 3) AS before_per_thousand,
    round(1000 * after_count / totals.2, 3) AS after_per_thousand,
    argMax(message, timestamp) AS last_message
FROM events
WHERE project_id = {project:String}
    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
    AND release IN ({before:String}, {after:String})
    AND level >= 'error'
GROUP BY issue_id
HAVING after_per_thousand > before_per_thousand
ORDER BY after_per_thousand - before_per_thousand DESC, issue_id
LIMIT 20;
