package ingest

import (
	"strings"
	"testing"

	"sluice/internal/event"

	"github.com/google/uuid"
)

// TestDerivedIDStaysTheSame: clients send events again through later versions, so these values may never change. They
// were computed with Python's hashlib.
func TestDerivedIDStaysTheSame(t *testing.T) {
	for _, test := range []struct {
		project, key string
		index        int
		want         string
	}{
		{"demo", "k", 0, "ed4daa3e-bbca-8723-887c-7bd44fc3c518"},
		{"demo", "k", 1, "4211c5fc-db34-8284-aa97-6700481fd828"},
		{"demo", `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, 9999, "0646a5cd-efb6-8b9b-b044-49be5755aed9"},
		{"other", "k", 0, "d4fcb872-bd70-8d0b-9c38-3ad24ee2163e"},
		{strings.Repeat("p", 64), strings.Repeat("~", 255), 256, "ddafb5a6-42b5-8288-87ef-a4c944b2601d"},
	} {
		id := DerivedID(test.project, []byte(test.key), test.index)
		if id.String() != test.want || id.Version() != 8 || id.Variant() != uuid.RFC4122 {
			t.Errorf("%s %.10s %d: got %s", test.project, test.key, test.index, id)
		}
	}
}

// TestBodyIDStaysTheSame: these values may never change either.
func TestBodyIDStaysTheSame(t *testing.T) {
	sum := bodyHash("demo", []byte("\x1a\x01a"))
	for index, want := range map[int]string{0: "aed64a46-d533-876e-b626-1d230170f28c", 1: "aed64a46-d533-876e-b626-1d230170f28d", 9999: "aed64a46-d533-876e-b626-1d230170d583"} {
		id := bodyID(&sum, index)
		if id.String() != want || id.Version() != 8 || id.Variant() != uuid.RFC4122 {
			t.Errorf("%d: got %s", index, id)
		}
	}
}

func TestBodyIDsDiffer(t *testing.T) {
	seen := map[uuid.UUID]bool{}
	for _, project := range []string{"a", "b"} {
		for _, body := range []string{"", "x", "y"} {
			sum := bodyHash(project, []byte(body))
			for index := range event.MaxBulkEvents {
				seen[bodyID(&sum, index)] = true
			}
		}
	}
	if want := 6 * event.MaxBulkEvents; len(seen) != want {
		t.Errorf("got %d ids, want %d", len(seen), want)
	}
}
