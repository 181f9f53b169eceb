package hl7_test

import (
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
