package budget

import "testing"

func hasRoom(c *Claim) bool { room, _ := c.Room(); return room }

// Each partition has its share, whatever the others hold. The rest is for all, to the byte.
func TestBudgetShares(t *testing.T) {
	b := New(1000)
	greedy, modest := b.Join(), b.Join() // 125 each, and 750 for both
	greedy.Add(874)
	if !hasRoom(greedy) || !hasRoom(modest) {
		t.Error("a byte of the common part is left")
	}
	greedy.Add(1)
	if hasRoom(greedy) || !hasRoom(modest) {
		t.Error("the common part is used up, the other's share is not")
	}
	modest.Add(124)
	if !hasRoom(modest) {
		t.Error("a byte of its own share is left")
	}
	modest.Add(1)
	room, freed := modest.Room()
	if room {
		t.Error("nothing is left")
	}
	greedy.Add(-1)
	<-freed
	if !hasRoom(modest) {
		t.Error("a byte was given back")
	}
	greedy.Add(-874)
	greedy.Leave()
	modest.Add(874)
	if !hasRoom(modest) { // 250 of its own now, 750 in common
		t.Error("who has left has no share")
	}
}
