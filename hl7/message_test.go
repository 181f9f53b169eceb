package hl7_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
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
		"":              "hl7: at byte 0: there is no message: nothing but white space",
		"\r\n":          "hl7: at byte 2: there is no message: nothing but white space",
		"PID|1":         "hl7: at byte 0: a message begins with MSH",
		"\nFHS|^~\\&":   "hl7: at byte 1: a batch begins here, and not a message: MSH was expected",
		"\x0bMSH|^~\\&": "hl7: at byte 0: an MLLP frame begins here: MSH was expected, without the frame around it",
		"MSH":           "hl7: at byte 3, in MSH: the field separator is missing: the message ends behind the segment's name",
		"MSHA^~\\&":     "hl7: at byte 3, in MSH: the field separator must be a punctuation character, such as |",
		"MSH|^~\\&#x|":  "hl7: at byte 4, in MSH: field 2 must have the encoding characters, such as ^~\\&, and no more than five of them",
		"MSH|^a\\&|":    "hl7: at byte 5, in MSH: field 2 must have the encoding characters: punctuation, such as ^~\\&",
		"MSH|^~^&|":     "hl7: at byte 6, in MSH: field 2 names one character for two delimiters",
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
	return messagesIn(t, dir)
}

// messagesIn returns the messages in a folder by the names of their files.
func messagesIn(t testing.TB, dir string) map[string][]byte {
	t.Helper()
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

// What a parsed message takes is bounded: three allocations, none where the memory is used
// again, and half as much as the message itself on the average of real ones.
func TestParseAllocations(t *testing.T) {
	raw := []byte(oru)
	path, last := hl7.MustPath("PID-3.1"), hl7.MustPath("OBX[last]-5")
	read := func(m *hl7.Message) {
		if err := m.Parse(raw); err != nil {
			t.Fatal(err)
		}
		v, ok := m.Lookup(path)
		w, more := m.Lookup(last)
		if !ok || !more || len(v.Raw()) != 4 || len(w.Raw()) != 1 {
			t.Fatal(v, w)
		}
	}
	if n := testing.AllocsPerRun(100, func() { read(new(hl7.Message)) }); n > 3 {
		t.Errorf("%v allocations", n)
	}
	var m hl7.Message
	if n := testing.AllocsPerRun(100, func() { read(&m) }); n > 0 {
		t.Errorf("%v allocations with reuse", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		for c := m.Walk(); c.Next(); {
		}
	}); n > 0 {
		t.Errorf("%v allocations for a walk", n)
	}
	size := 0
	var before, after runtime.MemStats
	messages := corpus(t)
	runtime.ReadMemStats(&before)
	for _, raw := range messages {
		m, err := hl7.Parse(raw)
		if err != nil {
			continue
		}
		m.Get(last)
		size += len(raw)
		runtime.KeepAlive(m)
	}
	runtime.ReadMemStats(&after)
	if used := int(after.TotalAlloc - before.TotalAlloc); used > size/2 {
		t.Errorf("%d bytes for messages of %d", used, size)
	}
}

// A large message is not copied before it is written, and then once.
func TestLargeMessage(t *testing.T) {
	const size = 200 << 20
	raw := make([]byte, 0, size+1000)
	raw = append(raw, "MSH|^~\\&|A\rPID|1\rOBX|1|ED|||^^^Base64^"...)
	const piece = "JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSL0ZpbHRlcg"
	raw = append(raw, bytes.Repeat([]byte(piece), size/len(piece))...)
	raw = append(raw, "|F\rNTE|1\r"...)
	allocated := func(work func()) int {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		work()
		runtime.ReadMemStats(&after)
		return int(after.TotalAlloc - before.TotalAlloc)
	}
	var m *hl7.Message
	document := hl7.MustPath("OBX-5.5")
	if n := allocated(func() {
		m = parse(t, string("MSH|^~\\&|B")) // warm
		var err error
		if m, err = hl7.Parse(raw); err != nil {
			t.Fatal(err)
		}
		if v, ok := m.Lookup(document); !ok || len(v.Raw()) < size-100 {
			t.Fatal("no document")
		}
		if err := m.Set(hl7.MustPath("PID-3"), "4711"); err != nil {
			t.Fatal(err)
		}
		if err := m.AppendSegment([]byte("ZZZ|1")); err != nil {
			t.Fatal(err)
		}
		if n, err := m.WriteTo(io.Discard); err != nil || n < size {
			t.Fatal(n, err)
		}
	}); n > 1<<20 {
		t.Errorf("%d bytes were allocated to read, edit and write it", n)
	}
	if n := allocated(func() { m.Bytes() }); n > size*11/10 {
		t.Errorf("%d bytes were allocated for a copy", n)
	}
	if n := allocated(func() { m.Get(document) }); n > size*11/10 {
		t.Errorf("%d bytes were allocated for the document", n)
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
		i := 0
		for c := m.Walk(); c.Next() && i < 500; i++ {
			if i%3 == 1 {
				continue // some are never asked for their paths
			}
			if p := c.Path(); p.Segment() != "???" {
				if v, ok := m.Lookup(p); !ok || !bytes.Equal(v.Raw(), c.Raw()) || !bytes.Equal(v.Raw(), c.Value().Raw()) {
					t.Fatalf("%v is %q where it was walked over, and %q where it is looked up", p, c.Raw(), v.Raw())
				}
			}
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

// Segments are what stands between line ends, however long and however many.
func TestSegmentsBetweenLineEnds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	var m hl7.Message
	for range 3000 {
		raw := "MSH|^~\\&|" + strings.Repeat("x", random.IntN(80))
		for range random.IntN(60) {
			raw += []string{"\r", "\n", "\r\n", "\n\n\r", "PID|1", "\rZ", "\x0b", "\x8d\x8a", strings.Repeat("y", random.IntN(300)), strings.Repeat("\n|\r", random.IntN(60))}[random.IntN(10)]
		}
		if err := m.Parse([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range m.Segments() {
			got = append(got, string(s.Bytes()))
		}
		want := strings.FieldsFunc(raw, func(r rune) bool { return r == '\r' || r == '\n' })
		if !slices.Equal(got, want) {
			t.Fatalf("%q: got %q", raw, got)
		}
	}
}
