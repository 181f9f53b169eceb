package standard_test

import (
	"slices"
	"testing"

	"github.com/ladlehq/ladle/hl7/standard"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		id, want string
		exact    bool
	}{
		{"2.1", "2.1", true},
		{"2.3.1", "2.3.1", true},
		{" 2.5.1 ", "2.5.1", true},
		{"2.7.1", "2.7.1", true},
		{"2.3.0", "2.3", true},
		{"2.5.2", "2.5.1", false},
		{"2.8", "2.7.1", false},
		{"2.8.2", "2.7.1", false},
		{"2.9", "2.7.1", false},
		{"3", "2.7.1", false},
		{"2.0", "2.1", false},
		{"1.9", "2.1", false},
		{"", "2.7.1", false},
		{"2.", "2.7.1", false},
		{"D2.4", "2.7.1", false},
		{"2.5.1.1", "2.7.1", false},
		{"99999", "2.7.1", false},
		{"2.5^USA", "2.7.1", false},
	} {
		d, exact := standard.Version(test.id)
		if d.Version() != test.want || exact != test.exact {
			t.Errorf("Version(%q) = %s, %t; want %s, %t", test.id, d.Version(), exact, test.want, test.exact)
		}
	}
}

func TestVersionsAreTheCallers(t *testing.T) {
	t.Parallel()
	ids := standard.Versions()
	ids[0] = "9"
	if again := standard.Versions(); again[0] != "2.1" || len(again) != 10 {
		t.Errorf("Versions() = %v after a caller's change", again)
	}
}

func TestField(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version, segment string
		want             standard.Field
	}{
		{"2.1", "PID", standard.Field{Number: 5, Name: "Patient name", Type: "PN", Usage: standard.Required, Repeat: 1, Length: 48}},
		{"2.5.1", "PID", standard.Field{Number: 5, Name: "Patient Name", Type: "XPN", Usage: standard.Required, Length: 250}},
		{"2.5.1", "PID", standard.Field{Number: 8, Name: "Administrative Sex", Type: "IS", Repeat: 1, Length: 1, Table: "0001"}},
		{"2.5.1", "OBX", standard.Field{Number: 2, Name: "Value Type", Type: "ID", Repeat: 1, Length: 2, Table: "0125"}},
		{"2.7", "OBX", standard.Field{Number: 5, Name: "Observation Value", Type: "VARIES", Usage: standard.Conditional}},
		{"2.7.1", "EVN", standard.Field{Number: 1, Name: "Event Type Code", Type: "ST", Usage: standard.Withdrawn, Repeat: 1}},
	} {
		d, _ := standard.Version(test.version)
		if got, ok := d.Field(test.segment, test.want.Number); !ok || got != test.want {
			t.Errorf("%s %s-%d = %+v, %t; want %+v", test.version, test.segment, test.want.Number, got, ok, test.want)
		}
	}
	d, _ := standard.Version("2.5.1")
	for _, n := range []int{-1, 0, 40} {
		if f, ok := d.Field("PID", n); ok {
			t.Errorf("PID-%d = %+v", n, f)
		}
	}
	if _, ok := d.Field("ZZZ", 1); ok {
		t.Error("ZZZ-1 is known")
	}
}

func TestStructureOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ version, messageType, event, want string }{
		{"2.5.1", "ADT", "A08", "ADT_A01"},
		{"2.5.1", "ADT", "A40", "ADT_A39"},
		{"2.5.1", "ADT", "A28", "ADT_A05"},
		{"2.5.1", "ORU", "R01", "ORU_R01"},
		{"2.5.1", "ACK", "A08", "ACK"},
		{"2.5.1", "ACK", "", "ACK"},
		{"2.5.1", "SIU", "S14", "SIU_S12"},
		{"2.3", "ADT", "A08", "ADT_A08"},
		{"2.1", "ADT", "A04", "ADT_A04"},
		{"2.1", "ORU", "R09", "ORU"},
		{"2.5.1", "ZZZ", "Z01", ""},
		{"2.5.1", "", "A08", ""},
		{"2.5.1", "ADT", "", ""},
	} {
		d, _ := standard.Version(test.version)
		s, ok := d.StructureOf(test.messageType, test.event)
		if s.Name() != test.want || ok != (test.want != "") {
			t.Errorf("%s StructureOf(%q, %q) = %q, %t; want %q", test.version, test.messageType, test.event, s.Name(), ok, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	d, _ := standard.Version("2.5.1")
	for _, id := range []string{"0001", "001", "1"} {
		table, ok := d.Table(id)
		if !ok || table.ID() != "0001" || table.Description() != "Administrative Sex" {
			t.Errorf("Table(%q) = %s %q, %t", id, table.ID(), table.Description(), ok)
		}
		if c, ok := table.Code("F"); !ok || c.Text != "Female" {
			t.Errorf("table %q, code F = %+v, %t", id, c, ok)
		}
		if c, ok := table.Code("f"); ok {
			t.Errorf("table %q, code f = %+v", id, c)
		}
	}
	for id, want := range map[string]bool{"0001": true, "0004": true, "0007": true, "0085": false, "0136": false, "0301": false} {
		if table, _ := d.Table(id); table.UserDefined() != want {
			t.Errorf("table %s: UserDefined() = %t", id, !want)
		}
	}
	for _, id := range []string{"", "0", "9999", "99999", "PID"} {
		if table, ok := d.Table(id); ok {
			t.Errorf("Table(%q) = %s", id, table.ID())
		}
	}
}

// TestConsistency reads all data: what refers to something must find it, and counts and limits
// must make sense. What is known to be missing is listed, and must stay missing.
func TestConsistency(t *testing.T) {
	t.Parallel()
	undescribed := map[string]bool{"2.3.1 QPD": true, "2.3.1 RCP": true, "2.3.1 QRI": true}
	found := map[string]bool{}
	for _, id := range standard.Versions() {
		d, _ := standard.Version(id)
		checkFields := func(where string, fields []standard.Field) {
			for i, f := range fields {
				if f.Number != i+1 || f.Name == "" || f.Repeat < 0 || f.Length < 0 || f.Usage > standard.Withdrawn {
					t.Errorf("%s %s, number %d: %+v", id, where, i+1, f)
				}
				if _, ok := d.DataType(f.Type); !ok {
					t.Errorf("%s %s, number %d: the type %q isn't described", id, where, i+1, f.Type)
				}
				if f.Table != "" && (len(f.Table) != 4 || f.Table == "0000") {
					t.Errorf("%s %s, number %d: table %q", id, where, i+1, f.Table)
				}
			}
		}
		segments, fields, types, structures := 0, 0, 0, 0
		for s := range d.Segments() {
			segments++
			fields += s.Len()
			if len(s.Name()) != 3 || s.Description() == "" || s.Len() == 0 {
				t.Errorf("%s: segment %q %q with %d fields", id, s.Name(), s.Description(), s.Len())
			}
			checkFields(s.Name(), slices.Collect(s.Fields()))
		}
		for dt := range d.DataTypes() {
			types++
			if dt.Description() == "" && !dt.Primitive() {
				t.Errorf("%s: data type %s has no description", id, dt.Name())
			}
			checkFields(dt.Name(), slices.Collect(dt.Components()))
		}
		for s := range d.Structures() {
			structures++
			if s.Description() == "" {
				t.Errorf("%s: structure %s has no description", id, s.Name())
			}
			count := 0
			var walk func(n standard.Node, depth int)
			walk = func(n standard.Node, depth int) {
				count++
				children := slices.Collect(n.Nodes())
				if n.Min() < 0 || n.Max() != 0 && n.Max() < n.Min() || depth > 12 {
					t.Errorf("%s %s: %s stands %d to %d times at depth %d", id, s.Name(), n.Name(), n.Min(), n.Max(), depth)
				}
				switch n.Kind() {
				case standard.SegmentNode:
					_, ok := d.Segment(n.Name())
					if !ok && undescribed[id+" "+n.Name()] {
						found[id+" "+n.Name()] = true
					} else if !ok && n.Name() != "*" {
						t.Errorf("%s %s: the segment %q isn't described", id, s.Name(), n.Name())
					}
					if len(children) != 0 {
						t.Errorf("%s %s: the segment %s has children", id, s.Name(), n.Name())
					}
				case standard.GroupNode:
					if n.Name() == "" || len(children) == 0 {
						t.Errorf("%s %s: group %q has %d nodes", id, s.Name(), n.Name(), len(children))
					}
				case standard.ChoiceNode:
					if n.Name() != "" || len(children) == 0 {
						t.Errorf("%s %s: choice %q has %d nodes", id, s.Name(), n.Name(), len(children))
					}
				}
				for _, c := range children {
					walk(c, depth+1)
				}
			}
			for n := range s.Nodes() {
				if count == 0 && n.Name() != "MSH" {
					t.Errorf("%s %s begins with %s", id, s.Name(), n.Name())
				}
				walk(n, 1)
			}
			if count < 2 {
				t.Errorf("%s %s has %d nodes", id, s.Name(), count)
			}
		}
		t.Logf("%s: %d segments, %d fields, %d data types, %d structures", id, segments, fields, types, structures)
		if segments < 38 || fields < 440 || types < 19 || structures < 39 {
			t.Errorf("%s: %d segments, %d fields, %d data types, %d structures: data are missing", id, segments, fields, types, structures)
		}
	}
	if len(found) != len(undescribed) {
		t.Errorf("undescribed segments: %v; expected %v", found, undescribed)
	}

	d, _ := standard.Version("2.5.1")
	tables, codes := 0, 0
	for table := range d.Tables() {
		tables++
		last := ""
		if len(table.ID()) != 4 || table.Description() == "" || table.Len() == 0 {
			t.Errorf("table %q %q with %d codes", table.ID(), table.Description(), table.Len())
		}
		for c := range table.Codes() {
			codes++
			if c.Value <= last {
				t.Errorf("table %s: code %q after %q", table.ID(), c.Value, last)
			}
			if got, ok := table.Code(c.Value); !ok || got != c {
				t.Errorf("table %s: code %q isn't found", table.ID(), c.Value)
			}
			last = c.Value
		}
	}
	if tables != 394 || codes != 5021 {
		t.Errorf("%d tables with %d codes", tables, codes)
	}
}

func TestZeroValues(t *testing.T) {
	t.Parallel()
	var s standard.Segment
	var dt standard.DataType
	var st standard.Structure
	var n standard.Node
	var table standard.Table
	if g := st.Group([]string{"MSH"}); len(g.Items) != 1 {
		t.Error("the zero Structure loses a segment")
	}
	if s.Name() != "" || s.Description() != "" || s.Len() != 0 || len(slices.Collect(s.Fields())) != 0 {
		t.Error("the zero Segment isn't empty")
	}
	if dt.Name() != "" || dt.Description() != "" || !dt.Primitive() || len(slices.Collect(dt.Components())) != 0 {
		t.Error("the zero DataType isn't empty")
	}
	if _, ok := dt.Component(1); ok {
		t.Error("the zero DataType has a component")
	}
	if st.Name() != "" || st.Description() != "" || len(slices.Collect(st.Nodes())) != 0 {
		t.Error("the zero Structure isn't empty")
	}
	if n.Name() != "" || n.Kind() != standard.SegmentNode || n.Min() != 0 || n.Max() != 0 || len(slices.Collect(n.Nodes())) != 0 {
		t.Error("the zero Node isn't empty")
	}
	if _, ok := table.Code("A"); ok || table.ID() != "" || table.Description() != "" || len(slices.Collect(table.Codes())) != 0 {
		t.Error("the zero Table isn't empty")
	}
	var d standard.Dictionary
	if _, ok := d.Segment("PID"); ok || d.Version() != "" {
		t.Error("the zero Dictionary knows a segment")
	}
}
func BenchmarkField(b *testing.B) {
	d, _ := standard.Version("2.5.1")
	for b.Loop() {
		if _, ok := d.Field("PID", 5); !ok {
			b.Fatal("no PID-5")
		}
	}
}
