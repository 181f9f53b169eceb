package hl7

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Set puts text at p: delimiters in it are escaped, and what is missing on the way is
// added. Only the bytes of the place itself change. A segment that is missing is added
// at the end of the message or, for a path such as OBR[2]/OBX[3]-5, of the group, when p
// names the first or the next of its name.
func (m *Message) Set(p Path, text string) error {
	value, err := m.encoded(p, text)
	if err != nil {
		return err
	}
	return m.set(p, value, replace)
}

// SetRaw puts encoded at p as it is, with the delimiters inside the place: several
// repetitions, at a path without a number for one, take the place of all that are there.
// It fails when encoded has a delimiter that would end the place, or the end of a segment.
func (m *Message) SetRaw(p Path, encoded []byte) error {
	if err := m.fits(p, encoded); err != nil {
		return err
	}
	if p.field > 0 && p.repetition == 0 && p.component == 0 && indexDelimiter(m.masked(encoded).cut, m.header.delims.Repetition) >= 0 {
		return m.set(p, encoded, replaceAll)
	}
	return m.set(p, encoded, replace)
}

// SetNull puts the HL7 null at p, which asks the receiver to delete what it has.
func (m *Message) SetNull(p Path) error { return m.set(p, []byte(`""`), replace) }

// Insert puts text at p and moves what stands there, and all behind it, one place on:
// the repetition PID-3[2], the component PID-5.2, the subcomponent PID-3.4.1 or the field
// PID-3. To insert a segment, see [Message.InsertSegment].
func (m *Message) Insert(p Path, text string) error {
	value, err := m.encoded(p, text)
	if err != nil {
		return err
	}
	return m.set(p, value, insert)
}

// Append puts text behind the last part of what p names: a repetition behind those of
// PID-3, a component behind those of PID-3[1] or a subcomponent behind those of PID-3.4.
// It returns the path of the new part. Where nothing stands at p yet, that is the first.
func (m *Message) Append(p Path, text string) (Path, error) {
	if p.field == 0 || p.Many() || p.subcomponent > 0 {
		return p, fmt.Errorf("hl7: %v: a part is appended to a field, a repetition or a component", p)
	}
	p = m.fixed(p)
	v, ok := m.Lookup(p)
	level, n := 1, &p.repetition
	switch {
	case p.component > 0:
		level, n = 3, &p.subcomponent
	case p.repetition > 0:
		level, n = 2, &p.component
	default:
		// Lookup gives the first repetition; all of them are wanted.
		if ok {
			v, _ = Segment{m, m.segment(m.Find(p))}.Field(p.field)
		}
	}
	*n = 1
	if ok && !v.IsEmpty() {
		*n = 1 + v.text.parts(v.delimiter(level))
	}
	return p, m.Set(p, text)
}

// fixed returns p with the number that [last] stands for now.
func (m *Message) fixed(p Path) Path {
	if p.repetition != last {
		return p
	}
	p.repetition = 1
	if at := m.Find(p); at >= 0 {
		if f, ok := (Segment{m, m.segment(at)}).field(p.field); ok {
			p.repetition = f.parts(m.header.delims.Repetition)
		}
	}
	return p
}

// encoded returns text as it stands in the message.
func (m *Message) encoded(p Path, text string) ([]byte, error) {
	c := m.charset()
	escaped, ok := appendEscaped(make([]byte, 0, len(text)+16), text, m.header.delims, c.sets != nil)
	if !ok {
		return nil, fmt.Errorf("hl7: %v: the text has a delimiter, and MSH-2 names no escape character to write it with", p)
	}
	if c.known && isPlain(escaped) {
		return escaped, nil
	}
	return c.encode(string(escaped), m.header.delims.escaped(m.rarely().replacement))
}

// fits reports whether encoded can stand at p.
func (m *Message) fits(p Path, encoded []byte) error {
	d := m.header.delims
	outer := []byte{'\r', '\n', 0x0b, 0x1c, d.Field}
	if p.repetition != 0 || p.component > 0 {
		outer = append(outer, d.Repetition)
	}
	if p.component > 0 {
		outer = append(outer, d.Component)
	}
	if p.subcomponent > 0 {
		outer = append(outer, d.Subcomponent)
	}
	// Two delimiters, because the letters of a shift that was left open have
	// two bytes.
	t := m.masked(append(bytes.Clone(encoded), d.Field, d.Field))
	if last := len(encoded); t.cut[last] != d.Field || t.cut[last+1] != d.Field {
		return fmt.Errorf("hl7: %v: the encoded value ends in the middle of a letter, or in another character set than it began", p)
	}
	t = t.slice(0, len(encoded))
	for _, c := range outer {
		if indexDelimiter(t.cut, c) >= 0 {
			return fmt.Errorf("hl7: %v: the encoded value has a %q, which would end the place it is for", p, c)
		}
	}
	return nil
}

