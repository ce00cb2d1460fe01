package protocol

import (
	"io"
	"strconv"

	"sluice/gateway/ingest"
	"sluice/internal/event"
	"sluice/internal/otlp"
	"sluice/internal/strictjson"
)

// The kinds of objects above a log record, and their members.
const (
	otlpRequest strictjson.Kind = iota
	otlpResourceLogs
	otlpScopeLogs
)

const (
	otlpList   = 1 + strictjson.NoField + iota // resourceLogs, scopeLogs or logRecords
	otlpShared                                 // resource or scope
	otlpSchemaURL
)

func otlpJSONFields(kind strictjson.Kind, name []byte) strictjson.Field {
	switch string(name) {
	case "resourceLogs":
		return fieldIf(kind == otlpRequest, otlpList)
	case "scopeLogs":
		return fieldIf(kind == otlpResourceLogs, otlpList)
	case "logRecords":
		return fieldIf(kind == otlpScopeLogs, otlpList)
	case "resource":
		return fieldIf(kind == otlpResourceLogs, otlpShared)
	case "scope":
		return fieldIf(kind == otlpScopeLogs, otlpShared)
	case "schemaUrl":
		return fieldIf(kind != otlpRequest, otlpSchemaURL)
	}
	return strictjson.NoField
}

func fieldIf(is bool, f strictjson.Field) strictjson.Field {
	if is {
		return f
	}
	return strictjson.NoField
}

// otlpJSON finds the records of a request in JSON. Records, resources and scopes end where their brackets and quotes
// end. What is between them is checked when the item is decoded, so one bad record does not spoil the others.
type otlpJSON struct {
	scan    strictjson.Scanner
	made    io.Writer
	written int // bytes written to made
	err     error
	problem *ingest.Problem

	records         []otlpJSONRecord
	rest            int
	resource, scope otlp.Span
}

// otlpJSONRecord is one log record: the client's own bytes.
type otlpJSONRecord struct {
	resource, scope otlp.Span
	raw             []byte
}

var errOTLPStructure = ingest.Refuse(ingest.KindMalformed,
	"An export request is an object; resourceLogs, scopeLogs and logRecords are arrays of objects.")

// split finds the records of the body. It writes what stands around them to made, as otlp.Decoder does.
// An error is that of made.
func (j *otlpJSON) split(body []byte, made io.Writer) (*ingest.Problem, error) {
	j.made = made
	scan := &j.scan
	scan.Reset(body, scan.Repairs[:0])
	switch scan.Peek() {
	case '{':
		j.list(otlpRequest, j.resourceLogs)
	case 0:
		if scan.Pos == len(scan.Data) {
			return ingest.Refuse(ingest.KindEmpty, "There is no export request."), nil
		}
		scan.Fail(strictjson.FaultValue)
	default:
		scan.Value()
		j.problem = errOTLPStructure
	}
	scan.End()
	if scan.Fault != "" {
		return ingest.FromDecoder(&event.Error{
			Code:   event.CodeMalformed,
			Reason: "The JSON is malformed at byte offset " + strconv.Itoa(scan.FaultAt) + ": " + scan.Fault + ".",
		}), nil
	}
	return j.problem, j.err
}

// release drops what belongs to the request.
func (j *otlpJSON) release() {
	clear(j.records)
	j.scan.Release()
	*j = otlpJSON{scan: j.scan, records: j.records[:0]}
}

// list reads an object without anything to share: a request.
func (j *otlpJSON) list(kind strictjson.Kind, each func()) {
	s := &j.scan
	for o := s.Object(kind); s.Member(&o); {
		if o.Field == otlpList {
			j.objects(each)
		} else {
			s.Value()
		}
	}
}

// objects reads an array of objects, or null.
func (j *otlpJSON) objects(each func()) {
	s := &j.scan
	if s.Peek() != '[' {
		j.must(s.Peek() == 'n')
		s.Value()
		return
	}
	for a := s.Array(); s.Item(&a); {
		if s.Peek() == '{' {
			each()
		} else {
			j.must(false)
			s.Value()
		}
	}
}

// must refuses the request if something is not so.
func (j *otlpJSON) must(so bool) {
	if !so {
		j.problem = errOTLPStructure
	}
}

func (j *otlpJSON) resourceLogs() {
	resource, schemaURL, list, end := j.members(otlpResourceLogs)
	start := j.written
	j.put("{", nil, "")
	j.member(`"resource":`, resource)
	j.member(`"resourceSchemaUrl":`, schemaURL)
	j.resource = otlp.Span{Start: start, End: j.written}
	j.again(list, end, j.scopeLogs)
}

func (j *otlpJSON) scopeLogs() {
	scope, schemaURL, list, end := j.members(otlpScopeLogs)
	start := j.written
	j.member(`"scope":`, scope)
	j.member(`"scopeSchemaUrl":`, schemaURL)
	j.put(`"logRecord":`, nil, "")
	j.scope = otlp.Span{Start: start, End: j.written}
	j.again(list, end, j.logRecord)
}

// members reads the members of an object. The list may come first, so its place is returned, −1 if there is none.
func (j *otlpJSON) members(kind strictjson.Kind) (shared, schemaURL []byte, list, end int) {
	s := &j.scan
	list = -1
	for o := s.Object(kind); s.Member(&o); {
		s.Peek()
		start := s.Pos
		s.Skip()
		switch raw := s.Data[start:s.Pos]; {
		case string(raw) == "null":
		case o.Field == otlpShared:
			shared = raw
		case o.Field == otlpSchemaURL:
			schemaURL = raw
		case o.Field == otlpList:
			list = start
		}
	}
	return shared, schemaURL, list, s.Pos
}

// again reads the list of an object that members has read.
func (j *otlpJSON) again(list, end int, each func()) {
	if list >= 0 && j.scan.Fault == "" {
		j.scan.Pos = list
		j.objects(each)
		if j.scan.Fault == "" {
			j.scan.Pos = end
		}
	}
}

// logRecord notes one record.
func (j *otlpJSON) logRecord() {
	s := &j.scan
	start := s.Pos
	s.SkipBrackets()
	switch {
	case s.Fault != "":
	case len(j.records) == event.MaxBulkEvents:
		j.rest++
	default:
		j.records = append(j.records, otlpJSONRecord{j.resource, j.scope, s.Data[start:s.Pos:s.Pos]})
	}
}

// member writes a member that is given, and the comma behind it.
func (j *otlpJSON) member(name string, raw []byte) {
	if raw != nil {
		j.put(name, raw, ",")
	}
}

func (j *otlpJSON) put(before string, raw []byte, after string) {
	for _, b := range [][]byte{[]byte(before), raw, []byte(after)} {
		n, err := j.made.Write(b)
		j.written += n
		if err != nil {
			j.err = err
		}
	}
}
