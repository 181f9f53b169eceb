package hl7

import "iter"

// A Segment is one segment of a message. It refers to the message and is valid until
// that is edited.
type Segment struct {
	m    *Message
	text text
}

// Name returns the segment's name, such as "PID". A segment that doesn't begin with a
// name, such as a text that a line end has torn off, has what stands before its first
// field separator.
func (s Segment) Name() string { return string(s.name()) }

// named returns the segment's name, or nameless where it has none.
func (s Segment) named() segmentName {
	cut := s.text.cut
	if len(cut) < 3 || len(cut) > 3 && cut[3] != s.m.header.delims.Field || !isSegmentName(cut[:3]) {
		return nameless
	}
	return segmentName(cut)
}

func (s Segment) name() []byte { return first(s.text.cut, s.m.header.delims.Field) }

// Bytes returns the segment as it stands, without its end.
func (s Segment) Bytes() []byte { return s.text.raw }

// Field returns field n with all its repetitions as it stands. Fields count from 1; in
// MSH, FHS and BHS the first is the field separator itself.
func (s Segment) Field(n int) (Value, bool) {
	if n < 1 {
		return Value{}, false
	}
	t, ok := s.field(n)
	return Value{s.m, t, n <= 2 && s.isHeader()}, ok
}

// Fields yields every field with its number, from 1.
func (s Segment) Fields() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		d := s.m.header.delims.Field
		_, rest, more := s.text.next(d)
		n, header := 1, s.isHeader()
		if header {
			own, ok := s.field(1)
			if !ok || !yield(1, Value{s.m, own, true}) {
				return
			}
			n = 2
		}
		for ; more; n++ {
			var head text
			if head, rest, more = rest.next(d); !yield(n, Value{s.m, head, header && n == 2}) {
				return
			}
		}
	}
}

// isHeader reports whether the segment's first field is its own field separator.
func (s Segment) isHeader() bool {
	cut := s.text.cut
	return len(cut) >= 3 && (len(cut) == 3 || cut[3] == s.m.header.delims.Field) && segmentName(cut).isHeader()
}

func (n segmentName) isHeader() bool {
	switch n {
	case mshName, segmentName{'F', 'H', 'S'}, segmentName{'B', 'H', 'S'}:
		return true
	}
	return false
}

func (s Segment) field(n int) (text, bool) {
	if s.isHeader() {
		if n == 1 {
			if len(s.text.raw) < 4 {
				return text{}, false
			}
			return s.text.slice(3, 4), true
		}
		n--
	}
	return s.text.part(n+1, s.m.header.delims.Field)
}
