package v2xml

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ladlehq/ladle/hl7"
)

const (
	// maxDepth bounds groups in each other.
	maxDepth = 64
	// maxNumber bounds the number in a name.
	maxNumber = 10_000
	// maxGrowth bounds the delimiters that numbers ask for, by the size of the document.
	maxGrowth = 8
)

// Unmarshal reads a message from XML. Its delimiters are those of MSH.1 and MSH.2, or the
// usual ones where these are missing, and its character set is that of MSH.18: an error
// where that doesn't hold all characters. An error says in which element and at which
// byte of the document the fault is, and nothing of the content.
func Unmarshal(document []byte) (*hl7.Message, error) {
	r := reader{d: xml.NewDecoder(bytes.NewReader(document)), room: maxGrowth*len(document) + 1000}
	if err := r.message(); err != nil {
		return nil, fmt.Errorf("v2xml: at byte %d: %w", r.d.InputOffset(), err)
	}
	m, err := r.build()
	if err != nil {
		return nil, fmt.Errorf("v2xml: %w", err)
	}
	return m, nil
}

type reader struct {
	d        *xml.Decoder
	room     int
	segments []segment
}

type segment struct {
	name   string
	fields []element // repetitions of a field have the same number
}

// An element is a repetition of a field, a component or a subcomponent.
type element struct {
	number int
	parts  []element
	pieces []hl7.Piece
}

func (r *reader) message() error {
	for {
		token, err := r.token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := r.group(0); err != nil {
				return err
			}
			return r.end()
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errors.New("there is text before the root element")
			}
		}
	}
}

// end sees to it that nothing follows the root.
func (r *reader) end() error {
	for {
		token, err := r.token()
		if err == errEnd {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			return errors.New("there is a second root element")
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errors.New("there is text behind the root element")
			}
		}
	}
}

var errEnd = errors.New("the document ends too early")

// token returns the next token. An error has nothing of the document in its text, as those
// of package xml may.
func (r *reader) token() (xml.Token, error) {
	token, err := r.d.Token()
	if err == nil {
		return token, nil
	}
	if err == io.EOF {
		return nil, errEnd
	}
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return nil, fmt.Errorf("line %d is not well-formed XML in UTF-8", syntax.Line)
	}
	return nil, errors.New("the document is not XML 1.0 in UTF-8")
}

// group reads the root or a group: segments and groups.
func (r *reader) group(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("there are more than %d groups in each other", maxDepth)
	}
	for {
		token, err := r.token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := r.child(t.Name.Local, depth); err != nil {
				return err
			}
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errors.New("there is text between segments")
			}
		case xml.EndElement:
			return nil
		}
	}
}

// child reads a segment or a group inside of a group.
func (r *reader) child(name string, depth int) error {
	if _, err := hl7.ParsePath(name); err == nil && len(name) == 3 {
		return r.segment(name)
	}
	if _, ok := number(name); ok {
		return errors.New("an element stands where a segment or a group was expected")
	}
	return r.group(depth + 1)
}

// number returns the number behind the last point of an element's name.
func number(name string) (int, bool) {
	i := strings.LastIndexByte(name, '.')
	n, err := strconv.Atoi(name[i+1:])
	return n, i > 0 && err == nil && n >= 1 && n <= maxNumber
}

func (r *reader) segment(name string) error {
	e, err := r.element(0)
	if err != nil {
		return err
	}
	r.segments = append(r.segments, segment{name, e.parts})
	return nil
}

// element reads what is in a segment (level 0), a field (1), a component (2) or a
// subcomponent (3).
func (r *reader) element(level int) (e element, err error) {
	last := 0
	for {
		token, err := r.token()
		if err != nil {
			return e, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local == "escape" {
				piece, err := r.escape(t)
				if err != nil {
					return e, err
				}
				e.pieces = append(e.pieces, piece)
				continue
			}
			n, ok := number(t.Name.Local)
			if !ok {
				return e, errors.New("the name of an element inside of a segment ends with a point and a number of its place")
			}
			if level == 3 {
				return e, errors.New("a subcomponent has no parts")
			}
			part, err := r.element(level + 1)
			if err != nil {
				return e, err
			}
			if n < last || n == last && level > 0 {
				return e, fmt.Errorf("number %d stands behind number %d", n, last)
			}
			if r.room -= n - last + 1; r.room < 0 {
				return e, errors.New("the numbers of the elements ask for too many delimiters")
			}
			last, part.number = n, n
			e.parts = append(e.parts, part)
		case xml.CharData:
			e.pieces = append(e.pieces, hl7.Piece{Text: string(t)})
		case xml.EndElement:
			if len(e.parts) == 0 && level > 0 {
				return e, nil
			}
			// White space between elements means nothing.
			for _, piece := range e.pieces {
				if piece.Sequence != "" || strings.TrimSpace(piece.Text) != "" {
					return e, errors.New("there is text beside elements")
				}
			}
			e.pieces = nil
			return e, nil
		}
	}
}

// escape reads an escape element, which has no content.
func (r *reader) escape(start xml.StartElement) (hl7.Piece, error) {
	var p hl7.Piece
	for _, a := range start.Attr {
		if a.Name.Local == "V" {
			p.Sequence = a.Value
		}
	}
	token, err := r.token()
	if err != nil {
		return p, err
	}
	if _, ok := token.(xml.EndElement); !ok || p.Sequence == "" {
		return p, errors.New("an escape element has its sequence in the attribute V, and no content")
	}
	return p, nil
}

