package profile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7/standard"
	"github.com/ladlehq/ladle/hl7/standard/profile"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	p, err := profile.Load("testdata/laboratory.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.Dictionary()
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "Laboratory, results" || d.Version() != "2.5.1" {
		t.Errorf("name %q, version %q", p.Name, d.Version())
	}
	for _, test := range []struct {
		segment string
		want    standard.Field
	}{
		{"ZLB", standard.Field{Number: 1, Name: "Ward", Type: "ST", Usage: standard.Required, Repeat: 1, Length: 10, Table: "WARD"}},
		{"ZLB", standard.Field{Number: 2, Name: "Remark", Type: "TX"}},
		{"OBR", standard.Field{Number: 4, Name: "Universal Service Identifier", Type: "CE", Repeat: 1, Length: 250}},
		{"PID", standard.Field{Number: 19, Name: "SSN Number - Patient", Type: "ST", Usage: standard.Forbidden, Repeat: 1, Length: 16}},
		{"OBX", standard.Field{Number: 5, Name: "Observation Value", Type: "VARIES"}},
	} {
		if got, _ := d.Field(test.segment, test.want.Number); got != test.want {
			t.Errorf("%s-%d = %+v; want %+v", test.segment, test.want.Number, got, test.want)
		}
	}
	table, _ := d.Table("0001")
	if _, ok := table.Code("U"); ok || table.Len() != 2 || table.Description() != "Administrative Sex" {
		t.Errorf("table 0001 has %d codes and the description %q", table.Len(), table.Description())
	}
	table, _ = d.Table("85")
	if _, ok := table.Code("Z"); !ok {
		t.Error("table 0085 hasn't the code that was added")
	}
	if _, ok := table.Code("W"); ok {
		t.Error("table 0085 has the code that was removed")
	}
	if _, ok := table.Code("F"); !ok {
		t.Error("table 0085 hasn't the standard's code F")
	}
	if s, ok := d.Structure("ORU_Z01"); !ok || s.Description() == "" {
		t.Error("ORU_Z01 isn't there")
	}
	if p.Rules[standard.SegmentOrder] != standard.Error || p.Rules[standard.Length] != standard.Off {
		t.Errorf("rules %v", p.Rules)
	}
	base, _ := standard.Version("2.5.1")
	if f, _ := base.Field("PID", 19); f.Usage != standard.Optional {
		t.Error("the profile has changed the standard's dictionary")
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{"site.yaml: the profile is empty"}},
		{"comment only", "# nothing\n", []string{"site.yaml: the profile is empty"}},
		{"no version", "name: x\n", []string{`site.yaml:1:1: the profile has no version`}},
		{"unknown version", "name: x\nversion: \"2.9\"\n", []string{`site.yaml:2:1: version: "2.9" isn't a version that is described; choose one of 2.1, 2.2`}},
		{"not YAML", "name: x\n\tversion: 2\n", []string{"site.yaml:2:1: found a tab character that violates indentation"}},
		{"a list", "- 1\n", []string{"site.yaml:1:1: a list where a mapping of keys to values was expected"}},
		{"two documents", "version: \"2.5\"\n---\nversion: \"2.5\"\n", []string{"site.yaml:2:1: a second document"}},
		{"mistyped key", "version: \"2.5\"\nfeilds: {}\n", []string{`site.yaml:2:1: unknown key "feilds"; did you mean "fields"?`}},
		{"unknown key", "version: \"2.5\"\nnonsense: {}\n", []string{`site.yaml:2:1: unknown key "nonsense"; the keys here are name, version`}},
		{"twice", "version: \"2.5\"\nversion: \"2.5\"\n", []string{`site.yaml:2:1: the key "version" stands twice`}},
		{"alias", "version: \"2.5\"\nfields:\n  PID-3: &a {usage: required}\n  PID-4: *a\n", []string{"site.yaml:4:10: an alias (which profiles don't have) where a mapping"}},
		{"all in one pass", "version: \"2.5\"\nfields:\n  PID-3: {usage: needed}\n  PID-5: {repeat: -1, lenght: 3}\nrules:\n  length: loud\n  lengths: off\n", []string{
			"site.yaml:3:18: required, optional, conditional, backward-compatible or forbidden was expected",
			"site.yaml:4:19: a whole number of 0 or more, or unlimited, was expected",
			`site.yaml:4:23: unknown key "lenght"; did you mean "length"?`,
			"site.yaml:6:11: off, information, warning or error was expected",
			`site.yaml:7:3: unknown key "lengths"; did you mean "length"?`,
		}},
		{"names the version doesn't have", "version: \"2.5\"\nfields:\n  PID-99: {usage: required}\n  PID-3.99: {usage: required}\n  ZZZ-1: {usage: required}\n  pid.3: {usage: required}\n  PID-5: {type: XYZ}\n  PID-7: {table: LOCAL}\n  PID-8.1: {usage: required}\nmessages:\n  XXX_X01: {segments: {PID: {usage: required}}}\n  ADT_A01:\n    segments:\n      ZPI: {after: ZZZ}\n      PID: {after: EVN}\n      ZPX: {}\n      zpy: {usage: required}\n      NK1: {usage: conditional}\n", []string{
			"site.yaml:3:3: fields: PID-99: PID has 39 fields in version 2.5; describe more under segments",
			"site.yaml:4:3: fields: PID-3.99: PID-3 has the type CX, which has no component 99 in version 2.5",
			"site.yaml:5:3: fields: ZZZ-1: version 2.5 has no segment ZZZ; describe it under segments",
			"site.yaml:6:3: fields: pid.3: a field is named like PID-3",
			`site.yaml:7:11: fields: PID-5: type: version 2.5 has no data type "XYZ"`,
			`site.yaml:8:11: fields: PID-7: table: the codes of table "LOCAL" aren't known; describe it under tables`,
			"site.yaml:9:3: fields: PID-8.1: PID-8 has the type IS, which has no component 1 in version 2.5",
			`site.yaml:11:3: messages: XXX_X01: version 2.5 has no structure "XXX_X01"; one of the site's own says which one it is like`,
			`site.yaml:14:7: messages: ADT_A01: segments: ZPI: ADT_A01 has no segment "ZZZ" there`,
			"site.yaml:15:7: messages: ADT_A01: segments: PID: ADT_A01 already has a place for PID; leave out after",
			"site.yaml:16:7: messages: ADT_A01: segments: ZPX: nothing is said about it",
			"site.yaml:17:7: messages: ADT_A01: segments: zpy: a segment's name is a letter and two letters or digits, in capitals",
			"site.yaml:18:7: messages: ADT_A01: segments: NK1: a segment is required, optional or forbidden",
		}},
		{"tables", "version: \"2.5\"\ntables:\n  \"0001\": {add: maybe, codes: [A]}\n  X: {remove: A}\n", []string{
			"site.yaml:3:17: true or false was expected",
			"site.yaml:3:31: a list where a mapping of keys to values was expected",
			"site.yaml:4:15: a single value where a list of codes was expected",
		}},
		{"more tables", "version: \"2.5\"\ntables:\n  \"0001\": {add: true, remove: [Q]}\n  X: {add: true}\n  Y: {}\n", []string{
			`site.yaml:3:23: tables: 0001: remove: the code "Q" to remove isn't in the standard's table`,
			"site.yaml:4:3: tables: X: the standard's codes of this table aren't known",
			"site.yaml:5:3: tables: Y: a table without codes forbids everything; give its codes",
		}},
		{"segments", "version: \"2.5\"\nsegments:\n  TOOLONG: {}\n  ZAB:\n    fields:\n      one: {}\n      0: {}\n      2000: {}\n      01: {}\n", []string{
			`site.yaml:6:7: "one" isn't a field's number`,
			`site.yaml:9:7: "01" isn't a field's number`,
		}},
		{"more segments", "version: \"2.5\"\nsegments:\n  TOOLONG: {}\n  ZAB:\n    fields:\n      0: {}\n      2000: {}\n", []string{
			"site.yaml:3:3: segments: TOOLONG: a segment's name is a letter and two letters or digits",
			"site.yaml:6:7: segments: ZAB: fields: 0: a field's number is 1 to 1000",
			"site.yaml:7:7: segments: ZAB: fields: 2000: a field's number is 1 to 1000",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, err := profile.Parse("site.yaml", []byte(test.text))
			if err == nil {
				t.Fatalf("no error, but the profile %+v", p)
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
			var typed *profile.Error
			if !errors.As(err, &typed) || typed.File != "site.yaml" {
				t.Errorf("%v has no *Error in it", err)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	if _, err := profile.Load(filepath.Join(t.TempDir(), "missing.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that isn't there: %v", err)
	}
	large := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(large, []byte(strings.Repeat("#\n", profile.MaxSize)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := profile.Load(large); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("a file that is too large: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("testdata/laboratory.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("version: \"2.5\"\nfields: {PID-3: {usage: x}}\n")
	f.Add("version: 2.1\nmessages: {ADT_A01: {like: ADT_A02, segments: {ZZZ: {after: PID, group: X}}}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := profile.Parse("site.yaml", []byte(text))
		if err != nil {
			return
		}
		if _, err := p.Dictionary(); err != nil {
			t.Errorf("a profile that was read is refused: %v", err)
		}
	})
}
