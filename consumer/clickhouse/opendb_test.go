package clickhouse

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Over HTTPS a user without a password logs in without a certificate.
func TestOpenDBWithoutPassword(t *testing.T) {
	headers := make(chan http.Header, 4)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer s.Close()
	for dsn, want := range map[string]string{"https://u@ADDR/db?skip_verify=true": "off", "https://u:p@ADDR/db?skip_verify=true": "off"} {
		opts, err := Config{DSN: strings.Replace(dsn, "ADDR", s.Listener.Addr().String(), 1)}.Options()
		require.NoError(t, err)
		db := OpenDB(opts, "")
		require.Error(t, db.PingContext(t.Context()))
		require.NoError(t, db.Close())
		h := <-headers
		assert.Equal(t, want, h.Get("X-ClickHouse-SSL-Certificate-Auth"), dsn)
		assert.Equal(t, "u", h.Get("X-ClickHouse-User"), dsn)
	}
}
