package hl7

import (
	"bytes"
	"iter"
)

// A Message is one HL7 v2 message. It keeps the bytes that it was parsed from and cuts
// them where it is asked: what isn't changed comes back out byte for byte. A Message is
// not safe for concurrent use.
//
// The zero value is empty; [Message.Parse] fills it and uses its memory again.
type Message struct {
	raw     []byte
	start   int // of MSH in raw
	header  Header
	values  charset // of values; known once somebody has asked
	asked   bool
	spans   []span // segments of raw, without their ends; made when they are asked for
	indexed bool
	edited  []segmentText // in place of raw and spans, since the first edit
}

// A segmentText is one segment of a message that was edited.
type segmentText struct {
	text []byte
	end  []byte // what divides it from the next one
}

// Parse reads a message. It keeps raw, which must not change while the message is in
// use. Only the MSH segment is looked into; the rest is cut when it is asked for. An
// error is a [*ParseError].
func Parse(raw []byte) (*Message, error) {
	m := new(Message)
	if err := m.Parse(raw); err != nil {
		return nil, err
	}
	return m, nil
}

// Parse reads a message into m, as the function [Parse] does, and uses m's memory
// again. After an error m is empty.
func (m *Message) Parse(raw []byte) error {
	*m = Message{spans: m.spans[:0]}
	start, err := m.header.parse(raw)
	if err != nil {
		m.header = Header{}
		return err
	}
	m.raw, m.start = raw, start
	return nil
}

// charset returns the character set of the message's values.
func (m *Message) charset() charset {
	if !m.asked {
		m.values, m.asked = charsetOf(m.header.CharacterSet()), true
	}
	return m.values
}

// SetCharacterSet says in which character set the message's values are, against what
// MSH-18 says: a transport that names one is to be believed. It changes how values are
// read and written, and no byte of the message. It reports whether the name is known.
func (m *Message) SetCharacterSet(name string) bool {
	c := charsetOf(name)
	if c.known {
		m.values, m.asked = c, true
	}
	return c.known
}

// Header returns the message's MSH segment.
func (m *Message) Header() *Header { return &m.header }

// Delimiters returns the message's delimiters.
func (m *Message) Delimiters() Delimiters { return m.header.delims }

// Bytes returns the message's encoding. Without an edit these are the bytes it was
// parsed from; they must not be changed.
func (m *Message) Bytes() []byte {
	if m.edited == nil {
		return m.raw
	}
	return m.AppendTo(nil)
}

// AppendTo appends the message's encoding to dst.
func (m *Message) AppendTo(dst []byte) []byte {
	if m.edited == nil {
		return append(dst, m.raw...)
	}
	size := m.start
	for _, s := range m.edited {
		size += len(s.text) + len(s.end)
	}
	if cap(dst)-len(dst) < size {
		dst = append(make([]byte, 0, len(dst)+size), dst...)
	}
	dst = append(dst, m.raw[:m.start]...)
	for _, s := range m.edited {
		dst = append(append(dst, s.text...), s.end...)
	}
	return dst
}

// index finds the segments. Blank lines are none.
func (m *Message) index() {
	if m.indexed {
		return
	}
	m.indexed = true
	if m.spans == nil {
		m.spans = make([]span, 0, 8+(len(m.raw)-m.start)/64)
	}
	at := m.start
	rest := m.raw[at:]
	cr, lf := bytes.IndexByte(rest, '\r'), bytes.IndexByte(rest, '\n')
	for {
		// The nearer end; the other one stays as it was found.
		end := cr
		if end < 0 || lf >= 0 && lf < cr {
			end = lf
		}
		if end < 0 {
			if at < len(m.raw) {
				m.spans = append(m.spans, span{uint32(at), uint32(len(m.raw))})
			}
			return
		}
		if end > 0 {
			m.spans = append(m.spans, span{uint32(at), uint32(at + end)})
		}
		at += end + 1
		rest = m.raw[at:]
		if cr == end {
			cr = bytes.IndexByte(rest, '\r')
		} else if cr >= 0 {
			cr -= end + 1
		}
		if lf == end {
			lf = bytes.IndexByte(rest, '\n')
		} else if lf >= 0 {
			lf -= end + 1
		}
	}
}

