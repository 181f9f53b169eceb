package tlsconfig

import (
	"crypto/fips140"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
)

// A Thumbprint names one certificate by a hash of it: SHA-256, 64 hexadecimal digits,
// or SHA-1, 40 digits, which is what Windows shows and which is good for finding a
// certificate, less so for trusting one. It may be written as [ParseThumbprint] reads it,
// and is kept as it was written, so that Removed can say what doesn't belong to it. Compare
// two by their String. The zero value names no certificate.
type Thumbprint string

// ParseThumbprint reads a thumbprint as people paste it: with spaces, colons or dashes,
// in capitals or small letters, and with the invisible characters that the Windows
// certificate manager puts in front. Anything but exactly 40 or 64 digits is refused.
func ParseThumbprint(s string) (Thumbprint, error) {
	var digits strings.Builder
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			digits.WriteRune(unicode.ToLower(c))
		case c == ':', c == '-', unicode.IsSpace(c), unicode.Is(unicode.Cf, c): // Cf: U+200E and its like
		default:
			return "", fmt.Errorf("%w: %q at place %d is no hexadecimal digit", ErrThumbprint, c, i+1)
		}
	}
	switch n := digits.Len(); n {
	case 2 * sha1.Size, 2 * sha256.Size:
		return Thumbprint(digits.String()), nil
	case 0:
		return "", fmt.Errorf("%w: it is empty", ErrThumbprint)
	default:
		return "", fmt.Errorf("%w: it has %d hexadecimal digits: a SHA-1 thumbprint has 40, a SHA-256 thumbprint 64, and the whole of one is needed", ErrThumbprint, n)
	}
}

// UnmarshalText takes a thumbprint that [ParseThumbprint] can read.
func (t *Thumbprint) UnmarshalText(text []byte) error {
	_, err := ParseThumbprint(string(text))
	if err == nil {
		*t = Thumbprint(text)
	}
	return err
}

// String returns the digits in small letters, without separators, or the whole text where
// it is no thumbprint.
func (t Thumbprint) String() string {
	if n, err := ParseThumbprint(string(t)); err == nil {
		return string(n)
	}
	return string(t)
}

// Removed says in words what is in the text beside the digits, and is passed over: "a
// left-to-right mark (U+200E) and 19 spaces were removed". It is "" where there are digits
// alone.
func (t Thumbprint) Removed() string {
	text, _ := t.removed()
	return text
}

// removed reports, too, whether some of it can't be seen.
func (t Thumbprint) removed() (text string, invisible bool) {
	type kind struct{ one, more string }
	var kinds []kind
	counts, all := make(map[kind]int), 0
	for _, c := range string(t) {
		var k kind
		switch {
		case c == ' ':
			k = kind{"a space", "spaces"}
		case c == ':':
			k = kind{"a colon", "colons"}
		case c == '-':
			k = kind{"a dash", "dashes"}
		case c == '\t':
			k = kind{"a tab", "tabs"}
		case c == '\n', c == '\r':
			k = kind{"a line break", "line breaks"}
		case unicode.IsSpace(c):
			k = kind{fmt.Sprintf("a space of another kind (%U)", c), fmt.Sprintf("spaces of another kind (%U)", c)}
		case unicode.Is(unicode.Cf, c):
			name := invisibleName(c)
			k = kind{fmt.Sprintf("a %s (%U)", name, c), fmt.Sprintf("%ss (%U)", name, c)}
			invisible = true
		default:
			continue
		}
		if counts[k] == 0 {
			kinds = append(kinds, k)
		}
		counts[k]++
		all++
	}
	for i, k := range kinds {
		switch {
		case i > 0 && i == len(kinds)-1:
			text += " and "
		case i > 0:
			text += ", "
		}
		if n := counts[k]; n > 1 {
			text += fmt.Sprintf("%d %s", n, k.more)
		} else {
			text += k.one
		}
	}
	switch all {
	case 0:
		return "", false
	case 1:
		return text + " was removed", invisible
	}
	return text + " were removed", invisible
}

// invisibleName is what Unicode calls a character of those that programs put in front of
// what is copied.
func invisibleName(c rune) string {
	switch c {
	case 0x200e:
		return "left-to-right mark"
	case 0x200f:
		return "right-to-left mark"
	case 0x200b:
		return "zero-width space"
	case 0xfeff:
		return "byte order mark"
	}
	return "character that can't be seen"
}

// warnOfThumbprints says where something was pasted that nobody has seen. Spaces and colons
// are what thumbprints are written with.
func (s *Source) warnOfThumbprints(certificates []Certificate, trust Trust) {
	warn := func(place string, t Thumbprint) {
		if text, invisible := t.removed(); invisible {
			s.warnings = append(s.warnings, fmt.Sprintf("%s: %s", place, text))
		}
	}
	for i, c := range certificates {
		warn(fmt.Sprintf("certificate[%d].thumbprint", i), c.Thumbprint)
	}
	for i, t := range trust.Thumbprints {
		warn(fmt.Sprintf("trust.thumbprints[%d]", i), t)
	}
}

// Matches reports whether c is the certificate that t names.
func (t Thumbprint) Matches(c *x509.Certificate) bool {
	n, err := ParseThumbprint(string(t))
	if err != nil {
		return false
	}
	return n == SHA256(c) || n == SHA1(c)
}

// SHA256 returns the SHA-256 thumbprint of c.
func SHA256(c *x509.Certificate) Thumbprint {
	sum := sha256.Sum256(c.Raw)
	return Thumbprint(hex.EncodeToString(sum[:]))
}

// SHA1 returns the SHA-1 thumbprint of c, by which Windows names it.
func SHA1(c *x509.Certificate) Thumbprint {
	var sum [sha1.Size]byte
	fips140.WithoutEnforcement(func() { sum = sha1.Sum(c.Raw) })
	return Thumbprint(hex.EncodeToString(sum[:]))
}
