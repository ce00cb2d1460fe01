// Package grants makes the access to ClickHouse that the consumer and analysts need: roles, a settings profile, a quota
// and row policies, as `consumer migrate --grants` does.
//
// A [Manager] compares the access with what the server has and makes what is missing. It takes nothing away: rights,
// settings and roles that somebody added stay. What differs is reported, and changed only if a setting asks for it.
//
// Three things keep a project's events from the analysts of another one:
//
//   - Row policies on the tables (policies.go). The views read with the rights of whoever asks, so that the policies
//     hold in them. ClickHouse applies the policy of a table before it evaluates any other condition, so that an error
//     message cannot show a hidden row. It does not do so with a policy on a view.
//   - Few rights (objects.go): SELECT, and nothing that reaches files, other servers or the system's logs.
//   - readonly = 1 (profile.go): an analyst can change only the settings that the profile names. SET ROLE lifts the
//     constraints of a profile, but not readonly.
//
// The package makes no users. It imports neither the schema nor the consumer.
package grants
