package standard_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7/standard"
)

// TestProfileErrors has what YAML can't say; the rest is tested in package profile, with places.
func TestProfileErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		profile standard.Profile
		want    []string
	}{
		{standard.Profile{}, []string{`version: "" isn't a version that is described`}},
		{standard.Profile{Version: "2.5", Rules: map[standard.Rule]standard.Severity{"none": standard.Error, standard.Length: 9}},
			[]string{"rules: length: 9 isn't a severity", "rules: none: there is no such rule; the rules are version-unknown, "}},
		{standard.Profile{Version: "2.5", Fields: map[string]standard.FieldProfile{"PID-3": {Usage: new(standard.Usage(9)), Repeat: new(-1), Length: new(-1)}}},
			[]string{"fields: PID-3: usage: 9 isn't a usage", "fields: PID-3: repeat: it can't be negative", "fields: PID-3: length: it can't be negative"}},
		{standard.Profile{Version: "2.5", Fields: map[string]standard.FieldProfile{"PID-3.4": {Repeat: new(2)}, "PID-3.4.1.2": {}}},
			[]string{"fields: PID-3.4: repeat: only a field repeats", "fields: PID-3.4.1.2: a field is named like PID-3"}},
		{standard.Profile{Version: "2.5", Tables: map[string]standard.TableProfile{"": {Codes: map[string]string{"A": "B"}}}},
			[]string{"tables: : a table needs a number or a name"}},
		{standard.Profile{Version: "2.5", Messages: map[string]standard.MessageProfile{
			"*":       {Like: "ADT_A01", Segments: map[string]standard.PlaceProfile{"ZZZ": {After: "QQQ"}}},
			"ADT_A01": {Segments: map[string]standard.PlaceProfile{"NK1": {Repeat: new(-1)}, "IN1": {Group: "NONE"}, "IN2": {Group: "INSURANCE", Usage: new(standard.Forbidden)}}},
			"ADT_Z01": {Like: "ADT_Z99"},
		}}, []string{
			"messages: *: like: only a message with a name can be like another",
			`messages: ADT_Z01: like: version 2.5 has no structure "ADT_Z99"`,
			"messages: *: segments: ZZZ: no structure of version 2.5 has that place",
			`messages: ADT_A01: segments: IN1: ADT_A01 has no group "NONE"`,
			"messages: ADT_A01: segments: IN2: a segment is forbidden in a whole message",
			"messages: ADT_A01: segments: NK1: how often a segment repeats can't be negative",
		}},
	} {
		_, err := test.profile.Dictionary()
		if err == nil {
			t.Errorf("%+v is taken", test.profile)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		for i, want := range test.want {
			if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
				t.Errorf("error %d of\n%v\nshould begin with\n%s", i+1, err, want)
			}
		}
		if len(lines) != len(test.want) {
			t.Errorf("%d errors, not %d:\n%v", len(lines), len(test.want), err)
		}
		var wrong *standard.ProfileError
		if !errors.As(err, &wrong) || len(wrong.Place) == 0 {
			t.Errorf("%v has no *ProfileError in it", err)
		}
	}
}

// TestProfileChangesItsOwnOnly changes everything that it can and looks whether the standard's
// own dictionary is as before.
func TestProfileChangesItsOwnOnly(t *testing.T) {
	t.Parallel()
	p := standard.Profile{
		Version:  "2.6",
		Segments: map[string]standard.SegmentProfile{"PV1": {Description: "x", Fields: map[int]standard.FieldProfile{1: {Name: "x"}}}},
		Fields:   map[string]standard.FieldProfile{"PID-3": {Name: "x"}, "PID-3.1": {Name: "x"}, "PID-3.4.1": {Name: "x"}},
		Tables:   map[string]standard.TableProfile{"0001": {Codes: map[string]string{"x": "x"}}},
		Messages: map[string]standard.MessageProfile{
			"ADT_A01": {Segments: map[string]standard.PlaceProfile{"IN1": {Repeat: new(7)}, "ZZZ": {After: "IN2"}, "PV1": {Usage: new(standard.Forbidden)}}},
		},
	}
	d, err := p.Dictionary()
	if err != nil {
		t.Fatal(err)
	}
	if f, _ := d.Field("PV1", 1); f.Name != "x" {
		t.Errorf("PV1-1 of the profile is %+v", f)
	}
	base, _ := standard.Version("2.6")
	for _, name := range []string{"PV1", "PID"} {
		s, _ := base.Segment(name)
		for f := range s.Fields() {
			if f.Name == "x" {
				t.Errorf("%s-%d of the standard has changed", name, f.Number)
			}
		}
	}
	for dt := range base.DataTypes() {
		for c := range dt.Components() {
			if c.Name == "x" {
				t.Errorf("%s.%d of the standard has changed", dt.Name(), c.Number)
			}
		}
	}
	if table, _ := base.Table("0001"); table.Len() != 6 {
		t.Errorf("table 0001 of the standard has %d codes", table.Len())
	}
	s, _ := base.Structure("ADT_A01")
	if _, misfits := standard.Match(s, strings.Fields("MSH EVN PID PV1 IN1 IN2 IN1 IN1 IN1 IN1 IN1 IN1 IN1")); len(misfits) > 0 {
		t.Errorf("ADT_A01 of the standard has changed: %v", misfits)
	}
}
