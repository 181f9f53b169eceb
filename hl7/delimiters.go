package hl7

import (
	"bytes"
	"errors"
	"fmt"
)

// Delimiters are the characters that divide a message, as its MSH-1 and MSH-2 name
// them (HL7 v2.9, chapter 2, 2.5.4). A zero byte stands for a delimiter that the
// message doesn't name: nothing is divided by it.
type Delimiters struct {
	Field, Component, Repetition, Escape, Subcomponent byte
	// Truncation marks a value that was cut (since 2.7).
	Truncation byte
}

// DefaultDelimiters are the ones that HL7 recommends: |^~\&.
func DefaultDelimiters() Delimiters {
	return Delimiters{Field: '|', Component: '^', Repetition: '~', Escape: '\\', Subcomponent: '&'}
}

// encodingCharacters returns MSH-2.
func (d Delimiters) appendEncodingCharacters(dst []byte) []byte {
	for _, c := range []byte{d.Component, d.Repetition, d.Escape, d.Subcomponent, d.Truncation} {
		if c == 0 {
			break
		}
		dst = append(dst, c)
	}
	return dst
}

// msh returns an MSH segment that names the delimiters, or an error when they can't be
// used together.
func (d Delimiters) msh() ([]byte, error) {
	msh := d.appendEncodingCharacters([]byte{'M', 'S', 'H', d.Field})
	read, _, err := readDelimiters(msh, 0)
	if err == nil && read != d {
		err = errors.New("two of them are the same, or one is missing before another")
	}
	if err != nil {
		return nil, fmt.Errorf("hl7: these delimiters can't be used: %w", err)
	}
	return msh, nil
}

// readDelimiters reads MSH-1 and MSH-2 from header, which begins with the name of a
// header segment, and returns where MSH-2 ends. at is the header's offset in the
// message, for errors.
func readDelimiters(header []byte, at int) (d Delimiters, end int, err error) {
	fail := func(offset int, reason string) (Delimiters, int, error) {
		return Delimiters{}, 0, &ParseError{Offset: at + offset, Segment: string(header[:3]), Reason: reason}
	}
	if len(header) < 4 {
		return fail(3, "the field separator is missing: the message ends behind the segment's name")
	}
	d.Field = header[3]
	if !isDelimiter(d.Field) {
		return fail(3, "the field separator must be a punctuation character, such as |")
	}
	end = len(header)
	if i := bytes.IndexByte(header[4:], d.Field); i >= 0 {
		end = 4 + i
	}
	chars := header[4:end]
	if len(chars) > 5 {
		return fail(4, "field 2 must have the encoding characters, such as ^~\\&, and no more than five of them")
	}
	all := [6]byte{d.Field}
	for i, c := range chars {
		if !isDelimiter(c) {
			return fail(4+i, "field 2 must have the encoding characters: punctuation, such as ^~\\&")
		}
		if bytes.IndexByte(all[:i+1], c) >= 0 {
			return fail(4+i, "field 2 names one character for two delimiters")
		}
		all[i+1] = c
	}
	d.Component, d.Repetition, d.Escape, d.Subcomponent, d.Truncation = all[1], all[2], all[3], all[4], all[5]
	return d, end, nil
}

// has reports whether c is one of the delimiters.
func (d Delimiters) has(c byte) bool {
	return c == d.Field || c == d.Component || c == d.Repetition || c == d.Escape || c == d.Subcomponent || c == d.Truncation
}

// isDelimiter reports whether c can be a delimiter: printable, and nothing that names
// and numbers are made of.
func isDelimiter(c byte) bool {
	return c > ' ' && c < 0x7f && !('0' <= c && c <= '9') && !('A' <= c && c <= 'Z') && !('a' <= c && c <= 'z')
}

// level returns the delimiter that divides a field into repetitions (1), a repetition
// into components (2) or a component into subcomponents (3).
func (d Delimiters) level(n int) byte {
	switch n {
	case 1:
		return d.Repetition
	case 2:
		return d.Component
	case 3:
		return d.Subcomponent
	}
	return 0
}
