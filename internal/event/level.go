package event

// Level is an event's severity. The numbers are those of the level column, so that levels compare.
type Level uint8

// The levels, least severe first. An event that does not give one has LevelError.
const (
	LevelDebug Level = 1 + iota
	LevelInfo
	LevelWarning
	LevelError
	LevelFatal
)

// String returns the level's name in the level column, or "" for a number that is no level.
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

// longestLevel is the length of the longest word parseLevel knows, in bytes.
const longestLevel = len("critical")

// parseLevel reads a level's name or one of its synonyms in any ASCII case.
func parseLevel(word []byte) (Level, bool) {
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
	switch string(buf[:len(word)]) {
	case "debug", "trace":
		return LevelDebug, true
	case "info", "log":
		return LevelInfo, true
	case "warning", "warn":
		return LevelWarning, true
	case "error":
		return LevelError, true
	case "fatal", "critical":
		return LevelFatal, true
	}
	return 0, false
}
