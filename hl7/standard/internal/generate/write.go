package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// The data are lines of fields with a tab between, which the reader in package standard takes
// apart without a library:
//
//	S name text             a segment, and its fields follow
//	T name text             a data type, and its components follow
//	F usage repeat length table type name
//	M name text             a message's structure, and its nodes follow
//	N depth kind min max name
//	H id kind text          a table, and its codes follow; the kind is U for a user-defined one
//	C code text

func writeVersion(v *version) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "V\t%s\n", v.id)
	for _, k := range slices.Sorted(maps.Keys(v.segments)) {
		s := v.segments[k]
		fmt.Fprintf(&b, "S\t%s\t%s\n", s.name, s.text)
		writeFields(&b, s.fields)
	}
	for _, k := range slices.Sorted(maps.Keys(v.types)) {
		t := v.types[k]
		fmt.Fprintf(&b, "T\t%s\t%s\n", t.name, t.text)
		writeFields(&b, t.components)
	}
	for _, k := range slices.Sorted(maps.Keys(v.structures)) {
		s := v.structures[k]
		fmt.Fprintf(&b, "M\t%s\t%s\n", s.name, s.text)
		writeNodes(&b, s.nodes, 0)
	}
	return b.Bytes()
}

func writeFields(b *bytes.Buffer, fields []field) {
	for _, f := range fields {
		fmt.Fprintf(b, "F\t%c\t%d\t%d\t%s\t%s\t%s\n", f.usage, f.repeat, f.length, f.table, f.typ, f.name)
	}
}

func writeNodes(b *bytes.Buffer, nodes []node, depth int) {
	for _, n := range nodes {
		fmt.Fprintf(b, "N\t%d\t%c\t%d\t%d\t%s\n", depth, n.kind, n.min, n.max, n.name)
		writeNodes(b, n.nodes, depth+1)
	}
}

// writeTables marks the tables that the standard leaves to the site and only suggests codes for
// (user-defined tables). No source says which they are, but the data type IS is for their codes
// alone; before 2.3 there was only ID for both.
func writeTables(d *description) []byte {
	suggested := map[string]bool{}
	for _, v := range d.versions {
		for _, s := range v.segments {
			markUserDefined(suggested, s.fields)
		}
		for _, t := range v.types {
			markUserDefined(suggested, t.components)
		}
	}
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(d.tables)) {
		t, kind := d.tables[k], ""
		if suggested[t.id] {
			kind = "U"
		}
		fmt.Fprintf(&b, "H\t%s\t%s\t%s\n", t.id, kind, t.text)
		for _, c := range t.codes {
			fmt.Fprintf(&b, "C\t%s\t%s\n", c[0], c[1])
		}
	}
	return b.Bytes()
}

func markUserDefined(suggested map[string]bool, fields []field) {
	for _, f := range fields {
		if f.typ == "IS" && f.table != "" {
			suggested[f.table] = true
		}
	}
}
