package hl7

import (
	"io"
	"iter"
	"math/bits"
	"net"
	"slices"
)

// A Message is one HL7 v2 message. It keeps the bytes that it was parsed from and cuts
// them where it is asked: what isn't changed comes back out byte for byte. A Message is
// not safe for concurrent use.
//
// The zero value is empty; [Message.Parse] fills it and uses its memory again.
type Message struct {
	raw    []byte // as it was parsed, but UTF-8 in place of UTF-16 or UTF-32
	start  uint32 // of MSH in raw
	header Header
	rare   *rare

	asked   bool     // for values
	indexed bool     // spans
	values  *charset // until somebody has asked: that of the message before
	spans   []span   // segments of raw, without their ends; made when they are asked for
	hints   *hints
	patches []patch       // segments that were changed in their place
	edited  []segmentText // in place of raw, spans and patches, since a segment came or went
}

// A rare is what few messages have. It is apart, so that the many take little memory.
type rare struct {
	original    []byte // as it was parsed, where that is not raw
	cut         []byte // raw masked, where the character set wants it; made with spans
	transport   string // the character set that the transport named
	replacement string
	resting     *Cursor // is used again for the next walk
}

var nothingRare rare

// rarely returns what few messages have, for reading.
func (m *Message) rarely() *rare {
	if m.rare == nil {
		return &nothingRare
	}
	return m.rare
}

// makeRare returns it for writing.
func (m *Message) makeRare() *rare {
	if m.rare == nil {
		m.rare = new(rare)
	}
	return m.rare
}

// A patch is a segment that stands in place of another one. A few of them are kept beside
// raw, so that a small edit of a large message stays small.
type patch struct {
	at   int
	text text
}

// maxPatches is how many patches are looked through for a segment.
const maxPatches = 8

// A segmentText is one segment of a message that was edited.
type segmentText struct {
	text text
	end  []byte // what divides it from the next one
}

// Parse reads a message. It keeps raw, which must not change while the message is in
// use. Only the MSH segment is looked into; the rest is cut when it is asked for. A
// message in UTF-16 or UTF-32, by its byte order mark or its first letters, is converted.
// An error is a [*ParseError].
func Parse(raw []byte) (*Message, error) {
	m := new(Message)
	if err := m.Parse(raw); err != nil {
		return nil, err
	}
	return m, nil
}

// New makes a message that has nothing but MSH-1 and MSH-2, to be filled by
// [Message.Set] or [Message.Marshal].
func New(d Delimiters) (*Message, error) {
	msh, err := d.msh()
	if err != nil {
		return nil, err
	}
	return Parse(msh)
}

// Parse reads a message into m, as the function [Parse] does, and uses m's memory
// again. After an error m is empty.
func (m *Message) Parse(raw []byte) error {
	*m = Message{spans: m.spans[:0], patches: m.patches[:0], values: m.values, rare: m.rare}
	if m.rare != nil {
		*m.rare = rare{resting: m.rare.resting}
	}
	body := raw
	w := detectWide(raw)
	if w.size > 0 {
		var err error
		if body, err = w.decode(raw); err != nil {
			return err
		}
	}
	start, err := m.header.parse(body, w)
	if err != nil {
		m.header = Header{}
		return err
	}
	if m.raw, m.start = body, uint32(start); w.size > 0 {
		m.makeRare().original = raw
	}
	return nil
}

// charset returns the character set of the message's values.
func (m *Message) charset() *charset {
	if m.asked {
		return m.values
	}
	m.asked = true
	named := m.header.Field(18)
	switch {
	case m.header.wide.size > 0:
		m.values = &wideCharset
	case m.rarely().transport == "" && len(named) == 0:
		m.values = &utf8Charset
	case m.rarely().transport != "":
		c := charsetOf(m.rare.transport)
		m.values = &c
	case m.values == nil || m.values.name != string(named):
		// A Message that is used again mostly finds the same.
		m.values = m.header.charset()
	}
	return m.values
}

