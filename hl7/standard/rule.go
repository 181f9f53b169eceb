package standard

// A Rule is one thing that a validation looks at. Its text is what a profile and a finding call
// it.
type Rule string

// The rules, each with the severity that it has unless a [Profile] says otherwise.
const (
	VersionUnknown     Rule = "version-unknown"     // information: MSH-12 states a version that isn't described, or another than the profile's
	StructureUnknown   Rule = "structure-unknown"   // information: no structure is known for MSH-9, so the segments weren't looked at as a whole
	SegmentMissing     Rule = "segment-missing"     // error: the structure requires a segment
	SegmentOrder       Rule = "segment-order"       // warning: a segment stands where the structure doesn't have it
	SegmentUnexpected  Rule = "segment-unexpected"  // warning: the structure doesn't have the segment at all
	SegmentRepeats     Rule = "segment-repeats"     // warning: a segment or group stands more often than it may
	SegmentForbidden   Rule = "segment-forbidden"   // error: the profile forbids the segment
	SegmentLocal       Rule = "segment-local"       // off: a Z segment that the profile doesn't describe
	FieldMissing       Rule = "field-missing"       // error: a required field is absent or empty
	FieldForbidden     Rule = "field-forbidden"     // error: the profile forbids the field
	FieldRepeats       Rule = "field-repeats"       // warning: a field stands more often than it may
	FieldUnknown       Rule = "field-unknown"       // warning: the segment has more fields than are described
	ComponentMissing   Rule = "component-missing"   // warning: a required component or subcomponent is absent or empty
	ComponentForbidden Rule = "component-forbidden" // error: the profile forbids the component
	ComponentUnknown   Rule = "component-unknown"   // warning: the data type doesn't have so many components
	UseWithdrawn       Rule = "withdrawn"           // information: a field or component is used that the standard has withdrawn
	Length             Rule = "length"              // information: a value is longer than the standard's maximum
	Format             Rule = "format"              // error: a number, date or time can't be read as one
	TableCode          Rule = "table"               // warning: a code isn't in the table that the standard defines
	TableSuggested     Rule = "table-suggested"     // off: a code isn't in a table that the standard only suggests
	TableSite          Rule = "table-site"          // error: a code isn't in a table of the profile
)

// A Severity says how much a finding matters. The zero value is Off.
type Severity uint8

// The severities, from the least.
const (
	Off         Severity = iota // not reported
	Information                 // worth knowing: the message, or what is known of the standard, is at a limit
	Warning                     // not as the standard has it, but receivers are used to it or are told to ignore it
	Error                       // not as the standard or the profile has it, and likely to be misread
)

// String returns "off", "information", "warning" or "error".
func (s Severity) String() string {
	switch s {
	case Off:
		return "off"
	case Information:
		return "information"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return "?"
}

// DefaultSeverity returns the severity that a rule has unless a profile says otherwise, and
// whether there is such a rule.
func DefaultSeverity(r Rule) (Severity, bool) {
	switch r {
	case SegmentLocal, TableSuggested:
		return Off, true
	case VersionUnknown, StructureUnknown, UseWithdrawn, Length:
		return Information, true
	case SegmentOrder, SegmentUnexpected, SegmentRepeats, FieldRepeats, FieldUnknown, ComponentMissing, ComponentUnknown, TableCode:
		return Warning, true
	case SegmentMissing, SegmentForbidden, FieldMissing, FieldForbidden, ComponentForbidden, Format, TableSite:
		return Error, true
	}
	return Off, false
}

// Rules returns all rules. The slice is the caller's.
func Rules() []Rule {
	return []Rule{
		VersionUnknown, StructureUnknown,
		SegmentMissing, SegmentOrder, SegmentUnexpected, SegmentRepeats, SegmentForbidden, SegmentLocal,
		FieldMissing, FieldForbidden, FieldRepeats, FieldUnknown,
		ComponentMissing, ComponentForbidden, ComponentUnknown,
		UseWithdrawn, Length, Format, TableCode, TableSuggested, TableSite,
	}
}
