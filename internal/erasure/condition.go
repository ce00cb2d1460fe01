package erasure

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Condition is what covers the rows of a mark in the table of the events, in SQL. It does not contain the user's id or
// address: ClickHouse keeps the texts of mutations in files, and those of queries in its logs.
func (m Mark) Condition() string {
	return m.Matches() + " AND " + m.before()
}

// Matches is the part of Condition that says whose rows are meant, whenever they happened.
func (m Mark) Matches() string {
	project := "project_id = '" + m.Project + "'" // letters, digits, - and _
	if m.Kind == Project {
		return project
	}
	column := "user_id"
	if m.Kind == Email {
		column = "lower(user_email)"
	}
	// The empty text stands for no user, and is nobody's id.
	return fmt.Sprintf(`%s AND SHA256(concat(unhex('%s'), '%s', unhex('00'), '%s', unhex('00'), %s)) = unhex('%s')`,
		project, hex.EncodeToString(m.Salt[:]), m.Kind, m.Project, column, hex.EncodeToString(m.Digest[:]))
}

// before says the same as Bound.Covers.
func (m Mark) before() string {
	b := BoundOf(m)
	ms := func(column string) string { return "toUnixTimestamp64Milli(" + column + ")" }
	received, timestamp, client := ms("received_at"), ms("timestamp"), ms("client_timestamp")
	id := "toInt64(toUnixTimestamp(id_time)) * 1000"
	slack := clockSlack.Milliseconds()
	told := fmt.Sprintf("%s <= %d", timestamp, b.at+slack)
	late := fmt.Sprintf("timestamp_adjusted AND (%s > 0 AND %s <= %d OR %s > 0 AND %s <= %d)",
		client, client, b.at+slack, id, id, b.at+slack)
	untold := fmt.Sprintf("(timestamp_adjusted OR timestamp = received_at AND NOT match(toString(event_id), "+
		"'^.{14}7.{4}[89ab]') OR %s > %s + %d) AND %s <= %d", timestamp, received, slack, received, b.doubt)
	return "(" + strings.Join([]string{fmt.Sprintf("%s <= %d", received, b.at), told, late, untold}, " OR ") + ")"
}
