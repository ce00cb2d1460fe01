// Package recordbatch is Kafka's record batch, message format version 2.
//
// An Encoder writes batches. Records are encoded once, by the request that brings them, and wait as runs until a batch
// takes them. A batch carries a producer id and a sequence, so that a broker drops the copy of a batch that is sent
// again. Every batch that an Encoder writes is read back the same by franz-go and by kafka-go; the tests fuzz that.
//
// A Reader reads batches as they lie in a log: of any producer, compressed or not, without the records of aborted
// transactions. It reads back what an Encoder writes; the tests fuzz that round trip.
//
// The package does no I/O. The caller bounds the bytes and the records of a batch.
//
// To change what stands in front of a batch's records read encoder.go; how a record is written, record.go; compression,
// codec.go; how batches are read, reader.go and decompress.go; which records of transactions are left out,
// transactions.go.
package recordbatch
