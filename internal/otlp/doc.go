// Package otlp reads the export requests of OpenTelemetry's logs in protobuf (OTLP, ExportLogsServiceRequest) and
// writes each log record as JSON, with its resource and its scope.
//
// The JSON follows the OTLP JSON encoding: lowerCamelCase names, 64-bit integers and times as strings, trace and span
// ids in hexadecimal, bytes in base64, enums as numbers, fields without a value left out. Fields stand in the order of
// their numbers, whatever their order on the wire. The same record always has the same bytes: ids of events are made of
// them, and clients send records again for days and through later versions of this program. So the JSON of a record
// must never change, except for fields that are unknown today.
//
// The wire format is read as protobuf demands: fields in any order, the last scalar wins, the occurrences of a message
// are one message, unknown fields and groups are passed over. One thing is repaired rather than refused: a byte that is
// not UTF-8 becomes U+FFFD. Protobuf would have the whole request refused for it, and the client would drop every
// record of the request.
//
// The decoder is written by hand because it makes JSON of the wire bytes without building messages in between. With the
// generated types of go.opentelemetry.io/proto and JSON made of them a request takes several times as long and
// allocates hundreds of times as often: BenchmarkDecode and BenchmarkDecodeLibrary measure both. FuzzOTLP compares both.
//
// Memory is linear in the request: a resource or scope is written once, not once for each of its records.
package otlp
