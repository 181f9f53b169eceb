package hl7_test

import (
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
)

func TestSet(t *testing.T) {
	t.Parallel()
	const msh = "MSH|^~\\&|A\r"
	for _, c := range []struct{ raw, path, text, want string }{
		{msh + "PID|1||x\r", "PID-3", "y", msh + "PID|1||y\r"},
		{msh + "PID|1\r", "PID-3.4.2", "y", msh + "PID|1||^^^&y\r"},
		{msh + "PID|1||a^b&c~d\r", "PID-3.2.2", "y", msh + "PID|1||a^b&y~d\r"},
		{msh + "PID|1||a^b&c~d\r", "PID-3[2]", "y", msh + "PID|1||a^b&c~y\r"},
		{msh + "PID|1||a^b&c~d\r", "PID-3[4].2", "y", msh + "PID|1||a^b&c~d~~^y\r"},
		{msh + "PID|1||a^b&c~d|e\r", "PID-3", "y", msh + "PID|1||y~d|e\r"},
		{msh + "PID|1||||\r", "PID-2", "|^~\\&\r\n", msh + "PID|1|\\F\\\\S\\\\R\\\\E\\\\T\\\\X0D\\\\X0A\\|||\r"},
		{msh + "PID|1|", "PID-2", `""`, msh + `PID|1|"\X22\`},
		{msh, "PID-3", "y", msh + "PID|||y\r"},
		{"MSH|^~\\&|A", "PID-1", "y", "MSH|^~\\&|A\rPID|y\r"},
		{"MSH|^~\\&|A\r\nPID|1\r\n", "NTE-1", "y", "MSH|^~\\&|A\r\nPID|1\r\nNTE|y\r\n"},
		{msh + "OBX|1\rNTE|2\r", "OBX[2]-1", "2", msh + "OBX|1\rNTE|2\rOBX|2\r"},
		{msh + "OBR|1\rOBX|1\rOBR|2\rOBX|1\r", "OBR[2]/OBX-1", "9", msh + "OBR|1\rOBX|1\rOBR|2\rOBX|9\r"},
		{msh, "MSH-10", "7", "MSH|^~\\&|A|||||||7\r"},
		{msh + "PID|1||\xff|x", "PID-4", "y", msh + "PID|1||\xff|y"},
		{"MSH|^~\\&|A|||||||||||||||8859/1\rPID|\r", "PID-1", "é", "MSH|^~\\&|A|||||||||||||||8859/1\rPID|\xe9\r"},
	} {
		m := parse(t, c.raw)
		path := hl7.MustPath(c.path)
		if err := m.Set(path, c.text); err != nil {
			t.Errorf("%q, %s: %v", c.raw, c.path, err)
			continue
		}
		if got := string(m.Bytes()); got != c.want {
			t.Errorf("%q, %s: got %q, want %q", c.raw, c.path, got, c.want)
		}
		if got := m.Get(path); got != c.text {
			t.Errorf("%s: set %q, got %q", c.path, c.text, got)
		}
	}
}

func TestSetErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, path, text, want string }{
		{"MSH|^~\\&|A\r", "PID", "x", "names a segment"},
		{"MSH|^~\\&|A\r", "PID-3[*]", "x", "names many places"},
		{"MSH|^~\\&|A\r", "MSH-1", "x", "holds the delimiters"},
		{"MSH|^~\\&|A\r", "MSH-2", "x", "holds the delimiters"},
		{"MSH|^~\\&|A\r", "OBX[2]-1", "x", "there are only 0 segments"},
		{"MSH|^~\\&|A\r", "OBR/OBX-1", "x", "there is no such OBR"},
		{"MSH|^|A\rPID|1", "PID-3.1.2", "x", "MSH-2 names no delimiter for this level"},
		{"MSH|^|A\r", "PID-3.1.2", "x", "MSH-2 names no delimiter for this level"},
		{"MSH|^|A\rPID|1", "PID-3", "a|b", "names no escape character"},
		{"MSH|^~\\&|A\r", "PID-3", "\xff", "no valid UTF-8"},
		{"MSH|^~\\&|A|||||||||||||||8859/1\r", "PID-3", "漢", "not in the message's character set 8859/1"},
		{"MSH|^~\\&|A|||||||||||||||KLINGON\r", "PID-3", "é", `the character set "KLINGON" of MSH-18 is unknown`},
	} {
		m := parse(t, c.raw)
		if err := m.Set(hl7.MustPath(c.path), c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.path, err, c.want)
		}
		if string(m.Bytes()) != c.raw {
			t.Errorf("%s: the message changed: %q", c.path, m.Bytes())
		}
	}
	m := parse(t, "MSH|^~\\&|A\r")
	for path, bad := range map[string]string{"PID-3": "a|b", "PID-3[1]": "a~b", "PID-3.1": "a^b", "PID-3.1.1": "a&b", "PID-4": "a\rb"} {
		if err := m.SetRaw(hl7.MustPath(path), []byte(bad)); err == nil {
			t.Errorf("%s takes %q", path, bad)
		}
	}
	if err := m.SetRaw(hl7.MustPath("PID-3"), []byte("a^b&c~d")); err != nil || m.Get(hl7.MustPath("PID-3[2]")) != "d" {
		t.Error(err, m.Get(hl7.MustPath("PID-3[2]")))
	}
	if err := m.SetNull(hl7.MustPath("PID-4")); err != nil {
		t.Error(err)
	}
	if v, _ := m.Lookup(hl7.MustPath("PID-4")); !v.IsNull() {
		t.Errorf("%q is no null", v.Raw())
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	const raw = "MSH|^~\\&|A\rPID|1||a^b~c|d\rNTE|1\rNTE|2\r"
	for path, want := range map[string]string{
		"PID-3":    "MSH|^~\\&|A\rPID|1||~c|d\rNTE|1\rNTE|2\r",
		"PID-3[1]": "MSH|^~\\&|A\rPID|1||c|d\rNTE|1\rNTE|2\r",
		"PID-3[2]": "MSH|^~\\&|A\rPID|1||a^b|d\rNTE|1\rNTE|2\r",
		"PID-3.2":  "MSH|^~\\&|A\rPID|1||a^~c|d\rNTE|1\rNTE|2\r",
		"NTE[2]":   "MSH|^~\\&|A\rPID|1||a^b~c|d\rNTE|1\r",
		"NTE":      "MSH|^~\\&|A\rPID|1||a^b~c|d\rNTE|2\r",
		"MSH":      "", "PID-9": "", "PID-2": "", "NTE[3]": "", "PID-3[3]": "",
	} {
		m := parse(t, raw)
		if ok := m.Delete(hl7.MustPath(path)); ok != (want != "") {
			t.Errorf("%s: %v", path, ok)
		}
		if want == "" {
			want = raw
		}
		if got := string(m.Bytes()); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func FuzzSetGet(f *testing.F) {
	f.Add("PID-3.4.2", "|^~\\&#\r\n\"\"", byte('|'))
	f.Add("OBX(1)-5[3]", `""`, byte('$'))
	f.Add("MSH-10", "é漢", byte('!'))
	f.Fuzz(func(t *testing.T, path, text string, sep byte) {
		p, err := hl7.ParsePath(path)
		if err != nil {
			return
		}
		if again, err := hl7.ParsePath(p.String()); err != nil || again != p {
			t.Fatalf("%q becomes %v", path, again)
		}
		if len(path) > 30 {
			return
		}
		m, err := hl7.Parse([]byte("MSH" + string(sep) + "^~\\&" + string(sep) + "A\rPID" + string(sep) + "1\rOBR" + string(sep) + "1\rOBX" + string(sep) + "1\r"))
		if err != nil || m.Set(p, text) != nil {
			return
		}
		if p == hl7.MustPath("MSH-18") || p.Segment() == "MSH" && p.Field() == 18 {
			return // the text says how texts are read
		}
		again, err := hl7.Parse(m.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got := again.Get(p); got != text {
			t.Fatalf("%v: set %q, got %q", p, text, got)
		}
	})
}
