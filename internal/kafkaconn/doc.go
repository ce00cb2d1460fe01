// Package kafkaconn builds every connection to Kafka: brokers, TLS and SASL.
//
// Every request goes through a kafka.Transport made here from one Config. The package also does TLS and login itself.
// kafka-go would read the certificates only once, at the start, and would not renew a login before its session ends.
package kafkaconn