func (r *reader) build() (*hl7.Message, error) {
	if len(r.segments) == 0 || r.segments[0].name != "MSH" {
		return nil, errors.New("the first segment must be MSH")
	}
	d, err := r.delimiters()
	if err != nil {
		return nil, err
	}
	empty, err := hl7.New(d)
	if err != nil {
		return nil, err
	}
	b := builder{delims: empty.Delimiters(), out: empty.Bytes()}
	for i, s := range r.segments {
		switch {
		case i > 0 && endsMessage(s.name):
			return nil, fmt.Errorf("segment %d is another header, or the end of a batch", i+1)
		case i > 0:
			b.out = append(b.out, s.name...)
			err = b.segment(s.fields, 0)
		default:
			for len(s.fields) > 0 && s.fields[0].number <= 2 {
				s.fields = s.fields[1:]
			}
			err = b.segment(s.fields, 2)
		}
		if err != nil {
			return nil, fmt.Errorf("segment %d, %s: %w", i+1, s.name, err)
		}
		b.out = append(b.out, '\r')
	}
	m, err := hl7.Parse(b.out)
	if err != nil {
		return nil, err
	}
	f, ok := m.Segment(0).Field(18)
	first := m.Header().CharacterSet()
	if !ok || f.IsEmpty() || first != "" && !m.SetCharacterSet(first) {
		return m, nil // a name that nobody knows leaves it in UTF-8
	}
	m.SetCharacterSet("utf-8") // so far
	if err := m.Reencode(hl7.Encoding{CharacterSet: string(f.Raw())}); err != nil {
		return nil, err
	}
	return hl7.Parse(m.Bytes())
}

// delimiters returns those that the first segment names.
func (r *reader) delimiters() (hl7.Delimiters, error) {
	d, named := hl7.DefaultDelimiters(), false
	text := func(e element) (s string) {
		for _, p := range e.pieces {
			s += p.Text
		}
		return s
	}
	for _, f := range r.segments[0].fields {
		switch s := text(f); {
		case f.number == 1 && len(s) > 1:
			return d, errors.New("MSH.1 must have one character")
		case f.number == 1 && len(s) == 1:
			d.Field = s[0]
		case f.number == 2 && len(s) > 5:
			return d, errors.New("MSH.2 must have no more than five characters")
		case f.number == 2 && len(s) > 0:
			d.Component, d.Repetition, d.Escape, d.Subcomponent = 0, 0, 0, 0
			named = true
			for i, c := range []*byte{&d.Component, &d.Repetition, &d.Escape, &d.Subcomponent, &d.Truncation} {
				if i < len(s) {
					*c = s[i]
				}
			}
		}
	}
	if !named && strings.IndexByte("^~\\&", d.Field) >= 0 {
		return hl7.Delimiters{Field: d.Field}, nil
	}
	return d, nil
}

type builder struct {
	delims hl7.Delimiters
	out    []byte
}

// segment appends fields behind that of number last.
func (b *builder) segment(fields []element, last int) error {
	for i, f := range fields {
		switch {
		case i > 0 && f.number == last && b.delims.Repetition == 0:
			return errors.New("a field repeats, and there is no delimiter for that")
		case i > 0 && f.number == last:
			b.out = append(b.out, b.delims.Repetition)
		default:
			b.fill(b.delims.Field, f.number-last)
			last = f.number
		}
		if err := b.value(f, b.delims.Component); err != nil {
			return fmt.Errorf("field %d: %w", f.number, err)
		}
	}
	return nil
}

func (b *builder) fill(delimiter byte, n int) {
	for range n {
		b.out = append(b.out, delimiter)
	}
}

func (b *builder) value(e element, delimiter byte) error {
	last := 1
	for _, part := range e.parts {
		if part.number > 1 && delimiter == 0 {
			return errors.New("there are parts, and there is no delimiter for them")
		}
		b.fill(delimiter, part.number-last)
		last = part.number
		inner := byte(0)
		if delimiter == b.delims.Component {
			inner = b.delims.Subcomponent
		}
		if err := b.value(part, inner); err != nil {
			return err
		}
	}
	if len(e.pieces) == 1 && e.pieces[0].Text == `""` {
		b.out = append(b.out, `""`...) // the HL7 null
		return nil
	}
	for _, piece := range e.pieces {
		if s := piece.Sequence; s != "" {
			if octets, ok := b.octets(s); ok {
				b.out = append(b.out, octets...)
				continue
			}
			if b.delims.Escape == 0 || !b.isSequence(s) {
				return errors.New("an escape sequence can't be written")
			}
			b.out = append(append(append(b.out, b.delims.Escape), s...), b.delims.Escape)
			continue
		}
		if piece.Text == `""` && len(e.pieces) > 1 {
			b.out = append(b.out, piece.Text...) // a part of a text is no null
			continue
		}
		var err error
		if b.out, err = b.delims.AppendEscaped(b.out, piece.Text); err != nil {
			return err
		}
	}
	return nil
}

// octets returns what a hexadecimal sequence stands for in a message that has no escape
// character to write it with, when that divides nothing.
func (b *builder) octets(s string) ([]byte, bool) {
	if b.delims.Escape != 0 || s[0] != 'X' {
		return nil, false
	}
	octets, err := hex.DecodeString(s[1:])
	for _, c := range []byte{'\r', '\n', b.delims.Field, b.delims.Component, b.delims.Repetition, b.delims.Subcomponent} {
		if c != 0 && bytes.IndexByte(octets, c) >= 0 {
			return nil, false
		}
	}
	return octets, err == nil
}

// isSequence reports whether s can stand between two escape characters.
func (b *builder) isSequence(s string) bool {
	for _, c := range []byte(s) {
		switch c {
		case b.delims.Field, b.delims.Component, b.delims.Repetition, b.delims.Escape, b.delims.Subcomponent:
			return false
		}
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}
