// Package kafkatest is the Kafka of tests: a Site on an embedded broker or on Apache Kafka, Links to brokers that can
// be killed or stopped, and a Lossy network that loses answers.
package kafkatest
