package event

// secondsDigits is the most digits that the whole part of a number of seconds has. From 1e11 on a number is
// milliseconds.
const secondsDigits = 11

// longestMillis is a number of digits that is enough for every representable millisecond.
const longestMillis = 15

// parseUnix reads a decimal number, written as in JSON or with leading zeros, as Unix seconds or milliseconds, and
// rounds it down to a millisecond. It works on the digits: 1700000000.123 has no exact binary form.
func parseUnix(b []byte) Timestamp {
	bad := Timestamp{state: notUnderstood}
	n, ok := parseNumber(b)
	if !ok {
		return bad
	}
	shift := 3 // seconds
	if !n.negative && n.point > secondsDigits {
		shift = 0
	}
	length := n.point + shift
	if length > longestMillis {
		return bad
	}
	ms, exact := n.digits(length)
	if n.negative {
		ms = -ms
		if !exact {
			ms--
		}
	}
	return timestampOf(ms)
}

// number is a decimal number. Its value is 0.DDD × 10^point, where DDD are the digits of whole and frac together,
// from the first that is not zero. The number zero has no digits.
type number struct {
	negative    bool
	whole, frac []byte
	point       int
}

// maxExponent bounds exponents. A larger one makes no difference, and sums with a bounded one do not overflow.
const maxExponent = 1 << 30

func parseNumber(b []byte) (n number, ok bool) {
	if len(b) > 0 && b[0] == '-' {
		n.negative = true
		b = b[1:]
	}
	n.whole, b = leadingDigits(b)
	if len(n.whole) == 0 {
		return n, false
	}
	if len(b) > 0 && b[0] == '.' {
		n.frac, b = leadingDigits(b[1:])
		if len(n.frac) == 0 {
			return n, false
		}
	}
	exponent, ok := parseExponent(b)
	if !ok {
		return n, false
	}
	return n.normalised(exponent), true
}

// normalised drops leading zeros and sets the point.
func (n number) normalised(exponent int) number {
	n.whole = trimZeros(n.whole)
	n.point = len(n.whole)
	if n.point == 0 {
		all := len(n.frac)
		n.frac = trimZeros(n.frac)
		n.point = len(n.frac) - all
	}
	if len(n.whole)+len(n.frac) == 0 {
		n.point = 0
		return n
	}
	n.point += exponent
	return n
}

// digits returns the first n digits of the number as an integer, and whether all digits after them are zero. n is at
// most longestMillis; for n of 0 or less the integer is 0.
func (n *number) digits(count int) (value int64, exact bool) {
	exact = true
	have := len(n.whole) + len(n.frac)
	for i := range max(have, count) {
		var d byte = '0'
		switch {
		case i < len(n.whole):
			d = n.whole[i]
		case i < have:
			d = n.frac[i-len(n.whole)]
		}
		switch {
		case i < count:
			value = 10*value + int64(d-'0')
		case d != '0':
			return value, false
		}
	}
	return value, exact
}

// parseExponent reads an optional exponent such as e+5. Without one it returns 0.
func parseExponent(b []byte) (int, bool) {
	if len(b) == 0 {
		return 0, true
	}
	if b[0]|0x20 != 'e' {
		return 0, false
	}
	b = b[1:]
	negative := false
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		negative = b[0] == '-'
		b = b[1:]
	}
	digits, rest := leadingDigits(b)
	if len(digits) == 0 || len(rest) > 0 {
		return 0, false
	}
	e := 0
	for _, c := range digits {
		e = min(10*e+int(c-'0'), maxExponent)
	}
	if negative {
		e = -e
	}
	return e, true
}

func leadingDigits(b []byte) (digits, rest []byte) {
	i := 0
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return b[:i], b[i:]
}

func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[0] == '0' {
		b = b[1:]
	}
	return b
}
