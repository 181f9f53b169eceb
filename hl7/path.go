package hl7

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Path names a place in a message: a segment, a field, a repetition, a component, a
// subcomponent. Everything counts from 1, and what is left out is the first, or the
// whole of what is inside: PID-5 is the first repetition of the field with all its
// components.
//
//	PID-5.1        component 1 of PID-5
//	PID-3[2].4.1   subcomponent 1 of component 4 of the second repetition
//	OBX[3]-5       field 5 of the third OBX
//	OBX[last]-5    of the last one
//	PID-3[*].1     of every repetition: see [Message.All]
//	OBR[2]/OBX-5   of the first OBX behind the second OBR and before the third
//	MSH            the whole segment
//
// PID.5.1, PID-5-1 and OBX(3)-5 mean the same as PID-5.1 and OBX[3]-5. A Path is
// comparable, and its zero value names nothing. Make one with [ParsePath].
type Path struct {
	parent, segment place
	field           int
	repetition      int // 0 is the first; or every, last
	component       int // 0 is the whole
	subcomponent    int // 0 is the whole
}

// A place is a segment's name and number.
type place struct {
	name segmentName
	n    int // 0 is the first; or every, last
}

// A segmentName is the name of a segment. The zero value is none.
type segmentName [3]byte

var (
	none    segmentName
	mshName = segmentName{'M', 'S', 'H'}
)

// String returns the name, or "" where there is none.
func (n segmentName) String() string {
	if n == none {
		return ""
	}
	return string(n[:])
}

// every stands for [*], last for [last].
const (
	every = -1
	last  = -2
)

// maxNumber bounds the numbers in a path, so that a path that is set can't make a
// message of any size.
const maxNumber = 1_000_000

// maxField bounds the fields, components and subcomponents in a path, so that one
// value that is set can't grow a message without bound.
const maxField = 10_000

// ParsePath reads a path in any of its dialects. The error says what is wrong and what
// would be right.
func ParsePath(s string) (Path, error) {
	p, err := parsePath(s)
	if err != nil {
		return Path{}, fmt.Errorf("hl7: %q is no path: %w", s, err)
	}
	return p, nil
}

// MustPath is ParsePath for paths that are written in a program. It panics when s is no
// path.
func MustPath(s string) Path {
	p, err := ParsePath(s)
	if err != nil {
		panic(err)
	}
	return p
}

func parsePath(s string) (p Path, err error) {
	if s == "" {
		return p, errors.New("it is empty: write for example PID-5.1")
	}
	if before, after, found := strings.Cut(s, "/"); found {
		if p.parent, before, err = parseSegment(before); err != nil {
			return p, err
		}
		if before != "" {
			return p, fmt.Errorf("%q before the slash names more than a segment", before)
		}
		s = after
	}
	var rest string
	if p.segment, rest, err = parseSegment(s); err != nil || rest == "" {
		return p, err
	}
	if rest[0] >= '0' && rest[0] <= '9' {
		return p, fmt.Errorf("a dash is missing behind the segment's name: write %v-%s", p.segment.name, rest)
	}
	if rest, err = skipSeparator(rest, "a field's number"); err != nil {
		return p, err
	}
	if p.field, rest, err = parseNumber(rest, "the field", maxField); err != nil {
		return p, err
	}
	if rest != "" && (rest[0] == '[' || rest[0] == '(') {
		if p.repetition, rest, err = parseIndex(rest); err != nil {
			return p, err
		}
	}
	for _, level := range []struct {
		what string
		n    *int
	}{{"the component", &p.component}, {"the subcomponent", &p.subcomponent}} {
		if rest == "" {
			return p, nil
		}
		if rest, err = skipSeparator(rest, level.what+"'s number"); err != nil {
			return p, err
		}
		if *level.n, rest, err = parseNumber(rest, level.what, maxField); err != nil {
			return p, err
		}
	}
	if rest != "" {
		return p, fmt.Errorf("%q follows the subcomponent, and there is nothing inside of that", rest)
	}
	return p, nil
}

func skipSeparator(s, what string) (string, error) {
	if s[0] != '-' && s[0] != '.' {
		return s, fmt.Errorf("%q stands where - or . and %s were expected", s, what)
	}
	return s[1:], nil
}

func parseSegment(s string) (place, string, error) {
	if len(s) < 3 {
		return place{}, s, errors.New("a segment's name has three letters, such as PID")
	}
	name := s[:3]
	if !isSegmentName(name) {
		if upper := strings.ToUpper(name); isSegmentName(upper) {
			return place{}, s, fmt.Errorf("a segment's name is in capital letters: %s", upper)
		}
		return place{}, s, errors.New("a segment's name has three letters or digits, such as PID or PV1")
	}
	p, rest := place{name: segmentName([]byte(name))}, s[3:]
	var err error
	if rest != "" && (rest[0] == '[' || rest[0] == '(') {
		p.n, rest, err = parseIndex(rest)
	}
	return p, rest, err
}

// parseIndex reads [n], (n), [*] or [last].
func parseIndex(s string) (int, string, error) {
	closing := byte(']')
	if s[0] == '(' {
		closing = ')'
	}
	end := strings.IndexByte(s, closing)
	if end < 0 {
		return 0, s, fmt.Errorf("%q has no %c", s, closing)
	}
	switch s[1:end] {
	case "*":
		return every, s[end+1:], nil
	case "last":
		return last, s[end+1:], nil
	}
	n, rest, err := parseNumber(s[1:end], "the number in brackets", maxNumber)
	if err == nil && rest != "" {
		err = fmt.Errorf("%q in brackets is neither a number nor * nor last", s[1:end])
	}
	return n, s[end+1:], err
}

func parseNumber(s, what string, most int) (int, string, error) {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	if end == 0 {
		return 0, s, fmt.Errorf("%s needs a number", what)
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil || n > most {
		return 0, s, fmt.Errorf("%s is over %d", what, most)
	}
	if n == 0 {
		return 0, s, fmt.Errorf("%s is 0: everything counts from 1", what)
	}
	return n, s[end:], nil
}

// String returns the path in its first dialect.
func (p Path) String() string {
	var b strings.Builder
	index := func(n int) {
		switch {
		case n == every:
			b.WriteString("[*]")
		case n == last:
			b.WriteString("[last]")
		case n > 0:
			fmt.Fprintf(&b, "[%d]", n)
		}
	}
	if p.parent.name != none {
		b.WriteString(p.parent.name.String())
		index(p.parent.n)
		b.WriteByte('/')
	}
	b.WriteString(p.segment.name.String())
	index(p.segment.n)
	if p.field > 0 {
		fmt.Fprintf(&b, "-%d", p.field)
		index(p.repetition)
	}
	if p.component > 0 {
		fmt.Fprintf(&b, ".%d", p.component)
	}
	if p.subcomponent > 0 {
		fmt.Fprintf(&b, ".%d", p.subcomponent)
	}
	return b.String()
}

// Segment returns the name of the segment.
func (p Path) Segment() string { return p.segment.name.String() }

// Field returns the field's number, or 0 for the whole segment.
func (p Path) Field() int { return p.field }

// Many reports whether the path has a [*] and so may name many places.
func (p Path) Many() bool {
	return p.parent.n == every || p.segment.n == every || p.repetition == every
}
