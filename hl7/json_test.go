package hl7_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/hl7"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"MSH|^~\\&|A|B^C\rPID|1||4711^^^HOSP&1.2~4712||\"\"|\rZZZ\rZZ1|\r": `{"segments":[{"name":"MSH","fields":["|","^~\\&","A",[["B","C"]]]},{"name":"PID","fields":["1","",[["4711","","",["HOSP","1.2"]],"4712"],"",null,""]},{"name":"ZZZ"},{"name":"ZZ1","fields":[""]}]}`,
		"\n\ufeffMSH|^~\\&": "",
		"\ufeff\nMSH|^~\\&\n\r\nPID|a&b|\\F\\|\\H\\x|\\X41\\\nlower|x": `{"before":"` + "\ufeff" + `\n","segments":[{"name":"MSH","fields":["|","^~\\&"],"end":"\n\r\n"},{"name":"PID","fields":[[[["a","b"]]],"|",{"raw":"\\H\\x"},{"raw":"\\X41\\"}],"end":"\n"},{"name":"lower","fields":["x"],"end":""}]}`,
		header("8859/1") + "PID|\xfc|\\XFC\\\r":                        `{"segments":[{"name":"MSH","fields":["|","^~\\&","A","","","","","","","","","","","","","","","8859/1"]},{"name":"PID","fields":["ü",{"raw":"\\XFC\\"}]}]}`,
		header("ASCII") + "PID|ü|\xff\r":                               `{"segments":[{"name":"MSH","fields":["|","^~\\&","A","","","","","","","","","","","","","","","ASCII"]},{"name":"PID","fields":[{"raw":"ü"},{"8859/1":"ÿ"}]}]}`,
		"MSH$%$A\rPID$1%2$|\\\r":                                       `{"segments":[{"name":"MSH","fields":["$","%","A"]},{"name":"PID","fields":[[["1","2"]],"|\\"]}]}`,
	} {
		m, err := hl7.Parse([]byte(raw))
		if err != nil {
			if want != "" {
				t.Errorf("%q: %v", raw, err)
			}
			continue
		}
		b, err := json.Marshal(m)
		var compact bytes.Buffer
		if json.Compact(&compact, []byte(want)) != nil {
			t.Fatal(want)
		}
		if wantEscaped := strings.ReplaceAll(compact.String(), "&", `\u0026`); err != nil || string(b) != wantEscaped {
			t.Errorf("%q: %v\n%s, want\n%s", raw, err, b, wantEscaped)
		}
		var back hl7.Message
		if err := json.Unmarshal(b, &back); err != nil || string(back.Bytes()) != raw {
			t.Errorf("%q comes back as %q, %v", raw, back.Bytes(), err)
		}
	}
}

