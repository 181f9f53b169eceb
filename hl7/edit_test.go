package hl7_test

import (
	"errors"
	"fmt"
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
		{"MSH|^~\\&|A|||||||||||||||8859/1\r", "PID-3", "漢", "not in the message's character set"},
		{"MSH|^~\\&|A|||||||||||||||KLINGON\r", "PID-3", "é", "the character set that MSH-18 names is unknown"},
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
		testDelete(t, raw, path, want)
	}
}

// testDelete deletes what stands at path, after which raw is to be want, or the same as
// before where want is empty, because there is nothing to delete.
func testDelete(t *testing.T, raw, path, want string) {
	t.Helper()
	m := parse(t, raw)
	if ok := m.Delete(hl7.MustPath(path)); ok != (want != "") {
		t.Errorf("%s: %v", path, ok)
	}
	if want == "" {
		want = raw
	}
	if got := string(m.Bytes()); got != want {
		t.Errorf("%s: got\n%q, want\n%q", path, got, want)
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

func TestInsertAppendRemove(t *testing.T) {
	t.Parallel()
	const msh = "MSH|^~\\&|A\r"
	const raw = msh + "PID|1||a^b&c~d|e\rNTE|1|x\r"
	for name, c := range map[string]struct {
		edit func(m *hl7.Message) error
		want string
	}{
		"insert a field":               {func(m *hl7.Message) error { return m.Insert(hl7.MustPath("PID-3"), "n|") }, "PID|1||n\\F\\|a^b&c~d|e\rNTE|1|x\r"},
		"insert a repetition":          {func(m *hl7.Message) error { return m.Insert(hl7.MustPath("PID-3[1]"), "n") }, "PID|1||n~a^b&c~d|e\rNTE|1|x\r"},
		"insert the second repetition": {func(m *hl7.Message) error { return m.Insert(hl7.MustPath("PID-3[2]"), "n") }, "PID|1||a^b&c~n~d|e\rNTE|1|x\r"},
		"insert behind the end":        {func(m *hl7.Message) error { return m.Insert(hl7.MustPath("PID-3[5]"), "n") }, "PID|1||a^b&c~d~~~n|e\rNTE|1|x\r"},
		"insert a component":           {func(m *hl7.Message) error { return m.Insert(hl7.MustPath("PID-3.2"), "n") }, "PID|1||a^n^b&c~d|e\rNTE|1|x\r"},
		"insert a subcomponent":        {func(m *hl7.Message) error { return m.Insert(hl7.MustPath("PID-3.2.2"), "n") }, "PID|1||a^b&n&c~d|e\rNTE|1|x\r"},
		"insert before [last]":         {func(m *hl7.Message) error { return m.Insert(hl7.MustPath("PID-3[last]"), "n") }, "PID|1||a^b&c~n~d|e\rNTE|1|x\r"},
		"insert into an empty field":   {func(m *hl7.Message) error { return m.Insert(hl7.MustPath("PID-2[1]"), "n") }, "PID|1|n|a^b&c~d|e\rNTE|1|x\r"},
		"insert a field in MSH":        {func(m *hl7.Message) error { return m.Insert(hl7.MustPath("MSH-3"), "n") }, ""},
		"append a repetition": {func(m *hl7.Message) error {
			p, err := m.Append(hl7.MustPath("PID-3"), "n")
			if p != hl7.MustPath("PID-3[3]") {
				t.Errorf("appended at %v", p)
			}
			return err
		}, "PID|1||a^b&c~d~n|e\rNTE|1|x\r"},
		"append a component":        {func(m *hl7.Message) error { _, err := m.Append(hl7.MustPath("PID-3[last]"), "n"); return err }, "PID|1||a^b&c~d^n|e\rNTE|1|x\r"},
		"append a subcomponent":     {func(m *hl7.Message) error { _, err := m.Append(hl7.MustPath("PID-3.2"), "n"); return err }, "PID|1||a^b&c&n~d|e\rNTE|1|x\r"},
		"append to what is empty":   {func(m *hl7.Message) error { _, err := m.Append(hl7.MustPath("PID-2"), "n"); return err }, "PID|1|n|a^b&c~d|e\rNTE|1|x\r"},
		"append to what is absent":  {func(m *hl7.Message) error { _, err := m.Append(hl7.MustPath("PID-6.2"), "n"); return err }, "PID|1||a^b&c~d|e||^n\rNTE|1|x\r"},
		"set [last]":                {func(m *hl7.Message) error { return m.Set(hl7.MustPath("PID-3[last]"), "n") }, "PID|1||a^b&c~n|e\rNTE|1|x\r"},
		"set the [last] segment":    {func(m *hl7.Message) error { return m.Set(hl7.MustPath("NTE[last]-2"), "n") }, "PID|1||a^b&c~d|e\rNTE|1|n\r"},
		"insert a segment":          {func(m *hl7.Message) error { return m.InsertSegment(m.Find(hl7.MustPath("NTE")), []byte("PV1|1")) }, "PID|1||a^b&c~d|e\rPV1|1\rNTE|1|x\r"},
		"append a segment":          {func(m *hl7.Message) error { return m.AppendSegment([]byte("ZZ1|1")) }, "PID|1||a^b&c~d|e\rNTE|1|x\rZZ1|1\r"},
		"remove a field":            {func(m *hl7.Message) error { return removed(m, "PID-3") }, "PID|1||e\rNTE|1|x\r"},
		"remove the last field":     {func(m *hl7.Message) error { return removed(m, "PID-4") }, "PID|1||a^b&c~d\rNTE|1|x\r"},
		"remove a component":        {func(m *hl7.Message) error { return removed(m, "PID-3.1") }, "PID|1||b&c~d|e\rNTE|1|x\r"},
		"remove a subcomponent":     {func(m *hl7.Message) error { return removed(m, "PID-3.2.1") }, "PID|1||a^c~d|e\rNTE|1|x\r"},
		"remove a segment":          {func(m *hl7.Message) error { return removed(m, "PID") }, "NTE|1|x\r"},
		"remove in all repetitions": {func(m *hl7.Message) error { return removed(m, "PID-3[*].1") }, "PID|1||b&c~|e\rNTE|1|x\r"},
	} {
		m := parse(t, raw)
		if err := c.edit(m); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := msh + c.want
		if c.want == "" {
			want = strings.Replace(raw, "&|A", "&|n|A", 1)
		}
		if got := string(m.Bytes()); got != want {
			t.Errorf("%s: got\n%q, want\n%q", name, got, want)
		}
	}
}

func removed(m *hl7.Message, path string) error {
	if !m.Remove(hl7.MustPath(path)) {
		return errors.New("there was nothing")
	}
	return nil
}

func TestDeleteAll(t *testing.T) {
	t.Parallel()
	const raw = "MSH|^~\\&|A\rPID|1||a^b~c|d\rNTE|1|x~y\rOBR|1\rNTE|2\rOBR|2\rNTE|3\r"
	for path, want := range map[string]string{
		"NTE[*]":        "MSH|^~\\&|A\rPID|1||a^b~c|d\rOBR|1\rOBR|2\r",
		"OBR[*]/NTE":    "MSH|^~\\&|A\rPID|1||a^b~c|d\rNTE|1|x~y\rOBR|1\rOBR|2\r",
		"OBR[2]/NTE[*]": "MSH|^~\\&|A\rPID|1||a^b~c|d\rNTE|1|x~y\rOBR|1\rNTE|2\rOBR|2\r",
		"NTE[last]":     "MSH|^~\\&|A\rPID|1||a^b~c|d\rNTE|1|x~y\rOBR|1\rNTE|2\rOBR|2\r",
		"PID-3[*]":      "MSH|^~\\&|A\rPID|1|||d\rNTE|1|x~y\rOBR|1\rNTE|2\rOBR|2\rNTE|3\r",
		"PID-3[last]":   "MSH|^~\\&|A\rPID|1||a^b|d\rNTE|1|x~y\rOBR|1\rNTE|2\rOBR|2\rNTE|3\r",
		"PID-3[*].1":    "MSH|^~\\&|A\rPID|1||^b~|d\rNTE|1|x~y\rOBR|1\rNTE|2\rOBR|2\rNTE|3\r",
		"NTE[*]-1":      "MSH|^~\\&|A\rPID|1||a^b~c|d\rNTE||x~y\rOBR|1\rNTE|\rOBR|2\rNTE|\r",
		"MSH-2":         "", "MSH[*]": "", "ZZZ[*]": "",
	} {
		testDelete(t, raw, path, want)
	}
}

func TestSegmentEdits(t *testing.T) {
	t.Parallel()
	m := parse(t, "MSH|^~\\&|A\nOBR|9\nOBX|9\nOBX|9\nOBR|9\nOBX|9\nSPM|9")
	for _, path := range []string{"OBR[1]/OBX[3]-1", "OBR[2]/OBX[2]-1", "OBR[2]/NTE-1"} {
		if err := m.Set(hl7.MustPath(path), "9"); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for path, want := range map[string]int{"OBR[*]/OBX": 5, "OBR": 2, "NTE-1": 1, "ZZZ": 0} {
		if n, err := m.Renumber(hl7.MustPath(path)); err != nil || n != want {
			t.Errorf("%s: %d, %v", path, n, err)
		}
	}
	if got, want := string(m.Bytes()), "MSH|^~\\&|A\nOBR|1\nOBX|1\nOBX|2\nOBX|3\nOBR|2\nOBX|1\nOBX|2\nSPM|9\nNTE|1\n"; got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	if _, err := m.Renumber(hl7.MustPath("MSH")); err == nil {
		t.Error("MSH is renumbered")
	}
	before := string(m.Bytes())
	for raw, want := range map[string]string{"MSH|x": "would end it", "BTS|x": "would end it", "pid|1": "begins with its name", "PIDX": "begins with its name", "": "begins with its name", "PID|1\rPV1": "line end"} {
		if err := m.AppendSegment([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", raw, err)
		}
	}
	for _, at := range []int{-1, 0, m.Len() + 1} {
		if err := m.InsertSegment(at, []byte("PID|1")); err == nil {
			t.Errorf("inserted at %d", at)
		}
	}
	if string(m.Bytes()) != before {
		t.Error("changed by what failed")
	}
}

func TestEditErrors(t *testing.T) {
	t.Parallel()
	m := parse(t, "MSH|^~|A\rPID|1||a~b\r")
	for name, err := range map[string]error{
		"names many places":       m.Insert(hl7.MustPath("PID-3[*]"), "x"),
		"InsertSegment":           nil,
		"names a segment":         m.Insert(hl7.MustPath("PID"), "x"),
		"no delimiter":            m.Insert(hl7.MustPath("PID-1.1.1"), "x"),
		"there is no such OBR":    m.Set(hl7.MustPath("OBR[2]/OBX-1"), "x"),
		"only 0 segments":         m.Set(hl7.MustPath("OBX[1000000]-1"), "x"),
		"is appended to":          second(m.Append(hl7.MustPath("PID"), "x")),
		"names no escape":         m.Set(hl7.MustPath("PID-1"), "^"),
		"would end the place":     m.SetRaw(hl7.MustPath("PID-3[1]"), []byte("a~b")),
		"holds the delimiters of": m.Insert(hl7.MustPath("MSH-2"), "x"),
	} {
		if name == "InsertSegment" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := string(m.Bytes()); got != "MSH|^~|A\rPID|1||a~b\r" {
		t.Errorf("changed by what failed: %q", got)
	}
}

func second[T any](_ T, err error) error { return err }

// A message of very many segments is read and changed one by one in linear time: a
// quadratic way would take hours.
func TestManySegments(t *testing.T) {
	t.Parallel()
	const n = 200_000
	var b strings.Builder
	b.WriteString("MSH|^~\\&|A\rOBR|1\r")
	for range n {
		b.WriteString("OBX|1|ST|||5\rNTE|1\r")
	}
	m := parse(t, b.String())
	for i := range n {
		obx, err := hl7.ParsePath(fmt.Sprintf("OBX[%d]-5", i+1))
		if err != nil {
			t.Fatal(err)
		}
		nte, err := hl7.ParsePath(fmt.Sprintf("OBR/NTE[%d]-1", i+1))
		if err != nil {
			t.Fatal(err)
		}
		if m.Get(obx) != "5" || m.Set(obx, "6") != nil || m.Get(nte) != "1" || m.Set(nte, "2") != nil {
			t.Fatalf("%v or %v", obx, nte)
		}
	}
	if got, err := m.Renumber(hl7.MustPath("OBR[*]/OBX")); got != n || err != nil {
		t.Error(got, err)
	}
	if !m.Delete(hl7.MustPath("NTE[*]")) || m.Len() != n+2 {
		t.Error(m.Len())
	}
}

// After any edits a message says what its bytes say: nothing that is kept beside them is
// out of date.
func FuzzEdits(f *testing.F) {
	paths := []hl7.Path{
		hl7.MustPath("MSH-10"), hl7.MustPath("MSH-18"), hl7.MustPath("PID-3"), hl7.MustPath("PID-3[2]"), hl7.MustPath("PID-3[last].4.2"), hl7.MustPath("PID-5.1"), hl7.MustPath("PID-7"),
		hl7.MustPath("OBX-5"), hl7.MustPath("OBX[2]-5"), hl7.MustPath("OBX[last]-5[2].1"), hl7.MustPath("OBX[*]-5"), hl7.MustPath("OBR[2]/OBX-5"), hl7.MustPath("OBR[2]/OBX[2]-1"), hl7.MustPath("OBR[*]/OBX[*]-5[*]"),
		hl7.MustPath("NTE-3"), hl7.MustPath("NTE"), hl7.MustPath("OBX[2]"), hl7.MustPath("OBR[last]"), hl7.MustPath("ZZ1-1"), hl7.MustPath("OBR/NTE[*]"),
	}
	texts := []string{"", "x", "a|b^c~d&e\\f", `""`, "é漢", "BIG-5", "8859/1", "~ISO IR87", "UNICODE UTF-8", "\r\n", strings.Repeat("long ", 30)}
	for _, raw := range []string{oru, header("BIG-5") + "PID|1||\xa5|^x|\rOBX|1\rOBX|2|\rNTE|1", "MSH|^~\\&\r\n\r\nPID\r\nOBR|1\r\nOBX|1|2|3\r\nOBR|2"} {
		f.Add([]byte(raw), []byte("\x00\x01\x02\x10\x21\x32\x43\x54\x65\x76\x87\x98\xa9\xba\xcb\xdc\xed\xfe\x0f"))
		f.Add([]byte(raw), []byte("\x01\x05\x31\x45\x22\x11\x66\x03\x52\x17\x80\x91\xa2\xb3\x05\x06\x16\x27\x38\x49\x5a"))
	}
	f.Fuzz(func(t *testing.T, raw, script []byte) {
		m, err := hl7.Parse(raw)
		if err != nil || len(script) > 60 || len(raw) > 2000 {
			return
		}
		for i := 0; i+2 < len(script); i += 3 {
			p, text := paths[int(script[i+1])%len(paths)], texts[int(script[i+2])%len(texts)]
			before := string(m.Bytes())
			failed := false
			switch op := script[i] % 12; op {
			case 0, 1:
				failed = m.Set(p, text) != nil
			case 2:
				failed = m.Insert(p, text) != nil
			case 3:
				_, err := m.Append(p, text)
				failed = err != nil
			case 4:
				m.Delete(p)
			case 5:
				m.Remove(p)
			case 6:
				failed = m.SetNull(p) != nil
			case 7:
				failed = m.InsertSegment(int(script[i+2])%(m.Len()+2), []byte("NTE|1||"+strings.Map(func(r rune) rune {
					if r < 0x20 {
						return -1
					}
					return r
				}, text))) != nil
			case 8:
				if v, ok := m.Lookup(paths[int(script[i+2])%len(paths)]); ok {
					failed = m.SetValue(p, v) != nil
				}
			case 9:
				_, err := m.Renumber(p)
				failed = err != nil
			case 10:
				failed = m.Reencode(hl7.Encoding{CharacterSet: text, Replacement: "?"}) != nil
			case 11:
				failed = m.SetRaw(p, []byte(text)) != nil
			}
			if failed && string(m.Bytes()) != before {
				t.Fatalf("an edit of %v that failed changed\n%q to\n%q", p, before, m.Bytes())
			}
			again, err := hl7.Parse(m.Bytes())
			if err != nil {
				t.Fatalf("after an edit of %v: %v\n%q", p, err, m.Bytes())
			}
			if m.Len() != again.Len() {
				t.Fatalf("%d segments, and %d in\n%q", m.Len(), again.Len(), m.Bytes())
			}
			for at, s := range m.Segments() {
				if string(s.Bytes()) != string(again.Segment(at).Bytes()) {
					t.Fatalf("segment %d is %q, and %q in its bytes", at, s.Bytes(), again.Segment(at).Bytes())
				}
			}
			for _, p := range paths {
				v, ok := m.Lookup(p)
				w, okay := again.Lookup(p)
				if ok != okay || string(v.Raw()) != string(w.Raw()) || v.Text() != w.Text() || m.Find(p) != again.Find(p) {
					t.Fatalf("%v is %q, and %q in the bytes\n%q", p, v.Raw(), w.Raw(), m.Bytes())
				}
			}
			if m.Header().ControlID() != again.Header().ControlID() || m.Delimiters() != again.Delimiters() {
				t.Fatal("the header is another")
			}
		}
	})
}

// What is written stays in its place, also where the character set is changed inside of
// values.
func TestWhatIsSetEndsWhereItShould(t *testing.T) {
	t.Parallel()
	iso := parse(t, header("~ISO IR87")+"PID|1||x|4|5\r")
	if err := iso.Set(hl7.MustPath("PID-3"), `\C2442\`); err != nil || iso.Get(hl7.MustPath("PID-3")) != `\C2442\` || iso.Get(hl7.MustPath("PID-5")) != "5" {
		t.Errorf("%v %q", err, iso.Bytes())
	}
	for _, c := range []struct{ charset, raw string }{{"BIG-5", "\xa5"}, {"~ISO IR87", "\x1b$B;3"}, {"Shift_JIS", "x\x83"}} {
		m := parse(t, header(c.charset)+"PID|1||x|4|5\r")
		if err := m.SetRaw(hl7.MustPath("PID-3"), []byte(c.raw)); err == nil || !strings.Contains(err.Error(), "in the middle of a letter") || m.Get(hl7.MustPath("PID-4")) != "4" {
			t.Errorf("%s: %v", c.charset, err)
		}
	}
	m := parse(t, header("8859/1")+"PID|1||x|4\r")
	m.SetReplacement("|^\r")
	if err := m.Set(hl7.MustPath("PID-3.1"), "Ł"); err != nil || m.Get(hl7.MustPath("PID-3.1")) != "|^\r" || m.Get(hl7.MustPath("PID-4")) != "4" {
		t.Errorf("%v %q", err, m.Bytes())
	}
	for _, path := range []string{"MSH[2]-10", "FHS-5", "BHS-5", "BTS-1", "FTS-1"} {
		if err := m.Set(hl7.MustPath(path), "x"); err == nil || !strings.Contains(err.Error(), "would end it") {
			t.Errorf("%s: %v", path, err)
		}
	}
	m = parse(t, "MSH|^~\\&|A\rPID|1||x~y|4\r")
	if err := m.SetRaw(hl7.MustPath("PID-3"), []byte("a~b")); err != nil || !strings.Contains(string(m.Bytes()), "PID|1||a~b|4\r") {
		t.Errorf("%v %q", err, m.Bytes())
	}
	if m.SetCharacterSet("") {
		t.Error("no name is known")
	}
}

// An edit while ranging over a message ends nothing with a panic.
func TestEditWhileRanging(t *testing.T) {
	t.Parallel()
	const raw = "MSH|^~\\&|A\rOBR|1\rOBX|1||a\rOBX|2||b\rOBR|2\rOBX|3||c\rOBX|4||d~e\r"
	m := parse(t, raw)
	for i, s := range m.Segments() {
		if i > 0 {
			m.Delete(hl7.MustPath(s.Name()))
		}
	}
	for _, path := range []string{"OBX[*]-3", "OBX[*]-3[*]", "OBR[*]/OBX[*]-3", "OBR[*]/OBX-3", "OBR[*]/OBX[last]-3[*]"} {
		for _, gone := range []string{"OBX[*]", "OBX[last]", "OBR[last]", "OBR[*]", "OBX-3", "OBX[*]-3[*]"} {
			m := parse(t, raw)
			n := 0
			for range m.All(hl7.MustPath(path)) {
				m.Delete(hl7.MustPath(gone))
				if n++; n > 20 {
					t.Fatalf("%s, deleting %s, has no end", path, gone)
				}
			}
			if n == 0 {
				t.Errorf("%s: nothing was yielded", path)
			}
		}
	}
}

// A part is taken out of very many repetitions in linear time.
func TestDeletePartsOfManyRepetitions(t *testing.T) {
	t.Parallel()
	const n = 200_000
	m := parse(t, "MSH|^~\\&|A\rPID|1||"+strings.Repeat("a^b&c~", n)+"d|e\r")
	if !m.Remove(hl7.MustPath("PID-3[*].2.1")) || !m.Delete(hl7.MustPath("PID-3[*].1")) {
		t.Error("nothing is gone")
	}
	if want := "MSH|^~\\&|A\rPID|1||" + strings.Repeat("^c~", n) + "|e\r"; string(m.Bytes()) != want {
		t.Errorf("%d bytes, want %d", len(m.Bytes()), len(want))
	}
	if m.Delete(hl7.MustPath("PID-3[*].1")) || m.Remove(hl7.MustPath("PID-3[*].3")) {
		t.Error("something is gone that wasn't there")
	}
}

// A segment that is added to a group goes before what belongs to the next group.
func TestSetAddsBeforeTheNextGroup(t *testing.T) {
	t.Parallel()
	m := parse(t, "MSH|^~\\&|A\rPID|1\rORC|1\rOBR|1\rORC|2\rOBR|2\r")
	for _, path := range []string{"OBR[1]/NTE-3", "OBR[1]/OBX-5", "OBR[2]/OBX-5"} {
		if err := m.Set(hl7.MustPath(path), "x"); err != nil {
			t.Error(err)
		}
	}
	if want := "MSH|^~\\&|A\rPID|1\rORC|1\rOBR|1\rNTE|||x\rOBX|||||x\rORC|2\rOBR|2\rOBX|||||x\r"; string(m.Bytes()) != want {
		t.Errorf("got\n%q, want\n%q", m.Bytes(), want)
	}
}
