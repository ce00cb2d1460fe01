package broker

import (
	"fmt"
	"strings"
)

// TopicSettings are the settings of the events topic that decide whether it takes what the gateway accepts. The zero
// value of a field means that it is not known.
type TopicSettings struct {
	MaxBatch  int    // max.message.bytes: the largest batch, in bytes as it is sent
	Cleanup   string // cleanup.policy
	Timestamp string // message.timestamp.type
	MinISR    int    // min.insync.replicas
	Replicas  int    // the fewest of any partition
}

// recordOverhead is the most bytes that a record takes besides the event, its batch included. Headers usually take some
// 300 bytes, a traceparent and the longest project id included.
const recordOverhead = 4 << 10

// Faults returns what is wrong with the topic for a gateway that takes events of up to largest bytes. With a fault of
// cannot, some or all events cannot be kept. With a fault of should, all can, but not as safely as they might.
func (t TopicSettings) Faults(largest int) (cannot, should []string) {
	if strings.Contains(t.Cleanup, "compact") {
		cannot = append(cannot, fmt.Sprintf("cleanup.policy is %q: a compacted topic refuses events without a key "+
			"and removes others; set it to \"delete\"", t.Cleanup))
	}
	if need := largest + recordOverhead; t.MaxBatch > 0 && t.MaxBatch < need {
		cannot = append(cannot, fmt.Sprintf("max.message.bytes is %d: with --max-event-bytes %d the gateway takes "+
			"events that the topic refuses; raise it to %d or more, or lower --max-event-bytes", t.MaxBatch, largest, need))
	}
	if t.Replicas > 0 && t.MinISR > t.Replicas {
		cannot = append(cannot, fmt.Sprintf("min.insync.replicas is %d and a partition has %d replicas: "+
			"nothing can be acknowledged", t.MinISR, t.Replicas))
	}
	if t.MinISR == 1 && t.Replicas > 1 {
		should = append(should, fmt.Sprintf("min.insync.replicas is 1 with %d replicas: an acknowledged event may be "+
			"on one broker only; 2 is safer", t.Replicas))
	}
	if t.Timestamp != "" && t.Timestamp != "LogAppendTime" {
		should = append(should, fmt.Sprintf("message.timestamp.type is %q: record times are the gateway's clock instead "+
			"of the brokers'; \"LogAppendTime\" is right", t.Timestamp))
	}
	return cannot, should
}
