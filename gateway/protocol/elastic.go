package protocol

import (
	"bytes"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
	"sluice/internal/format"
	"sluice/internal/strictjson"
)

// ElasticBulk is Elasticsearch's bulk API: lines of metadata, each with a document on the next line.
var ElasticBulk = &ingest.Protocol{
	Name: "elastic", Format: format.Elastic, Bulk: true, ResendsItems: true, Key: ingest.FindKey,
	Split: splitElastic, Answer: answerElastic, Refuse: refuseElastic,
}

// The kinds of objects and the fields of a line of metadata.
const (
	kindAction strictjson.Kind = iota
	kindMeta
)

const (
	fieldCreate = 1 + strictjson.NoField + iota
	fieldIndex
	fieldUpdate
	fieldDelete
	fieldMetaIndex
	fieldMetaID
)

// elasticActions are the names of the actions.
var elasticActions = [...]string{
	fieldCreate: "create", fieldIndex: "index", fieldUpdate: "update", fieldDelete: "delete",
}

func elasticFields(kind strictjson.Kind, name []byte) strictjson.Field {
	if kind == kindMeta {
		switch string(name) {
		case "_index":
			return fieldMetaIndex
		case "_id":
			return fieldMetaID
		}
		return strictjson.NoField
	}
	for f := fieldCreate; f <= fieldDelete; f++ {
		if elasticActions[f] == string(name) {
			return f
		}
	}
	return strictjson.NoField
}

// elasticAction is one action of a request.
type elasticAction struct {
	what      strictjson.Field
	index, id string
}

// longestElasticIndex is the length of the longest name of an index, in bytes.
const longestElasticIndex = 255

// longestElasticID is the length of the longest _id that Elasticsearch takes, in bytes.
const longestElasticID = 512

// Problems of one action.
var (
	errElasticAction = ingest.Refuse(ingest.KindInvalidEvent, "Only the actions index and create are supported.")
	errElasticIndex  = ingest.Refuse(ingest.KindInvalidEvent, "The name of the index is longer than 255 bytes.")
	errElasticID     = ingest.Refuse(ingest.KindInvalidEvent, "The _id is longer than 512 bytes.")
	errElasticNoDoc  = ingest.Refuse(ingest.KindInvalidEvent, "The last action has no document.")
	errElasticMeta   = ingest.Refuse(ingest.KindMalformed,
		"A line of metadata must be an object with one of the actions index, create, update and delete.")
	errElasticEmpty = ingest.Refuse(ingest.KindEmpty, "There are no actions in the request.")
)

// splitElastic validates every document. Blank lines do not count: rsyslog ends each entry with one.
func splitElastic(s *ingest.Submission) *ingest.Problem {
	sh := beginShipped(s)
	defer sh.end()
	sh.scan.Fields = elasticFields
	fallback := pathIndex(s.Ctx)
	var actions []elasticAction
	lines := s.Body()
	for {
		line, rest := nextLine(lines)
		if len(line) == 0 {
			break
		}
		if p := full(s); p != nil {
			return p
		}
		a, name, ok := sh.action(line, fallback, actions)
		if !ok {
			return errElasticMeta
		}
		long := len(a.index) > longestElasticIndex
		if long {
			a.index = "" // the answer repeats it for each document
		}
		actions = append(actions, a)
		var doc []byte
		if a.what != fieldDelete {
			doc, rest = nextLine(rest)
		}
		lines = rest
		switch {
		case a.what > fieldIndex:
			s.Reject(errElasticAction)
		case long:
			s.Reject(errElasticIndex)
		case len(doc) == 0:
			s.Reject(errElasticNoDoc)
		case len(a.id) > longestElasticID:
			s.Reject(errElasticID)
		default:
			sh.document(s, doc, a, name)
		}
	}
	if len(actions) == 0 {
		return errElasticEmpty
	}
	s.State = actions
	return nil
}

// nextLine returns the next line that is not blank, without white space around it.
func nextLine(b []byte) (line, rest []byte) {
	for len(b) > 0 && len(line) == 0 {
		line, b, _ = bytes.Cut(b, []byte("\n"))
		line = bytes.Trim(line, " \t\r")
	}
	return line, b
}

// pathIndex returns the index that the path names, or "".
func pathIndex(ctx *fasthttp.RequestCtx) string {
	index, found := strings.CutSuffix(string(ctx.URI().PathOriginal()), "/_bulk")
	if !found {
		return ""
	}
	return strings.TrimPrefix(index, "/")
}

// action reads a line of metadata. It returns the text of the _id, too, which aliases the line. ok is false if the line
// is none.
func (sh *shipped) action(
	line []byte, fallback string, before []elasticAction,
) (a elasticAction, name strictjson.Text, ok bool) {
	sc := &sh.scan
	sc.Reset(line, sc.Repairs[:0])
	if sc.Peek() != '{' {
		return a, name, false
	}
	a.index = fallback
	for o := sc.Object(kindAction); sc.Member(&o); {
		if a.what != 0 || o.Field == strictjson.NoField || sc.Peek() != '{' {
			return a, name, false
		}
		a.what = o.Field
		for meta := sc.Object(kindMeta); sc.Member(&meta); {
			switch meta.Field {
			case fieldMetaIndex:
				if text := sc.Scalar(); !text.IsZero() {
					a.index = indexName(text, before)
				}
			case fieldMetaID:
				name = sc.Scalar()
			default:
				sc.Value()
			}
		}
	}
	sc.End()
	if !name.IsZero() {
		a.id = name.String()
	}
	return a, name, sc.Fault == "" && a.what != 0
}

