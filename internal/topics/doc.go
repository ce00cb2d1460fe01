// Package topics creates and changes Sluice's Kafka topics, and reports their faults. A fault is a setting that can
// lose acknowledged events or make Kafka refuse what the gateway accepts.
//
// Apply changes both topics or nothing: it first makes a plan for each, and a single change that is impossible or not
// allowed stops all of them. It changes a setting of an existing topic only if its flag was given, or with --fix.
//
// To add a setting with a flag, see Config, configs and compareAsked. To add a fault, see faults. To change when a
// change needs permission, see planFor.
package topics
