package event

import "time"

// parseRFC3339 reads an RFC 3339 date-time. It also accepts common variations: a space instead of the T, a missing
// zone, which means UTC, and a zone without the colon. T and Z may be in lower case. Digits after the millisecond are
// cut off. A leap second counts as the first second of the next minute.
func parseRFC3339(b []byte) Timestamp {
	const shortest = len("2006-01-02T15:04:05")
	bad := Timestamp{state: notUnderstood}
	if len(b) < shortest || b[4] != '-' || b[7] != '-' || b[13] != ':' || b[16] != ':' ||
		b[10]|0x20 != 't' && b[10] != ' ' {
		return bad
	}
	year, month, day := decimal(b[0:4]), decimal(b[5:7]), decimal(b[8:10])
	hour, minute, second := decimal(b[11:13]), decimal(b[14:16]), decimal(b[17:19])
	if min(year, month, day, hour, minute, second) < 0 || hour > 23 || minute > 59 || second > 60 {
		return bad
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return bad
	}
	millis, rest, ok := fraction(b[shortest:])
	if !ok {
		return bad
	}
	offset, ok := zone(rest)
	if !ok {
		return bad
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return timestampOf(t.UnixMilli() + millis - offset.Milliseconds())
}

// decimal returns the number that a few digits stand for, or -1 if another byte is among them.
func decimal(b []byte) int {
	n := 0
	for _, c := range b {
		if !isDigit(c) {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

var monthDays = [13]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func daysIn(year, month int) int {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return monthDays[month]
}

// fraction reads an optional fraction of a second, as milliseconds.
func fraction(b []byte) (millis int64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '.' {
		return 0, b, true
	}
	i := 1
	for unit := int64(100); i < len(b) && isDigit(b[i]); i++ {
		millis += unit * int64(b[i]-'0')
		unit /= 10
	}
	return millis, b[i:], i > 1
}

// zone reads the zone: nothing, Z, or an offset from UTC of less than a day.
func zone(b []byte) (time.Duration, bool) {
	if len(b) == 0 || len(b) == 1 && b[0]|0x20 == 'z' {
		return 0, true
	}
	digits := b[1:]
	if len(digits) == 5 && digits[2] == ':' {
		digits = []byte{digits[0], digits[1], digits[3], digits[4]}
	}
	if len(digits) != 4 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	hours, minutes := decimal(digits[:2]), decimal(digits[2:])
	if min(hours, minutes) < 0 || hours > 23 || minutes > 59 {
		return 0, false
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if b[0] == '-' {
		offset = -offset
	}
	return offset, true
}
