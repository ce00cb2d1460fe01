package ingest

import (
	"strings"
	"testing"

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

// TestFramedIDStaysTheSame: these values may never change either.
func TestFramedIDStaysTheSame(t *testing.T) {
	frame := frame{before: [2][]byte{[]byte(`{"resource":{},`), []byte(`"logRecord":`)}, after: "}"}
	sum := frame.sum()
	for index, want := range map[int]string{
		0: "51d607ee-b4cb-86ed-8f07-dbed3ea7669b", 1: "dfac99f3-2a10-8315-b195-2cb7d8d4a7e2", 9999: "ee67bcf6-c024-87dd-b15d-8c1b1ecb0505",
	} {
		id, _ := framedID(appendFramedID(nil, "demo", &sum), []byte("\x1a\x01a"), index)
		if id.String() != want || id.Version() != 8 || id.Variant() != uuid.RFC4122 {
			t.Errorf("%d: got %s", index, id)
		}
	}
}
