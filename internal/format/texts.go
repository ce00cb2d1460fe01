package format

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// fixed makes a text of a constant.
func fixed(text string) event.Text { return strictjson.Verbatim([]byte(text)) }

// firstGiven returns the first text that is not empty.
func firstGiven(texts ...event.Text) event.Text {
	for _, t := range texts {
		if !t.IsZero() {
			return t
		}
	}
	return event.Text{}
}

// addTag adds a tag, unless the value is null or absent.
func addTag(ev *event.Event, key, value event.Text) {
	if value.IsGiven() {
		ev.AddTag(key, value)
	}
}
