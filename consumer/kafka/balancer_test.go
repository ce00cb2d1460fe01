package kafka

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/segmentio/kafka-go"
)

// group is members, each with its balancer, as they would be in processes of their own.
type group struct {
	t          *testing.T
	generation int
	members    map[string]*sticky
	partitions int
	has        map[string][]int
}

func newGroup(t *testing.T, partitions int) *group {
	return &group{t: t, members: map[string]*sticky{}, partitions: partitions, has: map[string][]int{}}
}

// rebalance shares the partitions, checks that it is fair and whole, and returns how many changed hands.
func (g *group) rebalance() (moved int) {
	g.t.Helper()
	g.generation++
	var members []kafka.GroupMember
	for id, s := range g.members {
		data, err := s.UserData()
		if err != nil {
			g.t.Fatal(err)
		}
		members = append(members, kafka.GroupMember{ID: id, Topics: []string{"events"}, UserData: data})
	}
	var partitions []kafka.Partition
	for i := range g.partitions {
		partitions = append(partitions, kafka.Partition{Topic: "events", ID: i})
	}
	before := map[int]string{}
	for id, owned := range g.has {
		for _, p := range owned {
			before[p] = id
		}
	}
	got := (&sticky{}).AssignGroups(members, partitions)
	seen := map[int]bool{}
	g.has = map[string][]int{}
	for id, topics := range got {
		owned := topics["events"]
		if n := len(owned); n < g.partitions/len(members) || n > (g.partitions+len(members)-1)/len(members) {
			g.t.Errorf("%s has %d of %d partitions among %d members", id, n, g.partitions, len(members))
		}
		var owns []int32
		for _, p := range owned {
			if seen[p] {
				g.t.Errorf("partition %d was given out twice", p)
			}
			seen[p] = true
			if before[p] != "" && before[p] != id {
				moved++
			}
			owns = append(owns, int32(p))
		}
		g.has[id] = owned
		g.members[id].own(g.generation, map[string][]int32{"events": owns})
	}
	if len(seen) != g.partitions {
		g.t.Errorf("%d of %d partitions were given out", len(seen), g.partitions)
	}
	return moved
}

func (g *group) join(ids ...string) {
	for _, id := range ids {
		g.members[id] = &sticky{}
	}
}

// TestOneMoreConsumerMovesAQuarter: adding one to three moves what the new one gets and nothing else; and the other way.
func TestOneMoreConsumerMovesAQuarter(t *testing.T) {
	g := newGroup(t, 12)
	g.join("a", "b", "c")
	g.rebalance()
	if moved := g.rebalance(); moved != 0 {
		t.Errorf("%d partitions moved although nothing changed", moved)
	}
	g.join("d")
	if moved := g.rebalance(); moved != 3 {
		t.Errorf("a fourth consumer moved %d of 12 partitions", moved)
	}
	delete(g.members, "b")
	gone := len(g.has["b"])
	if moved := g.rebalance(); moved != gone {
		t.Errorf("%d partitions moved when a consumer with %d left", moved, gone)
	}
}

// TestLateClaimsDoNotCount: a member that slept through generations claims what others have by now.
func TestLateClaimsDoNotCount(t *testing.T) {
	g := newGroup(t, 12)
	g.join("a", "b")
	g.rebalance()
	sleeper := g.members["a"]
	delete(g.members, "a")
	g.rebalance() // b has all
	g.join("c")
	g.rebalance()
	c := slices.Clone(g.has["c"])
	g.members["a"] = sleeper
	if moved := g.rebalance(); moved != 4 {
		t.Errorf("%d partitions moved, 4 are a third", moved)
	}
	for _, p := range g.has["c"] {
		if !slices.Contains(c, p) {
			t.Errorf("partition %d came to c instead of staying or going to a", p)
		}
	}
}

// TestBalancerIsAlwaysFair: members come and go, partitions are added, what members say is rubbish.
func TestBalancerIsAlwaysFair(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		g := newGroup(t, 1+rnd.IntN(40))
		for round := range 15 {
			if id := fmt.Sprint("m", rnd.IntN(8)); g.members[id] == nil || len(g.members) == 1 {
				g.join(id)
			} else {
				delete(g.members, id)
			}
			g.partitions += rnd.IntN(3)
			for _, s := range g.members {
				if rnd.IntN(6) == 0 {
					s.own(rnd.IntN(20), map[string][]int32{"events": {int32(rnd.IntN(50)), 1, 1}, "other": {3}})
				}
			}
			g.rebalance()
			if t.Failed() {
				t.Fatalf("seed %d, round %d", seed, round)
			}
		}
	}
}

func FuzzHolding(f *testing.F) {
	f.Add(encodeHolding(7, map[string][]int32{"events": {0, 5, 1 << 30}}))
	f.Add([]byte{})
	f.Add([]byte{holdingVersion})
	f.Add([]byte{holdingVersion + 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeHolding(b)
		if err != nil {
			return
		}
		again, err := decodeHolding(encodeHolding(c.generation, c.owned))
		if err != nil || again.generation != c.generation || len(again.owned) < len(c.owned) {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
		for topic, owned := range c.owned {
			if !reflect.DeepEqual(owned, again.owned[topic]) {
				t.Fatalf("%+v became %+v", c, again)
			}
		}
	})
}
