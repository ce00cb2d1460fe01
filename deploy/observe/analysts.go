package main

// ofEvents narrows a query of events or issues to what the reader picked.
const ofEvents = `project_id IN (${project:singlequote}) AND environment IN (${environment:singlequote})`

// analystsBoard is for those who ask what is in the events.
func analystsBoard() board {
	return board{
		uid: "sluice-analysts", title: "Sluice / Analysts", from: "now-24h",
		about: "What is in the events: levels, issues, users, releases, and what became of everything that was sent.",
		variables: []variable{
			pickClickHouse,
			pick("project", "Project", `SELECT DISTINCT project_id FROM outcomes
WHERE minute > now() - INTERVAL 7 DAY AND project_id != '' ORDER BY project_id`, clickhouseRef()),
			pick("environment", "Environment", `SELECT DISTINCT environment FROM events_per_minute
WHERE project_id IN (${project:singlequote}) AND minute > now() - INTERVAL 7 DAY
ORDER BY environment`, clickhouseRef()),
		},
		rows: []row{analystsEvents(), analystsIssues(), analystsOutcomes()},
	}
}

func analystsEvents() row {
	return row{"Events", []panel{
		{
			kind: number, title: "Events", unit: unitShort, span: 6,
			normal: "as yesterday.",
			act:    "None: ask the project's developers whether a key changed, and see Outcomes below.",
			queries: []query{
				rows(`SELECT sum(events)
FROM events_per_minute WHERE $__timeFilter(minute) AND ` + ofEvents),
			},
		},
		{
			kind: number, title: "Errors and worse", unit: unitPercent, span: 6, bad: 0.5,
			normal: "depends on what you send.",
			act:    "See which issues are new.",
			queries: []query{
				rows(`SELECT sumIf(events, level >= 'error') / greatest(sum(events), 1)
FROM events_per_minute WHERE $__timeFilter(minute) AND ` + ofEvents),
			},
		},
		{
			kind: number, title: "Issues seen", unit: unitShort, span: 6,
			normal: "as yesterday.",
			act:    "Many more: a release groups badly, or a fingerprint has a number in it.",
			queries: []query{
				rows(`SELECT uniq(project_id, fingerprint)
FROM events WHERE $__timeFilter(timestamp) AND ` + ofEvents),
			},
		},
		{
			kind: number, title: "Users affected by errors", unit: unitShort, span: 6,
			normal: "as yesterday.",
			act:    "See which issues have most users.",
			queries: []query{
				rows(`SELECT uniqIf(user_id, user_id != '')
FROM events WHERE $__timeFilter(timestamp) AND level >= 'error' AND ` + ofEvents),
			},
		},
		{
			title: "Events by level", unit: unitShort, span: 12, stacked: true,
			normal: "the daily rhythm.",
			act:    "A step up after a release: compare releases below.",
			queries: []query{series(`SELECT
  $__timeInterval(minute) AS time, toString(level) AS level, sum(events) AS events
FROM events_per_minute WHERE $__timeFilter(minute) AND ` + ofEvents + `
GROUP BY time, level ORDER BY time, level`)},
		},
		{
			title: "Errors by release", unit: unitShort, span: 12, stacked: true,
			normal: "no release has many more than the one before.",
			act:    "Roll the release back, or fix its new issues.",
			queries: []query{series(`SELECT $__timeInterval(timestamp) AS time, release, count() AS errors
FROM events WHERE $__timeFilter(timestamp) AND level >= 'error' AND ` + ofEvents + `
GROUP BY time, release ORDER BY time, release`)},
		},
	}}
}

func analystsIssues() row {
	return row{"Issues", []panel{
		{
			kind: list, title: "Issues with the most events", unit: unitShort, span: 12,
			normal: "the ones you know.",
			act:    "Look at an event: SELECT payload FROM events WHERE issue_id = '…' LIMIT 1.",
			queries: []query{rows(`SELECT
  project_id, issue_id, count() AS events, uniqIf(user_id, user_id != '') AS users,
  toString(max(level)) AS worst, argMax(message, timestamp) AS last_message, max(timestamp) AS last_seen
FROM events WHERE $__timeFilter(timestamp) AND ` + ofEvents + `
GROUP BY project_id, issue_id ORDER BY events DESC LIMIT 20`)},
		},
		{
			kind: list, title: "New issues", unit: unitShort, span: 12,
			normal: "few; more after a release.",
			act:    "Assign them. first_seen is the oldest event that retention has kept.",
			queries: []query{rows(`SELECT
  project_id, issue_id, first_seen, events, users, toString(level) AS level, message
FROM issues WHERE project_id IN (${project:singlequote}) AND $__timeFilter(first_seen)
ORDER BY first_seen DESC LIMIT 20`)},
		},
	}}
}

func analystsOutcomes() row {
	return row{"Outcomes", []panel{
		{
			title: "What became of everything sent", unit: unitShort, span: 12, stacked: true,
			normal: "nearly all accepted.",
			act:    "rate_limited: raise the project's limit. rejected: see the reasons.",
			alert:  "SluiceOutcomesIncomplete",
			queries: []query{series(`SELECT
  $__timeInterval(minute) AS time, toString(outcome) AS outcome, sum(events) AS events
FROM outcomes WHERE $__timeFilter(minute) AND project_id IN (${project:singlequote})
GROUP BY time, outcome ORDER BY time, outcome`)},
		},
		{
			kind: list, title: "What was not accepted, and why", unit: unitShort, span: 12,
			normal: "a few.",
			act:    "Tell the project's developers: docs/api.md explains each reason.",
			alert:  "SluiceOutcomesIncomplete",
			queries: []query{rows(`SELECT
  project_id, protocol, toString(outcome) AS outcome, reason, sum(events) AS events
FROM outcomes WHERE $__timeFilter(minute) AND project_id IN (${project:singlequote}) AND outcome != 'accepted'
GROUP BY project_id, protocol, outcome, reason ORDER BY events DESC LIMIT 50`)},
		},
	}}
}
