// Package broker is what the publisher asks of Kafka: the contract between package publish and whoever speaks to Kafka.
//
// Package kafka fulfils it over kafka-go, and brokertest in memory. Neither knows the publisher, and the publisher
// knows neither. An error of a Producer says by its marks whether a batch may be on the topic, and by its reason what
// the metrics count it as.
//
// The package does nothing itself. To change what the publisher may rely on read producer.go; the reasons of failures,
// reason.go; what a topic must be like, topic.go.
package broker
