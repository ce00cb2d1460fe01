package deadletters

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// Purged is what Purge did.
type Purged struct {
	Removed int // letters that are not on the topic any more
	Moved   int // letters that were copied to the end, because they lay before a removed one
}

// purgeRounds is how often Purge reads the topic again after it has removed letters: another purge at the same time may
// have moved them.
const purgeRounds = 5

// errPurge says that letters came faster than they could be removed.
var errPurge = errors.New("the letters to remove are still there, because somebody else moves letters too: try again")

// Purge removes the letters that covers names from the dead-letter topic.
//
// Kafka removes records from the beginning of a partition only. So the other letters up to the last one to remove are
// first copied to the end of their partition, whole and acknowledged by all replicas, and only then is the beginning
// removed. A copy has all that identifies a letter: key, value, headers, and where and when it died; only its place is
// new, and retention may count from now. An interruption leaves copies beside their letters, and loses nothing. The
// next purge takes a letter that has its copy for copied.
func (d *Desk) Purge(ctx context.Context, covers func(*Letter) bool) (Purged, error) {
	var all Purged
	for range purgeRounds {
		parts, err := d.extents(ctx, d.conn.DeadTopic)
		if err != nil {
			return all, err
		}
		before := all.Removed
		for _, e := range parts {
			if err := d.purge(ctx, e, covers, &all); err != nil {
				return all, err
			}
		}
		if all.Removed == before {
			return all, nil
		}
	}
	return all, errPurge
}

// content is a hash of all that a letter has: its key, its value and its headers, which say where and when it died. Two
// letters with the same content are the same letter, wherever they are on the topic.
type content [sha256.Size]byte

func contentOf(l *Letter) (c content) {
	h := sha256.New()
	put := func(b []byte) {
		var size [8]byte
		n := int64(len(b))
		if b == nil {
			n = -1
		}
		binary.BigEndian.PutUint64(size[:], uint64(n))
		h.Write(size[:])
		h.Write(b)
	}
	put(l.Key)
	put(l.Value)
	for _, header := range l.all {
		put([]byte(header.Key))
		put(header.Value)
	}
	h.Sum(c[:0])
	return c
}

// purge is Purge for one partition.
func (d *Desk) purge(ctx context.Context, e extent, covers func(*Letter) bool, sum *Purged) error {
	last, removed := int64(-1), 0
	behind := map[content]bool{} // letters behind the last one to remove
	for l, err := range d.read(ctx, e) {
		switch {
		case err != nil:
			return err
		case covers(&l):
			last, removed = l.Place.Offset, removed+1
			clear(behind)
		default:
			behind[contentOf(&l)] = true
		}
	}
	if removed == 0 {
		return nil
	}
	c := &copier{desk: d, partition: e.partition}
	for l, err := range d.read(ctx, extent{e.partition, e.first, last}) {
		if err == nil && !covers(&l) && !behind[contentOf(&l)] {
			err = c.add(ctx, &l)
		}
		if err != nil {
			return err
		}
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	sum.Moved += c.copied
	if err := d.deleteBefore(ctx, e.partition, last+1); err != nil {
		return err
	}
	sum.Removed += removed
	return nil
}

// copier writes letters to the end of their partition.
type copier struct {
	desk      *Desk
	partition int
	batch     []kafka.Record
	size      int
	copied    int
}

func (c *copier) add(ctx context.Context, l *Letter) error {
	r := l.record()
	r.Headers, r.Time = l.all, l.written
	size := recordOverhead + len(l.Key) + len(l.Value)
	for _, h := range l.all {
		size += len(h.Key) + len(h.Value)
	}
	if len(c.batch) == maxBatchRecords || len(c.batch) > 0 && c.size+size > maxBatchBytes {
		if err := c.flush(ctx); err != nil {
			return err
		}
	}
	c.batch, c.size = append(c.batch, r), c.size+size
	return nil
}

func (c *copier) flush(ctx context.Context) error {
	if len(c.batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	topic := c.desk.conn.DeadTopic
	resp, err := c.desk.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: c.partition, RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
		Records: kafka.NewRecordReader(c.batch...),
	})
	if err == nil {
		err = resp.Error
	}
	if err != nil {
		return fmt.Errorf("copy letters of the topic %s, partition %d: %w", topic, c.partition, err)
	}
	c.copied += len(c.batch)
	c.batch, c.size = c.batch[:0], 0
	return nil
}