// SetCharacterSet says in which character set the message's values are, against what
// MSH-18 says: a transport that names one is to be believed. The name is one of HL7
// table 0211 or the internet's, such as "8859/1" or "utf-8". It changes how values are
// read and written, and no byte of the message. It reports whether the name is known;
// where it isn't, and for a message in UTF-16 or UTF-32, nothing changes.
func (m *Message) SetCharacterSet(name string) bool {
	c := charsetOf(name)
	if !c.known || m.header.wide.size > 0 || name == "" {
		return c.known && name != ""
	}
	m.makeRare().transport = name
	m.header.recutBy(&c)
	m.recut()
	return true
}

// SetReplacement says what is written in place of a character that the message's
// character set doesn't have, such as "?". The default, "", makes it an error.
func (m *Message) SetReplacement(s string) { m.makeRare().replacement = s }

// recut follows a change of the character set.
func (m *Message) recut() {
	m.asked, m.values = false, nil
	c := m.charset()
	if m.indexed {
		m.mask(c)
	}
	for i, p := range m.patches {
		m.patches[i].text = m.masked(p.text.raw)
	}
	for i, s := range m.edited {
		m.edited[i].text = m.masked(s.text.raw)
	}
}

// masked makes a text of bytes in the message's character set.
func (m *Message) masked(b []byte) text {
	return text{b, m.charset().cut(b, m.header.delims)}
}

// Header returns the message's MSH segment.
func (m *Message) Header() *Header { return &m.header }

// Delimiters returns the message's delimiters.
func (m *Message) Delimiters() Delimiters { return m.header.delims }

// Bytes returns the message's encoding. Without an edit these are the bytes it was
// parsed from; they must not be changed.
func (m *Message) Bytes() []byte {
	if !m.isEdited() {
		return m.asParsed()
	}
	return m.AppendTo(nil)
}

func (m *Message) asParsed() []byte {
	if m.header.wide.size > 0 {
		return m.rare.original
	}
	return m.raw
}

func (m *Message) isEdited() bool { return m.edited != nil || len(m.patches) > 0 }

// AppendTo appends the message's encoding to dst.
func (m *Message) AppendTo(dst []byte) []byte {
	if !m.isEdited() {
		return append(dst, m.asParsed()...)
	}
	size := 0
	for part := range m.parts() {
		size += len(part)
	}
	if cap(dst)-len(dst) < size {
		dst = append(make([]byte, 0, len(dst)+size), dst...)
	}
	began := len(dst)
	for part := range m.parts() {
		dst = append(dst, part...)
	}
	if m.header.wide.size > 0 {
		return m.header.wide.encode(dst[:began], dst[began:])
	}
	return dst
}

// WriteTo writes the message's encoding to w without making a copy of it.
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	if !m.isEdited() || m.header.wide.size > 0 {
		n, err := w.Write(m.Bytes())
		return int64(n), err
	}
	parts := net.Buffers(slices.Collect(m.parts()))
	return parts.WriteTo(w)
}

// parts yields the bytes of an edited message one after another.
func (m *Message) parts() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if m.edited == nil {
			at := 0
			for _, p := range m.patches {
				s := m.spans[p.at]
				if !yield(m.raw[at:s.start]) || !yield(p.text.raw) {
					return
				}
				at = int(s.end)
			}
			yield(m.raw[at:])
			return
		}
		if !yield(m.raw[:m.start]) {
			return
		}
		for _, s := range m.edited {
			if !yield(s.text.raw) || !yield(s.end) {
				return
			}
		}
	}
}

