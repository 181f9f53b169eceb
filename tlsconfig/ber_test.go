package tlsconfig_test

import (
	"bytes"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/tlsconfig"
)

func TestBER(t *testing.T) {
	t.Parallel()
	for ber, want := range map[string]string{
		"\x04\x01a":                                         "\x04\x01a",
		"\x30\x80\x04\x01a\x00\x00":                         "\x30\x03\x04\x01a",
		"\x24\x80\x04\x01a\x04\x02bc\x00\x00":               "\x04\x03abc",
		"\x24\x07\x04\x01a\x04\x02bc":                       "\x04\x03abc",
		"\x30\x80\x30\x80\x00\x00\x00\x00":                  "\x30\x02\x30\x00",
		"\x24\x80\x24\x80\x04\x01a\x00\x00\x00\x00":         "\x04\x01a",
		"\x04\x81\x01a":                                     "\x04\x01a",
		"\x04\x82\x00\x80" + strings.Repeat("a", 128):       "\x04\x81\x80" + strings.Repeat("a", 128),
		"\x04\x82\x01\x00" + strings.Repeat("a", 256):       "\x04\x82\x01\x00" + strings.Repeat("a", 256),
		"\x04\x83\x01\x00\x00" + strings.Repeat("a", 65536): "\x04\x83\x01\x00\x00" + strings.Repeat("a", 65536),
	} {
		if got, err := tlsconfig.ToDER([]byte(ber)); err != nil || string(got) != want {
			t.Errorf("%.40q: %.40q, %v", ber, got, err)
		}
	}
	for _, ber := range []string{"", "\x04", "\x04\x02a", "\x04\x80a\x00\x00", "\x30\x80\x04\x01a", "\x1f\x81\x01\x00", "\x04\x85\x01\x01\x01\x01\x01a", "\x24\x80\x05\x00\x00\x00", "\x04\x01ab", strings.Repeat("\x30\x80", 1000)} {
		if got, err := tlsconfig.ToDER([]byte(ber)); err == nil {
			t.Errorf("%.20q becomes %q", ber, got)
		}
	}
}

// What is converted is DER, and stays as it is.
func FuzzBER(f *testing.F) {
	f.Add([]byte("\x30\x80\x24\x80\x04\x01a\x04\x02bc\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		der, err := tlsconfig.ToDER(raw)
		if err != nil {
			return
		}
		if len(der) > 4*len(raw) {
			t.Fatalf("%d bytes become %d", len(raw), len(der))
		}
		again, err := tlsconfig.ToDER(der)
		if err != nil || !bytes.Equal(again, der) {
			t.Fatalf("%x becomes %x, %v", der, again, err)
		}
		var v asn1.RawValue
		if rest, err := asn1.Unmarshal(der, &v); err == nil && len(rest) > 0 {
			t.Fatal("there is something behind it")
		}
	})
}
