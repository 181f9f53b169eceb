package standard_test

import (
	"fmt"

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
