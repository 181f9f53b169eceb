package standard

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/ladlehq/ladle/hl7"
)

// A check is one validation as it runs over a message.
type check struct {
	validator  *Validator
	dictionary *Dictionary
	exact      bool // the dictionary is that of the message's own version
	structure  *structure
	yield      func(Finding) bool
	stopped    bool
	at         location
	index      int
	variable   string // the type of OBX-5, which OBX-2 states
}

// report makes a finding of a rule that isn't off.
func (c *check) report(r Rule, format string, args ...any) {
	severity := c.validator.severity(r)
	if severity == Off || c.stopped {
		return
	}
	c.stopped = !c.yield(Finding{Path: c.at.String(), Index: c.index, Rule: r, Severity: severity, Text: fmt.Sprintf(format, args...)})
}

// label names the place in a sentence: PID-5.1 (Patient Name / Family Name).
func (c *check) label() string {
	path := c.at.String()
	if d, ok := c.dictionary.describe(c.at, c.variable); ok && d != "" {
		return path + " (" + d + ")"
	}
	return path
}

// segment checks the content of one segment.
func (c *check) segment(segment hl7.Segment) {
	name := c.at.segment
	c.variable = ""
	s := c.dictionary.segments[name]
	if s == nil {
		switch {
		case local(name):
			c.report(SegmentLocal, "%s is a segment of the site's own that no profile describes.", c.at)
		case c.structure == nil && c.exact:
			c.report(SegmentUnexpected, "Version %s has no segment %s.", c.dictionary.version, name)
		}
		return
	}
	n, beyond := 0, 0
	for number, value := range segment.Fields() {
		if c.stopped {
			return
		}
		n = number
		switch {
		case n <= 2 && (name == "MSH" || name == "BHS" || name == "FHS"):
			// The delimiters: without them the message couldn't have been read.
			continue
		case n > len(s.fields):
			if !blank(value) {
				beyond = n
			}
			continue
		case n == 2 && name == "OBX":
			c.variable = string(value.Raw())
		}
		c.field(&s.fields[n-1], value, n)
	}
	if beyond > 0 && c.exact {
		c.at = location{segment: name, occurrence: c.at.occurrence, field: len(s.fields) + 1}
		c.report(FieldUnknown, "%s has %d fields in version %s, and here there are %d.", name, len(s.fields), c.dictionary.version, beyond)
	}
	for n++; n <= len(s.fields) && !c.stopped; n++ {
		c.field(&s.fields[n-1], hl7.Value{}, n)
	}
}

func (c *check) field(f *Field, whole hl7.Value, n int) {
	c.at.field, c.at.repetition, c.at.component, c.at.subcomponent = n, 0, 0, 0
	if blank(whole) {
		if f.Usage == Required {
			c.report(FieldMissing, "%s is required, and is absent or empty.", c.label())
		}
		return
	}
	if f.Usage == Forbidden {
		c.report(FieldForbidden, "%s must not be used here.", c.label())
		return
	}
	if f.Usage == Withdrawn {
		c.report(UseWithdrawn, "%s was withdrawn from the standard by version %s.", c.label(), c.dictionary.version)
		return
	}
	count := 0
	for n, value := range whole.Repetitions() {
		if c.stopped {
			return
		}
		if blank(value) {
			continue
		}
		count = n
		c.at.repetition = n
		c.value(f, value, 0)
	}
	if f.Repeat > 0 && count > f.Repeat {
		c.at.repetition = f.Repeat + 1
		c.at.component, c.at.subcomponent = 0, 0
		c.report(FieldRepeats, "%s may stand %s, and stands %d times.", c.label(), times(f.Repeat), count)
	}
}

