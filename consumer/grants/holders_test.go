package grants

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse"
)

// A user who reads the database by another right as well, or whose role is not a default one, is reported.
func TestHolders(t *testing.T) {
	for _, tc := range []struct {
		lines []string
		want  string
	}{
		{nil, ""},
		{[]string{"holds\tuser al\tanalyst_shop=default"}, ""},
		{[]string{"holds\tuser al\tanalyst_shop="}, "DEFAULT ROLE ALL"},
		{[]string{"holds\tuser al\tanalyst_shop=default", "reads\tuser al="}, "a right of its own"},
		{[]string{"holds\tuser al\tanalyst_shop=default", "reads\tuser al=everything"}, ""},
		{[]string{"reads\tuser al="}, ""},
		{[]string{"holds\tuser al\tanalyst_shop=default", "holds\tuser al\tbi=default", "reads\trole bi="}, "the role bi"},
		{[]string{"holds\tuser al\tanalyst_shop=default", "holds\tuser al\tbi=default"}, ""},
		{[]string{"holds\tuser al\tteam=default", "holds\trole team\tanalyst_shop=", "holds\tuser al\tbi=default", "holds\trole bi\traw=", "reads\trole raw="}, "the role bi"},
		{[]string{"holds\tuser al\tteam=", "holds\trole team\tanalyst_shop="}, "team is not a default role"},
		{[]string{"holds\tuser al\tbi=default", "reads\trole bi="}, ""},
		{[]string{"holds\trole bi\tanalyst_shop=", "reads\trole bi="}, ""},
		{[]string{"holds\trole a\tb=", "holds\trole b\ta=", "holds\tuser al\ta=default"}, ""},
	} {
		s := newStorage(t)
		s.applied(Config{Analysts: []string{"shop=shop"}}, single)
		s.users = tc.lines
		found := s.compared(Config{}, single)
		if tc.want == "" {
			assert.Empty(t, found.with(stateDiffers), "%q", tc.lines)
			continue
		}
		require.Len(t, found.with(stateDiffers), 1, "%q", tc.lines)
		assert.Contains(t, found.with(stateDiffers)[0].String(), tc.want)
		assert.ErrorIs(t, found.remains(), ErrLeft)
	}
}

// ClickHouse tells the same about its users.
func TestHoldersOfTheEngine(t *testing.T) {
	needEngine(t)
	opts, err := reach("default").Options()
	require.NoError(t, err)
	db := clickhouse.OpenDB(opts, "default")
	defer db.Close()
	have, err := single.readInventory(t.Context(), db)
	require.NoError(t, err)
	assert.Equal(t, map[string]bool{"analyst_shop": true}, have.users.roles["user ann"])
	assert.Contains(t, have.users.roles["role analyst_shop"], "analyst")
	assert.True(t, have.users.reads["user less0"])
	assert.False(t, have.users.reads["user ann"])
	assert.True(t, have.users.reads["role analyst"])
	assert.True(t, have.users.all["user mighty"])
	assert.True(t, have.users.all["user default"])
	assert.False(t, have.users.all["user sly"])
	found := &comparison{place: single, inventory: have}
	found.people()
	require.Len(t, found.findings, 2, "sly, and spread of the tests of a cluster")
	assert.Contains(t, found.findings[0].String(), "user sly: it reads sluice by a right of its own")
}
