package column

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// MaxName is the longest name of a custom column, in bytes.
const MaxName = 64

// nameForm is the form of a name: SQL needs no quotes for it. An underscore at the beginning is Sluice's.
var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// ours begins the names of columns that later versions of Sluice add.
const ours = "sluice_"

// reserved are the names of columns that Sluice has or may have: of its tables and views, the aliases in the views, and
// the fields of an event. A later version that needs another name puts the prefix sluice_ or an underscore before it, so
// that no custom column is in its way. The tests of the schema refuse any other name.
var reserved = strings.Fields(`
	category client_timestamp contexts counted e environment event_id events exception exception_module exception_type
	exception_value fingerprint first_seen format id_time inserted_at issue_id last_seen level message minute o outcome
	payload platform project project_id protocol reason received_at release sdk sdk_name sdk_version server_name source
	span_id stacktrace tags timestamp timestamp_adjusted trace_id transaction user user_email user_id user_ip
	user_username users
`)

// CheckName reports why a name cannot be that of a custom column.
func CheckName(name string) error {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > MaxName:
		return fmt.Errorf("the name has %d characters, at most %d are allowed", len(name), MaxName)
	case !nameForm.MatchString(name):
		return errors.New("a name has letters, digits and underscores, and begins with a letter")
	case strings.HasPrefix(lower, ours):
		return fmt.Errorf("names that begin with %s are kept for columns of Sluice itself", ours)
	case slices.Contains(reserved, lower):
		return fmt.Errorf("the name %s is kept for a column of Sluice itself: choose another, such as my_%s", name, lower)
	}
	return nil
}

// Reserved reports whether no custom column can have a name.
func Reserved(name string) bool { return CheckName(name) != nil }
