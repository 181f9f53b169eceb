package standard

import "iter"

// A Field is the definition of a field of a segment, or of a component of a data type: the
// standard describes both with the same attributes (HL7 v2.9 chapter 2, Fields).
type Field struct {
	Number int    // its place, counted from 1
	Name   string // such as "Patient Name"
	Type   string // the data type, such as "XPN"; "VARIES" where another field decides
	Usage  Usage
	Repeat int    // how often it may stand, 0 for any number of times
	Length int    // the most characters of one repetition, 0 where none is given
	Table  string // the number of the table of its codes, such as "0001", or ""
}

// A Usage says whether a field must be there. The zero value is Optional.
type Usage uint8

// The usages of the standard (HL7 v2.9 chapter 2, Optionality). Conditional and
// BackwardCompatible are recorded from 2.7 on, and for components from 2.5 on; earlier versions
// have Optional in their place.
const (
	Optional           Usage = iota // O
	Required                        // R
	Conditional                     // C: whether it must be there depends on other fields
	BackwardCompatible              // B: kept for older systems
	Withdrawn                       // W: no longer part of the standard, only its place is kept
	Forbidden                       // X: must not be there; only a site's own rules say so
)

// String returns the standard's letter: O, R, C, B, W or X.
func (u Usage) String() string {
	if int(u) >= len(usageLetters) {
		return "?"
	}
	return usageLetters[u : u+1]
}

const usageLetters = "ORCBWX"

// A DataType is the definition of a data type. It never changes. The zero value has no name and
// no components.
type DataType struct{ t *dataType }

// Name returns the type's code, such as "XPN".
func (t DataType) Name() string {
	if t.t == nil {
		return ""
	}
	return t.t.name
}

// Description returns what the type is called, such as "Extended Person Name".
func (t DataType) Description() string {
	if t.t == nil {
		return ""
	}
	return t.t.text
}

// Primitive tells whether the type has no components, such as ST or NM.
func (t DataType) Primitive() bool { return t.Len() == 0 }

// Len returns the number of components.
func (t DataType) Len() int {
	if t.t == nil {
		return 0
	}
	return len(t.t.components)
}

// Component returns component number n, counted from 1, and whether there is one.
func (t DataType) Component(n int) (Field, bool) {
	if t.t == nil || n < 1 || n > len(t.t.components) {
		return Field{}, false
	}
	return t.t.components[n-1], true
}

// Components returns all components in their order.
func (t DataType) Components() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for n := 1; n <= t.Len(); n++ {
			if !yield(t.t.components[n-1]) {
				return
			}
		}
	}
}
