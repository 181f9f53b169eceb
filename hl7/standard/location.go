package standard

import (
	"fmt"
	"strings"

	"github.com/ladlehq/ladle/hl7"
)

// A location is a place in a message as numbers: a check goes from one to the next, and makes a
// text of it only for a finding.
type location struct {
	segment                                                string
	occurrence, field, repetition, component, subcomponent int
}

// String writes the path as package hl7 does: PID-3[2].4.1, with no number for a first occurrence.
func (l location) String() string {
	var b strings.Builder
	b.WriteString(l.segment)
	if l.occurrence > 1 {
		fmt.Fprintf(&b, "[%d]", l.occurrence)
	}
	if l.field > 0 {
		fmt.Fprintf(&b, "-%d", l.field)
	}
	if l.repetition > 1 {
		fmt.Fprintf(&b, "[%d]", l.repetition)
	}
	if l.component > 0 {
		fmt.Fprintf(&b, ".%d", l.component)
	}
	if l.subcomponent > 0 {
		fmt.Fprintf(&b, ".%d", l.subcomponent)
	}
	return b.String()
}

// key writes the place without occurrences, as a profile names it.
func (l location) key() string {
	l.occurrence, l.repetition = 0, 0
	return l.String()
}

// locationOf takes the place out of a path: without the group before it and occurrences.
func locationOf(p hl7.Path) location {
	l := location{segment: p.Segment(), field: p.Field()}
	text := p.String()
	text = text[strings.IndexByte(text, '/')+1:]
	_, text, _ = strings.Cut(text, "-")
	for i, part := range strings.Split(text, ".") {
		switch i {
		case 1:
			l.component = number(part)
		case 2:
			l.subcomponent = number(part)
		}
	}
	return l
}