// index finds the segments. Blank lines are none.
func (m *Message) index() {
	if m.indexed {
		return
	}
	m.indexed = true
	m.mask(m.charset())
	if m.spans == nil {
		// More are added when they are needed: a large message may be one document.
		m.spans = make([]span, 0, min(4+(len(m.raw)-int(m.start))/80, 1024))
	}
	// The first segment is known already; what ends it is a line end.
	at := int(m.start)
	from := at + len(m.header.msh)
	spans := m.spans[:cap(m.spans)]
	n := 0
	var ends [maskedBlocks]uint64
	for from < len(m.raw) {
		rest := m.raw[from:]
		blocks := min(len(rest)/blockSize, maskedBlocks)
		if blocks > 0 {
			findLineEnds(rest[:blocks*blockSize], &ends)
		} else {
			var last [blockSize]byte
			copy(last[:], rest)
			findLineEnds(last[:], &ends)
			blocks = 1
		}
		for _, mask := range ends[:blocks] {
			if ends := bits.OnesCount64(mask); len(spans)-n <= ends {
				spans = slices.Grow(spans[:n], ends+1)
				spans = spans[:cap(spans)]
			}
			// Nearly half of the blocks have a line end: which of them, no processor can guess.
			// So one is written in any case, and counted where it is one.
			is := (mask | -mask) >> 63
			for {
				end := from + bits.TrailingZeros64(mask)
				spans[n] = span{uint32(at), uint32(end)}
				n += int(uint64(at-end) >> 63 & is) // a blank line is none
				at += (end + 1 - at) & -int(is)
				if mask &= mask - 1; mask == 0 {
					break
				}
			}
			from += blockSize
		}
	}
	if at < len(m.raw) {
		spans = append(spans[:n], span{uint32(at), uint32(len(m.raw))})
		n++
	}
	m.spans = spans[:n]
}

// mask sees to it that no letter of the character set is taken for a delimiter.
func (m *Message) mask(c *charset) {
	switch {
	case c.masks():
		m.makeRare().cut = c.cut(m.raw, m.header.delims)
	case m.rare != nil:
		m.rare.cut = nil
	}
}

// Len returns the number of segments.
func (m *Message) Len() int {
	if m.edited != nil {
		return len(m.edited)
	}
	m.index()
	return len(m.spans)
}

// segment returns segment i, from 0.
func (m *Message) segment(i int) text {
	if m.edited != nil {
		return m.edited[i].text
	}
	for _, p := range m.patches {
		if p.at == i {
			return p.text
		}
	}
	s := m.spans[i]
	if cut := m.rarely().cut; cut != nil {
		return text{m.raw[s.start:s.end], cut[s.start:s.end]}
	}
	return plain(m.raw[s.start:s.end])
}

// setSegment puts a segment in place of segment i.
func (m *Message) setSegment(i int, t text) {
	if m.edited != nil {
		m.edited[i].text = t
		return
	}
	m.index()
	at, found := slices.BinarySearchFunc(m.patches, i, func(p patch, i int) int { return p.at - i })
	switch {
	case found:
		m.patches[at].text = t
	case len(m.patches) == maxPatches:
		m.edit()
		m.edited[i].text = t
	default:
		m.patches = slices.Insert(m.patches, at, patch{i, t})
	}
}

// Segment returns the segment at place i, from 0. It panics when there is none.
func (m *Message) Segment(i int) Segment {
	m.Len() // which sees to the index
	return Segment{m, m.segment(i)}
}

// Segments yields every segment with its place in the message, from 0. The message may be
// edited meanwhile: what comes next is what stands at the next place then, so that the
// segment behind one that was deleted is passed over.
func (m *Message) Segments() iter.Seq2[int, Segment] {
	return func(yield func(int, Segment) bool) {
		for i := 0; i < m.Len(); i++ {
			if !yield(i, Segment{m, m.segment(i)}) {
				return
			}
		}
	}
}

