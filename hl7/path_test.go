package hl7_test

import (
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
)

func TestParsePath(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"PID": "PID", "PID-5": "PID-5", "PID-5.1": "PID-5.1", "PID-5.1.2": "PID-5.1.2", "PID-3[2].4.1": "PID-3[2].4.1", "OBX[3]-5": "OBX[3]-5",
		"PID.5.1": "PID-5.1", "PID-5-1": "PID-5.1", "OBX(3)-5": "OBX[3]-5", "PID-3(2)-4-1": "PID-3[2].4.1", "PID-3[*].1": "PID-3[*].1", "OBX[*]-5": "OBX[*]-5",
		"OBR[2]/OBX[3]-5": "OBR[2]/OBX[3]-5", "OBR/OBX-5": "OBR/OBX-5", "PV1-2": "PV1-2", "ZA1[10]": "ZA1[10]",
	} {
		p, err := hl7.ParsePath(text)
		if err != nil || p.String() != want {
			t.Errorf("%s: got %v, %v", text, p, err)
		}
	}
	if hl7.MustPath("PID.5.1") != hl7.MustPath("PID-5-1") {
		t.Error("two dialects of one path differ")
	}
	for text, want := range map[string]string{
		"": "it is empty", "PI": "three letters", "pid-5": "capital letters: PID", "1ID-5": "three letters or digits", "P-D-5": "three letters or digits",
		"PID5": "write PID-5", "PID-": "the field needs a number", "PID-x": "the field needs a number", "PID-0": "counts from 1", "PID-5.0": "counts from 1",
		"PID-5.1.2.3": "nothing inside of that", "PID-3[2": "has no ]", "PID-3[]": "needs a number", "PID-3[x]": "needs a number", "PID-3[1x]": "neither a number nor *", "PID[0]-3": "counts from 1",
		"PID-99999": "over 10000", "OBX[1000001]-5": "over 1000000", "OBR-4/OBX-5": "before the slash names more than a segment", "PID-5 ": "stands where", "PID-5.1/x": "names more than a segment", "PID-99999999999999999999": "over 10000",
	} {
		if p, err := hl7.ParsePath(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v", text, p, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("MustPath doesn't panic")
		}
	}()
	hl7.MustPath("PID5")
}
