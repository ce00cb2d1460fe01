package schema

import (
	"context"
	"database/sql"

	"sluice/consumer/clickhouse"
)

// enumSetting makes ClickHouse refuse a word that is not a level. Without it, level >= 'critical' is no error, and true
// for no event.
const enumSetting = "validate_enum_literals_in_operators"

// levelNote is what is printed where the server does not refuse such words.
const levelNote = "note     this user's questions about a level that is none, such as level >= 'critical', get an empty " +
	"answer and no error; for each analyst: ALTER USER analyst SETTINGS " + enumSetting + " = 1"

// noteLevels prints levelNote if the user's settings ask for it. Whether other users have the setting cannot be seen:
// profiles and roles may set it.
func (m *Migrator) noteLevels(ctx context.Context, db *sql.DB) error {
	values, err := clickhouse.Texts(ctx, db, "SELECT value FROM system.settings WHERE name = '"+enumSetting+"'")
	if err == nil && len(values) == 1 && values[0] == "0" {
		m.printf("%s", levelNote)
	}
	return err
}