// An operation is what is done at a place.
type operation int

const (
	replace    operation = iota
	replaceAll           // repetitions of a field
	insert               // moves what stands there on
	remove               // lets what stands behind move up
)

// set does op with value at the one place that p names.
func (m *Message) set(p Path, value []byte, op operation) error {
	switch {
	case p.field == 0:
		return fmt.Errorf("hl7: %v names a segment: a value is put into a field", p)
	case p.Many():
		return fmt.Errorf("hl7: %v names many places: a value is put into one", p)
	case p.field <= 2 && p.segment.name.isHeader():
		return fmt.Errorf("hl7: %v holds the delimiters of the whole message, which can't be set alone: see Reencode", p)
	}
	p = m.fixed(p)
	at := m.Find(p)
	if at >= 0 {
		return m.setIn(at, p, value, op)
	}
	t, err := m.spliced(plain([]byte(p.segment.name.String())), p, value, op)
	if err != nil {
		return err
	}
	if at, err = m.placeFor(p); err != nil {
		return err
	}
	m.insertSegment(at, t)
	return nil
}

// setIn is set in the segment at a place.
func (m *Message) setIn(at int, p Path, value []byte, op operation) error {
	t, err := m.spliced(m.segment(at), p, value, op)
	if err != nil {
		return err
	}
	m.setSegment(at, m.masked(t))
	if at == 0 {
		m.rereadHeader()
	}
	return nil
}

// rereadHeader follows an edit of the MSH segment. That has no fault: its delimiters
// aren't edited.
func (m *Message) rereadHeader() {
	if _, err := m.header.parse(m.segment(0).raw, m.header.wide); err != nil {
		panic(err)
	}
	if m.rarely().transport == "" && m.header.wide.size == 0 && m.charset().name != string(m.header.Field(18)) {
		m.recut()
	} else if m.rarely().transport != "" {
		m.header.recutBy(m.charset())
	}
}

// edit makes the message ready for segments to come and go.
func (m *Message) edit() {
	if m.edited != nil {
		return
	}
	m.index()
	edited := make([]segmentText, len(m.spans), len(m.spans)+1)
	for i, s := range m.spans {
		next := len(m.raw)
		if i+1 < len(m.spans) {
			next = int(m.spans[i+1].start)
		}
		edited[i] = segmentText{text: m.segment(i), end: m.raw[s.end:next]}
	}
	m.edited, m.patches = edited, m.patches[:0]
}

// placeFor returns the place of the segment that is missing at p.
func (m *Message) placeFor(p Path) (int, error) {
	if endsMessage(p.segment.name) {
		return 0, fmt.Errorf("hl7: %v: another segment %v inside of a message would end it", p, p.segment.name)
	}
	from, to, end := 0, m.Len(), m.Len()
	if p.parent.name != none {
		parent, _ := m.find(p.parent, 0, to)
		if parent < 0 {
			return 0, fmt.Errorf("hl7: %v: there is no such %v", p, p.parent.name)
		}
		from, to = m.group(parent, p.parent.name)
		end = m.groupEnd(parent, to)
	}
	_, seen := m.find(place{name: p.segment.name, n: maxNumber + 1}, from, to)
	if p.segment.n > 0 && seen+1 < p.segment.n {
		return 0, fmt.Errorf("hl7: %v: there are only %d segments of that name: the next one to add is %d", p, seen, seen+1)
	}
	if p.parent.name != none && seen > 0 {
		// Behind the last of its name, because what follows may not be of the group.
		at, _ := m.find(place{name: p.segment.name, n: last}, from, to)
		return at + 1, nil
	}
	return end, nil
}

// groupEnd returns where a segment is added to those that belong to the one at a place and
// end at to. The next one of its name ends them, but what is right before that may belong
// to it already: what stands before the first of the name, too, or an ORC.
func (m *Message) groupEnd(at, to int) int {
	name := m.Segment(at).named()
	if to == m.Len() || m.Segment(to).named() != name {
		return to
	}
	end := to
	first := 0
	for first < at && !m.named(first, name) {
		first++
	}
	for before := first - 1; before > 0 && end-1 > at && m.Segment(before).named() == m.Segment(end-1).named(); before-- {
		end--
	}
	if order := (segmentName{'O', 'R', 'C'}); end == to && name != order && end-1 > at && m.Segment(end-1).named() == order {
		end--
	}
	return end
}

