package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// correct puts right what is known to be wrong in hl7-dictionary 1.0.1 and returns a line for
// each thing that it did. A correction that finds nothing to correct is an error: then the
// source has changed and this list must be read again.
func correct(d *description) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\nCorrections to hl7-dictionary\n")
	say := func(format string, args ...any) { fmt.Fprintf(&b, "  "+format+"\n", args...) }

	// The number of the field's table slipped into its repetition.
	value := &d.versions["2.5.1"].segments["OBX"].fields[1]
	if value.repeat != 125 {
		return nil, fmt.Errorf("correction: OBX-2 of 2.5.1 no longer repeats 125 times")
	}
	value.repeat = 1
	say("2.5.1 OBX-2: repetition 125 (the number of its table) made 1.")

	// Up to 2.6 the source says VARIES for a field whose type depends on another field; from 2.7
	// on it says ST instead, although chapters 7 and 8 of the standard still say varies.
	for _, id := range []string{"2.7", "2.7.1"} {
		before, after, n := d.versions["2.6"], d.versions[id], 0
		after.types["VARIES"] = before.types["VARIES"]
		for _, k := range slices.Sorted(maps.Keys(after.segments)) {
			s, old := after.segments[k], before.segments[k]
			for i := range s.fields {
				if old != nil && i < len(old.fields) && old.fields[i].typ == "VARIES" && s.fields[i].typ == "ST" {
					s.fields[i].typ = "VARIES"
					say("%s %s-%d: type ST made VARIES, as in 2.6.", id, k, i+1)
					n++
				}
			}
		}
		if n == 0 {
			return nil, fmt.Errorf("correction: no field of %s lost the type VARIES", id)
		}
	}

	// 2.7 withdrew what had been kept for older systems only. The source then says ST for the type of
	// which nothing is left and leaves the usage at B.
	for _, id := range []string{"2.7", "2.7.1"} {
		var withdrawn []string
		before, after := d.versions["2.6"], d.versions[id]
		for _, k := range slices.Sorted(maps.Keys(after.segments)) {
			if old := before.segments[k]; old != nil {
				withdrawn = append(withdrawn, withdraw(k+"-", old.fields, after.segments[k].fields)...)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(after.types)) {
			if old := before.types[k]; old != nil {
				withdrawn = append(withdrawn, withdraw(k+".", old.components, after.types[k].components)...)
			}
		}
		if len(withdrawn) == 0 {
			return nil, fmt.Errorf("correction: nothing is withdrawn in %s", id)
		}
		say("%s: usage B and type ST, where 2.6 has a type that isn't text, made W (withdrawn): %s.", id, strings.Join(withdrawn, " "))
	}

	// Five structures of 2.6 stand twice: a broken copy of 2.5's under the right name, and 2.6's own
	// under a name with the digit 0 in the place of the letter O.
	v26 := d.versions["2.6"]
	for _, k := range []string{"OMG_019", "OML_021", "OML_033", "OML_035", "ORB_028"} {
		s, right := v26.structures[k], strings.Replace(k, "_0", "_O", 1)
		if s == nil || v26.structures[right] == nil {
			return nil, fmt.Errorf("correction: 2.6 hasn't both %s and %s", k, right)
		}
		delete(v26.structures, k)
		s.name = right
		v26.structures[right] = s
		say("2.6 %s: replaced by %s, which is its 2.6 form under a misspelt name.", right, k)
	}

	// Every message begins with MSH, and in 2.6 with an optional SFT and UAC after it (chapter 2).
	for _, k := range slices.Sorted(maps.Keys(v26.structures)) {
		s := v26.structures[k]
		if s.nodes[0].name == "MSH" {
			continue
		}
		for i, n := range []node{{name: "MSH", kind: 'S', min: 1, max: 1}, {name: "SFT", kind: 'S'}, {name: "UAC", kind: 'S', max: 1}} {
			if i >= len(s.nodes) || s.nodes[i].name != n.name {
				s.nodes = slices.Insert(s.nodes, i, n)
				say("2.6 %s: %s put in, which the source has lost.", k, n.name)
			}
		}
	}

	// Groups of 2.6 that are there exactly once, where the versions before and after have them any
	// number of times.
	for _, k := range slices.Sorted(maps.Keys(v26.structures)) {
		before, after := d.versions["2.5.1"].structures[k], d.versions["2.7"].structures[k]
		if before != nil && after != nil {
			loosen(v26.structures[k].nodes, before.nodes, after.nodes, k, say)
		}
	}

	// A data type that slipped into the segments.
	if v26.segments["ED"] == nil {
		return nil, fmt.Errorf("correction: 2.6 has no segment ED")
	}
	delete(v26.segments, "ED")
	say("2.6 ED: left out of the segments, it is a data type.")

	// Segments whose names were lost in the source make the structure worthless.
	for _, id := range slices.Sorted(maps.Keys(d.versions)) {
		v := d.versions[id]
		for _, k := range slices.Sorted(maps.Keys(v.structures)) {
			if nameless(v.structures[k].nodes) {
				delete(v.structures, k)
				say("%s %s: left out, the source has lost the names of some of its segments.", id, k)
			}
		}
	}
	for _, k := range []string{"2.7", "2.7.1"} {
		if d.versions[k].structures["CCM_I21"] != nil {
			return nil, fmt.Errorf("correction: CCM_I21 of %s has its names back", k)
		}
	}

	// The members of a choice are written with a name made of all their names: a choice has none.
	for _, id := range slices.Sorted(maps.Keys(d.versions)) {
		for _, s := range d.versions[id].structures {
			nameChoices(s.nodes)
		}
	}

	// The place of any segment at all, for a master file that the standard leaves open.
	generic, ok := findNode(d.versions["2.3"].structures["MFN_M01"].nodes, "GenericSegment")
	if !ok {
		return nil, fmt.Errorf("correction: MFN_M01 of 2.3 has no GenericSegment")
	}
	generic.name = "*"
	say("2.3 MFN_M01: GenericSegment is written *, which stands for any segment.")
	return b.Bytes(), nil
}

