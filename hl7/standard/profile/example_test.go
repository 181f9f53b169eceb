package profile_test

import (
	"fmt"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/standard/profile"
)

func ExampleParse() {
	p, err := profile.Parse("site.yaml", []byte(`
version: "2.5.1"
fields:
  PID-8: {usage: required, table: "0001"}
tables:
  "0001": {codes: {F: Female, M: Male}}
messages:
  ADT_A01:
    segments:
      NK1: {usage: forbidden}
rules:
  table-site: warning
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := p.Validator()
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := hl7.Parse([]byte("MSH|^~\\&|HIS|A|LAB|B|20260131120000||ADT^A01^ADT_A01|1|P|2.5.1\r" +
		"EVN||20260131120000\rPID|||4711^^^A^MR||Family^Given|||U\rNK1|1\rPV1||I\r"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for f := range v.Validate(m) {
		fmt.Println(f)
	}
	// Output:
	// warning PID-8: PID-8 (Administrative Sex) holds a code that isn't in table 0001 (Administrative Sex). [table-site]
	// error NK1: The profile forbids the segment NK1 (Next of Kin / Associated Parties) in ADT_A01. [segment-forbidden]
}

func ExampleParse_mistakes() {
	_, err := profile.Parse("site.yaml", []byte("version: \"2.5.1\"\nfeilds:\n  PID-8: {usage: required}\nrules:\n  format: quiet\n"))
	fmt.Println(err)
	// Output:
	// site.yaml:2:1: unknown key "feilds"; did you mean "fields"?
	// site.yaml:5:11: off, information, warning or error was expected
}
