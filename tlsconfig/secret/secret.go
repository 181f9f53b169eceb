package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// A Secret is a text that prints as [redacted], by whatever road it is printed: fmt with
// any verb, JSON, YAML, text, log/slog. An empty one prints as nothing, so that one sees
// that it is missing. [Secret.Reveal] gives the text.
type Secret string

const redacted = "[redacted]"

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// Equal reports whether s and o are the same, in a time that doesn't tell where they
// differ.
func (s Secret) Equal(o Secret) bool {
	a, b := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(o))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns [redacted], or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format writes what String returns, whatever the verb. It implements [fmt.Formatter].
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		fmt.Fprintf(f, "%q", s.String())
		return
	}
	io.WriteString(f, s.String())
}

// MarshalText returns what String returns.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// MarshalYAML returns what String returns, for gopkg.in/yaml.v3.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue returns what String returns, for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

var (
	_ fmt.Formatter  = Secret("")
	_ slog.LogValuer = Secret("")
)