// InsertSegment puts a segment, as it is encoded in this message, before the one at
// place at; at [Message.Len] it goes to the end. A message begins with its MSH, so the
// first place is 1. See [Message.Find] for the place of a path.
func (m *Message) InsertSegment(at int, encoded []byte) error {
	name := string(first(encoded, m.header.delims.Field))
	switch {
	case at < 1 || at > m.Len():
		return fmt.Errorf("hl7: a segment can't be put at place %d: there are %d", at, m.Len())
	case !isSegmentName(name):
		return errors.New("hl7: a segment begins with its name of three capital letters or digits")
	case endsMessage(segmentName([]byte(name))):
		return fmt.Errorf("hl7: a segment %s inside of a message would end it", name)
	case bytes.ContainsAny(encoded, "\r\n\x0b\x1c"):
		return errors.New("hl7: the segment has a line end or a frame's end inside")
	}
	m.insertSegment(at, bytes.Clone(encoded))
	return nil
}

// AppendSegment puts a segment, as it is encoded in this message, to the end. See
// [Message.InsertSegment].
func (m *Message) AppendSegment(encoded []byte) error { return m.InsertSegment(m.Len(), encoded) }

// endsMessage reports whether a segment of that name begins something else.
func endsMessage(name segmentName) bool {
	return name.isHeader() || name == segmentName{'B', 'T', 'S'} || name == segmentName{'F', 'T', 'S'}
}