// count returns the number of segments.
func (m *Message) count() int {
	if m.edited != nil {
		return len(m.edited)
	}
	m.index()
	return len(m.spans)
}

// segment returns the bytes of segment i, from 0.
func (m *Message) segment(i int) []byte {
	if m.edited != nil {
		return m.edited[i].text
	}
	s := m.spans[i]
	return m.raw[s.start:s.end]
}

// A Segment is one segment of a message. It refers to the message and is valid until
// that is edited.
type Segment struct {
	m    *Message
	text []byte
}

// Segments yields every segment with its place in the message, from 0.
func (m *Message) Segments() iter.Seq2[int, Segment] {
	return func(yield func(int, Segment) bool) {
		for i := range m.count() {
			if !yield(i, Segment{m, m.segment(i)}) {
				return
			}
		}
	}
}

// Name returns the segment's name, such as "PID".
func (s Segment) Name() string { return string(s.name()) }

func (s Segment) name() []byte { return first(s.text, s.m.header.delims.Field) }

// Bytes returns the segment as it stands, without its end.
func (s Segment) Bytes() []byte { return s.text }

// Field returns field n with all its repetitions as it stands. Fields count from 1.
func (s Segment) Field(n int) (Value, bool) {
	b, ok := s.field(n)
	return Value{s.m, b, s.isHeader() && n <= 2}, ok
}

// isHeader reports whether the segment's first field is its own field separator.
func (s Segment) isHeader() bool {
	switch string(s.name()) {
	case "MSH", "FHS", "BHS":
		return true
	}
	return false
}

func (s Segment) field(n int) ([]byte, bool) {
	sep := s.m.header.delims.Field
	if s.isHeader() {
		if n == 1 {
			if len(s.text) < 4 {
				return nil, false
			}
			return s.text[3:4], true
		}
		n--
	}
	return part(s.text, n+1, sep)
}

// part returns part n, from 1, of b between delimiters d.
func part(b []byte, n int, d byte) ([]byte, bool) {
	for ; n > 1; n-- {
		i := indexDelimiter(b, d)
		if i < 0 {
			return nil, false
		}
		b = b[i+1:]
	}
	return first(b, d), true
}

// named reports whether segment i is called name.
func (m *Message) named(i int, name string) bool {
	s := m.segment(i)
	return len(s) >= len(name) && string(s[:len(name)]) == name && (len(s) == len(name) || s[len(name)] == m.header.delims.Field)
}

// find returns the place of the nth segment called name in [from, to), or -1, and how
// many there were up to it.
func (m *Message) find(p place, from, to int) (at, seen int) {
	n := max(p.n, 1)
	for i := from; i < to; i++ {
		if m.named(i, p.name) {
			if seen++; seen == n {
				return i, seen
			}
		}
	}
	return -1, seen
}

// locate returns the place of the segment that p names, or -1.
func (m *Message) locate(p Path) int {
	from, to := 0, m.count()
	if p.parent.name != "" {
		parent, _ := m.find(p.parent, 0, to)
		if parent < 0 {
			return -1
		}
		from = parent + 1
		if next, _ := m.find(place{name: p.parent.name}, from, to); next >= 0 {
			to = next
		}
	}
	at, _ := m.find(p.segment, from, to)
	return at
}

// Lookup returns the value at p, and false when it is absent: when the message doesn't
// go as far as p. A value that is there and empty is returned as such. With a [*] the
// first is taken.
func (m *Message) Lookup(p Path) (Value, bool) {
	if p.segment.name == "" {
		return Value{}, false
	}
	at := m.locate(p)
	if at < 0 {
		return Value{}, false
	}
	return m.lookupIn(m.segment(at), p)
}

