package consumer

// hint says what to do about an error, where the consumer knows.
func hint(err error) string {
	if text := hintKafka(err); text != "" {
		return text
	}
	return hintClickHouse(err)
}
