package hl7_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
)

func TestValues(t *testing.T) {
	t.Parallel()
	m := parse(t, "MSH|^~\\&|A^B|C\rPID|1||a&b^c~d~^e&f||"+strings.Repeat("x", 300)+"|"+strings.Repeat("&", 300)+"y|z\r\nOBX|1\rhello|there\rOBX|\rOBX||2\rZZ\rZZZ\r")
	var got []string
	for p, v := range m.Values() {
		got = append(got, fmt.Sprintf("%v=%s", p, v.Text()))
		if w, ok := m.Lookup(p); ok != (p.Segment() != "???") || ok && string(w.Raw()) != string(v.Raw()) {
			t.Errorf("%v is %q, and %q is looked up", p, v.Raw(), w.Raw())
		}
	}
	want := "MSH-1=| MSH-2=^~\\& MSH-3.1=A MSH-3.2=B MSH-4=C PID-1=1 PID-3.1.1=a PID-3.1.2=b PID-3.2=c PID-3[2]=d PID-3[3].2.1=e PID-3[3].2.2=f PID-5=" + strings.Repeat("x", 300) + " PID-6.1.301=y PID-7=z OBX-1=1 ???=hello|there OBX[3]-2=2 ???[2]=ZZ"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got\n%s, want\n%s", s, want)
	}
}

// The cursor sees what the slow way sees.
func TestValuesAgreeWithFields(t *testing.T) {
	t.Parallel()
	for name, raw := range corpus(t) {
		m, err := hl7.Parse(raw)
		if err != nil {
			continue
		}
		var slow, fast []string
		for _, s := range m.Segments() {
			if n := s.Name(); len(n) != 3 || strings.ToUpper(n) != n {
				continue
			}
			for _, f := range s.Fields() {
				for _, r := range f.Repetitions() {
					for _, c := range r.Components() {
						for _, v := range c.Subcomponents() {
							if !v.IsEmpty() {
								slow = append(slow, string(v.Raw()))
							}
						}
					}
				}
			}
		}
		for c := m.Walk(); c.Next(); {
			if c.Path().Segment() != "???" {
				fast = append(fast, string(c.Raw()))
			}
		}
		if fmt.Sprint(slow) != fmt.Sprint(fast) {
			t.Errorf("%s: %d values, %d by the cursor", name, len(slow), len(fast))
		}
	}
}

// The delimiters are found by the processor's own means as they are byte by byte.
func TestFindDelimiters(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		blocks := make([]byte, 64*(1+random.IntN(16)))
		for i := range blocks {
			blocks[i] = "|^~\\&\r\n\x00ab\xff\x80$%?!@"[random.IntN(17)]
		}
		for _, d := range []hl7.Delimiters{hl7.DefaultDelimiters(), {Field: '|'}, {Field: '$', Component: '%', Repetition: '?', Escape: '!', Subcomponent: '@'}} {
			if fast, slow := hl7.FindDelimiters(d, blocks); fast != slow {
				t.Fatalf("%+v in %q: %x, and byte by byte %x", d, blocks, fast, slow)
			}
		}
		if fast, slow := hl7.FindLineEnds(blocks); fast != slow {
			t.Fatalf("line ends in %q: %x, and word by word %x", blocks, fast, slow)
		}
	}
}

// A path is the same whichever of the values before it were asked for theirs.
func TestPathsInAnyOrder(t *testing.T) {
	t.Parallel()
	check := func(name string, raw []byte) {
		m, err := hl7.Parse(raw)
		if err != nil {
			return
		}
		var all []string
		for c := m.Walk(); c.Next(); {
			all = append(all, fmt.Sprintf("%d %v %v", c.Segment(), c.Path(), c.Path()))
		}
		for every := 2; every < len(all); every *= 3 {
			i := 0
			for c := m.Walk(); c.Next(); i++ {
				if i%every != every-1 {
					continue
				}
				if got := fmt.Sprintf("%d %v %v", c.Segment(), c.Path(), c.Path()); got != all[i] {
					t.Fatalf("%s: every %dth: %s, want %s", name, every, got, all[i])
				}
			}
		}
	}
	for name, raw := range corpus(t) {
		check(name, raw)
	}
	long := strings.Repeat(strings.Repeat("x", 3000)+"|a^"+strings.Repeat("&~b", 700)+"|^c~d&"+strings.Repeat("y", 63)+"~~"+strings.Repeat("|", 500), 3)
	check("long", []byte("MSH|^~\\&|A^B|"+long+"\r\n\rPID|"+long+"\rFHS|^~\\&|"+long+"\r"+strings.Repeat("ZZZ\r", 100)+strings.Repeat("OBX|1\r", 100)+"torn|"+long+"\rOBX|"+long))
}