func isSegmentName[T string | []byte](name T) bool {
	if len(name) != 3 {
		return false
	}
	for i := range 3 {
		if c := name[i]; !(c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return true
}

func (m *Message) insertSegment(at int, encoded []byte) {
	m.edit()
	end := []byte("\r")
	if first := m.edited[0].end; bytes.HasPrefix(first, []byte("\r\n")) {
		end = first[:2]
	} else if len(first) > 0 {
		end = first[:1]
	}
	if before := &m.edited[at-1]; len(before.end) == 0 {
		before.end = end
	}
	m.edited = append(m.edited, segmentText{})
	copy(m.edited[at+1:], m.edited[at:])
	m.edited[at] = segmentText{text: m.masked(encoded), end: end}
	if m.hints != nil && at == len(m.edited)-1 {
		m.hints.group = hint{} // what is before the end is where it was
	} else {
		m.hints = nil
	}
}

// spliced returns segment t with op done at the place that p names inside of it.
func (m *Message) spliced(t text, p Path, value []byte, op operation) ([]byte, error) {
	d := m.header.delims
	field := p.field + 1
	if (Segment{m, t}).isHeader() {
		field--
	}
	levels := []level{{d.Field, field}}
	if op == replaceAll {
		op = replace
	} else if op == replace || p.repetition > 0 || p.component > 0 {
		levels = append(levels, level{d.Repetition, max(p.repetition, 1)})
	}
	if p.component > 0 {
		levels = append(levels, level{d.Component, p.component})
	}
	if p.subcomponent > 0 {
		if p.component == 0 {
			levels = append(levels, level{d.Component, 1})
		}
		levels = append(levels, level{d.Subcomponent, p.subcomponent})
	}
	out, err := splice(make([]byte, 0, len(t.raw)+len(value)+8), t, levels, value, op)
	if err != nil {
		return nil, fmt.Errorf("hl7: %v: %w", p, err)
	}
	return out, nil
}

// A level is a part between delimiters, by its number from 1.
type level struct {
	delimiter byte
	n         int
}

// splice appends t with op done at the part that levels name.
func splice(dst []byte, t text, levels []level, value []byte, op operation) ([]byte, error) {
	l, last := levels[0], len(levels) == 1
	if l.delimiter == 0 && (l.n > 1 || last && op == insert && len(t.raw) > 0) {
		return dst, errors.New("MSH-2 names no delimiter for this level")
	}
	there := true // the part
	for n := 1; n < l.n; n++ {
		head, rest, more := t.next(l.delimiter)
		dst = append(append(dst, head.raw...), l.delimiter)
		t, there = rest, more
	}
	inner, rest, more := t.next(l.delimiter)
	switch {
	case !last:
		var err error
		if dst, err = splice(dst, inner, levels[1:], value, op); err != nil {
			return dst, err
		}
	case op == insert && there && (len(t.raw) > 0 || l.n > 1):
		return append(append(append(dst, value...), l.delimiter), t.raw...), nil
	case op == remove && more:
		return append(dst, rest.raw...), nil
	case op == remove && l.n > 1:
		return dst[:len(dst)-1], nil
	case op == remove:
	default:
		dst = append(dst, value...)
	}
	if more {
		dst = append(append(dst, l.delimiter), rest.raw...)
	}
	return dst, nil
}

// Delete takes away what p names: a segment, or with a number in brackets a repetition;
// what stands behind it moves up. Fields and components are known by their place, so
// these are emptied; see [Message.Remove]. With a [*] all that p names go. It reports
// whether there was anything. The MSH segment and its first two fields stay.
func (m *Message) Delete(p Path) bool {
	if p.field == 0 {
		return m.deleteSegments(p)
	}
	return m.deleteIn(p, p.repetition != 0 && p.component == 0)
}

// Remove takes away the field, component or subcomponent at p and lets those behind it
// move up: it undoes [Message.Insert]. With a [*] it does so in every place that p names.
// It reports whether there was anything.
func (m *Message) Remove(p Path) bool {
	if p.field == 0 {
		return m.deleteSegments(p)
	}
	return m.deleteIn(p, true)
}

func (m *Message) deleteSegments(p Path) bool {
	places := make(map[int]bool)
	for at := range m.findAll(p) {
		if at > 0 { // a message is nothing without its MSH
			places[at] = true
		}
	}
	if len(places) == 0 {
		return false
	}
	m.edit()
	kept := m.edited[:0]
	for i, s := range m.edited {
		if !places[i] {
			kept = append(kept, s)
		}
	}
	clear(m.edited[len(kept):])
	m.edited = kept
	m.hints = nil
	return true
}

// deleteIn empties or removes what p names inside of segments.
func (m *Message) deleteIn(p Path, removes bool) bool {
	if p.field <= 2 && p.segment.name.isHeader() {
		return false
	}
	type found struct {
		at int
		p  Path
	}
	var all []found
	for at, q := range m.findAll(p) {
		switch {
		case p.repetition == last:
			q = m.fixed(q)
		case p.repetition == every && p.component == 0:
			q.repetition = 0 // the field with all of them
			if f, ok := (Segment{m, m.segment(at)}).field(p.field); ok && len(f.raw) > 0 {
				all = append(all, found{at, q})
			}
			continue
		}
		m.allIn(at, p, q, func(_ Path, v Value) bool {
			if removes || !v.IsEmpty() {
				all = append(all, found{at, q})
				return false // once for each segment
			}
			return true
		})
	}
	for _, f := range all {
		var err error
		switch {
		case p.repetition == every:
			// One pass over the field, which may repeat very often. What takes the place of the
			// field itself is nothing.
			var value, t []byte
			if p.component > 0 {
				whole, _ := Segment{m, m.segment(f.at)}.field(p.field)
				value, err = m.withoutPart(whole, p, removes)
			}
			if err == nil {
				t, err = m.withField(m.segment(f.at), p.field, value)
			}
			if err == nil {
				m.setSegment(f.at, m.masked(t))
				if f.at == 0 {
					m.rereadHeader()
				}
			}
		case removes:
			err = m.setIn(f.at, f.p, nil, remove)
		default:
			err = m.setIn(f.at, f.p, nil, replace)
		}
		if err != nil {
			return false
		}
	}
	return len(all) > 0
}

// withoutPart returns field f without the component or subcomponent p in each repetition
// that has it.
func (m *Message) withoutPart(f text, p Path, removes bool) (out []byte, err error) {
	d, op := m.header.delims, replace
	if removes {
		op = remove
	}
	levels := []level{{d.Component, p.component}}
	if p.subcomponent > 0 {
		levels = append(levels, level{d.Subcomponent, p.subcomponent})
	}
	out = make([]byte, 0, len(f.raw))
	for rest, more := f, true; more; {
		var head text
		head, rest, more = rest.next(d.Repetition)
		part, ok := head.part(p.component, d.Component)
		if ok && p.subcomponent > 0 {
			_, ok = part.part(p.subcomponent, d.Subcomponent)
		}
		if !ok {
			out = append(out, head.raw...)
		} else if out, err = splice(out, head, levels, nil, op); err != nil {
			return nil, err
		}
		if more {
			out = append(out, d.Repetition)
		}
	}
	return out, nil
}

// withField returns segment t with value in place of a whole field.
func (m *Message) withField(t text, field int, value []byte) ([]byte, error) {
	n := field + 1
	if (Segment{m, t}).isHeader() {
		n--
	}
	return splice(make([]byte, 0, len(t.raw)), t, []level{{m.header.delims.Field, n}}, value, replace)
}

// Renumber puts 1, 2, 3 and so on into the set ids (field 1) of all segments of p's name.
// With a group, as in OBR[*]/OBX, it begins again in each. A field in p stands for field
// 1. It returns how many there were.
func (m *Message) Renumber(p Path) (int, error) {
	if p.field == 0 {
		p.field = 1
	}
	p.segment.n = every
	if p.parent.name != none && p.parent.n == 0 {
		p.parent.n = every
	}
	type found struct{ at, n int }
	var all []found
	for at, q := range m.findAll(p) {
		all = append(all, found{at, q.segment.n})
	}
	if p.field <= 2 && p.segment.name.isHeader() {
		return 0, fmt.Errorf("hl7: %v is no set id", p)
	}
	p.segment.n, p.parent = 0, place{}
	for _, f := range all {
		if err := m.setIn(f.at, p, strconv.AppendInt(nil, int64(f.n), 10), replace); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}
