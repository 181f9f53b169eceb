package hl7_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
)

const oru = "MSH|^~\\&|LAB|HOSP|HIS|WARD|20260305140709||ORU^R01^ORU_R01|M1|P|2.5.1|||AL|NE||UNICODE UTF-8\r" +
	"PID|1||4711^^^HOSP&1.2.3&ISO^MR~4712^^^NHS||Müller^Jörg~M\\F\\x\\T\\y||\"\"|\r" +
	"OBR|1\rOBX|1|NM|A||1\rOBX|2|NM|B||2\r" +
	"OBR|2\rOBX|1|ST|C||3~33\rNTE|1||x\rOBX|2|ST|D||4\rZZ1|z"

func parse(t testing.TB, raw string) *hl7.Message {
	t.Helper()
	m, err := hl7.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGet(t *testing.T) {
	t.Parallel()
	m := parse(t, oru)
	for path, want := range map[string]string{
		"MSH-1": "|", "MSH-2": "^~\\&", "MSH-3": "LAB", "MSH-9": "ORU^R01^ORU_R01", "MSH-9.1": "ORU", "MSH-9.3": "ORU_R01", "MSH-18": "UNICODE UTF-8", "MSH-19": "",
		"PID-1": "1", "PID-3": "4711^^^HOSP&1.2.3&ISO^MR", "PID-3.1": "4711", "PID-3.1.1": "4711", "PID-3.4": "HOSP&1.2.3&ISO", "PID-3.4.2": "1.2.3",
		"PID-3[2]": "4712^^^NHS", "PID-3[2].4": "NHS", "PID-3[2].4.1": "NHS", "PID-3[2].4.2": "", "PID-3[3]": "",
		"PID-5.1": "Müller", "PID-5[2]": "M|x&y", "PID-6": "", "PID-7": "", "PID-8": "", "PID-9.1": "",
		"PID.5.2": "Jörg", "PID-5-2": "Jörg", "OBX(3)-5": "3", "OBX[3]-5[2]": "33", "OBX-5": "1", "OBX[5]-5": "",
		"OBR[2]/OBX-5": "3", "OBR[2]/OBX[2]-5": "4", "OBR[1]/OBX[3]-5": "", "OBR[2]/NTE-3": "x", "OBR/NTE-3": "", "OBR[3]/OBX-5": "",
		"ZZ1-1": "z", "ZZ2-1": "", "ZZ1": "ZZ1|z",
	} {
		if got := m.Get(hl7.MustPath(path)); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestLookupTellsAbsentEmptyAndNullApart(t *testing.T) {
	t.Parallel()
	m := parse(t, oru)
	for path, want := range map[string]string{
		"PID-2": "empty", "PID-6": "empty", "PID-7": "null", "PID-8": "empty", "PID-9": "absent", "PID-3[2].4": "value", "PID-3[2].5": "absent", "PID-3[3]": "absent", "NK1-1": "absent", "MSH-1": "value",
	} {
		v, ok := m.Lookup(hl7.MustPath(path))
		got := "value"
		switch {
		case !ok:
			got = "absent"
		case v.IsNull():
			got = "null"
		case v.IsEmpty():
			got = "empty"
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	m := parse(t, oru)
	for path, want := range map[string]string{
		"PID-3[*].1":      "PID-3[1].1=4711 PID-3[2].1=4712",
		"PID-3[*].5":      "PID-3[1].5=MR",
		"OBX[*]-5":        "OBX[1]-5=1 OBX[2]-5=2 OBX[3]-5=3 OBX[4]-5=4",
		"OBX[*]-5[*]":     "OBX[1]-5[1]=1 OBX[2]-5[1]=2 OBX[3]-5[1]=3 OBX[3]-5[2]=33 OBX[4]-5[1]=4",
		"OBR[*]/OBX[*]-3": "OBR[1]/OBX[1]-3=A OBR[1]/OBX[2]-3=B OBR[2]/OBX[1]-3=C OBR[2]/OBX[2]-3=D",
		"OBR[2]/OBX[*]-3": "OBR[2]/OBX[1]-3=C OBR[2]/OBX[2]-3=D",
		"PID-5.1":         "PID-5.1=Müller",
		"NK1[*]-1":        "",
		"PID-7[*]":        "PID-7[1]=",
	} {
		var got []string
		for p, v := range m.All(hl7.MustPath(path)) {
			got = append(got, fmt.Sprintf("%v=%s", p, v))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got %s, want %s", path, s, want)
		}
	}
}

func TestDelimiters(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"MSH|^~\\&|A\rPID|||1^2&3~4":         "3",
		"MSH|^~\\&#|A\rPID|||1^2&3~4":        "3",
		"MSH$%?!@$A\rPID$$$1%2@3?4":          "3",
		"MSH|^~\\|A\rPID|||1^2&3~4":          "",
		"MSH|^|A\rPID|||1^2&3~4":             "",
		"MSH||A\rPID|||1^2&3~4":              "",
		"MSH|^~\\&\rPID|||1^2&3~4":           "3",
		"\n\r\nMSH|^~\\&|A\n\nPID|||1^2&3~4": "3",
		"\ufeffMSH|^~\\&|A\r\nPID|||1^2&3~4": "3",
	} {
		m := parse(t, raw)
		if got := m.Get(hl7.MustPath("PID-3.2.2")); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
		if !bytes.Equal(m.Bytes(), []byte(raw)) {
			t.Errorf("%q comes back as %q", raw, m.Bytes())
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                "hl7: at byte 0: there is no message: nothing but white space",
		"\r\n":            "hl7: at byte 2: there is no message: nothing but white space",
		"PID|1":           "hl7: at byte 0: a message begins with MSH",
		"\nFHS|^~\\&":     "hl7: at byte 1: a batch begins here, and not a message: MSH was expected",
		"\x0bMSH|^~\\&":   "hl7: at byte 0: an MLLP frame begins here: MSH was expected, without the frame around it",
		"M\x00S\x00H\x00": "hl7: at byte 0: the message is in UTF-16: MSH was expected in single bytes",
		"MSH":             "hl7: at byte 3, in MSH: the field separator is missing: the message ends behind the segment's name",
		"MSHA^~\\&":       "hl7: at byte 3, in MSH: the field separator must be a punctuation character, such as |",
		"MSH|^~\\&#x|":    "hl7: at byte 4, in MSH: field 2 must have the encoding characters, such as ^~\\&, and no more than five of them",
		"MSH|^a\\&|":      "hl7: at byte 5, in MSH: field 2 must have the encoding characters: punctuation, such as ^~\\&",
		"MSH|^~^&|":       "hl7: at byte 6, in MSH: field 2 names one character for two delimiters",
	} {
		_, err := hl7.Parse([]byte(raw))
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", raw, err, want)
		}
		if _, ok := errors.AsType[*hl7.ParseError](err); !ok {
			t.Errorf("%q: %T", raw, err)
		}
	}
}

func TestSegments(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\r", "\n", "\r\n", "\r\r\n", "\n\r"} {
		raw := strings.ReplaceAll(oru, "\r", end)
		m := parse(t, raw)
		var names []string
		for _, s := range m.Segments() {
			names = append(names, s.Name())
		}
		if got := strings.Join(names, " "); got != "MSH PID OBR OBX OBX OBR OBX NTE OBX ZZ1" {
			t.Errorf("%q: %s", end, got)
		}
		if m.Get(hl7.MustPath("OBX[3]-5")) != "3" || string(m.Bytes()) != raw {
			t.Errorf("%q: %q", end, m.Bytes())
		}
	}
}

// corpus returns real messages: those of the folder LADLE_CORPUS, or our own.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	dir := os.Getenv("LADLE_CORPUS")
	if dir == "" {
		dir = filepath.Join("testdata", "corpus")
	} else {
		dir = filepath.Join(dir, "messages")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.hl7"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no messages in %s: %v", dir, err)
	}
	all := make(map[string][]byte)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = b
	}
	return all
}