// blank reports whether nothing stands in a value, or nothing but delimiters.
func blank(v hl7.Value) bool {
	raw := v.Raw()
	if len(raw) == 0 {
		return true
	}
	if c := raw[0] | 0x20; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
		return false // is no delimiter; what is behind may be very long
	}
	for _, repetition := range v.Repetitions() {
		for _, component := range repetition.Components() {
			for _, subcomponent := range component.Subcomponents() {
				if !subcomponent.IsEmpty() {
					return false
				}
			}
		}
	}
	return true
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// value checks a repetition of a field, a component (depth 1) or a subcomponent (depth 2).
// What is the HL7 null is never checked further.
func (c *check) value(f *Field, v hl7.Value, depth int) {
	if blank(v) || v.IsNull() {
		return
	}
	typ := f.Type
	if typ == "VARIES" {
		typ = c.variable
		if typ == "" || c.at.segment != "OBX" || depth > 0 {
			return
		}
	}
	t := c.dictionary.types[typ]
	if c.dictionary.localIn[c.at.segment] {
		t = c.dictionary.typeAt(c.at.key(), typ)
	}
	if t == nil {
		return
	}
	if len(t.components) == 0 {
		c.primitive(f, typ, v, depth)
		return
	}
	c.composite(f, t, v, depth)
}

func (c *check) composite(f *Field, t *dataType, v hl7.Value, depth int) {
	parts := v.Components()
	switch depth {
	case 1:
		parts = v.Subcomponents()
	case 2:
		// Nothing is left to cut with: the value is the first component.
		parts = func(yield func(int, hl7.Value) bool) { yield(1, v) }
	}
	n, beyond := 0, 0
	for number, part := range parts {
		if c.stopped {
			break
		}
		n = number
		if n > len(t.components) {
			if !blank(part) {
				beyond = n
			}
			continue
		}
		if n == 1 && f.Table != "" && coded(t.name) {
			c.code(f.Table, t.name, part)
		}
		c.component(t, n, part, depth)
	}
	for n++; n <= len(t.components) && depth < 2 && !c.stopped; n++ {
		c.component(t, n, hl7.Value{}, depth)
	}
	c.leave(depth)
	if beyond > 0 && c.exact {
		c.report(ComponentUnknown, "%s is of the type %s, which has %d components in version %s, and here there are %d.", c.label(), t.name, len(t.components), c.dictionary.version, beyond)
	}
}

// leave goes back from a component or subcomponent to what it is part of.
func (c *check) leave(depth int) {
	switch depth {
	case 0:
		c.at.component, c.at.subcomponent = 0, 0
	case 1:
		c.at.subcomponent = 0
	}
}

func (c *check) component(t *dataType, n int, v hl7.Value, depth int) {
	switch depth {
	case 0:
		c.at.component, c.at.subcomponent = n, 0
	case 1:
		c.at.subcomponent = n
	}
	f := &t.components[n-1]
	if blank(v) {
		if f.Usage == Required && depth < 2 {
			c.report(ComponentMissing, "%s is required where its field is valued, and is absent or empty.", c.label())
		}
		return
	}
	if f.Usage == Forbidden {
		c.report(ComponentForbidden, "%s must not be used here.", c.label())
		return
	}
	if f.Usage == Withdrawn {
		c.report(UseWithdrawn, "%s was withdrawn from the standard by version %s.", c.label(), c.dictionary.version)
		return
	}
	if t.name == "TS" && n == 1 && f.Type == "ST" {
		// Before 2.5 the time in a time stamp was described as a string.
		c.format("TS", v)
		return
	}
	c.value(f, v, depth+1)
}

// primitive checks a value that has no components.
func (c *check) primitive(f *Field, typ string, whole hl7.Value, depth int) {
	v := whole
	if depth == 0 {
		v, _ = v.Component(1)
	}
	if depth < 2 {
		v, _ = v.Subcomponent(1)
	}
	if len(v.Raw()) < len(whole.Raw()) && typ != "FT" && typ != "TX" && c.exact {
		c.report(ComponentUnknown, "%s is of the type %s, which has no components, and holds a delimiter; where it is text, the delimiter must be escaped.", c.label(), typ)
	}
	if v.IsEmpty() || v.IsNull() {
		return
	}
	// The length of an ID is that of its codes, and the table decides about these; for OBX-2 up to
	// 2.5.1 the standard itself has a length that is too short for them.
	if c.exact && typ != "ID" && f.Length > 0 && len(v.Raw()) > f.Length && length(v) > f.Length {
		c.report(Length, "%s may have %d characters, and has %d.", c.label(), f.Length, length(v))
	}
	c.format(typ, v)
	if f.Table != "" {
		c.code(f.Table, typ, v)
	}
}

