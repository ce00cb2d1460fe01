package step

import (
	"regexp"
	"strings"
)

// pattern is a kind of secret that can be told from other text.
type pattern struct {
	name    string
	replace func(text string) string
}

// secretPatterns are the kinds there are, in the order in which they are looked for.
var secretPatterns = []pattern{
	{"bearer", func(text string) string {
		if !mayHold(text, bearer.hint) {
			return text
		}
		return bearer.ReplaceAllString(text, "${1}"+redacted)
	}},
	{"card", func(text string) string { return card.ReplaceAllStringFunc(text, withoutCard) }},
	{"email", func(text string) string {
		if strings.IndexByte(text, '@') < 0 {
			return text
		}
		return email.ReplaceAllString(text, redacted)
	}},
}

// hinted is an expression that is only tried where a word occurs: most texts hold no secret.
type hinted struct {
	*regexp.Regexp
	hint string
}

var (
	// bearer is an access token as it stands in a header (RFC 6750, section 2.1).
	bearer = hinted{regexp.MustCompile(`(?i)\b(bearer\s+)[A-Za-z0-9\-._~+/]{8,}=*`), "earer"}
	// card is what could hold the number of a payment card: 13 digits or more, perhaps in groups.
	card = regexp.MustCompile(`\b[0-9](?:[ -]?[0-9]){12,}\b`)
	// email is a mail address in the form that nearly all have.
	email = regexp.MustCompile(`[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+`)
)

func mayHold(text, hint string) bool {
	return strings.Contains(text, hint) || strings.Contains(text, strings.ToUpper(hint))
}

// mostDigits is the length of the longest card numbers.
const mostDigits = 19

// withoutCard replaces card numbers in a text of digits, spaces and hyphens. A number may stand beside others, so that each group
// of digits is tried as its first.
func withoutCard(text string) string {
	var out strings.Builder
	for at := 0; at < len(text); {
		if end := cardAt(text, at); end > at {
			out.WriteString(redacted)
			at = end
			continue
		}
		out.WriteByte(text[at])
		at++
	}
	return out.String()
}

// cardAt says where the card number ends that begins at the start of a group of digits; 0: none does.
func cardAt(text string, at int) (end int) {
	if !isDigit(text[at]) || at > 0 && isDigit(text[at-1]) {
		return 0
	}
	digits := make([]byte, 0, mostDigits)
	for ; at < len(text) && len(digits) < mostDigits; at++ {
		if !isDigit(text[at]) {
			continue
		}
		digits = append(digits, text[at]-'0')
		if whole := at+1 == len(text) || !isDigit(text[at+1]); whole && len(digits) > 1 && issuedLength(digits) && luhn(digits) {
			end = at + 1
		}
	}
	return end
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// luhn says whether the last digit is right (ISO/IEC 7812-1, annex B). That of one in ten other numbers is, by chance.
func luhn(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		n := int(d)
		if (len(digits)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// issuedLength says whether numbers that begin like this have this length: Visa 13, 16, 19; Mastercard 16; American Express
// 15; Diners Club 14 to 19; JCB, Discover, UnionPay, Maestro 12 to 19, of which 16 to 19 are looked for.
func issuedLength(digits []byte) bool {
	n := len(digits)
	switch two := digits[0]*10 + digits[1]; {
	case digits[0] == 4:
		return n == 13 || n == 16 || n == 19
	case 51 <= two && two <= 55, 22 <= two && two <= 27:
		return n == 16
	case two == 34, two == 37:
		return n == 15
	case two == 30, two == 36, two == 38, two == 39:
		return n >= 14
	case two == 35, digits[0] == 6:
		return n >= 16
	}
	return false
}
