// Package kafkawire reads Kafka's primitive types: big-endian integers, varints, and byte strings with a length prefix.
//
// A Reader never panics and never reads beyond its bytes. After the first field that does not fit, Short is true and
// every read returns zero. So a caller reads a whole structure and checks Short once, at the end.
//
// The package knows no messages: consumer/kafka knows the answer to a fetch, internal/recordbatch knows a record batch.
// To read another primitive type, add a method here.
package kafkawire