// named reports whether segment i is called name.
func (m *Message) named(i int, name segmentName) bool {
	var s []byte
	if m.isEdited() || m.rare != nil && m.rare.cut != nil {
		s = m.segment(i).cut
	} else {
		s = m.raw[m.spans[i].start:m.spans[i].end]
	}
	return len(s) >= 3 && segmentName(s) == name && (len(s) == 3 || s[3] == m.header.delims.Field)
}

// A hint is where a search for the nth segment of a name has ended, so that the next one
// goes on from there: reading all of a million OBX one by one takes linear time.
type hint struct {
	name        segmentName
	from, n, at int32
}

// hints are of several names, and of the last group: its parent at, and in n the end.
type hints struct {
	names [4]hint
	group hint
}

func (h *hints) of(name segmentName) *hint { return &h.names[(name[0]*5+name[1]*3+name[2])&3] }

// minHinted is how many segments a search must go over to be worth a hint.
const minHinted = 32

// find returns the place of the segment that p names in [from, to), or -1, and how many
// of its name there were up to it.
func (m *Message) find(p place, from, to int) (at, seen int) {
	if p.n == last {
		for i := to - 1; i >= from; i-- {
			if m.named(i, p.name) {
				return i, last
			}
		}
		return -1, 0
	}
	n, i := max(p.n, 1), from
	var h *hint
	if m.hints != nil {
		h = m.hints.of(p.name)
		if h.name == p.name && int(h.from) == from && int(h.n) <= n && int(h.at) < to {
			i, seen = int(h.at), int(h.n)-1
		}
	}
	for ; i < to; i++ {
		if m.named(i, p.name) {
			if seen++; seen == n {
				if i < from+minHinted {
					return i, seen // is found again as fast
				}
				if h == nil {
					m.hints = new(hints)
					h = m.hints.of(p.name)
				}
				if h != nil {
					*h = hint{p.name, int32(from), int32(n), int32(i)}
				}
				return i, seen
			}
		}
	}
	return -1, seen
}

// group returns the segments behind a parent and before the next one of its name.
func (m *Message) group(parent int, name segmentName) (from, to int) {
	from, to = parent+1, m.Len()
	if m.hints != nil {
		if h := m.hints.group; h.name == name && int(h.at) == parent {
			return from, int(h.n)
		}
	}
	for i := from; i < to; i++ {
		if m.named(i, name) {
			to = i
		}
	}
	if m.hints == nil && to >= from+minHinted {
		m.hints = new(hints)
	}
	if m.hints != nil {
		m.hints.group = hint{name: name, at: int32(parent), n: int32(to)}
	}
	return from, to
}

// Find returns the place of the segment that p names, for [Message.Segment] and
// [Message.InsertSegment], or -1. Of a [*] it is the first.
func (m *Message) Find(p Path) int {
	if p.segment.name == none {
		return -1
	}
	from, to := 0, m.Len()
	if p.parent.name != none {
		parent, _ := m.find(p.parent, 0, to)
		if parent < 0 {
			return -1
		}
		from, to = m.group(parent, p.parent.name)
	}
	at, _ := m.find(p.segment, from, to)
	return at
}

// Lookup returns the value at p, and false when it is absent: when the message doesn't
// go as far as p. A value that is there and empty is returned as such. Component 1 of a
// field without components is the field. With a [*] the first is taken.
func (m *Message) Lookup(p Path) (Value, bool) {
	if p.segment == (place{name: mshName}) && p.parent.name == none && p.field > 2 && !m.charset().masks() {
		// The header knows its fields, and nothing else needs to be cut.
		if p.field-3 < int(m.header.n) {
			return m.lookupInField(plain(m.header.Field(p.field)), p)
		}
	}
	at := m.Find(p)
	if at < 0 {
		return Value{}, false
	}
	return m.lookupIn(m.segment(at), p)
}

