package rows

// AppendBlock adds the rows of another block, which stays as it is. Only one goroutine may use the other block.
func (b *Block) AppendBlock(other *Block) {
	for i := range b.texts {
		b.texts[i].join(&other.texts[i])
	}
	b.tags.join(&other.tags)
	b.eventID = append(b.eventID, other.eventID...)
	b.idTime.Data = append(b.idTime.Data, other.idTime.Data...)
	b.timestamp.Data = append(b.timestamp.Data, other.timestamp.Data...)
	b.client.Data = append(b.client.Data, other.client.Data...)
	b.adjusted = append(b.adjusted, other.adjusted...)
	b.receivedAt.Data = append(b.receivedAt.Data, other.receivedAt.Data...)
	b.level = append(b.level, other.level...)
	b.fingerprint = append(b.fingerprint, other.fingerprint...)
	b.partition = append(b.partition, other.partition...)
	b.offset = append(b.offset, other.offset...)
}

func (c *textColumn) join(other *textColumn) {
	if len(other.buf) > 0 {
		c.fill()
		c.buf = append(c.buf, other.buf...)
	}
	c.count += other.count
	c.absent += other.absent
}

func (c *tagsColumn) join(other *tagsColumn) {
	before := uint64(c.keys.count) // a count
	for _, end := range other.ends {
		c.ends = append(c.ends, before+end)
	}
	c.keys.join(&other.keys)
	c.values.join(&other.values)
}
