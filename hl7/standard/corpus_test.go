package standard_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/standard"
)

var update = flag.Bool("update", false, "write the golden files again")

// messages reads all messages of the folder LADLE_CORPUS, or of the test data where it isn't set.
func messages(tb testing.TB) map[string]*hl7.Message {
	tb.Helper()
	dir := os.Getenv("LADLE_CORPUS")
	if dir == "" {
		dir = "testdata/corpus"
	}
	found := map[string]*hl7.Message{}
	err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(file) != ".hl7" {
			return err
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if m, err := hl7.Parse(raw); err == nil {
			found[file] = m
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	if len(found) == 0 {
		tb.Fatalf("no messages in %s", dir)
	}
	return found
}

// TestFindings validates real messages and compares the groups and findings with golden files.
func TestFindings(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/corpus/*.hl7")
	if err != nil || len(files) == 0 {
		t.Fatalf("no messages: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m, err := hl7.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			d, _ := standard.Version(m.Header().Version())
			if g, ok := d.Group(m); ok {
				fmt.Fprintln(&got, outline(g))
			}
			for f := range standard.Validate(m) {
				fmt.Fprintln(&got, f)
			}
			golden := filepath.Join("testdata", "findings", strings.TrimSuffix(filepath.Base(file), ".hl7")+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}

// TestCorpus validates all messages at hand; what must hold for any message is in check.
func TestCorpus(t *testing.T) {
	t.Parallel()
	rules := map[standard.Rule]int{}
	n := 0
	for file, m := range messages(t) {
		n++
		checkMessage(t, file, m, func(f standard.Finding) { rules[f.Rule]++ })
	}
	t.Logf("%d messages: %v", n, rules)
}

// checkMessage validates and groups a message: paths can be read, findings come in the order of
// the message, and no segment is lost.
func checkMessage(t *testing.T, where string, m *hl7.Message, each func(standard.Finding)) {
	t.Helper()
	var names []string
	for _, s := range m.Segments() {
		names = append(names, s.Name())
	}
	last := 0
	for f := range standard.Validate(m) {
		if f.Index < last || f.Index >= len(names) && f.Index > 0 {
			t.Fatalf("%s: a finding about segment %d after one about %d: %v", where, f.Index, last, f)
		}
		last = f.Index
		if strings.HasPrefix(f.Path, "???") {
			continue
		}
		p, err := hl7.ParsePath(f.Path)
		if err != nil || p.String() != f.Path {
			t.Fatalf("%s: the path of %v is %v, %v", where, f, p, err)
		}
		if f.Severity == standard.Off || f.Text == "" {
			t.Fatalf("%s: %+v", where, f)
		}
		each(f)
	}
	d, _ := standard.Version(m.Header().Version())
	if g, ok := d.Group(m); ok {
		checkComplete(t, where, g, names)
	}
}

func FuzzValidate(f *testing.F) {
	for _, m := range messages(f) {
		f.Add(m.Bytes())
	}
	f.Add([]byte("MSH|^~\\&|||||||ORU^R01|1|P|2.5\rOBX|1|NM|||\"\"~5^6&7\\T\\\r\rZ|\rtorn"))
	f.Add([]byte("MSH|^|||||||||||^0"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := hl7.Parse(raw)
		if err != nil {
			return
		}
		checkMessage(t, "fuzz", m, func(standard.Finding) {})
	})
}

func BenchmarkValidate(b *testing.B) {
	size := 0
	var all []*hl7.Message
	for _, m := range messages(b) {
		size += len(m.Bytes())
		all = append(all, m)
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		for _, m := range all {
			for range standard.Validate(m) {
			}
		}
	}
}

// BenchmarkValidateLinear has the same result once and many times: ns/segment must stay.
func BenchmarkValidateLinear(b *testing.B) {
	for _, n := range []int{100, 1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m, err := hl7.Parse([]byte(header + "\r" + person + "\r" + order + "\r" + strings.Repeat("OBX|1|NM|GLU^Glucose^L||<5|mmol/L|||||F\r", n)))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				for range standard.Validate(m) {
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/segment")
		})
	}
}