func (m *Message) lookupIn(text []byte, p Path) (Value, bool) {
	s := Segment{m, text}
	if p.field == 0 {
		return Value{m, text, false}, true
	}
	b, ok := s.field(p.field)
	if !ok {
		return Value{}, false
	}
	if s.isHeader() && p.field <= 2 {
		return Value{m, b, true}, p.repetition <= 1 && p.component <= 1 && p.subcomponent <= 1
	}
	d := m.header.delims
	if b, ok = part(b, max(p.repetition, 1), d.Repetition); !ok {
		return Value{}, false
	}
	if p.component > 0 {
		if b, ok = part(b, p.component, d.Component); !ok {
			return Value{}, false
		}
	}
	if p.subcomponent > 0 {
		if b, ok = part(b, p.subcomponent, d.Subcomponent); !ok {
			return Value{}, false
		}
	}
	return Value{m, b, false}, true
}

// Get returns the text at p, with its escape sequences resolved, or "" when it is
// absent, empty or the HL7 null. See [Value.Text].
func (m *Message) Get(p Path) string {
	v, ok := m.Lookup(p)
	if !ok || v.IsNull() {
		return ""
	}
	return v.Text()
}

// All yields every value that p names, each with its own path, in the order of the
// message. Without a [*] in p that is one value at most.
func (m *Message) All(p Path) iter.Seq2[Path, string] {
	return func(yield func(Path, string) bool) {
		for parent := range m.matches(p.parent, 0, m.count()) {
			from, to, q := 0, m.count(), p
			if p.parent.name != "" {
				q.parent.n = parent.n
				from = parent.at + 1
				if next, _ := m.find(place{name: p.parent.name}, from, to); next >= 0 {
					to = next
				}
			}
			for segment := range m.matches(p.segment, from, to) {
				q.segment.n = segment.n
				if !m.allIn(segment.at, p, q, yield) {
					return
				}
			}
		}
	}
}

// allIn yields every value of one segment that p names.
func (m *Message) allIn(at int, p, q Path, yield func(Path, string) bool) bool {
	for n := max(p.repetition, 1); ; n++ {
		if p.field > 0 && p.repetition != 0 {
			q.repetition = n
		}
		v, ok := m.lookupIn(m.segment(at), q)
		if !ok {
			// A shorter repetition ends nothing: the next may have what this one lacks.
			outer := q
			outer.component, outer.subcomponent = 0, 0
			if _, more := m.lookupIn(m.segment(at), outer); !more || p.repetition != every {
				return true
			}
			continue
		}
		text := v.Text()
		if v.IsNull() {
			text = ""
		}
		if !yield(q, text) {
			return false
		}
		if p.repetition != every || p.field == 0 {
			return true
		}
	}
}

type match struct{ at, n int }

// matches yields the segments in [from, to) that p names. A place without a name is
// the message itself.
func (m *Message) matches(p place, from, to int) iter.Seq[match] {
	return func(yield func(match) bool) {
		if p.name == "" {
			yield(match{})
			return
		}
		if p.n != every {
			if at, n := m.find(p, from, to); at >= 0 {
				if p.n == 0 {
					n = 0
				}
				yield(match{at, n})
			}
			return
		}
		n := 0
		for i := from; i < to; i++ {
			if m.named(i, p.name) {
				if n++; !yield(match{i, n}) {
					return
				}
			}
		}
	}
}

// A Value is what stands at a place of a message. It refers to the message and is valid
// until that is edited.
type Value struct {
	m       *Message
	raw     []byte
	literal bool // MSH-1 and MSH-2 have no escape sequences
}

// Raw returns the value's bytes as they stand. They must not be changed.
func (v Value) Raw() []byte { return v.raw }

// IsEmpty reports whether nothing stands between the delimiters.
func (v Value) IsEmpty() bool { return len(v.raw) == 0 }

// IsNull reports whether the value is the HL7 null, "": the sender asks to delete what
// the receiver has (HL7 v2.9, chapter 2, 2.5.3).
func (v Value) IsNull() bool { return string(v.raw) == `""` }

// Text returns the value in UTF-8 with its escape sequences resolved. Of a value that
// has components inside, their delimiters are part of the text.
func (v Value) Text() string {
	if v.literal || v.m == nil {
		return string(v.raw)
	}
	if indexDelimiter(v.raw, v.m.header.delims.Escape) < 0 {
		return v.m.charset().decode(v.raw)
	}
	return v.m.charset().decode(appendUnescaped(nil, v.raw, v.m.header.delims))
}
