package standard

import (
	"strings"

	"github.com/ladlehq/ladle/hl7"
)

// Describe says what a path means: "Patient Name / Family Name" for PID-5.1, "Patient
// Identification" for PID. Where another field decides about the type of the field, as OBX-2
// does for OBX-5, components have no names; [Dictionary.DescribeIn] looks into a message for it.
// It returns false for a place that this version doesn't have.
func (d *Dictionary) Describe(p hl7.Path) (string, bool) {
	return d.describe(locationOf(p), "")
}

// DescribeIn is [Dictionary.Describe] for a place in a message. There a component of OBX-5 is
// described by the type that its OBX-2 states. The message isn't changed.
func (d *Dictionary) DescribeIn(m *hl7.Message, p hl7.Path) (string, bool) {
	l, variable := locationOf(p), ""
	if l.segment == "OBX" && l.field == 5 && l.component > 0 {
		segment, _, _ := strings.Cut(p.String(), "-")
		if q, err := hl7.ParsePath(segment + "-2"); err == nil && !q.Many() {
			variable = m.Get(q)
		}
	}
	return d.describe(l, variable)
}

// describe names a place. Where the type of a field varies, it is that of the argument.
func (d *Dictionary) describe(l location, variable string) (string, bool) {
	s := d.segments[l.segment]
	if s == nil {
		return "", false
	}
	if l.field == 0 {
		return s.text, true
	}
	if l.field < 0 || l.field > len(s.fields) {
		return "", false
	}
	f := &s.fields[l.field-1]
	names := []string{f.Name}
	at := location{segment: l.segment, field: l.field}
	for _, n := range []int{l.component, l.subcomponent} {
		if n == 0 {
			break
		}
		typ := f.Type
		if typ == "VARIES" {
			typ = variable
		}
		t := d.typeAt(at.key(), typ)
		if t == nil || n > len(t.components) {
			return "", false
		}
		f = &t.components[n-1]
		names = append(names, f.Name)
		if at.component == 0 {
			at.component = n
		}
	}
	return strings.Join(names, " / "), true
}
