package conffile

import (
	"bytes"
	"unicode/utf8"
)

var (
	bom = []byte("\xef\xbb\xbf")
	// lineBreaks are characters that end a line for old YAML readers only.
	lineBreaks = [][]byte{[]byte("\u0085"), []byte("\u2028"), []byte("\u2029")}
)

// utf16 reports whether a file begins like UTF-16 or UTF-32.
func utf16(head []byte) bool {
	switch {
	case len(head) < 2:
		return false
	case head[0] == 0xff && head[1] == 0xfe, head[0] == 0xfe && head[1] == 0xff:
		return true
	default:
		return head[0] == 0 || head[1] == 0
	}
}

const notUTF8 = "the file is not UTF-8 (it looks like UTF-16); save it as UTF-8"

// checkLine reports characters that readers interpret differently. text includes its line feed, if any.
func checkLine(text []byte, line int) *Fault {
	bare := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if bytes.IndexByte(bare, '\r') >= 0 {
		return faultAt(line, "a carriage return without a line feed; end lines with LF or CRLF")
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return faultAt(line, "a NUL character")
	}
	if ascii(text) {
		return nil
	}
	if !utf8.Valid(text) {
		return faultAt(line, "not UTF-8")
	}
	if bytes.Contains(text, bom) {
		return faultAt(line, "a byte-order mark within the file; only its very beginning may have one")
	}
	for _, b := range lineBreaks {
		if bytes.Contains(text, b) {
			return faultAt(line, "a Unicode line separator (U+0085, U+2028 or U+2029); use a line feed")
		}
	}
	return nil
}

func ascii(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