// indexName returns the text, which most actions have in common with the one before.
func indexName(text strictjson.Text, before []elasticAction) string {
	if n := len(before); n > 0 {
		if b, plain := text.Verbatim(); plain && string(b) == before[n-1].index {
			return before[n-1].index
		}
	}
	return text.String()
}

// document validates a document. Its id is the _id, if that is a UUID, or is made of index and _id.
func (sh *shipped) document(s *ingest.Submission, doc []byte, a elasticAction, name strictjson.Text) {
	if err := sh.decoder.DecodeAs(format.Elastic, doc, &sh.event); err != nil {
		s.Reject(ingest.FromDecoder(err))
		return
	}
	if !name.IsZero() && !sh.event.SetID(name) {
		sh.event.IDSource = sh.event.Compose("/", strictjson.Verbatim([]byte(a.index)), name)
	}
	sh.keep(s, doc)
}

// elasticAnswer is the answer to a bulk of which at least a part is final.
type elasticAnswer struct {
	Took   int64           `json:"took"`
	Errors bool            `json:"errors"`
	Items  []elasticResult `json:"items"`
	// The rest is in the answer to a bulk that is to be sent again as a whole.
	*elasticRefusal
}

// elasticResult has one member, the action.
type elasticResult map[string]elasticStatus

type elasticStatus struct {
	Index  string        `json:"_index"`
	ID     string        `json:"_id,omitempty"`
	Status int           `json:"status"`
	Result string        `json:"result,omitempty"`
	Error  *elasticCause `json:"error,omitempty"`
}

type elasticCause struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

// elasticRefusal is the answer to a request that is refused as a whole, with the fields of our own refusals.
type elasticRefusal struct {
	Error struct {
		RootCause []elasticCause `json:"root_cause"`
		elasticCause
	} `json:"error"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Retryable bool   `json:"retryable"`
	RequestID string `json:"request_id,omitempty"`
	Limit     string `json:"limit,omitempty"`
}

// answerElastic answers 200 with a status for each document. If none was kept and all may be sent again, it answers 503
// or 429 with the same body: shippers look at the status before they look at the items, and send the whole bulk again.
func answerElastic(s *ingest.Submission) *ingest.Problem {
	worst, _ := count(s)
	actions, _ := s.State.([]elasticAction)
	body := elasticAnswer{
		Took: time.Since(s.Ctx.Time()).Milliseconds(), Errors: worst != nil,
		Items: make([]elasticResult, len(actions)),
	}
	final := worst == nil
	for i := range s.Items() {
		it := &s.Items()[i]
		final = final || it.Problem == nil || !it.Problem.Kind.Retryable()
		body.Items[i] = elasticResult{elasticActions[actions[i].what]: actions[i].status(it)}
	}
	s.Ctx.Response.Header.Set(headerProduct, productElastic)
	if final {
		s.Ctx.SetStatusCode(fasthttp.StatusOK)
		s.RateLimitFields(0)
	} else {
		worst.WriteHead(s.Ctx)
		body.elasticRefusal = elasticRefusalOf(s.Ctx, worst)
		s.RateLimitFields(worst.Kind)
	}
	ingest.WriteJSON(s.Ctx, &body)
	return nil
}

// status says what became of a document. A document that may be sent again gets 429, which is the one status of an item
// that all clients take as a reason to do so.
func (a *elasticAction) status(it *ingest.Item) elasticStatus {
	st := elasticStatus{Index: a.index, ID: a.id, Status: fasthttp.StatusCreated, Result: "created"}
	if st.ID == "" && it.ID != uuid.Nil {
		st.ID = it.ID.String()
	}
	switch p := it.Problem; {
	case it.Duplicate:
		st.Status, st.Result = fasthttp.StatusOK, "noop"
	case p != nil:
		st.Status, st.Result = p.Kind.Status(), ""
		if p.Kind.Retryable() {
			st.Status = fasthttp.StatusTooManyRequests
		}
		st.Error = elasticCauseOf(p)
	}
	return st
}

func elasticCauseOf(p *ingest.Problem) *elasticCause {
	cause := &elasticCause{Type: "document_parsing_exception", Reason: p.Text}
	switch p.Kind {
	case ingest.KindRateLimited, ingest.KindUnavailable, ingest.KindInternal, ingest.KindTimeout:
		cause.Type = "es_rejected_execution_exception"
	case ingest.KindUnauthorized, ingest.KindForbidden, ingest.KindConflictingKeys:
		cause.Type = "security_exception"
	case ingest.KindTooLarge:
		cause.Type = "content_too_long_exception"
	case ingest.KindMalformed, ingest.KindEmpty, ingest.KindUnsupportedMediaType:
		cause.Type = "illegal_argument_exception"
	default:
	}
	return cause
}

func elasticRefusalOf(ctx *fasthttp.RequestCtx, p *ingest.Problem) *elasticRefusal {
	ours := p.Body(string(ctx.Response.Header.Peek(ingest.HeaderRequestID)))
	r := &elasticRefusal{
		Status: p.Kind.Status(), Code: ours.Code, Retryable: ours.Retryable, RequestID: ours.RequestID, Limit: ours.Limit,
	}
	r.Error.elasticCause = *elasticCauseOf(p)
	r.Error.RootCause = []elasticCause{r.Error.elasticCause}
	return r
}

// refuseElastic answers a request that is refused as a whole.
func refuseElastic(ctx *fasthttp.RequestCtx, p *ingest.Problem) {
	p.WriteHead(ctx)
	ctx.Response.Header.Set(headerProduct, productElastic)
	ingest.WriteJSON(ctx, elasticRefusalOf(ctx, p))
}

// Clients of Elasticsearch refuse to talk to a server without this header.
const (
	headerProduct  = "X-Elastic-Product"
	productElastic = "Elasticsearch"
)
