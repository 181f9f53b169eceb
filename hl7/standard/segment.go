package standard

import "iter"

// A Segment is the definition of a segment. It never changes. The zero value has no name and no
// fields.
type Segment struct{ s *segment }

// Name returns the segment's three letters, such as "PID".
func (s Segment) Name() string {
	if s.s == nil {
		return ""
	}
	return s.s.name
}

// Description returns what the segment is called, such as "Patient Identification".
func (s Segment) Description() string {
	if s.s == nil {
		return ""
	}
	return s.s.text
}

// Len returns the number of fields. In MSH it counts the field separator as the first.
func (s Segment) Len() int {
	if s.s == nil {
		return 0
	}
	return len(s.s.fields)
}

// Field returns field number n, counted from 1, and whether there is one.
func (s Segment) Field(n int) (Field, bool) {
	if s.s == nil || n < 1 || n > len(s.s.fields) {
		return Field{}, false
	}
	return s.s.fields[n-1], true
}

// Fields returns all fields in their order.
func (s Segment) Fields() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for n := 1; n <= s.Len(); n++ {
			if !yield(s.s.fields[n-1]) {
				return
			}
		}
	}
}
