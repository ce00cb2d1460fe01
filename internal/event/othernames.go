package event

import "sluice/internal/strictjson"

// olderNames holds the values that came under older names of fields, until the end of the event shows which of the
// current names are missing.
type olderNames struct {
	exceptionType, exceptionModule Text
	userID, userEmail              Text
	sdkName, sdkVersion            Text

	shipperNames

	given bool // at least one of the names came
}

func (o *olderNames) fillGaps(ev *Event) {
	if !o.given {
		return
	}
	fill(&ev.Exception.Type, o.exceptionType)
	fill(&ev.Exception.Module, o.exceptionModule)
	fill(&ev.UserID, o.userID)
	fill(&ev.UserEmail, o.userEmail)
	fill(&ev.SDK.Name, o.sdkName)
	fill(&ev.SDK.Version, o.sdkVersion)
	o.shipperNames.fillGaps(ev)
}

// shipperNames holds the values that came under the names that log shippers use.
type shipperNames struct {
	at        Timestamp // @timestamp
	msg, log  Text
	severity  Level
	hostNamed Text // host, if it is a string
}

// fillGaps fills what our own names leave absent. msg goes before log: a shipper that has parsed a line keeps the whole
// line as log.
func (o *shipperNames) fillGaps(ev *Event) {
	fill(&ev.Message, o.msg)
	fill(&ev.Message, o.log)
	fill(&ev.ServerName, o.hostNamed)
	if ev.Level == 0 {
		ev.Level = o.severity
	}
	if !ev.Timestamp.Present() {
		ev.Timestamp = o.at
	}
}

// shipperField reads a field under a name that log shippers use. A value of another type counts as absent: before these
// names had a meaning, their values were never a reason to refuse an event.
func (d *Decoder) shipperField(f strictjson.Field) {
	o := &d.older
	o.given = true
	switch f {
	case fieldAtTimestamp:
		if c := d.scan.Peek(); c == '"' || c == '-' || isDigit(c) {
			o.at = readTime(&d.scan)
			return
		}
	case fieldMsg:
		d.shipperText(&o.msg)
		return
	case fieldLog:
		d.shipperText(&o.log)
		return
	case fieldHost:
		d.shipperText(&o.hostNamed)
		return
	case fieldSeverity:
		o.severity, _ = ParseSeverity(d.scan.Scalar())
		return
	}
	d.scan.Value()
}

// shipperText reads a string, and passes over any other value.
func (d *Decoder) shipperText(into *Text) {
	if d.scan.Peek() == '"' {
		*into = d.scan.Text()
		return
	}
	d.scan.Value()
}
