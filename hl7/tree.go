package hl7

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShown is how much of a value a tree shows: an embedded document is of no use there.
const maxShown = 200

// WriteTree writes the message for people to read: a line for each segment and, below,
// one for each value with its path and what describe says about it. describe may be nil;
// package standard has one: see its DescribeIn. Control characters are shown as symbols,
// and long values by their beginning and size.
func (m *Message) WriteTree(w io.Writer, describe func(Path) string) error {
	b := bufio.NewWriter(w)
	if describe == nil {
		describe = func(Path) string { return "" }
	}
	line := func(indent string, p fmt.Stringer, about, text string) {
		fmt.Fprintf(b, "%s%v", indent, p)
		for _, s := range []string{about, text} {
			if s != "" {
				b.WriteString("  " + s)
			}
		}
		b.WriteByte('\n')
	}
	segment := -1
	for c := m.Walk(); c.Next(); {
		p := c.Path()
		if c.Segment() != segment {
			for segment++; segment < c.Segment(); segment++ {
				line("", m.Segment(segment).named(), "", "") // has no values
			}
			if p.field > 0 {
				line("", Path{segment: p.segment}, describe(Path{segment: p.segment}), "")
			}
		}
		about := describe(p)
		if about != "" && p.field > 0 {
			about += ":"
		}
		if p.field == 0 {
			line("", p, about, shown(c.Value().Text()))
		} else {
			line("  ", p, about, shown(c.Value().Text()))
		}
	}
	for segment++; segment < m.Len(); segment++ {
		line("", m.Segment(segment).named(), "", "")
	}
	return b.Flush()
}

// shown returns a text as it can stand in a line.
func shown(s string) string {
	size := len(s)
	if size > maxShown {
		cut := maxShown
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r < 0x20:
			return '␀' + r
		case r == 0x7f:
			return '␡'
		case !unicode.IsGraphic(r) && r != ' ':
			return '\ufffd'
		}
		return r
	}, s)
	if size > maxShown {
		return fmt.Sprintf("%s… (%d bytes)", s, size)
	}
	return s
}
