package hl7

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// SetValue copies a value, with the structure inside of it, to p: from another place or
// from another message, whose delimiters and character set may be others. It fails when
// the value has parts that p has no room for, or characters that m's character set
// doesn't have (but see [Message.SetReplacement]).
func (m *Message) SetValue(p Path, v Value) error {
	if v.m == nil || v.literal {
		return m.Set(p, string(v.text.raw))
	}
	t := transcoder{from: v.m, delims: m.header.delims, charset: m.charset(), replacement: m.rarely().replacement}
	encoded, err := t.append(nil, v.text)
	if err != nil {
		return fmt.Errorf("hl7: %v: %w", p, err)
	}
	return m.SetRaw(p, encoded)
}

// An Encoding is a way to write a message.
type Encoding struct {
	// Delimiters are the message's new delimiters. The zero value keeps those it has.
	Delimiters Delimiters
	// CharacterSet is a name of HL7 table 0211, such as "UNICODE UTF-8"; it becomes
	// MSH-18. "UNICODE UTF-16" is written with the high byte first, behind a byte order
	// mark. "" keeps the character set and MSH-18.
	CharacterSet string
	// Replacement stands in place of characters that the character set doesn't have. The
	// default, "", makes them an error.
	Replacement string
}

// Reencode writes the whole message in other delimiters or another character set. What
// the values say stays the same: escape sequences are written anew. After an error the
// message is as it was.
func (m *Message) Reencode(e Encoding) error {
	t := transcoder{from: m, delims: e.Delimiters, charset: m.charset(), replacement: e.Replacement, fields: true}
	if t.delims == (Delimiters{}) {
		t.delims = m.header.delims
	}
	msh, err := t.delims.msh()
	if err != nil {
		return err
	}
	form := m.header.wide
	var names []string
	if e.CharacterSet != "" {
		if names = []string{e.CharacterSet}; t.delims.Repetition != 0 {
			names = strings.Split(e.CharacterSet, string(t.delims.Repetition))
		}
		named := charsetOf(names...)
		if !named.known {
			return fmt.Errorf("hl7: the character set %q is unknown", e.CharacterSet)
		}
		t.charset, form = &named, wide{}
		switch plainName(e.CharacterSet) {
		case "unicodeutf16", "utf16":
			form = wide{size: 2, mark: true}
		case "unicodeutf32", "utf32":
			form = wide{size: 4, mark: true}
		}
	}
	edited := make([]segmentText, m.Len())
	if len(edited) == 0 {
		return errors.New("hl7: there is no message")
	}
	for i := range edited {
		from := m.segment(i)
		var out []byte
		if i == 0 {
			if out, err = t.header(msh, Segment{m, from}, names); err != nil {
				return fmt.Errorf("hl7: segment 1: %w", err)
			}
			from = text{}
		}
		out, err := t.append(out, from)
		if err != nil {
			return fmt.Errorf("hl7: segment %d: %w", i+1, err)
		}
		edited[i] = segmentText{text: plain(out), end: m.ends(i)}
	}
	again := Message{raw: m.raw, start: m.start, edited: edited}
	again.SetReplacement(m.rarely().replacement)
	if m.header.wide.size == 0 && form.size > 0 {
		again.start = 0 // what stood before MSH is not of the new form
	}
	if _, err := again.header.parse(edited[0].text.raw, form); err != nil {
		return err
	}
	if e.CharacterSet == "" {
		again.rare.transport = m.rarely().transport
	}
	again.recut()
	*m = again
	return nil
}

// ends returns what divides segment i from the next one.
func (m *Message) ends(i int) []byte {
	if m.edited != nil {
		return m.edited[i].end
	}
	next := len(m.raw)
	if i+1 < len(m.spans) {
		next = int(m.spans[i+1].start)
	}
	return m.raw[m.spans[i].end:next]
}

// A transcoder writes what stands in one message as another one has it.
type transcoder struct {
	from        *Message
	delims      Delimiters
	charset     *charset
	replacement string
	fields      bool // fields are inside of what is written, too
	anew        bool // what would stay as it is is written anew, too
}

// header appends the fields of MSH behind MSH-2, with the names of character sets, if
// there are any, as MSH-18.
func (c *transcoder) header(dst []byte, msh Segment, names []string) (_ []byte, err error) {
	last := 2
	for n, f := range msh.Fields() {
		if n <= 2 {
			continue
		}
		dst, last = append(dst, c.delims.Field), n
		if n == 18 && names != nil {
			dst, err = c.names(dst, names)
		} else {
			dst, err = c.append(dst, f.text)
		}
		if err != nil {
			return nil, err
		}
	}
	if names == nil || last >= 18 {
		return dst, nil
	}
	for ; last < 18; last++ {
		dst = append(dst, c.delims.Field)
	}
	return c.names(dst, names)
}

