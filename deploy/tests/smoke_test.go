package tests
import "testing"
func TestSmoke(t *testing.T) { eachSet(t, func(t *testing.T, r *release) { t.Log(r.kinds()) }) }
