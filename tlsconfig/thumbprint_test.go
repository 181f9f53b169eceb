package tlsconfig_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/tlsconfig"
)

func TestParseThumbprint(t *testing.T) {
	t.Parallel()
	sha1 := "a909502dd82ae41433e6f83886b00d4277a32a7b"
	sha256 := strings.Repeat("0123456789abcdef", 4)
	spaced := func(s, sep string) string {
		var parts []string
		for i := 0; i < len(s); i += 2 {
			parts = append(parts, s[i:i+2])
		}
		return strings.Join(parts, sep)
	}
	for _, c := range []struct{ text, want string }{
		{sha1, sha1}, {sha256, sha256}, {strings.ToUpper(sha1), sha1},
		{spaced(sha1, " "), sha1}, {spaced(sha256, ":"), sha256}, {spaced(sha1, "-"), sha1},
		{"\u200e" + spaced(sha1, " "), sha1}, {" \t" + sha1 + "\r\n", sha1}, {"\ufeff" + sha1 + "\u200f", sha1}, {spaced(sha1, "\u00a0"), sha1},
	} {
		if got, err := tlsconfig.ParseThumbprint(c.text); err != nil || string(got) != c.want {
			t.Errorf("%q: %q, %v", c.text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                      "it is empty",
		"\u200e ":               "it is empty",
		sha1[:39]:               "it has 39 hexadecimal digits",
		sha1 + "0":              "it has 41 hexadecimal digits",
		sha1[:8]:                "it has 8 hexadecimal digits",
		"g" + sha1[1:]:          `'g' at place 1 is no hexadecimal digit`,
		sha1[:20] + "…":         "is no hexadecimal digit",
		"SHA1:" + sha1:          `'S' at place 1`,
		sha256[:63]:             "it has 63 hexadecimal digits",
		strings.Repeat("０", 40): "is no hexadecimal digit",
	} {
		if _, err := tlsconfig.ParseThumbprint(text); !errors.Is(err, tlsconfig.ErrThumbprint) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	c := issue(t, "x", nil, nil).cert
	for _, p := range []tlsconfig.Thumbprint{tlsconfig.SHA1(c), tlsconfig.SHA256(c), tlsconfig.Thumbprint("\u200e" + strings.ToUpper(string(tlsconfig.SHA1(c))))} {
		if !p.Matches(c) {
			t.Errorf("%q doesn't match", p)
		}
	}
	for _, p := range []tlsconfig.Thumbprint{"", tlsconfig.SHA1(c)[:39], tlsconfig.SHA1(c)[1:], tlsconfig.Thumbprint(sha1)} {
		if p.Matches(c) {
			t.Errorf("%q matches", p)
		}
	}
}

func TestThumbprintAsPasted(t *testing.T) {
	t.Parallel()
	digits := "a909502dd82ae41433e6f83886b00d4277a32a7b"
	for text, want := range map[string]string{
		digits:                  "",
		strings.ToUpper(digits): "",
		" " + digits:            "a space was removed",
		digits + "\r\n":         "2 line breaks were removed",
		"\u200e" + digits:       "a left-to-right mark (U+200E) was removed",
		"\u200e" + digits[:2] + " " + digits[2:4] + " " + digits[4:]:    "a left-to-right mark (U+200E) and 2 spaces were removed",
		"\ufeff\u200f\u200f" + digits[:2] + ":" + digits[2:] + "\u2063": "a byte order mark (U+FEFF), 2 right-to-left marks (U+200F), a colon and a character that can't be seen (U+2063) were removed",
		"\u00a0" + digits[:20] + "-\t" + digits[20:] + "\u200b\u00a0":   "2 spaces of another kind (U+00A0), a dash, a tab and a zero-width space (U+200B) were removed",
	} {
		var p tlsconfig.Thumbprint
		if err := p.UnmarshalText([]byte(text)); err != nil || p.Removed() != want || p.String() != digits {
			t.Errorf("%q: %q, %s, %v", text, p.Removed(), p, err)
		}
	}
	if p := tlsconfig.Thumbprint("no thumbprint"); p.String() != "no thumbprint" {
		t.Error(p)
	}
	// What can't be seen is warned of, and spaces aren't.
	pair := issue(t, "x", nil, nil)
	own := pair.bundle(t)
	own.Thumbprint = "\u200e " + tlsconfig.SHA1(pair.cert)
	source := openServer(t, own)
	if got, want := source.Warnings(), "certificate[0].thumbprint: a left-to-right mark (U+200E) and a space were removed"; len(got) != 1 || got[0] != want {
		t.Errorf("%q", got)
	}
	client, err := tlsconfig.Client{Trust: tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(pair.cert) + " ", tlsconfig.SHA256(pair.cert) + "\u200e"}}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got, want := client.Warnings(), "trust.thumbprints[1]: a left-to-right mark (U+200E) was removed"; len(got) != 1 || got[0] != want {
		t.Errorf("%q", got)
	}
	if _, _, err := handshake(t, source.Config(), client.Config(), 1); err != nil {
		t.Error(err)
	}
}

func FuzzParseThumbprint(f *testing.F) {
	f.Add("\u200ea9 09 50 2d d8 2a e4 14 33 e6 f8 38 86 b0 0d 42 77 a3 2a 7b")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := tlsconfig.ParseThumbprint(s)
		if err != nil {
			return
		}
		if len(p) != 40 && len(p) != 64 {
			t.Errorf("%q becomes %q", s, p)
		}
		if again, err := tlsconfig.ParseThumbprint(string(p)); err != nil || again != p {
			t.Errorf("%q becomes %q, %v", p, again, err)
		}
	})
}
