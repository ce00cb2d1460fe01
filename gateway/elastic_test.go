package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// elasticReply is an answer of the bulk API.
type elasticReply struct {
	Took   *int `json:"took"`
	Errors bool `json:"errors"`
	Status int  `json:"status"`
	Items  []map[string]struct {
		Index  string `json:"_index"`
		ID     string `json:"_id"`
		Status int
		Error  *struct{ Type, Reason string }
	}
	Error *struct{ Type, Reason string }
}

// elastic sends lines to the bulk API and returns the answer, with action and status of each item as one text.
func (s *served) elastic(status int, lines ...string) (reply elasticReply, items string) {
	s.t.Helper()
	got := s.do(request{path: pathElastic, body: strings.Join(lines, "\n") + "\n"})
	require.Equal(s.t, status, got.status, got.text)
	assert.Equal(s.t, "Elasticsearch", got.header.Get("X-Elastic-Product"))
	require.NoError(s.t, json.Unmarshal([]byte(got.text), &reply))
	var out []string
	for _, item := range reply.Items {
		require.Len(s.t, item, 1)
		for action, result := range item {
			text, _ := json.Marshal(result.Status)
			out = append(out, action+" "+string(text))
			assert.Equal(s.t, result.Status >= 300, result.Error != nil)
		}
	}
	return reply, strings.Join(out, ", ")
}

// TestElasticItems: each action has an answer of its own, in order, and a bad document spoils no other.
func TestElasticItems(t *testing.T) {
	t.Parallel()
	s := serve(t)
	got, items := s.elastic(200,
		`{"index":{"_index":"a"}}`, `{"message":"one"}`, `{"create":{"_index":"b","_id":"x"}}`, `{"message":"two"`,
		`{"update":{"_index":"a","_id":"1"}}`, `{"doc":{}}`, `{"delete":{"_index":"a","_id":"1"}}`, ``, `{"create":{}}`, `[]`,
		`{"create":{"_index":"`+strings.Repeat("i", 256)+`"}}`, `{"message":"no"}`, `{"index":{"routing":"r","_index":null}}`, `{"message":"three"}`,
		`{"create":{"_index":"c"}}`,
	)
	assert.Equal(t, "index 201, create 400, update 400, delete 400, create 400, create 400, index 201, create 400", items)
	assert.True(t, got.Errors)
	assert.NotNil(t, got.Took)
	assert.Equal(t, "a", got.Items[0]["index"].Index)
	assert.Equal(t, "x", got.Items[1]["create"].ID)
	assert.Equal(t, "document_parsing_exception", got.Items[2]["update"].Error.Type)
	assert.Equal(t, []string{`{"message":"one"}`, `{"message":"three"}`}, s.producer.Values())
	assert.EqualValues(t, 2, s.counter("sluice_gateway_events_accepted_total", "elastic"))

	for _, broken := range []string{
		`{"message":"a"}`, `{"index":{}}x`, `{"index":{},"create":{}}`, `{"index":1}`, `{}`, `[]`, `x`, `{"index":{"_id":"1"`, `{"bulk":{}}`,
		`{"index":{"_id":"a","_id":"b"}}`,
	} {
		got, _ := s.elastic(400, `{"index":{}}`, `{"message":"before"}`, broken, `{"message":"after"}`)
		assert.Equal(t, "illegal_argument_exception", got.Error.Type, broken)
	}
	assert.Len(t, s.producer.Stored(), 2, "nothing of a broken request is kept")
}

// TestElasticIDs: a document's _id decides about identity, within its index, unless it is a UUID.
func TestElasticIDs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const own = "0193b3c4-5d6e-7a7b-8c9d-0e1f2a3b4c5d"
	got, items := s.elastic(200,
		`{"index":{"_index":"a","_id":"`+own+`"}}`, `{"message":"1"}`, `{"index":{"_index":"a","_id":"7"}}`, `{"message":"2"}`,
		`{"index":{"_index":"b","_id":"7"}}`, `{"message":"3"}`, `{"index":{"_index":"a","_id":"7"}}`, `{"message":"4"}`,
		`{"index":{"_index":"a","_id":"`+strings.ToUpper(strings.ReplaceAll(own, "-", ""))+`"}}`, `{"message":"5"}`, `{"index":{"_id":""}}`, `{"message":"6"}`,
	)
	assert.Equal(t, "index 201, index 201, index 201, index 200, index 200, index 201", items)
	assert.False(t, got.Errors)
	assert.Equal(t, "7", got.Items[1]["index"].ID, "the client's own")
	ids := s.ids()
	require.Len(t, ids, 4)
	assert.Equal(t, own, ids[0])
	assert.NotEqual(t, ids[1], ids[2])
	assert.Equal(t, ids[3], got.Items[5]["index"].ID, "the event's")

	for length, want := range map[int]string{511: "create 201", 512: "create 201", 513: "create 400"} {
		_, items := s.elastic(200, `{"create":{"_id":"`+strings.Repeat("i", length)+`"}}`, `{"message":"x"}`)
		assert.Equal(t, want, items, length)
	}
	for length, want := range map[int]string{254: "create 201", 255: "create 201", 256: "create 400"} {
		_, items := s.elastic(200, `{"create":{"_index":"`+strings.Repeat("i", length)+`"}}`, `{"message":"x"}`)
		assert.Equal(t, want, items, length)
	}
}

// ids returns the ids of the events that were kept.
func (s *served) ids() (ids []string) {
	for _, record := range s.producer.Stored() {
		for _, h := range record.Headers {
			if h.Key == "event-id" {
				id, err := uuid.FromBytes(h.Value)
				if err != nil {
					id = uuid.MustParse(string(h.Value))
				}
				ids = append(ids, id.String())
			}
		}
	}
	return ids
}

// TestElasticResendsItems: a client sends again only the documents that failed. They have the ids that they had.
func TestElasticResendsItems(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(3, "60s")))
	const meta = `{"create":{"_index":"a"}}`
	documents := []string{meta, `{"n":1}`, meta, `{"n":2}`, meta, `{"n":2}`, meta, `{"n":3}`, meta, `{"n":2}`}
	got, items := s.elastic(200, documents...)
	assert.Equal(t, "create 201, create 201, create 201, create 429, create 429", items)
	assert.Equal(t, "es_rejected_execution_exception", got.Items[3]["create"].Error.Type)
	got, items = s.elastic(429, documents[6:]...)
	assert.Empty(t, items, "nothing was read")
	assert.Equal(t, 429, got.Status)
	s.clock.advance(60e9)
	first := s.ids()
	_, items = s.elastic(200, documents[6:8]...)
	assert.Equal(t, "create 201", items)
	s.clock.advance(60e9)
	s.elastic(200, documents...) // all of them, and the limit takes three
	all := s.ids()
	assert.Equal(t, first, all[4:], "the same documents")
	assert.NotContains(t, first, all[3])
}

// TestElasticProbes: what clients ask before they send.
func TestElasticProbes(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for path, want := range map[string]string{
		pathElasticInfo: `"number":"8.`, pathElasticLicense: `"status":"active"`, pathElasticHealth: `"status":"green"`,
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			got := s.do(request{method: method, path: path, noKey: true})
			assert.Equal(t, 200, got.status)
			assert.Equal(t, "Elasticsearch", got.header.Get("X-Elastic-Product"))
			assert.Equal(t, method == http.MethodGet, strings.Contains(got.text, want), got.text)
		}
	}
}