func (c *transcoder) names(dst []byte, names []string) (_ []byte, err error) {
	for i, name := range names {
		if i > 0 {
			dst = append(dst, c.delims.Repetition)
		}
		if dst, err = c.write(dst, name); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// append appends t.
func (c *transcoder) append(dst []byte, t text) ([]byte, error) {
	from, to := c.from.header.delims, c.delims
	pairs := [][2]byte{{from.Repetition, to.Repetition}, {from.Component, to.Component}, {from.Subcomponent, to.Subcomponent}}
	if c.fields {
		pairs = append(pairs, [2]byte{from.Field, to.Field})
	}
	begin := 0
	for i, b := range t.cut {
		for _, pair := range pairs {
			if b != pair[0] || b == 0 {
				continue
			}
			if pair[1] == 0 {
				return nil, fmt.Errorf("there is a %q, and the new delimiters have none for it", b)
			}
			var err error
			if dst, err = c.leaf(dst, t.slice(begin, i)); err != nil {
				return nil, err
			}
			dst = append(dst, pair[1])
			begin = i + 1
			break
		}
	}
	return c.leaf(dst, t.slice(begin, len(t.raw)))
}

// leaf appends a text that has no parts.
func (c *transcoder) leaf(dst []byte, t text) ([]byte, error) {
	set := c.from.charset()
	same := c.charset.name == set.name && c.charset.known == set.known && !c.anew
	if c.from.header.delims == c.delims && same || string(t.raw) == `""` {
		return append(dst, t.raw...), nil
	}
	began := len(dst)
	dst, err := c.pieces(dst, t, set, same)
	if err == nil && string(dst[began:]) == `""` {
		// What wasn't the null must not become it.
		var ok bool
		if dst, ok = appendEscaped(dst[:began], `""`, c.delims, false); !ok {
			err = errNoEscape
		}
	}
	return dst, err
}

// pieces appends the texts and escape sequences of a leaf.
func (c *transcoder) pieces(dst []byte, t text, set *charset, same bool) (_ []byte, err error) {
	from := c.from.header.delims
	stays := func(sequence []byte) bool {
		_, ok := appendSequence(nil, sequence, from)
		return !ok || sequence[0] == '.' || sequence[0] == 'X' && same
	}
	for text, sequence := range set.pieces(t, from, stays) {
		if dst, err = c.write(dst, text); err != nil || sequence == nil {
			return dst, err
		}
		if c.delims.Escape == 0 {
			return dst, errNoEscape
		}
		if bytes.ContainsFunc(sequence, func(r rune) bool { return r < utf8.RuneSelf && c.delims.has(byte(r)) }) {
			return dst, errors.New("there is an escape sequence with a character inside that would be a delimiter")
		}
		dst = append(append(append(dst, c.delims.Escape), sequence...), c.delims.Escape)
	}
	return dst, nil
}

// cutSequence returns the first escape sequence of t that means something, without its
// escape characters, and what is before and behind it. A nil sequence is none.
func cutSequence(t text, d Delimiters) (before text, sequence []byte, rest text) {
	for at := 0; ; {
		i := indexDelimiter(t.cut[at:], d.Escape)
		if i < 0 {
			return t, nil, text{}
		}
		at += i + 1
		end := indexDelimiter(t.cut[at:], d.Escape)
		if end < 0 {
			return t, nil, text{}
		}
		sequence := t.raw[at : at+end]
		_, resolved := appendSequence(nil, sequence, d)
		if _, _, formats := formatCommand(string(sequence)); resolved || formats {
			return t.slice(0, at-1), sequence, t.slice(at+end+1, len(t.raw))
		}
		at += end // the escape character there may begin a sequence
	}
}

var errNoEscape = errors.New("there is an escape sequence or a delimiter in a text, and no escape character to write it with")

// write appends a text escaped and encoded.
func (c *transcoder) write(dst []byte, text string) ([]byte, error) {
	if text == `""` {
		return append(dst, text...), nil // is a part of a text, or seen to by leaf
	}
	escaped, ok := appendEscaped(make([]byte, 0, len(text)), text, c.delims, c.charset.sets != nil)
	if !ok {
		return nil, errNoEscape
	}
	encoded, err := c.charset.encode(string(escaped), c.delims.escaped(c.replacement))
	if err != nil {
		return nil, err
	}
	return append(dst, encoded...), nil
}
