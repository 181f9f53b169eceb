package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const data = "../../data"

// TestData makes the data again where the sources are at hand (the folder LADLE_HL7_SOURCES holds
// the unpacked npm packages as hl7-dictionary and hl7v2-dictionary) and compares it with what is
// checked in. Without them it only reads what is checked in; that this is consistent is tested in
// package standard.
func TestData(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(data)
	if err != nil {
		t.Fatal(err)
	}
	present := map[string][]byte{}
	for _, e := range entries {
		if present[e.Name()], err = readData(filepath.Join(data, e.Name())); err != nil {
			t.Fatal(err)
		}
		if version, packed := strings.CutSuffix(e.Name(), ".gz"); packed && version != "tables" && !bytes.HasPrefix(present[e.Name()], []byte("V\t"+version+"\n")) {
			t.Errorf("%s isn't about version %s", e.Name(), version)
		}
	}
	if len(present) != 12 || len(present["comparison.txt"]) == 0 {
		t.Errorf("%d files, not the ten versions, the tables and the comparison", len(present))
	}
	dir := os.Getenv("LADLE_HL7_SOURCES")
	if dir == "" {
		t.Log("LADLE_HL7_SOURCES isn't set: the data aren't compared with their sources")
		return
	}
	made, err := generate(filepath.Join(dir, "hl7-dictionary"), filepath.Join(dir, "hl7v2-dictionary"))
	if err != nil {
		t.Fatal(err)
	}
	for file := range present {
		if made[file] == nil {
			t.Errorf("%s isn't made by the generator", file)
		}
	}
	for file, want := range made {
		if !bytes.Equal(present[file], want) {
			t.Errorf("%s isn't what the generator makes of the sources", file)
		}
	}
}

func readData(file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil || filepath.Ext(file) != ".gz" {
		return content, err
	}
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestReadLiteral(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		src  string
		want any
	}{
		{`12`, 12},
		{`-1`, -1},
		{`1e3`, 1000},
		{`"a\"b\x41\u00e9\n"`, "a\"bA\u00e9 "},
		{`'it\'s'`, "it's"},
		{"`x`", "x"},
		{`W.v2_5`, name("W.v2_5")},
		{`()=>ii`, name("ii")},
		{`[1, "2" ,[]]`, []any{1, "2", []any{}}},
		{`[1,]`, []any{1}},
		{`{}`, &object{values: map[string]any{}}},
		{`{a:1,"b c":{d:[2]}, 3:'x',}`, &object{keys: []string{"a", "b c", "3"}, values: map[string]any{
			"a": 1, "b c": &object{keys: []string{"d"}, values: map[string]any{"d": []any{2}}}, "3": "x"}}},
	} {
		got, _, err := readLiteral(test.src, 0)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %#v, %v; want %#v", test.src, got, err, test.want)
		}
	}
}

func TestReadLiteralErrors(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"":                        "the file ends where a value was expected",
		"{":                       "the file ends inside an object",
		"{a}":                     `no colon after the member "a"`,
		"{a:1 b:2}":               `neither a comma nor a closing brace after the member "a"`,
		"{:1}":                    "where a member's name was expected",
		"[1 2]":                   "neither a comma nor a closing bracket",
		"[":                       "the file ends where a value was expected",
		`"abc`:                    "the file ends inside a string",
		`"abc\`:                   "the file ends inside a string",
		`"\u00`:                   "the file ends inside an escape",
		`"\u00zz"`:                "an escape that can't be read",
		"1.5":                     "isn't a whole one",
		"1-2":                     "a number that can't be read",
		"\n\n%":                   "line 3, offset 2",
		strings.Repeat("[", 1000): "nested more than 100 deep",
	} {
		if _, _, err := readLiteral(src, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v; want %q", src, err, want)
		}
	}
}

// TestParseHL7V2Dictionary reads the form of the second source: versions that lie one over the
// other, under variables that the minifier has chained.
func TestParseHL7V2Dictionary(t *testing.T) {
	t.Parallel()
	const src = `var a={desc:"Message header",fields:{1:{type:"ST",desc:"Field separator",opt:"R",rep:1,len:1}}};` +
		`var S={};z(S,{MSH:()=>a});var T={};z(T,{ST:()=>s});var s={desc:"String"};var M={};z(M,{ACK:()=>m});` +
		`var m={desc:"Acknowledgement",segments:{MSH:{idx:0,min:1,max:1},G:{idx:1,segments:{MSA:{idx:0,min:1,max:1}}}}};` +
		`var q=new ee({version:W.v2_1,segments:S,types:T,messages:M}),te=q;te.overwriteTypes({});var ne=te;` +
		`var b={fields:{1:{len:2},2:{type:"ST",desc:"Encoding characters",opt:"O",rep:"infinite",table:3}}};var S2={};z(S2,{MSH:()=>b});` +
		`var p=ne.extend({version:W.v2_3_1,segments:S2}),se=p;`
	d, err := parseHL7V2Dictionary(src)
	if err != nil {
		t.Fatal(err)
	}
	want := []field{{name: "Field separator", typ: "ST", usage: 'R', repeat: 1, length: 1}}
	if got := d.versions["2.1"].segments["MSH"].fields; !reflect.DeepEqual(got, want) {
		t.Errorf("2.1 MSH: %+v", got)
	}
	want = []field{{name: "Field separator", typ: "ST", usage: 'R', repeat: 1, length: 2}, {name: "Encoding characters", typ: "ST", usage: 'O', table: "0003"}}
	if got := d.versions["2.3.1"].segments["MSH"].fields; !reflect.DeepEqual(got, want) {
		t.Errorf("2.3.1 MSH: %+v", got)
	}
	nodes := []node{{name: "MSH", kind: 'S', min: 1, max: 1}, {name: "G", kind: 'G', nodes: []node{{name: "MSA", kind: 'S', min: 1, max: 1}}}}
	if got := d.versions["2.3.1"].structures["ACK"].nodes; !reflect.DeepEqual(got, nodes) {
		t.Errorf("2.3.1 ACK: %+v", got)
	}
	if _, err := parseHL7V2Dictionary("var x=1"); err == nil {
		t.Error("a file without versions is read")
	}
	if _, err := parseHL7V2Dictionary(`var p=ne.extend({version:W.v2_3});`); err == nil {
		t.Error("a version over an unknown one is read")
	}
}

func TestCompareFindsContradictions(t *testing.T) {
	t.Parallel()
	describe := func(f field) *description {
		return &description{versions: map[string]*version{"2.5": {
			id: "2.5", segments: map[string]*segment{"PID": {name: "PID", fields: []field{f}}}, types: map[string]*dataType{}, structures: map[string]*structure{},
		}}}
	}
	base := field{name: "Name", typ: "XPN", usage: 'R', repeat: 1, length: 250, table: "0001"}
	if _, err := compare(describe(base), describe(base)); err != nil {
		t.Errorf("the same twice: %v", err)
	}
	for _, change := range []func(*field){
		func(f *field) { f.name = "Other" }, func(f *field) { f.typ = "PN" }, func(f *field) { f.usage = 'O' },
		func(f *field) { f.repeat = 2 }, func(f *field) { f.length = 48 }, func(f *field) { f.table = "0002" },
	} {
		other := base
		change(&other)
		if _, err := compare(describe(base), describe(other)); err == nil || !strings.Contains(err.Error(), "PID-1") {
			t.Errorf("%+v against %+v: %v", base, other, err)
		}
	}
}
