package hl7

import (
	"bytes"
	"errors"
	"fmt"
)

// Set puts text at p: delimiters in it are escaped, and what is missing on the way is
// added. Only the bytes of the place itself change. A segment that is missing is added
// at the end, when p names the first or the next of its name.
func (m *Message) Set(p Path, text string) error {
	encoded, err := m.charset().encode(text)
	if err != nil {
		return err
	}
	value, ok := appendEscaped(make([]byte, 0, len(encoded)+16), encoded, m.header.delims)
	if !ok {
		return fmt.Errorf("hl7: %v: the text has a delimiter, and MSH-2 names no escape character to write it with", p)
	}
	return m.set(p, value)
}

// SetRaw puts encoded at p as it is, with the delimiters inside the place. It fails
// when encoded has a delimiter that would end the place, or the end of a segment.
func (m *Message) SetRaw(p Path, encoded []byte) error {
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
	for _, c := range outer {
		if c != 0 && bytes.IndexByte(encoded, c) >= 0 {
			return fmt.Errorf("hl7: %v: the encoded value has a %q, which would end the place it is for", p, c)
		}
	}
	return m.set(p, encoded)
}

// SetNull puts the HL7 null at p, which asks the receiver to delete what it has.
func (m *Message) SetNull(p Path) error { return m.set(p, []byte(`""`)) }

func (m *Message) set(p Path, value []byte) error {
	switch {
	case p.field == 0:
		return fmt.Errorf("hl7: %v names a segment: a value is put into a field", p)
	case p.Many():
		return fmt.Errorf("hl7: %v names many places: a value is put into one", p)
	case p.field <= 2 && (p.segment.name == "MSH" || p.segment.name == "FHS" || p.segment.name == "BHS"):
		return fmt.Errorf("hl7: %v holds the delimiters of the whole message, which can't be set alone", p)
	}
	at, segment := m.locate(p), []byte(p.segment.name)
	if at >= 0 {
		segment = m.segment(at)
	}
	text, err := m.replaced(segment, p, value)
	if err != nil {
		return fmt.Errorf("hl7: %v: %w", p, err)
	}
	if at < 0 {
		if at, err = m.addSegment(p); err != nil {
			return err
		}
	}
	m.edit()
	m.edited[at].text = text
	if at == 0 {
		return m.rereadHeader()
	}
	return nil
}

// rereadHeader follows an edit of the MSH segment.
func (m *Message) rereadHeader() error {
	_, err := m.header.parse(m.edited[0].text)
	return err
}

// edit makes the message ready to be edited.
func (m *Message) edit() {
	if m.edited != nil {
		return
	}
	m.index()
	m.edited = make([]segmentText, len(m.spans), len(m.spans)+1)
	for i, s := range m.spans {
		next := len(m.raw)
		if i+1 < len(m.spans) {
			next = int(m.spans[i+1].start)
		}
		m.edited[i] = segmentText{text: m.raw[s.start:s.end], end: m.raw[s.end:next]}
	}
}

// addSegment adds the segment that p names at the end of the message and returns its
// place.
func (m *Message) addSegment(p Path) (int, error) {
	if p.parent.name != "" {
		return 0, fmt.Errorf("hl7: %v: there is no such segment, and a segment of a group is not added by itself", p)
	}
	if _, seen := m.find(p.segment, 0, m.count()); seen+1 < p.segment.n {
		return 0, fmt.Errorf("hl7: %v: there are only %d segments of that name: the next one to add is %d", p, seen, seen+1)
	}
	m.edit()
	end := []byte("\r")
	if first := m.edited[0].end; len(first) > 0 {
		end = bytes.TrimRight(first, "\r\n")
		end = first[:len(end)+1]
		if bytes.HasPrefix(first, []byte("\r\n")) {
			end = first[:2]
		}
	}
	last := &m.edited[len(m.edited)-1]
	if len(last.end) == 0 {
		last.end = end
	}
	m.edited = append(m.edited, segmentText{text: []byte(p.segment.name), end: end})
	return len(m.edited) - 1, nil
}

// replaced returns segment with value at the place that p names inside of it.
func (m *Message) replaced(segment []byte, p Path, value []byte) ([]byte, error) {
	d := m.header.delims
	field := p.field + 1
	if (Segment{m, segment}).isHeader() {
		field--
	}
	levels := []level{{d.Field, field}, {d.Repetition, max(p.repetition, 1)}}
	if p.component > 0 {
		levels = append(levels, level{d.Component, p.component})
	}
	if p.subcomponent > 0 {
		levels = append(levels, level{d.Subcomponent, p.subcomponent})
	}
	return appendReplaced(make([]byte, 0, len(segment)+len(value)+8), segment, levels, value)
}

// A level is a part between delimiters, by its number from 1.
type level struct {
	delimiter byte
	n         int
}

// appendReplaced appends b with the part that levels name replaced by value.
func appendReplaced(dst, b []byte, levels []level, value []byte) ([]byte, error) {
	if len(levels) == 0 {
		return append(dst, value...), nil
	}
	l := levels[0]
	if l.delimiter == 0 && l.n > 1 {
		return dst, errors.New("MSH-2 names no delimiter for this level")
	}
	for n := 1; n < l.n; n++ {
		i := indexDelimiter(b, l.delimiter)
		if i < 0 {
			dst = append(append(dst, b...), l.delimiter)
			b = nil
			continue
		}
		dst = append(dst, b[:i+1]...)
		b = b[i+1:]
	}
	inner := first(b, l.delimiter)
	dst, err := appendReplaced(dst, inner, levels[1:], value)
	return append(dst, b[len(inner):]...), err
}

// Delete takes away what p names: a segment, or with a number in brackets a repetition.
// Fields and components are known by their place, so these are emptied. It reports
// whether there was anything.
func (m *Message) Delete(p Path) bool {
	at := m.locate(p)
	if at < 0 || p.Many() {
		return false
	}
	if p.field == 0 {
		if at == 0 {
			return false // a message is nothing without its MSH
		}
		m.edit()
		m.edited = append(m.edited[:at], m.edited[at+1:]...)
		return true
	}
	if v, ok := m.Lookup(p); !ok || v.IsEmpty() && p.repetition == 0 {
		return false
	}
	if p.repetition == 0 || p.component > 0 {
		return m.set(p, nil) == nil
	}
	whole := p
	whole.repetition = 0
	field, _ := Segment{m, m.segment(at)}.field(p.field)
	before, ok := part2(field, p.repetition, m.header.delims.Repetition)
	if !ok {
		return false
	}
	text := make([]byte, 0, len(m.segment(at)))
	text, err := appendReplaced(text, m.segment(at), []level{{m.header.delims.Field, p.field + 1 - headerShift(p)}}, before)
	if err != nil {
		return false
	}
	m.edit()
	m.edited[at].text = text
	return true
}

func headerShift(p Path) int {
	if p.segment.name == "MSH" || p.segment.name == "FHS" || p.segment.name == "BHS" {
		return 1
	}
	return 0
}

// part2 returns b without part n and its delimiter.
func part2(b []byte, n int, d byte) ([]byte, bool) {
	parts := bytes.Split(b, []byte{d})
	if d == 0 {
		parts = [][]byte{b}
	}
	if n > len(parts) {
		return nil, false
	}
	return bytes.Join(append(append([][]byte(nil), parts[:n-1]...), parts[n:]...), []byte{d}), true
}
