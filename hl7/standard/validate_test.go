package standard_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/standard"
)

const (
	header = "MSH|^~\\&|A|B|C|D|20260131120000||ORU^R01^ORU_R01|1|P|2.5.1"
	admit  = "MSH|^~\\&|A|B|C|D|20260131120000||ADT^A01^ADT_A01|1|P|2.5.1"
	event  = "EVN||20260131120000"
	person = "PID|||123^^^A^MR||Family^Given"
	visit  = "PV1||I"
	order  = "OBR|1|||GLU^Glucose^L"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		segments []string
		want     []string
	}{
		{"nothing wrong", []string{admit, event, person, visit}, nil},
		{"nothing wrong in a result", []string{header, person, order, "OBX|1|NM|GLU^Glucose^L||-1.5|mmol/L|||||F", "ZZZ|x"}, nil},

		{"a segment is missing", []string{admit, person, visit},
			[]string{"error EVN: ADT_A01 requires the segment EVN (Event Type), which isn't there. [segment-missing]"}},
		{"a group's segment is missing", []string{header, person, order, person},
			[]string{"error PID[2]: The group PATIENT_RESULT of ORU_R01, which begins here, requires the segment OBR (Observation Request), which isn't there. [segment-missing]"}},
		{"order", []string{admit, event, person, visit, "NK1|1"},
			[]string{"warning NK1: ADT_A01 doesn't have the segment NK1 (Next of Kin / Associated Parties) at this place. [segment-order]"}},
		{"unexpected", []string{admit, event, person, visit, "SPM|1"},
			[]string{"warning SPM: ADT_A01 doesn't have the segment SPM (Specimen). [segment-unexpected]", "error SPM-4: SPM-4 (Specimen Type) is required, and is absent or empty. [field-missing]"}},
		{"no such segment", []string{admit, event, person, visit, "QQQ|1"},
			[]string{"warning QQQ: ADT_A01 doesn't have the segment QQQ. [segment-unexpected]"}},
		{"too often", []string{admit, event, event, person, visit},
			[]string{"warning EVN[2]: ADT_A01 may have the segment EVN (Event Type) or its group only once at this place. [segment-repeats]"}},

		{"a required field is absent", []string{admit, event, "PID|||123^^^A^MR", visit},
			[]string{"error PID-5: PID-5 (Patient Name) is required, and is absent or empty. [field-missing]"}},
		{"a required field is empty", []string{admit, event, "PID|||||Family^Given||19600101", visit},
			[]string{"error PID-3: PID-3 (Patient Identifier List) is required, and is absent or empty. [field-missing]"}},
		{"a required field of delimiters", []string{admit, event, "PID|||^^^&&^~^||~^&|", visit}, []string{
			"error PID-3: PID-3 (Patient Identifier List) is required, and is absent or empty. [field-missing]",
			"error PID-5: PID-5 (Patient Name) is required, and is absent or empty. [field-missing]"}},
		{"a required component of delimiters", []string{strings.Replace(admit, "2.5.1", "2.7", 1), event, "PID|||123^^^A^&~^^^||Family", visit},
			[]string{"warning PID-3.5: PID-3.5 (Patient Identifier List / Identifier Type Code) is required where its field is valued, and is absent or empty. [component-missing]"}},
		{"delimiters too many", []string{admit, event + "||||||||^~&", "PID|||123^^^A&&&&^MR^^^^^^^^^&||F||19600101~", visit}, nil},
		{"the null is a value", []string{admit, event, `PID|||""||""||""`, visit}, nil},
		{"repeats", []string{admit, event, person + "||19600101~19600102", visit},
			[]string{"warning PID-7[2]: PID-7[2] (Date/Time of Birth) may stand once, and stands 2 times. [field-repeats]"}},
		{"too many fields", []string{admit, event + "||||||||x", person, visit},
			[]string{"warning EVN-8: EVN has 7 fields in version 2.5.1, and here there are 10. [field-unknown]"}},
		{"empty fields too many", []string{admit, event + "||||||||||||", person, visit}, nil},

		{"a required component", []string{strings.Replace(admit, "2.5.1", "2.7", 1), event, "PID|||123^^^A||Family", visit},
			[]string{"warning PID-3.5: PID-3.5 (Patient Identifier List / Identifier Type Code) is required where its field is valued, and is absent or empty. [component-missing]"}},
		{"too many components", []string{admit, event, "PID|||123^^^A^MR||F^^^^^^^^^^^^^^x", visit},
			[]string{"warning PID-5: PID-5 (Patient Name) is of the type XPN, which has 14 components in version 2.5.1, and here there are 15. [component-unknown]"}},
		{"too many subcomponents", []string{admit, event, "PID|||123^^^A&1.2&ISO&x^MR||F", visit},
			[]string{"warning PID-3.4: PID-3.4 (Patient Identifier List / Assigning Authority) is of the type HD, which has 3 components in version 2.5.1, and here there are 4. [component-unknown]"}},
		{"an unescaped ampersand", []string{header, person, order, "OBX|1|ST|X^Y^L||black & white||||||F"},
			[]string{"warning OBX-5: OBX-5 (Observation Value) is of the type ST, which has no components, and holds a delimiter; where it is text, the delimiter must be escaped. [component-unknown]"}},

		{"a date of birth", []string{admit, event, person + "||1960-01-01", visit},
			[]string{"error PID-7.1: PID-7.1 (Date/Time of Birth / Time) is of the type DTM and can't be read as a date and time as YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]] with an optional zone +/-ZZZZ. [format]"}},
		{"a number in OBX-5", []string{header, person, order, "OBX|1|NM|X^Y^L||<5||||||F"},
			[]string{"error OBX-5: OBX-5 (Observation Value) is of the type NM and can't be read as a number such as 12 or -3.5. [format]"}},
		{"a component of OBX-5", []string{header, person, order, "OBX|1|CX|X^Y^L||1^^^A^MR^^2026013||||||F"},
			[]string{"error OBX-5.7: OBX-5.7 (Observation Value / Effective Date) is of the type DT and can't be read as a date as YYYY, YYYYMM or YYYYMMDD. [format]"}},
		{"the second repetition", []string{header, person, order, "OBX|1|NM|X^Y^L||5~x||||||F"},
			[]string{"error OBX-5[2]: OBX-5[2] (Observation Value) is of the type NM and can't be read as a number such as 12 or -3.5. [format]"}},
		{"a type that isn't one", []string{header, person, order, "OBX|1|QQ|X^Y^L||5~x||||||F"},
			[]string{"warning OBX-2: OBX-2 (Value Type) holds a code that isn't in table 0125 (Value type). [table]"}},
		{"a type of an older version", []string{header, person, order, "OBX|1|CE|X^Y^L||A^B^L||||||F"}, nil},

		{"a code of the standard's", []string{header, person, order, "OBX|1|ST|X^Y^L||5||||||Q"},
			[]string{"warning OBX-11: OBX-11 (Observation Result Status) holds a code that isn't in table 0085 (Observation result status codes interpretation). [table]"}},
		{"a code that is only suggested", []string{admit, event, person + "|||Q", visit}, nil},
		{"a local coding system", []string{header, person, "OBR|1|||GLU^Glucose^99LOCAL"}, nil},

		{"length", []string{strings.Replace(admit, "|1|P", "|123456789012345678901|P", 1), event, person, visit},
			[]string{"information MSH-10: MSH-10 (Message Control ID) may have 20 characters, and has 21. [length]"}},
		{"an escape is one character", []string{strings.Replace(admit, "|1|P", `|1234567890123456789\T\|P`, 1), event, person, visit}, nil},
		{"characters aren't bytes", []string{strings.Replace(admit, "|1|P", `|ÄÖÜäöüÄÖÜäöüÄÖÜäöüß|P`, 1), event, person, visit}, nil},

		{"a version that isn't described", []string{strings.Replace(admit, "2.5.1", "2.8", 1), event, person + "||||||||||||||||||||||||||||||||||||||x^y", visit},
			[]string{"information MSH-12: The stated version isn't described here; 2.7.1 stands in for it, and what that doesn't know isn't reported. [version-unknown]"}},
		{"withdrawn", []string{strings.Replace(admit, "2.5.1", "2.7", 1), event, "PID||9|123^^^A^MR||Family", visit},
			[]string{"information PID-2: PID-2 (Patient ID) was withdrawn from the standard by version 2.7. [withdrawn]"}},
		{"a message that isn't known", []string{strings.Replace(admit, "ADT^A01^ADT_A01", "ZZZ^Z01", 1), "QQQ|1"}, []string{
			"information MSH-9: Version 2.5.1 has no structure for this message type and trigger event here, so the order and presence of segments weren't checked. [structure-unknown]",
			"warning MSH-9.1: MSH-9.1 (Message Type / Message Code) holds a code that isn't in table 0076 (Message type). [table]",
			"warning MSH-9.2: MSH-9.2 (Message Type / Trigger Event) holds a code that isn't in table 0003 (Event type). [table]",
			"warning QQQ: Version 2.5.1 has no segment QQQ. [segment-unexpected]",
		}},
		{"other delimiters", []string{"MSH*:~\\&*A*B*C*D*20260131120000**ADT:A01:ADT_A01*1*P*2.5.1", "EVN**20260131120000", "PID***123:::A:MR**Family:Given**x", "PV1**I"},
			[]string{"error PID-7.1: PID-7.1 (Date/Time of Birth / Time) is of the type DTM and can't be read as a date and time as YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]] with an optional zone +/-ZZZZ. [format]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := findings(t, &standard.Validator{}, test.segments...)
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func parse(t *testing.T, segments ...string) *hl7.Message {
	t.Helper()
	m, err := hl7.Parse([]byte(strings.Join(segments, "\r")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func findings(t *testing.T, v *standard.Validator, segments ...string) []string {
	t.Helper()
	var texts []string
	for f := range v.Validate(parse(t, segments...)) {
		texts = append(texts, f.String())
	}
	return texts
}

func TestValidateProfile(t *testing.T) {
	t.Parallel()
	p := &standard.Profile{
		Version: "2.5.1",
		Segments: map[string]standard.SegmentProfile{
			"ZLB": {Description: "Laboratory, local", Fields: map[int]standard.FieldProfile{
				1: {Name: "Ward", Type: "ST", Usage: new(standard.Required), Repeat: new(1), Length: new(3), Table: new("WARD")},
				3: {Name: "Since", Type: "DT"},
			}},
			"PV1": {Fields: map[int]standard.FieldProfile{53: {Name: "Own", Type: "NM"}}},
		},
		Fields: map[string]standard.FieldProfile{
			"PID-3.4":   {Usage: new(standard.Required)},
			"PID-3.4.1": {Table: new("WARD")},
			"PID-19":    {Usage: new(standard.Forbidden)},
			"PID-5.2":   {Usage: new(standard.Forbidden)},
			"PID-8":     {Table: new("0001"), Usage: new(standard.Required)},
			"OBR-4":     {Usage: new(standard.Optional), Table: new("WARD")},
		},
		Tables: map[string]standard.TableProfile{
			"0001": {Codes: map[string]string{"F": "Female", "M": "Male"}},
			"WARD": {Description: "Wards", Codes: map[string]string{"A1": "", "B2": ""}},
		},
		Messages: map[string]standard.MessageProfile{
			"ORU_R01": {Segments: map[string]standard.PlaceProfile{
				"ZLB": {After: "PID", Usage: new(standard.Required), Repeat: new(1)},
				"PV1": {Usage: new(standard.Forbidden)},
			}},
			"ORU_Z01": {Like: "ORU_R01", Segments: map[string]standard.PlaceProfile{"SFT": {Usage: new(standard.Required)}}},
			"*":       {Segments: map[string]standard.PlaceProfile{"DSC": {Usage: new(standard.Forbidden)}}},
		},
		Rules: map[standard.Rule]standard.Severity{standard.SegmentOrder: standard.Error, standard.FieldRepeats: standard.Off, standard.SegmentLocal: standard.Warning},
	}
	v, err := p.Validator()
	if err != nil {
		t.Fatal(err)
	}
	p.Rules[standard.SegmentLocal] = standard.Off // the validator has its own copy
	ours, local := "PID|||1^^^A1^MR||Family|||F", "ZLB|A1||20260131"
	for _, test := range []struct {
		name     string
		segments []string
		want     []string
	}{
		{"nothing wrong", []string{header, ours, local, "OBR|1|||A1"}, nil},
		{"a segment of the site's own is missing", []string{header, ours, order[:len("OBR|1|||")]},
			[]string{"error PID: The group PATIENT of ORU_R01, which begins here, requires the segment ZLB (Laboratory, local), which isn't there. [segment-missing]"}},
		{"its content", []string{header, ours, "ZLB|C3xx||2026013", "OBR|1"}, []string{
			"information ZLB-1: ZLB-1 (Ward) may have 3 characters, and has 4. [length]",
			"error ZLB-1: ZLB-1 (Ward) holds a code that isn't in table WARD (Wards). [table-site]",
			"error ZLB-3: ZLB-3 (Since) is of the type DT and can't be read as a date as YYYY, YYYYMM or YYYYMMDD. [format]",
		}},
		{"its place", []string{header, ours, "OBR|1", local}, []string{
			"error ZLB: ORU_R01 doesn't have the segment ZLB (Laboratory, local) at this place. [segment-order]"}},
		{"a forbidden segment", []string{header, ours, local, "PV1||I", "OBR|1", "DSC|1"}, []string{
			"error PV1: The profile forbids the segment PV1 (Patient Visit) in ORU_R01. [segment-forbidden]",
			"error DSC: The profile forbids the segment DSC (Continuation Pointer) in ORU_R01. [segment-forbidden]",
		}},
		{"fields and components", []string{header, "PID|||1^^^C3^MR~2||F^G|||U|||||||||||1", local, "OBR|1|||C3"}, []string{
			"error PID-3.4.1: PID-3.4.1 (Patient Identifier List / Assigning Authority / Namespace ID) holds a code that isn't in table WARD (Wards). [table-site]",
			"warning PID-3[2].4: PID-3[2].4 (Patient Identifier List / Assigning Authority) is required where its field is valued, and is absent or empty. [component-missing]",
			"error PID-5.2: PID-5.2 (Patient Name / Given Name) must not be used here. [component-forbidden]",
			"error PID-8: PID-8 (Administrative Sex) holds a code that isn't in table 0001 (Administrative Sex). [table-site]",
			"error PID-19: PID-19 (SSN Number - Patient) must not be used here. [field-forbidden]",
			"error OBR-4: OBR-4 (Universal Service Identifier) holds a code that isn't in table WARD (Wards). [table-site]",
		}},
		{"other fields of the same type", []string{header, ours + "||||||||||7", local, "OBR|1"}, nil},
		{"a rule that is off, and one that is on", []string{header, ours[:len(ours)-len("||F")] + "|19600101~19600101|F", local, "OBR|1", "ZZZ|1"},
			[]string{"warning ZZZ: ZZZ is a segment of the site's own that no profile describes. [segment-local]"}},
		{"a message of the site's own", []string{strings.Replace(header, "ORU^R01^ORU_R01", "ORU^Z01", 1), ours, "OBR|1"}, []string{
			"error SFT: ORU_Z01 requires the segment SFT (Software Segment), which isn't there. [segment-missing]",
			"warning MSH-9.2: MSH-9.2 (Message Type / Trigger Event) holds a code that isn't in table 0003 (Event type). [table]",
		}},
		{"another version", []string{strings.Replace(header, "2.5.1", "2.4", 1), ours, local, "OBR|1"},
			[]string{"information MSH-12: The profile is for version 2.5.1, and the message states another. [version-unknown]"}},
		{"another message", []string{admit, event, ours, visit, "DSC|1"}, []string{
			"error DSC: The profile forbids the segment DSC (Continuation Pointer) in ADT_A01. [segment-forbidden]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := findings(t, v, test.segments...)
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// TestFindingsHoldNoContent gives every field a marker that breaks as many rules as possible.
func TestFindingsHoldNoContent(t *testing.T) {
	t.Parallel()
	const marker = "Mustermann"
	for _, id := range standard.Versions() {
		d, _ := standard.Version(id)
		segments := []string{"MSH|^~\\&|" + strings.Repeat(marker+"|", 6) + marker + "^" + marker + "|" + marker + "|" + marker + "|" + id}
		for s := range d.Segments() {
			if s.Name() != "MSH" {
				segments = append(segments, s.Name()+strings.Repeat("|"+marker+"^"+marker+"&"+marker+"~"+marker+"^"+strings.Repeat("^"+marker, 40), s.Len()+2))
			}
		}
		segments = append(segments, marker+" was torn", "Z"+marker, "QQQ|"+marker)
		got := findings(t, &standard.Validator{}, segments...)
		if len(got) < len(segments) {
			t.Errorf("%s: %d findings", id, len(got))
		}
		for _, text := range got {
			if strings.Contains(strings.ToLower(text), "must") && !strings.Contains(text, "must be escaped") || strings.Contains(text, marker[:3]) {
				t.Fatalf("%s: content in %q", id, text)
			}
		}
	}
}

// The last bytes of letters look like delimiters, and aren't.
func TestValidateLettersOfSeveralBytes(t *testing.T) {
	t.Parallel()
	validate := func(name string) (all []string) {
		t.Helper()
		raw := "MSH|^~\\&|A|B|C|D|20260131120000||ADT^A01^ADT_A01|1|P|2.5.1||||||BIG-5\rEVN||20260131120000\rPID|1||123^^^A^MR||" + name + "\rPV1|1|I\r"
		m, err := hl7.Parse([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		for f := range standard.Validate(m) {
			all = append(all, f.String())
		}
		return all
	}
	plain := validate("Family^Given")
	for _, name := range []string{"\xb3\x5c\xa5\x7c^\xbb\x5e", "\xa8\x7e^\xa5\x7c"} {
		if got := validate(name); !slices.Equal(got, plain) {
			t.Errorf("%q: %q, and with plain letters %q", name, got, plain)
		}
	}
}
