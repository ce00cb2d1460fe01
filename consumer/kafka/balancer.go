package kafka

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go"
)

// sticky is the group's balancer: all members get the same number of partitions, give or take one, and keep what they had as far as
// that allows. A partition that moves is paused, and its new owner replays the recorded ranges; a partition that stays is only
// paused.
//
// Each member tells the leader which partitions it had and in which generation, in the user data of its request to join. If two members
// claim a partition, the leader believes the later generation: the other member was asleep.
//
// It is written by hand because kafka-go has no sticky balancer.
type sticky struct {
	mu         sync.Mutex
	generation int32
	owned      map[string][]int32 // by topic
	shared     int                // how many members this one assigned partitions to last, as their leader
}

// stickyProtocol is the balancer's name in the group. The group uses a protocol that all its members know.
const stickyProtocol = "sluice-sticky"

// own stores the partitions that the member has in a generation.
func (s *sticky) own(generation int, owned map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation, s.owned = int32(generation), owned //nolint:gosec // Kafka's own type
}

// alone says whether this member is alone in the generation: as its leader it assigned partitions to one member only. The answer is
// good once.
func (s *sticky) alone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	alone := s.shared == 1
	s.shared = 0
	return alone
}

// ProtocolName is part of kafka.GroupBalancer.
func (s *sticky) ProtocolName() string { return stickyProtocol }

// UserData is part of kafka.GroupBalancer. It encodes the partitions that the member has.
func (s *sticky) UserData() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return encodeHolding(s.generation, s.owned), nil
}

// AssignGroups is part of kafka.GroupBalancer. The group's leader calls it.
func (s *sticky) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	s.mu.Lock()
	s.shared = len(members)
	s.mu.Unlock()
	holdings := make(map[string]holding, len(members))
	out := kafka.GroupMemberAssignments{}
	byTopic := map[string][]string{}
	for _, m := range members {
		// User data that cannot be read, another program's perhaps, counts as none.
		c, _ := decodeHolding(m.UserData)
		holdings[m.ID] = c
		out[m.ID] = map[string][]int{}
		for _, topic := range m.Topics {
			byTopic[topic] = append(byTopic[topic], m.ID)
		}
	}
	existing := map[string][]int32{}
	for _, p := range partitions {
		existing[p.Topic] = append(existing[p.Topic], int32(p.ID)) //nolint:gosec // Kafka's own type
	}
	for topic, ids := range byTopic {
		for id, got := range assign(topic, ids, existing[topic], holdings) {
			for _, p := range got {
				out[id][topic] = append(out[id][topic], int(p))
			}
		}
	}
	return out
}

// assign gives the partitions of one topic to its members.
func assign(topic string, members []string, partitions []int32, holdings map[string]holding) map[string][]int32 {
	slices.Sort(members)
	slices.Sort(partitions)
	kept := keepOwned(topic, members, partitions, holdings)
	// Members that have most come first, so that they are the ones that may have one more.
	slices.SortStableFunc(members, func(a, b string) int { return cmp.Compare(len(kept[b]), len(kept[a])) })
	least, more := len(partitions)/len(members), len(partitions)%len(members)
	taken := map[int32]bool{}
	quota := make(map[string]int, len(members))
	for i, m := range members {
		quota[m] = least
		if i < more {
			quota[m]++
		}
		kept[m] = kept[m][:min(len(kept[m]), quota[m])]
		for _, p := range kept[m] {
			taken[p] = true
		}
	}
	at := 0
	for _, p := range partitions {
		if taken[p] {
			continue
		}
		for len(kept[members[at]]) == quota[members[at]] {
			at++
		}
		kept[members[at]] = append(kept[members[at]], p)
	}
	return kept
}

// keepOwned gives each existing partition to the member that had it last.
func keepOwned(topic string, members []string, partitions []int32, holdings map[string]holding) map[string][]int32 {
	kept := make(map[string][]int32, len(members))
	for _, p := range partitions {
		owner, latest := "", int32(-1)
		for _, m := range members {
			if c := holdings[m]; c.generation > latest && slices.Contains(c.owned[topic], p) {
				owner, latest = m, c.generation
			}
		}
		if owner != "" {
			kept[owner] = append(kept[owner], p)
		}
	}
	return kept
}

// holding is what a member says it had.
type holding struct {
	generation int32
	owned      map[string][]int32
}

// holdingVersion is the first byte of an encoded holding. A reader treats another version as no holding.
const holdingVersion = 1

var errHolding = errors.New("the user data does not say what the member had")

// encodeHolding writes: version, generation, topics; each topic's name, partitions, each partition; all numbers as uvarints.
func encodeHolding(generation int32, owned map[string][]int32) []byte {
	b := []byte{holdingVersion}
	b = binary.AppendUvarint(b, uint64(max(0, generation))) //nolint:gosec // not negative
	b = binary.AppendUvarint(b, uint64(len(owned)))
	for topic, partitions := range owned {
		b = binary.AppendUvarint(b, uint64(len(topic)))
		b = append(b, topic...)
		b = binary.AppendUvarint(b, uint64(len(partitions)))
		for _, p := range partitions {
			b = binary.AppendUvarint(b, uint64(p)) //nolint:gosec // not negative
		}
	}
	return b
}

func decodeHolding(b []byte) (holding, error) {
	none := holding{generation: -1}
	if len(b) == 0 || b[0] != holdingVersion {
		return none, errHolding
	}
	b = b[1:]
	bad := false
	// next reads a number of at most most.
	next := func(most uint64) int {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > most {
			bad = true
			return 0
		}
		b = b[n:]
		return int(v) //nolint:gosec // at most most
	}
	const number = 1<<31 - 1
	c := holding{generation: int32(next(number)), owned: map[string][]int32{}} //nolint:gosec // bounded
	for range next(uint64(len(b))) {
		size := next(uint64(len(b)))
		if bad || size > len(b) {
			return none, errHolding
		}
		topic := string(b[:size])
		b = b[size:]
		for range next(uint64(len(b))) {
			c.owned[topic] = append(c.owned[topic], int32(next(number))) //nolint:gosec // bounded
		}
	}
	if bad {
		return none, errHolding
	}
	return c, nil
}