func withdraw(prefix string, before, after []field) []string {
	var changed []string
	for i := range min(len(before), len(after)) {
		f := &after[i]
		if f.usage != 'B' || f.typ != "ST" || before[i].typ == "ST" || before[i].typ == "TX" || before[i].typ == "FT" {
			continue
		}
		f.usage = 'W'
		changed = append(changed, fmt.Sprintf("%s%d", prefix, i+1))
	}
	return changed
}

func loosen(nodes, before, after []node, path string, say func(string, ...any)) {
	for i := range nodes {
		n := &nodes[i]
		b, ok := groupOf(before, n.name)
		a, alsoOk := groupOf(after, n.name)
		if n.kind != 'G' || !ok || !alsoOk {
			continue
		}
		if n.min == 1 && n.max == 1 && b.min == 0 && b.max == 0 && a.min == 0 && a.max == 0 {
			n.min, n.max = 0, 0
			say("2.6 %s: the group %s made optional and repeating, as in 2.5.1 and 2.7.", path, n.name)
		}
		loosen(n.nodes, b.nodes, a.nodes, path, say)
	}
}

func groupOf(nodes []node, name string) (node, bool) {
	for _, n := range nodes {
		if n.kind == 'G' && n.name == name {
			return n, true
		}
	}
	return node{}, false
}

func nameless(nodes []node) bool {
	for _, n := range nodes {
		if n.kind == 'S' && n.name == "" || nameless(n.nodes) {
			return true
		}
	}
	return false
}

func nameChoices(nodes []node) {
	for i := range nodes {
		if nodes[i].kind == 'C' {
			nodes[i].name = ""
		}
		nameChoices(nodes[i].nodes)
	}
}

func findNode(nodes []node, name string) (*node, bool) {
	for i := range nodes {
		if nodes[i].name == name {
			return &nodes[i], true
		}
		if n, ok := findNode(nodes[i].nodes, name); ok {
			return n, true
		}
	}
	return nil, false
}