func (m *Message) lookupIn(t text, p Path) (Value, bool) {
	if p.field == 0 {
		return Value{m, t, false}, true
	}
	s := Segment{m, t}
	t, ok := s.field(p.field)
	if !ok {
		return Value{}, false
	}
	if p.field <= 2 && s.isHeader() {
		return Value{m, t, true}, p.repetition <= 1 && p.component <= 1 && p.subcomponent <= 1
	}
	return m.lookupInField(t, p)
}

func (m *Message) lookupInField(t text, p Path) (_ Value, ok bool) {
	d := m.header.delims
	n := max(p.repetition, 1)
	if p.repetition == last {
		n = t.parts(d.Repetition)
	}
	if t, ok = t.part(n, d.Repetition); !ok {
		return Value{}, false
	}
	if p.component > 0 {
		if t, ok = t.part(p.component, d.Component); !ok {
			return Value{}, false
		}
	}
	if p.subcomponent > 0 {
		if t, ok = t.part(p.subcomponent, d.Subcomponent); !ok {
			return Value{}, false
		}
	}
	return Value{m, t, false}, true
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

// All yields every text that p names, each with its own path, in the order of the
// message. Without a [*] in p that is one at most. See [Message.Get]. The message may be
// edited meanwhile, as [Message.Segments] says; a path that was yielded before a segment
// was deleted may name another one then.
func (m *Message) All(p Path) iter.Seq2[Path, string] {
	return func(yield func(Path, string) bool) {
		for q, v := range m.LookupAll(p) {
			text := ""
			if !v.IsNull() {
				text = v.Text()
			}
			if !yield(q, text) {
				return
			}
		}
	}
}

// LookupAll yields every value that p names and that isn't absent, as [Message.All] does.
func (m *Message) LookupAll(p Path) iter.Seq2[Path, Value] {
	return func(yield func(Path, Value) bool) {
		for at, q := range m.findAll(p) {
			if !m.allIn(at, p, q, yield) {
				return
			}
		}
	}
}

// findAll yields the places of all segments that p names, with p as it names that one.
func (m *Message) findAll(p Path) iter.Seq2[int, Path] {
	return func(yield func(int, Path) bool) {
		if p.segment.name == none {
			return
		}
		q := p
		for parent := range m.matches(p.parent, 0, m.Len()) {
			from, to := 0, m.Len()
			if p.parent.name != none {
				q.parent.n = parent.n
				from, to = m.group(parent.at, p.parent.name)
			}
			for segment := range m.matches(p.segment, from, to) {
				q.segment.n = segment.n
				if !yield(segment.at, q) {
					return
				}
			}
		}
	}
}

// allIn yields every value of one segment that p names.
func (m *Message) allIn(at int, p, q Path, yield func(Path, Value) bool) bool {
	if p.repetition != every {
		v, ok := m.lookupIn(m.segment(at), q)
		return !ok || yield(q, v)
	}
	s := m.Segment(at)
	t, ok := s.field(p.field)
	if !ok {
		return true
	}
	literal := p.field <= 2 && s.isHeader()
	for n, v := range (Value{m, t, literal}).Repetitions() {
		q.repetition = n
		// A shorter repetition ends nothing: the next may have what this one lacks.
		for level, part := range []int{p.component, p.subcomponent} {
			if part > 0 && ok {
				v, ok = v.part(part, 2+level)
			}
		}
		if ok && !yield(q, v) {
			return false
		}
		ok = true
	}
	return true
}

type match struct{ at, n int }

// matches yields the segments in [from, to) that p names. A place without a name is
// the message itself.
func (m *Message) matches(p place, from, to int) iter.Seq[match] {
	return func(yield func(match) bool) {
		if p.name == none {
			yield(match{})
			return
		}
		if p.n != every {
			if at, _ := m.find(p, from, to); at >= 0 {
				yield(match{at, p.n})
			}
			return
		}
		n := 0
		for i := from; i < min(to, m.Len()); i++ { // one may have been deleted
			if m.named(i, p.name) {
				if n++; !yield(match{i, n}) {
					return
				}
			}
		}
	}
}
