package delivery

import "encoding/binary"

// Gap is a run of offsets with records that were never read: they were removed from the topic before, or somebody set
// the group's offset forward past them.
type Gap struct {
	// First and Last are included.
	First, Last int64
	// Lost is how many of the offsets count as lost, at least 1.
	Lost int64
}

// maxGaps is how many gaps a partition's metadata remembers: the newest. A gap takes at most 30 bytes of the metadata.
const maxGaps = 16

// partGaps is the kind of the part that has the gaps.
const partGaps = 2

// AddGap notes lost records that lie before the head, and counts them. A gap that touches the newest one extends it.
func (r *Ranges) AddGap(g Gap) {
	if g.Lost <= 0 {
		return
	}
	r.lost += g.Lost
	if n := len(r.gaps); n > 0 && g.First <= r.gaps[n-1].Last+1 && g.Last >= r.gaps[n-1].First {
		last := &r.gaps[n-1]
		last.First, last.Last, last.Lost = min(last.First, g.First), max(last.Last, g.Last), last.Lost+g.Lost
		return
	}
	r.gaps = append(r.gaps, g)
	r.gaps = r.gaps[max(0, len(r.gaps)-maxGaps):]
}

// SetGaps takes the gaps that the metadata of the head had.
func (r *Ranges) SetGaps(gaps []Gap) { r.gaps = gaps }

// appendGaps encodes the gaps: for each its first offset, its length and how many records are lost.
func appendGaps(b []byte, gaps []Gap) []byte {
	for _, g := range gaps {
		b = binary.AppendUvarint(b, uint64(g.First))
		b = binary.AppendUvarint(b, uint64(g.Last-g.First))
		b = binary.AppendUvarint(b, uint64(g.Lost))
	}
	return b
}

// DecodeGaps reads the gaps of the metadata of a committed offset, oldest first. It returns none if the metadata is
// not ours, is broken, or belongs to another offset.
func DecodeGaps(offset int64, text string) (gaps []Gap) {
	_, parts, ok := decodeMetadata(offset, text)
	if !ok {
		return nil
	}
	f := fields{b: parts[partGaps]}
	for len(f.b) > 0 {
		g := Gap{First: int64(f.unsigned())}
		g.Last, g.Lost = g.First+int64(f.unsigned()), int64(f.unsigned())
		if f.bad || g.First < 0 || g.Last < g.First || g.Lost < 1 || len(gaps) == maxGaps {
			return nil
		}
		gaps = append(gaps, g)
	}
	return gaps
}