func TestJSONErrors(t *testing.T) {
	t.Parallel()
	msh := func(fields string) string {
		return `{"segments":[{"name":"MSH","fields":["|","^~\\&"]},{"name":"PID","fields":[` + fields + `]}]}`
	}
	for in, want := range map[string]string{
		`x`: "not the JSON form", `{}`: "no segments", `{"segments":[],"x":1}`: "unknown field",
		`{"segments":[{"name":"PID"}]}`:                                            "first segment must be MSH",
		`{"segments":[{"name":"MSH","fields":["|"]}]}`:                             "first segment must be MSH",
		`{"segments":[{"name":"MSH","fields":["|",1]}]}`:                           "must be texts",
		`{"segments":[{"name":"MSH","fields":["","^"]}]}`:                          "no delimiters",
		`{"segments":[{"name":"MSH","fields":["||","^"]}]}`:                        "no delimiters",
		`{"segments":[{"name":"MSH","fields":["|","^^"]}]}`:                        "no delimiters",
		`{"form":"UTF-8","segments":[{"name":"MSH","fields":["|","^"]}]}`:          `"form" is unknown`,
		`{"before":"x","segments":[{"name":"MSH","fields":["|","^"]}]}`:            `"before" may have`,
		`{"characterSet":"x","segments":[{"name":"MSH","fields":["|","^"]}]}`:      "character set",
		`{"segments":[{"name":"MSH","fields":["|","^"],"end":""},{"name":"PID"}]}`: `segment 1: "end" may`,
		`{"segments":[{"name":"MSH","fields":["|","^"]},{"name":"P|D"}]}`:          "segment 2: the name",
		`{"segments":[{"name":"MSH","fields":["|","^"]},{"name":""}]}`:             "segment 2: the name",
		`{"segments":[{"name":"MSH","fields":["|","^"]},{"name":3}]}`:              "segment 2: the name",
		msh(`1`):                   "segment 2: field 1: a value must be",
		msh(`"",[[[["a","b"]]]]`):  "segment 2: field 2: there are more arrays",
		msh(`{"raw":"a|b"}`):       "has a '|' inside",
		msh(`{"raw":"a\rb"}`):      "inside",
		msh(`{"base64":"fA=="}`):   "has a '|' inside",
		msh(`{"8859/1":"Ł"}`):      "not in that set",
		msh(`{"base64":"!"}`):      "can't be read",
		msh(`{"raw":"a","x":"b"}`): "a value must be",
	} {
		var m hl7.Message
		if err := m.UnmarshalJSON([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
		if m.Bytes() != nil {
			t.Errorf("%s left %q", in, m.Bytes())
		}
	}
	if _, err := new(hl7.Message).MarshalJSON(); err == nil {
		t.Error("nothing has a form")
	}
}

// Every real message, and each in another form, comes back from JSON byte for byte.
func TestJSONOfRealMessages(t *testing.T) {
	t.Parallel()
	for name, raw := range corpus(t) {
		m, err := hl7.Parse(raw)
		if err != nil {
			continue
		}
		b, err := m.MarshalJSON()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var back hl7.Message
		if err := back.UnmarshalJSON(b); err != nil || !bytes.Equal(back.Bytes(), raw) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What parses comes back from JSON byte for byte, is no different from itself, and says
// the same in other delimiters. JSON of any kind is read or refused.
func FuzzJSON(f *testing.F) {
	for _, raw := range corpus(f) {
		f.Add(raw, []byte(`{"segments":[{"name":"MSH","fields":["|","^~\\&"]}]}`))
	}
	f.Add([]byte(header("BIG-5")+"PID|\xa5|\\M2442\\;3|\\H\\"), []byte(`{"form":"UTF-16LE+BOM","segments":[{"name":"MSH","fields":["|","^~\\&",{"raw":"x"}]}]}`))
	f.Add([]byte("\xff\xfeM\x00S\x00H\x00|\x00^\x00|\x00\x3d\xd8|\x00"), []byte(`{"segments":[{"name":"MSH","fields":["|","^~\\&",{"base64":"/w=="},[["a",["b","c"]],null]],"end":"\n"},{"name":"ü"}]}`))
	f.Fuzz(func(t *testing.T, raw, form []byte) {
		var given hl7.Message
		if given.UnmarshalJSON(form) == nil {
			b, err := given.MarshalJSON()
			var again hl7.Message
			if err != nil || again.UnmarshalJSON(b) != nil || !bytes.Equal(again.Bytes(), given.Bytes()) {
				t.Fatalf("%s: %v %q %q", b, err, given.Bytes(), again.Bytes())
			}
		}
		m, err := hl7.Parse(raw)
		if err != nil {
			return
		}
		b, err := m.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var back hl7.Message
		if err := back.UnmarshalJSON(b); err != nil || !bytes.Equal(back.Bytes(), raw) {
			t.Fatalf("%s comes back as %q, %v", b, back.Bytes(), err)
		}
		for d := range hl7.Diff(m, &back) {
			t.Fatalf("differs from itself: %v", d)
		}
		var tree bytes.Buffer
		if err := m.WriteTree(&tree, nil); err != nil || slices.Contains(tree.Bytes(), '\r') {
			t.Fatal(err)
		}
		if back.Reencode(hl7.Encoding{Delimiters: hl7.Delimiters{Field: '$', Component: '%', Repetition: '?', Escape: '!', Subcomponent: '@', Truncation: ';'}}) != nil {
			return
		}
		again, err := hl7.Parse(back.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for d := range hl7.Diff(m, again) {
			t.Fatalf("in other delimiters: %v", d)
		}
	})
}
