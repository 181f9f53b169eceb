package standard

import (
	"iter"
	"maps"

	"github.com/ladlehq/ladle/hl7"
)

// A Finding is one thing in a message that isn't as the standard or a profile has it. It holds
// nothing of the message's content.
type Finding struct {
	Path     string // the place, such as "PID-3[2].4.1"; the segment alone where it is about that
	Index    int    // the place of the segment in the message, counted from 0
	Rule     Rule
	Severity Severity
	Text     string // a sentence for people
}

// String returns the severity, path, sentence and rule.
func (f Finding) String() string {
	return f.Severity.String() + " " + f.Path + ": " + f.Text + " [" + string(f.Rule) + "]"
}

// A Validator validates messages against a profile, or, the zero value, each message against the
// version of the standard that it states. It comes from [Profile.Validator] and is safe for
// concurrent use.
type Validator struct {
	dictionary *Dictionary
	rules      map[Rule]Severity
}

// Validator makes the validator of a profile. The error is that of [Profile.Dictionary].
func (p *Profile) Validator() (*Validator, error) {
	d, err := p.Dictionary()
	if err != nil {
		return nil, err
	}
	return &Validator{dictionary: d, rules: maps.Clone(p.Rules)}, nil
}

func (v *Validator) severity(r Rule) Severity {
	if s, ok := v.rules[r]; ok {
		return s
	}
	s, _ := DefaultSeverity(r)
	return s
}

// Validate compares a message with the version of the standard that it states. It is the zero
// [Validator]'s method.
func Validate(m *hl7.Message) iter.Seq[Finding] {
	return (&Validator{}).Validate(m)
}

// Validate yields what in the message isn't as it should be, in the order of the message. It
// works while the caller takes findings, so a caller that has seen enough can stop; the message
// must not be edited meanwhile. The time that it takes grows with the size of the message, and
// nothing in a message makes it fail.
func (v *Validator) Validate(m *hl7.Message) iter.Seq[Finding] {
	return func(yield func(Finding) bool) {
		c := &check{validator: v, yield: yield}
		c.message(m)
	}
}

func (c *check) message(m *hl7.Message) {
	c.version(m.Header().Version())
	var names []string
	var segments []hl7.Segment
	for _, s := range m.Segments() {
		names = append(names, s.Name())
		segments = append(segments, s)
	}
	var misfits []misfit
	if st, ok := c.dictionary.StructureFor(m); ok {
		c.structure = st.s
		_, misfits = match(st.s, names)
		sortMisfits(misfits)
	} else {
		c.at = location{segment: "MSH", field: 9}
		c.report(StructureUnknown, "Version %s has no structure for this message type and trigger event here, so the order and presence of segments weren't checked.", c.dictionary.version)
	}
	occurrences := map[string]int{}
	for i, name := range names {
		if c.stopped {
			return
		}
		known := segmentName(name)
		if !known {
			name = nameless
		}
		occurrences[name]++
		here := location{segment: name, occurrence: occurrences[name]}
		c.index, c.at = i, here
		for len(misfits) > 0 && misfits[0].segment <= i {
			c.misfit(misfits[0])
			misfits = misfits[1:]
			c.at = here
		}
		if known {
			c.segment(segments[i])
		}
	}
}

// nameless stands for the name of a segment that has none. What stands in its place may be text
// that a line end has torn off, so it isn't shown.
const nameless = "???"

// version chooses the dictionary.
func (c *check) version(stated string) {
	c.at = location{segment: "MSH", field: 12}
	d, exact := Version(stated)
	own := c.validator.dictionary
	if own == nil {
		c.dictionary, c.exact = d, exact
		if !exact {
			c.report(VersionUnknown, "The stated version isn't described here; %s stands in for it, and what that doesn't know isn't reported.", d.version)
		}
		return
	}
	c.dictionary, c.exact = own, true // the site's own description holds, whatever the message states
	if !exact || d.version != own.version {
		c.report(VersionUnknown, "The profile is for version %s, and the message states another.", own.version)
	}
}