// Every real message comes back byte for byte, also when it was made ready to be edited,
// and an edit changes its own place and nothing else.
func TestRealMessagesAreKeptExactly(t *testing.T) {
	t.Parallel()
	read := 0
	for name, raw := range corpus(t) {
		m, err := hl7.Parse(raw)
		if err != nil {
			if _, ok := errors.AsType[*hl7.ParseError](err); !ok {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		read++
		if !bytes.Equal(m.AppendTo(nil), raw) {
			t.Errorf("%s changed", name)
		}
		path := hl7.MustPath("PID-5.1")
		v, ok := m.Lookup(path)
		if !ok {
			continue
		}
		at := offset(raw, v.Raw())
		want := slices.Concat(raw[:at], []byte("NEW"), raw[at+len(v.Raw()):])
		if err := m.SetRaw(path, []byte("NEW")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(m.Bytes(), want) {
			t.Errorf("%s: an edit changed more than its place", name)
		}
	}
	if read == 0 {
		t.Error("no message was read")
	}
}

// offset returns where part, a slice of raw, begins in it.
func offset(raw, part []byte) int { return cap(raw) - cap(part) }

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
		{"MSH|^~\\&|A\r", "OBR/OBX-1", "x", "a segment of a group is not added by itself"},
		{"MSH|^|A\rPID|1", "PID-3.1.2", "x", "MSH-2 names no delimiter for this level"},
		{"MSH|^|A\r", "PID-3.1.2", "x", "MSH-2 names no delimiter for this level"},
		{"MSH|^|A\rPID|1", "PID-3", "a|b", "names no escape character"},
		{"MSH|^~\\&|A\r", "PID-3", "\xff", "no valid UTF-8"},
		{"MSH|^~\\&|A|||||||||||||||8859/1\r", "PID-3", "漢", "not in the message's character set 8859/1"},
		{"MSH|^~\\&|A|||||||||||||||KLINGON\r", "PID-3", "x", `the character set "KLINGON" of MSH-18 is unknown`},
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

func TestCharacterSets(t *testing.T) {
	t.Parallel()
	for charset, bytes := range map[string]string{
		"8859/1": "\xe9", "ISO-8859-15": "\xe9", "UNICODE UTF-8": "é", "": "é", "ASCII": "é", "WINDOWS-1252": "\xe9",
	} {
		m := parse(t, "MSH|^~\\&|A|||||||||||||||"+charset+"\rPID|"+bytes+"|x\\E\\"+bytes+"\r")
		if a, b := m.Get(hl7.MustPath("PID-1")), m.Get(hl7.MustPath("PID-2")); a != "é" || b != "x\\é" {
			t.Errorf("%s: %q %q", charset, a, b)
		}
	}
	m := parse(t, "MSH|^~\\&|A\rPID|\xe9\r")
	if got := m.Get(hl7.MustPath("PID-1")); got != "é" {
		t.Errorf("bytes that are no UTF-8: %q", got)
	}
	if m.SetCharacterSet("klingon") || !m.SetCharacterSet("8859/5") {
		t.Error("SetCharacterSet")
	}
	if got := m.Get(hl7.MustPath("PID-1")); got != "щ" {
		t.Errorf("overridden: %q", got)
	}
}

func TestParseUsesMemoryAgain(t *testing.T) {
	raw := []byte(oru)
	path, last := hl7.MustPath("PID-3.1"), hl7.MustPath("OBX[4]-5")
	var m hl7.Message
	if n := testing.AllocsPerRun(100, func() {
		if err := m.Parse(raw); err != nil {
			t.Fatal(err)
		}
		v, ok := m.Lookup(path)
		w, more := m.Lookup(last)
		if !ok || !more || len(v.Raw()) != 4 || len(w.Raw()) != 1 {
			t.Fatal(v, w)
		}
	}); n > 1 {
		t.Errorf("%v allocations with reuse", n)
	}
}

func FuzzParseEncode(f *testing.F) {
	for _, raw := range corpus(f) {
		f.Add(raw)
	}
	f.Add([]byte(oru))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := hl7.Parse(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(m.AppendTo(nil), raw) {
			t.Fatal("the message changed")
		}
		n := 0
		for _, s := range m.Segments() {
			n += len(s.Bytes())
			s.Field(1)
			s.Field(3)
		}
		if n > len(raw) {
			t.Fatal("more segments than bytes")
		}
		for range m.All(hl7.MustPath("OBX[*]-5[*]")) {
			n++
		}
		if m.Delete(hl7.MustPath("ZZZ[3]-7[2]")); m.Set(hl7.MustPath("ZZZ-7"), "x") == nil {
			if again, err := hl7.Parse(m.Bytes()); err != nil || again.Get(hl7.MustPath("ZZZ-7")) != "x" {
				t.Fatalf("after an edit: %v", err)
			}
		}
		h := m.Header()
		if ack, err := hl7.ParseAck(h.AppendAck(nil, hl7.Ack{Code: "AA"})); err != nil || ack.Code != "AA" || ack.ControlID != h.ControlID() && !strings.ContainsAny(h.ControlID(), "\r\n") {
			t.Fatalf("its own acknowledgement: %+v, %v", ack, err)
		}
	})
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
