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
//	H id text               a table, and its codes follow
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

func writeTables(tables map[string]*table) []byte {
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(tables)) {
		t := tables[k]
		fmt.Fprintf(&b, "H\t%s\t%s\n", t.id, t.text)
		for _, c := range t.codes {
			fmt.Fprintf(&b, "C\t%s\t%s\n", c[0], c[1])
		}
	}
	return b.Bytes()
}