// length counts characters.
func length(v hl7.Value) int { return utf8.RuneCountInString(v.Text()) }

func (c *check) format(typ string, v hl7.Value) {
	is, want, ok := formatOf(typ)
	if ok && !v.IsNull() && (len(v.Raw()) > maxFormatted || !is(string(v.Raw()))) {
		c.report(Format, "%s is of the type %s and can't be read as %s.", c.label(), typ, want)
	}
}

// maxFormatted is longer than any number or time that means something.
const maxFormatted = 200

// coded tells whether the first component of a type is a code of the field's table.
func coded(typ string) bool {
	switch typ {
	case "CE", "CWE", "CNE", "CF":
		return true
	}
	return false
}

// code checks a code against its table. How much a code that isn't there matters depends on who
// made the table: the site itself, the standard (ID and CNE), or the standard as a suggestion.
func (c *check) code(id, typ string, v hl7.Value) {
	if v.IsEmpty() || v.IsNull() {
		return
	}
	t, ok := c.dictionary.Table(id)
	if !ok {
		return
	}
	rule := TableSuggested
	switch {
	case t.t.site:
		rule = TableSite
	case id == versionTable:
		return // MSH-12 has its own rule
	case id == codingSystems || t.UserDefined() || typ != "ID" && typ != "CNE":
	case !c.exact:
		return // a later version may have the code
	default:
		rule = TableCode
	}
	if c.validator.severity(rule) == Off {
		return
	}
	if _, ok := t.Code(v.Text()); ok {
		return
	}
	if id == valueTypes && !t.t.site && c.dictionary.types[string(v.Raw())] != nil {
		return // a data type of an older version, which the table no longer has
	}
	c.report(rule, "%s holds a code that isn't in table %s (%s).", c.label(), t.ID(), t.Description())
}

const (
	versionTable  = "0104"
	valueTypes    = "0125"
	codingSystems = "0396" // open by its own terms: L and 99... stand for local systems, and new ones are registered all the time
)

// misfits reports, for one segment, what the structure has against it.
func (c *check) misfit(m misfit) {
	s := c.structure.name
	name := m.name
	if d := c.dictionary.segments[name]; d != nil && d.text != "" {
		name += " (" + d.text + ")"
	}
	switch m.rule {
	case SegmentMissing:
		if m.group == "" {
			if segmentName(m.name) {
				c.at = location{segment: m.name}
			}
			c.report(m.rule, "%s requires the segment %s, which isn't there.", s, name)
			return
		}
		c.report(m.rule, "The group %s of %s, which begins here, requires the segment %s, which isn't there.", m.group, s, name)
	case SegmentOrder:
		c.report(m.rule, "%s doesn't have the segment %s at this place.", s, name)
	case SegmentUnexpected:
		if !segmentName(m.name) {
			c.report(m.rule, "Segment %d of the message doesn't begin with a name, a capital letter and two capital letters or digits; perhaps a text was torn by a line end.", m.segment+1)
			return
		}
		c.report(m.rule, "%s doesn't have the segment %s.", s, name)
	case SegmentRepeats:
		c.report(m.rule, "%s may have the segment %s or its group only %s at this place.", s, name, times(m.max))
	case SegmentForbidden:
		c.report(m.rule, "The profile forbids the segment %s in %s.", name, s)
	}
}

// sortMisfits puts them in the order of the segments that they are about.
func sortMisfits(misfits []misfit) {
	slices.SortStableFunc(misfits, func(a, b misfit) int { return a.segment - b.segment })
}
