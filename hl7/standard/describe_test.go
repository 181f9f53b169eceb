package standard_test

import (
	"testing"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/standard"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	m := parse(t, header, person, order, "OBX|1|NM|X||5", "OBX|2|CX|X||5^6")
	for _, test := range []struct{ version, path, want, in string }{
		{"2.5.1", "PID", "Patient Identification", ""},
		{"2.5.1", "PID-5", "Patient Name", ""},
		{"2.5.1", "PID-5.1", "Patient Name / Family Name", ""},
		{"2.5.1", "PID.5.1.1", "Patient Name / Family Name / Surname", ""},
		{"2.5.1", "PID[2]-3[2].4.2", "Patient Identifier List / Assigning Authority / Universal ID", ""},
		{"2.5.1", "PID-3[*].1", "Patient Identifier List / ID Number", ""},
		{"2.5.1", "OBR[2]/OBX[3]-5", "Observation Value", ""},
		{"2.5.1", "OBX[2]-5.2", "", "Observation Value / Check Digit"},
		{"2.5.1", "OBX-5.2", "", ""},
		{"2.5.1", "OBX[*]-5.2", "", ""},
		{"2.5.1", "OBX[7]-5.2", "", ""},
		{"2.1", "PID-5", "Patient name", ""},
		{"2.5.1", "ZZZ", "", ""},
		{"2.5.1", "PID-99", "", ""},
		{"2.5.1", "PID-5.99", "", ""},
		{"2.5.1", "PID-5.1.99", "", ""},
		{"2.5.1", "PID-8.1", "", ""},
	} {
		d, _ := standard.Version(test.version)
		p := hl7.MustPath(test.path)
		got, ok := d.Describe(p)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%s %s is %q, %t; want %q", test.version, test.path, got, ok, test.want)
		}
		if test.in == "" {
			test.in = test.want
		}
		got, ok = d.DescribeIn(m, p)
		if got != test.in || ok != (test.in != "") {
			t.Errorf("%s %s in the message is %q, %t; want %q", test.version, test.path, got, ok, test.in)
		}
	}
	d, _ := standard.Version("2.5.1")
	if got, ok := d.Describe(hl7.Path{}); ok {
		t.Errorf("the zero path is %q", got)
	}
}
