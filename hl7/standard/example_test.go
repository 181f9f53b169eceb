package standard_test

import (
	"fmt"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/standard"
)

func ExampleVersion() {
	d, exact := standard.Version("2.5.1")
	fmt.Println(d.Version(), exact)
	d, exact = standard.Version("2.8")
	fmt.Println(d.Version(), exact)
	// Output:
	// 2.5.1 true
	// 2.7.1 false
}

func ExampleDictionary_Field() {
	d, _ := standard.Version("2.5.1")
	f, _ := d.Field("PID", 8)
	fmt.Println(f.Name, f.Type, f.Usage, f.Table)
	table, _ := d.Table(f.Table)
	for c := range table.Codes() {
		fmt.Println(c.Value, c.Text)
	}
	// Output:
	// Administrative Sex IS O 0001
	// A Ambiguous
	// F Female
	// M Male
	// N Not applicable
	// O Other
	// U Unknown
}

func ExampleDictionary_DataType() {
	d, _ := standard.Version("2.3")
	t, _ := d.DataType("HD")
	fmt.Println(t.Description())
	for c := range t.Components() {
		fmt.Println(c.Number, c.Name, c.Type)
	}
	// Output:
	// Hierarchic Designator
	// 1 Namespace ID IS
	// 2 Universal ID ST
	// 3 Universal ID Type ID
}

func ExampleDictionary_StructureOf() {
	d, _ := standard.Version("2.5.1")
	s, _ := d.StructureOf("ADT", "A40")
	fmt.Println(s.Name())
	for n := range s.Nodes() {
		fmt.Println(n.Kind(), n.Name(), n.Min(), n.Max())
	}
	// Output:
	// ADT_A39
	// segment MSH 1 1
	// segment SFT 0 0
	// segment EVN 1 1
	// group PATIENT 1 0
}

func ExampleStructure_Group() {
	d, _ := standard.Version("2.5.1")
	s, _ := d.Structure("ORU_R01")
	g := s.Group([]string{"MSH", "PID", "OBR", "OBX", "OBX", "OBR", "OBX"})
	for _, item := range g.Items[1].Group.Items {
		fmt.Println(item.Group.Name, len(item.Group.Items))
	}
	// Output:
	// PATIENT 1
	// ORDER_OBSERVATION 3
	// ORDER_OBSERVATION 2
}

func ExampleDictionary_Describe() {
	d, _ := standard.Version("2.5.1")
	for _, path := range []string{"PID-5.1", "PID-3[2].4.1", "OBX-11"} {
		p := hl7.MustPath(path)
		text, _ := d.Describe(p)
		fmt.Println(p, text)
	}
	// Output:
	// PID-5.1 Patient Name / Family Name
	// PID-3[2].4.1 Patient Identifier List / Assigning Authority / Namespace ID
	// OBX-11 Observation Result Status
}

func ExampleDictionary_Group() {
	m, err := hl7.Parse([]byte("MSH|^~\\&|LAB|A|HIS|B|20260131120000||ORU^R01^ORU_R01|1|P|2.5.1\r" +
		"PID|||4711^^^A^MR||Family^Given\r" +
		"OBR|1|||GLU\rOBX|1|NM|GLU||5.1\rOBX|2|NM|GLU||5.3\r" +
		"OBR|2|||K\rOBX|1|NM|K||4.1\r"))
	if err != nil {
		fmt.Println(err)
		return
	}
	d, _ := standard.Version(m.Header().Version())
	g, _ := d.Group(m)
	var print func(g *standard.Group, indent string)
	print = func(g *standard.Group, indent string) {
		fmt.Println(indent + g.Name)
		for _, item := range g.Items {
			if item.Group != nil {
				print(item.Group, indent+"  ")
				continue
			}
			fmt.Println(indent+"  "+item.Segment, item.Index)
		}
	}
	print(g, "")
	// Output:
	// ORU_R01
	//   MSH 0
	//   PATIENT_RESULT
	//     PATIENT
	//       PID 1
	//     ORDER_OBSERVATION
	//       OBR 2
	//       OBSERVATION
	//         OBX 3
	//       OBSERVATION
	//         OBX 4
	//     ORDER_OBSERVATION
	//       OBR 5
	//       OBSERVATION
	//         OBX 6
}

func ExampleValidate() {
	m, err := hl7.Parse([]byte("MSH|^~\\&|LAB|A|HIS|B|20260131120000||ORU^R01^ORU_R01|1|P|2.5.1\r" +
		"PID|||4711^^^A^MR||Family^Given||1960-01-01\r" +
		"OBR|1|||GLU\rOBX|1|NM|GLU||<5\r"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for f := range standard.Validate(m) {
		fmt.Println(f.Severity, f.Path, f.Rule)
	}
	// Output:
	// error PID-7.1 format
	// error OBX-5 format
	// error OBX-11 field-missing
}

func ExampleProfile() {
	p := standard.Profile{
		Version: "2.5.1",
		Segments: map[string]standard.SegmentProfile{
			"ZWD": {Description: "Ward", Fields: map[int]standard.FieldProfile{1: {Name: "Code", Type: "ST", Usage: new(standard.Required)}}},
		},
		Fields: map[string]standard.FieldProfile{"PID-8": {Usage: new(standard.Required)}},
		Messages: map[string]standard.MessageProfile{
			"ADT_A01": {Segments: map[string]standard.PlaceProfile{"ZWD": {After: "PV1", Usage: new(standard.Required), Repeat: new(1)}}},
		},
	}
	v, err := p.Validator()
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := hl7.Parse([]byte("MSH|^~\\&|HIS|A|LAB|B|20260131120000||ADT^A01^ADT_A01|1|P|2.5.1\r" +
		"EVN||20260131120000\rPID|||4711^^^A^MR||Family^Given\rPV1||I\r"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for f := range v.Validate(m) {
		fmt.Println(f)
	}
	// Output:
	// error ZWD: ADT_A01 requires the segment ZWD (Ward), which isn't there. [segment-missing]
	// error PID-8: PID-8 (Administrative Sex) is required, and is absent or empty. [field-missing]
}

func ExampleGaps() {
	for _, g := range standard.Gaps()[:2] {
		fmt.Printf("%s: %s\n", g.Versions, g.Text)
	}
	// Output:
	// 2.8, 2.8.1, 2.8.2 and 2.9: Not described: no source with a fitting licence has them. Version gives 2.7.1 for them, and what that doesn't know may well be right.
	// 2.7.1: Described exactly as 2.7: the source has no difference between the two.
}
