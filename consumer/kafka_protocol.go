package consumer

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// consumerProtocol is the type that groups of consumers have in common. What their members tell each other is laid down by Kafka:
// a subscription goes to the leader, an assignment comes back. Both may have more behind what is read here, from later versions.
const consumerProtocol = "consumer"

// subscription is what a member wants.
type subscription struct {
	topics   []string
	userData []byte
}

var (
	errSubscription = errors.New("a subscription that ends too early")
	errAssignment   = errors.New("an assignment that ends too early")
)

// encodeSubscription writes version 0: version, topics, user data.
func encodeSubscription(s subscription) []byte {
	b := binary.BigEndian.AppendUint16(nil, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.topics))) //nolint:gosec // one
	for _, t := range s.topics {
		b = appendText(b, t)
	}
	return appendBytes(b, s.userData)
}

// decodeSubscription reads any version. What it could read of a broken one is returned with the error.
func decodeSubscription(b []byte) (s subscription, err error) {
	w := wire{b: b}
	w.skip(2)
	for range w.int32() {
		if w.bad {
			return s, errSubscription
		}
		s.topics = append(s.topics, string(w.take(int(w.int16()))))
	}
	if n := w.int32(); n >= 0 {
		s.userData = w.take(int(n))
	}
	if w.bad {
		return s, errSubscription
	}
	return s, nil
}

// encodeAssignment writes version 0: version, topics, each with its partitions, no user data.
func encodeAssignment(topics map[string][]int) []byte {
	b := binary.BigEndian.AppendUint16(nil, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(topics))) //nolint:gosec // few
	for _, t := range slices.Sorted(maps.Keys(topics)) {
		b = appendText(b, t)
		b = binary.BigEndian.AppendUint32(b, uint32(len(topics[t]))) //nolint:gosec // Kafka's own type
		for _, p := range topics[t] {
			b = binary.BigEndian.AppendUint32(b, uint32(p)) //nolint:gosec // Kafka's own type
		}
	}
	return appendBytes(b, nil)
}

// decodeAssignment returns the partitions of one topic. No bytes at all are an assignment of nothing.
func decodeAssignment(b []byte, topic string) (partitions []int, err error) {
	if len(b) == 0 {
		return nil, nil
	}
	w := wire{b: b}
	w.skip(2)
	for range w.int32() {
		name := string(w.take(int(w.int16())))
		for range w.int32() {
			if w.bad {
				return nil, errAssignment
			}
			if p := int(w.int32()); name == topic {
				partitions = append(partitions, p)
			}
		}
		if w.bad {
			return nil, errAssignment
		}
	}
	if w.bad {
		return nil, errAssignment
	}
	slices.Sort(partitions)
	return partitions, nil
}

// appendText writes a text with its length before it in two bytes.
func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) //nolint:gosec // a topic's name
}

// appendBytes writes bytes with their length before them; nil is empty, because old members cannot read null.
func appendBytes(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...) //nolint:gosec // small
}
