package hl7_test

import (
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
)

func TestEscapes(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`\F\\S\\T\\R\\E\`: `|^&~\`, `a\F\b`: "a|b", `\X41\`: "A", `\X4142\`: "AB", `\XC3BC\`: "ü", `\.br\`: "\n",
		`\H\bold\N\`: `\H\bold\N\`, `\Z01\`: `\Z01\`, `\X4\`: `\X4\`, `\XZZ\`: `\XZZ\`, `\F`: `\F`, `\`: `\`, `\\`: `\\`, `a\b\F\c`: `a\b|c`, `\P\`: `\P\`,
	} {
		m := parse(t, "MSH|^~\\&|A\rNTE|"+raw+"\r")
		if got := m.Get(hl7.MustPath("NTE-1")); got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
	m := parse(t, "MSH|^~\\&#|A\rNTE|\\P\\\r")
	if got := m.Get(hl7.MustPath("NTE-1")); got != "#" {
		t.Errorf("truncation: %q", got)
	}
}

// \C..\ and \M..\ change the character set inside of a value, whatever MSH-18 says.
func TestCharacterSetEscapes(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`a\M2442\;3ED\C2842\b`:              "a山田b",
		`\M242844\0!\C2842\\F\`:             "丂|",
		"\\C2D46\\\xe1\\C2D41\\\xe9":        "αé",
		`\M244200\;3\C2842\`:                "山",
		`\C2842\plain`:                      "plain",
		`\CXYZ0\`:                           `\CXYZ0\`,
		`\C9999\`:                           `\C9999\`,
		`\M24\`:                             `\M24\`,
		"\\M242943\\\xb1\xe8 \\T\\":         "김 &",
		`\M2442\;`:                          ";",
		`\C2849\1\C284A\\C284A\ab\C2842\cd`: "ｱabcd",
	} {
		m := parse(t, "MSH|^~\\&|A\rNTE|"+raw+"|x\r")
		if got := m.Get(hl7.MustPath("NTE-1")); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
		if got := m.Get(hl7.MustPath("NTE-2")); got != "x" {
			t.Errorf("%q: behind it %q", raw, got)
		}
	}
}

func TestFormatted(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`plain \T\ simple`:                 "plain & simple",
		`one\.br\two\.sp\three\.sp2\four`:  "one\ntwo\nthree\n\nfour",
		`\.in4\a\.br\b\.in0\\.br\c`:        "    a\n    b\nc",
		`\.ti2\a\.br\b`:                    "  a\nb",
		`\.in+2\\.ti-2\a\.ce\b`:            "a\n  b",
		`a\.sk3\b\.sk 2\c`:                 "a   b  c",
		`\.fi\\H\bold\N\ \Zown\text\.nf\`:  "bold text",
		`\.xx\a\.sp99999999999999999999\b`: `\.xx\a\.sp99999999999999999999\b`,
		`\Q\H\x`:                           `\Q` + "x",
		`\`:                                `\`,
		`a\.sp999999\b`:                    "a" + strings.Repeat("\n", 1000) + "b",
		`\E\.br\E\`:                        `\.br\`,
	} {
		m := parse(t, "MSH|^~\\&|A\rNTE|"+raw+"\r")
		v, _ := m.Lookup(hl7.MustPath("NTE-1"))
		if got := v.Formatted(); got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}

// Text that is escaped and read again is the same, whatever the delimiters are; and any
// bytes can be read.
func FuzzEscape(f *testing.F) {
	f.Add("|^~\\&\"\"\r\n", `^~\&`, `a\X41\\F\\.br\\H\\M2442\;3\C2842\`)
	f.Add(`""`, `"`, `\.in+4\a\.sp2\b`)
	f.Add("\\F\\", "^~!&#", "!E!!")
	f.Fuzz(func(t *testing.T, text, delimiters, raw string) {
		if strings.ContainsAny(delimiters, "\r\n") {
			return
		}
		m, err := hl7.Parse([]byte("MSH|" + delimiters + "|A\rNTE|1|\rZZZ|" + raw))
		if err != nil {
			return
		}
		v, _ := m.Lookup(hl7.MustPath("ZZZ-1"))
		if got := v.Text(); len(got) > 3*len(raw) {
			t.Fatalf("%q becomes %d bytes", raw, len(got))
		}
		v.Formatted()
		path := hl7.MustPath("NTE-2")
		if m.Set(path, text) != nil {
			return
		}
		if again, err := hl7.Parse(m.Bytes()); err != nil || again.Get(path) != text {
			t.Fatalf("%s: set %q, got %q, %v", delimiters, text, again.Get(path), err)
		}
		if v, _ := m.Lookup(path); v.IsNull() {
			t.Fatalf("%q became the null", text)
		}
	})
}

// A change of the character set outlasts what is between the pieces of a text.
func TestPiecesKeepTheCharacterSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ msh18, raw, text, reencoded string }{
		{"~KS X 1001", "\x1b$)C\xb1\xe8\\H\\\xb1\xe8\\N\\a\xb1\xe8", "김김a김", `김\H\김\N\a김`},
		{"", "\\M242943\\\xb1\xe8\\H\\\xb1\xe8\\N\\", "김김", `김\H\김\N\`},
		{"", `\M2442\;3\C2842\\H\\M2442\;3\C2842\\N\`, "山山", `山\H\山\N\`},
	} {
		m := parse(t, "MSH|^~\\&|A|||||||||||||||"+c.msh18+"\rNTE|"+c.raw+"\r")
		v, _ := m.Lookup(hl7.MustPath("NTE-1"))
		pieces := ""
		for p := range v.Pieces() {
			pieces += p.Text
		}
		if got := v.Formatted(); got != c.text || pieces != c.text {
			t.Errorf("%q: formatted %q, in pieces %q, want %q", c.raw, got, pieces, c.text)
		}
		if err := m.Reencode(hl7.Encoding{CharacterSet: "UNICODE UTF-8", Delimiters: hl7.DefaultDelimiters()}); err != nil {
			t.Error(err)
		}
		if v, _ := m.Lookup(hl7.MustPath("NTE-1")); string(v.Raw()) != c.reencoded {
			t.Errorf("%q becomes %q, want %q", c.raw, v.Raw(), c.reencoded)
		}
	}
}
