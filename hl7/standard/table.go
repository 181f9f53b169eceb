package standard

import (
	"iter"
	"slices"
	"strings"
)

// A Table is a list of codes. It never changes. The zero value has no number and no codes.
//
// One set of tables serves all versions: it is that of the source, which doesn't tell from which
// version a code comes.
type Table struct{ t *table }

// A Code is an entry of a table.
type Code struct {
	Value string // as it stands in a message, such as "F"
	Text  string // what it means, such as "Female"
}

// ID returns the table's number in four digits, such as "0001", or the name of a site's own.
func (t Table) ID() string {
	if t.t == nil {
		return ""
	}
	return t.t.id
}

// Description returns what the table is called, such as "Administrative Sex".
func (t Table) Description() string {
	if t.t == nil {
		return ""
	}
	return t.t.text
}

// UserDefined tells whether the standard leaves the table to the site and only suggests its codes
// (HL7 v2.9 chapter 2C, User-defined tables). It is so where the data type IS is used with it.
func (t Table) UserDefined() bool { return t.t != nil && t.t.suggested }

// Len returns the number of codes.
func (t Table) Len() int {
	if t.t == nil {
		return 0
	}
	return len(t.t.codes)
}

// Code returns the entry of a code, and whether the table has it. Codes are compared as they
// are: capital letters count.
func (t Table) Code(value string) (Code, bool) {
	if t.t == nil {
		return Code{}, false
	}
	i, ok := slices.BinarySearchFunc(t.t.codes, value, func(c Code, v string) int { return strings.Compare(c.Value, v) })
	if !ok {
		return Code{}, false
	}
	return t.t.codes[i], true
}

// Codes returns all entries, in the order of their codes.
func (t Table) Codes() iter.Seq[Code] {
	return func(yield func(Code) bool) {
		for i := range t.Len() {
			if !yield(t.t.codes[i]) {
				return
			}
		}
	}
}
