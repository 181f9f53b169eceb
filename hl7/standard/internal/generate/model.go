package main

// A description is what a source says of the standard, in one shape for both sources.
type description struct {
	versions map[string]*version
	tables   map[string]*table // by the table's number in four digits
}

type version struct {
	id         string
	segments   map[string]*segment
	types      map[string]*dataType
	structures map[string]*structure
}

type segment struct {
	name, text string
	fields     []field
}

type dataType struct {
	name, text string
	components []field
}

// A field is a field of a segment or a component of a data type. The zero length is "not
// given", the zero repeat "any number". A field of which nothing is known has no name.
type field struct {
	name, typ, table string
	usage            byte // R, O, C, B or, by a correction, W
	repeat, length   int
}

type structure struct {
	name, text string
	nodes      []node
}

// A node is a segment, a group of nodes in order, or a choice of one of its nodes.
type node struct {
	name     string
	kind     byte // S, G or C
	min, max int  // the zero max is "any number"
	nodes    []node
}

type table struct {
	id, text string
	codes    [][2]string
}
