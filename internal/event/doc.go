// Package event is the contract between the gateway and the consumer: what an event is, which bytes are refused and
// why, what travels in a Kafka record, and which facts about an event are derived from its bytes.
//
// # An event
//
// An event is one JSON object of at most MaxEventBytes. Its known fields are typed:
//
//	message        string; required and not blank, unless exception has a type or a value
//	level          string; fatal, error, warning, info, debug or a synonym (see Level), any case; absent: error
//	event_id       string; a UUID with or without dashes, not nil
//	timestamp      string or number; RFC 3339, Unix seconds or Unix milliseconds; see Timestamp
//	fingerprint    string or array of strings
//	exception      object: type (type_name), value, module (module_name), all strings
//	stacktrace     array of objects: filename, function (function_name), context_line strings; lineno, colno numbers;
//	               in_app a boolean
//	tags           object, or array of pairs [string, any value]
//	user           object (user_context): id a string or a number, email a string
//	sdk            object: name, version, both strings; or the fields sdk_name and sdk_version
//	environment, release, platform, server_name, transaction, trace_id    strings
//
// null in one of these fields is absence; null as an item of an array is a wrong type. Another wrong type refuses the
// event and names the field. Everything else is kept in the payload and never looked at: field names are compared
// byte for byte, so EVENT_ID is an unknown field. The name in brackets is an older one: it fills what the current
// name leaves absent or empty, field by field, in whatever order the two are written.
//
// # Strictness
//
// Decode accepts RFC 8259 and no more: UTF-8 without a byte order mark, no raw control characters, numbers by the
// grammar, nothing after the value. On top of that no object may name a key twice, compared after unescaping, and
// nesting ends at MaxDepth. Two readers of the payload (this one and ClickHouse) can then never disagree about it.
//
// One thing is repaired rather than refused: an escaped surrogate without its other half, which JavaScript makes when
// it cuts a string in the middle of a character. It is read as U+FFFD and AppendPayload writes \ufffd in its place.
//
// # Errors
//
// Every refusal is an *Error whose text is a sentence that can be shown to the client: it never repeats the client's
// bytes, only names, limits and byte offsets. A fault of the JSON outranks a fault of a field, and of several faulty
// fields the first in the text is named.
//
// # Memory
//
// Decode copies nothing: an Event's texts alias the bytes given to it, and an Event is good as long as those bytes
// stay as they are. Decoder, Event and Bulk are reused by their owner and give back what an unusual input made them
// grow to.
package event
