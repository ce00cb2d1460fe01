// Package stream takes events over WebSocket connections (RFC 6455).
//
// Each message is an event or a bulk, as the body of a request to one of the native paths. Each is answered by one
// message: the JSON that the path would answer, with "seq", the number of the message on its connection from 1 up, and
// "http_status". Messages of a connection are answered as they finish, which may be in another order.
//
// A message goes the same way as a request (package ingest): an answer of 202 means kept. A connection has at most
// Window messages under way. The next one is not read before one of them is answered, so a client that sends faster
// than Kafka takes is slowed down by TCP. The connection holds no message that was read and not answered, except while
// Kafka is waited for: after a close, a message without an answer may or may not have been kept, and the client sends
// the message again with the same event ids.
//
// Drain lets the messages under way finish and closes every connection with status 1001, after which clients connect
// again, to another gateway.
//
// To change the treatment of a connection read conn.go; the count of connections and the end of all, hub.go; what is an
// event and what a bulk, message.go.
package stream
