package tlsconfig

import (
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
// certificate, less so for trusting one. It is kept in small letters without
// separators. The zero value names no certificate.
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

// UnmarshalText reads a thumbprint with [ParseThumbprint].
func (t *Thumbprint) UnmarshalText(text []byte) (err error) {
	*t, err = ParseThumbprint(string(text))
	return err
}

// String returns the digits in small letters.
func (t Thumbprint) String() string { return string(t) }

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
	sum := sha1.Sum(c.Raw)
	return Thumbprint(hex.EncodeToString(sum[:]))
}
