// Package kafkawire reads Kafka's primitive types from bytes: big-endian integers, varints, and byte strings with a length before them.
//
// A Reader never panics and never reads beyond its bytes. After the first field that does not fit, Short is true, and every later
// read returns zero: a caller reads a whole structure and checks Short once, at the end.
//
// The package knows no message. What a fetch's answer is made of is consumer/kafka's, and what a record batch is made of is
// internal/recordbatch's. To read another primitive type, add a method here.
package kafkawire
