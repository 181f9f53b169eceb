package hl7_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	const msh = "MSH|^~\\&|A\r"
	for _, c := range []struct {
		a, b   string
		ignore []string
		want   string
	}{
		{msh + "PID|1", msh + "PID|1||\r\n", nil, ""},
		{msh + "PID|1|a^b", "MSH$%?!@$A\rPID$1$a%b", nil, ""},
		{msh + "PID|1|a", msh + "PID|1|b", nil, `PID-2: "a" is now "b"`},
		{msh + "PID|1|a", msh + "PID|1|\"\"", nil, `PID-2: "a" is now "\"\""`},
		{msh + "PID|1|a^b", msh + "PID|1|a", nil, `PID-2.2: "b" is now ""`},
		{msh + "PID|1|a", msh + "PID|1|a~b|c", nil, `PID-2[2]: "" is now "b"; PID-3: "" is now "c"`},
		{msh + "OBX|1|a\rOBX|2|b", msh + "OBX|1|a\rOBX|2|new\rOBX|3|b", nil, `OBX[2]-2: "b" is now "new"; OBX[3] came: "OBX|3|b"`},
		{msh + "OBX|1|a\rOBX|2|b|c", msh + "OBX|1|a\rOBX|2|new\rOBX|3|b|c", nil, `OBX[2] came: "OBX|2|new"; OBX[2]-1, now OBX[3]-1: "2" is now "3"`},
		{msh + "OBX|1|a\rNTE|1|x\rOBX|2|b", msh + "OBX|1|a\rOBX|2|b", nil, `NTE went: "NTE|1|x"`},
		{msh + "PID|1|a", msh + "PV1|1|a", nil, `PID went: "PID|1|a"; PV1 came: "PV1|1|a"`},
		{"MSH|^~\\&|A|||||||17\rPID|1|a~b|c\rOBX|1|x", "MSH|^~\\&|A|||||||18\rPID|1|a~d|c\rOBX|1|y", []string{"MSH-10", "PID-2[2]", "OBX"}, ""},
		{msh + "OBX|1|x\rOBX|2|x", msh + "OBX|1|y\rOBX|2|y", []string{"OBX[2]-2"}, `OBX-2: "x" is now "y"`},
		{msh + "PID|a^b", msh + "PID|c^d", []string{"PID-1.1"}, `PID-1.2: "b" is now "d"`},
		{msh + "torn off", msh + "torn of", nil, `???: "torn off" is now "torn of"`},
	} {
		var ignore []hl7.Path
		for _, p := range c.ignore {
			ignore = append(ignore, hl7.MustPath(p))
		}
		var got []string
		for d := range hl7.Diff(parse(t, c.a), parse(t, c.b), ignore...) {
			got = append(got, d.String())
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%q, %q: got\n%s, want\n%s", c.a, c.b, s, c.want)
		}
	}
}

// Two messages of very many segments that have nothing in common are compared in time,
// too.
func TestDiffOfManySegments(t *testing.T) {
	t.Parallel()
	var a, b strings.Builder
	a.WriteString("MSH|^~\\&|A\r")
	b.WriteString("MSH|^~\\&|A\r")
	const n = 20_000
	for i := range n {
		fmt.Fprintf(&a, "OBX|%d|a\rNTE|%d\r", i, i)
		fmt.Fprintf(&b, "OBX|%d|b\r", i)
	}
	changed, went := 0, 0
	for d := range hl7.Diff(parse(t, a.String()), parse(t, b.String())) {
		if d.B == (hl7.Path{}) {
			went++
		} else {
			changed++
		}
	}
	if changed != n || went != n {
		t.Error(changed, went)
	}
}

func TestWriteTree(t *testing.T) {
	t.Parallel()
	m := parse(t, "MSH|^~\\&|A\rEVN\rPID|1||4711^^^HOSP~\"\"|"+strings.Repeat("é", 150)+"|a\\.br\\b\\X07\\\rtorn off\rZZZ\r")
	var b strings.Builder
	about := func(p hl7.Path) string {
		if p == hl7.MustPath("PID-3.4") {
			return "Assigning Authority"
		}
		if p == hl7.MustPath("PID") {
			return "Patient Identification"
		}
		return ""
	}
	if err := m.WriteTree(&b, about); err != nil {
		t.Fatal(err)
	}
	want := "MSH\n  MSH-1  |\n  MSH-2  ^~\\&\n  MSH-3  A\nEVN\nPID  Patient Identification\n  PID-1  1\n  PID-3.1  4711\n  PID-3.4  Assigning Authority:  HOSP\n  PID-3[2]  \"\"\n  PID-4  " + strings.Repeat("é", 100) + "… (300 bytes)\n  PID-5  a␊b␇\n???  torn off\nZZZ\n"
	if b.String() != want {
		t.Errorf("got\n%s, want\n%s", b.String(), want)
	}
}

func TestDiffOfCharacterSets(t *testing.T) {
	t.Parallel()
	a, b := parse(t, header("8859/1")+"PID|M\xfcller\r"), parse(t, header("UNICODE UTF-8")+"PID|Müller\rZZZ|Jörg\r")
	var got []string
	for d := range hl7.Diff(a, b, hl7.MustPath("MSH-18")) {
		got = append(got, d.String())
	}
	if s := strings.Join(got, "; "); s != `ZZZ came: "ZZZ|Jörg"` {
		t.Error(s)
	}
}

// Segments of many long values are laid beside each other in reasonable time.
func TestDiffOfLongSegments(t *testing.T) {
	t.Parallel()
	const segments = 900
	message := func(begin int) *hl7.Message {
		var raw strings.Builder
		raw.WriteString("MSH|^~\\&|A\r")
		for i := range segments {
			fmt.Fprintf(&raw, "OBX|1|ST|%s|%s%d\r", strings.Repeat("x", 1000), strings.Repeat("y|", 1000), begin+i)
		}
		return parse(t, raw.String())
	}
	n := 0
	for range hl7.Diff(message(0), message(5)) {
		n++
	}
	if n != 10 {
		t.Errorf("%d differences, want five that went and five that came", n)
	}
}
