package event

// Level is the severity of an event. The numbers are those of the level column; a larger number is more severe.
type Level uint8

// The levels, least severe first. An event without a level has LevelError.
const (
	LevelDebug Level = 1 + iota
	LevelInfo
	LevelWarning
	LevelError
	LevelFatal
)

// String returns the level's name in the level column. It returns "" for a number that is not a level.
func (l Level) String() string {
	switch l {
	case LevelDebug:
		return "debug"
	case LevelInfo:
		return "info"
	case LevelWarning:
		return "warning"
	case LevelError:
		return "error"
	case LevelFatal:
		return "fatal"
	}
	return ""
}

// longestLevel is the length of the longest word that parseLevel knows, in bytes.
const longestLevel = len("information")

// parseLevel reads a level's name or one of its synonyms in any ASCII case.
func parseLevel(word []byte) (Level, bool) {
	if level := levelOf(word); level != 0 {
		return level, true
	}
	if len(word) > longestLevel {
		return 0, false
	}
	var buf [longestLevel]byte
	for i, c := range word {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	level := levelOf(buf[:len(word)])
	return level, level != 0
}

// levelOf returns the level of a word in lower case, or 0. The synonyms are those of syslog, OpenTelemetry, browsers
// and common loggers.
func levelOf(word []byte) Level {
	switch string(word) {
	case "debug", "trace", "verbose":
		return LevelDebug
	case "info", "information", "notice", "log":
		return LevelInfo
	case "warning", "warn":
		return LevelWarning
	case "error", "err":
		return LevelError
	case "fatal", "critical", "crit", "alert", "emerg", "emergency", "panic":
		return LevelFatal
	}
	return 0
}

// ParseSeverity reads a level as ParseLevel does, or the number of a syslog severity, from 0 (emergency) to 7 (debug).
func ParseSeverity(word Text) (Level, bool) {
	if b, plain := word.Verbatim(); plain && len(b) == 1 && '0' <= b[0] && b[0] <= '7' {
		return syslogLevels[b[0]-'0'], true
	}
	return ParseLevel(word)
}

// syslogLevels are the levels of syslog's severities (RFC 5424, section 6.2.1).
var syslogLevels = [8]Level{
	LevelFatal, LevelFatal, LevelFatal, LevelError, LevelWarning, LevelInfo, LevelInfo, LevelDebug,
}
