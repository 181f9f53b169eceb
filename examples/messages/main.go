// Command messages reads and changes an HL7 v2 message with package hl7 alone: no engine,
// no workflow.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/ladlehq/ladle/hl7"
)

// result is a laboratory result with two identifiers of the patient.
const result = "MSH|^~\\&|LAB|HOSP|HIS|WARD|20260305140709||ORU^R01^ORU_R01|M1|P|2.5.1\r" +
	"PID|1||4711^^^HOSP^MR~4712^^^NHS^NH||EVERYWOMAN^EVE\r" +
	"OBR|1|||718-7^Hemoglobin^LN\r" +
	"OBX|1|NM|718-7^Hemoglobin^LN||13.5|g/dl\r"

func main() {
	if err := run(os.Stdout, []byte(result)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(out io.Writer, raw []byte) error {
	// cut: message
	m, err := hl7.Parse(raw)
	if err != nil {
		return err // where the fault is, in which segment, and what was expected
	}
	fmt.Fprintln(out, m.Get(hl7.MustPath("PID-5.1")), m.Header().ControlID())
	for path, id := range m.All(hl7.MustPath("PID-3[*].1")) {
		fmt.Fprintln(out, path, id)
	}
	// Only this place changes, and what would be a delimiter is escaped.
	if err := m.Set(hl7.MustPath("OBR[1]/OBX[last]-8"), "L & checked"); err != nil {
		return err
	}
	changed := m.Bytes()
	// end
	before, err := hl7.Parse(raw)
	if err != nil {
		return err
	}
	after, err := hl7.Parse(changed)
	if err != nil {
		return err
	}
	for d := range hl7.Diff(before, after) {
		fmt.Fprintln(out, d)
	}
	return nil
}
