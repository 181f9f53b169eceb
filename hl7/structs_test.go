package hl7_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/hl7"
)

type observation struct {
	Code   hl7.CWE  `hl7:"3"`
	Value  string   `hl7:"5.1"`
	Status *string  `hl7:"11"`
	Notes  []string `hl7:"NTE[*]-3"`
}

type order struct {
	ID           int           `hl7:"1"`
	Number       string        `hl7:"3.1"`
	Observations []observation `hl7:"OBX"`
}

type header21 struct {
	ControlID string    `hl7:"MSH-10"`
	Sent      time.Time `hl7:"MSH-7"`
}

type result struct {
	header21
	Name      hl7.XPN   `hl7:"PID-5"`
	IDs       []hl7.CX  `hl7:"PID-3"`
	Birthday  hl7.DTM   `hl7:"PID-7"`
	Died      *bool     `hl7:"PID-30"`
	Weight    float64   `hl7:"PID-99"`
	Unit      *hl7.HD   `hl7:"PV1-3.4"`
	Phones    []hl7.XTN `hl7:"PID-13[*]"`
	Orders    []order   `hl7:"OBR"`
	AllValues []hl7.NM  `hl7:"OBX[*]-5"`
	Own       string    // has no tag
}

const oruResult = "MSH|^~\\&|LAB|HOSP|||20260305140709+0100||ORU^R01^ORU_R01|M1|P|2.5.1\r" +
	"PID|1||4711^^^HOSP&1.2.3&ISO^MR~4712^^^NHS||von Müller&von&Müller^Jörg^^^Dr||19700102|||||||||||||||||||||||Y\r" +
	"OBR|1|||\rOBX|1|NM|718-7^Hemoglobin^LN||13.5||||||F\rNTE|1||low\rNTE|2||checked\rOBX|2|NM|B||2\r" +
	"OBR|2||77^LAB|\rOBX|1|NM|C||3\r"

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	m := parse(t, oruResult)
	var got result
	if err := m.Unmarshal(&got); err != nil {
		t.Fatal(err)
	}
	final, yes := "F", true
	want := result{
		header21: header21{"M1", time.Date(2026, 3, 5, 14, 7, 9, 0, time.FixedZone("", 3600))},
		Name:     hl7.XPN{FamilyName: hl7.FN{Surname: "von Müller", OwnSurnamePrefix: "von", OwnSurname: "Müller"}, GivenName: "Jörg", Prefix: "Dr"},
		IDs:      []hl7.CX{{IDNumber: "4711", AssigningAuthority: hl7.HD{NamespaceID: "HOSP", UniversalID: "1.2.3", UniversalIDType: "ISO"}, IdentifierTypeCode: "MR"}, {IDNumber: "4712", AssigningAuthority: hl7.HD{NamespaceID: "NHS"}}},
		Birthday: hl7.DTM{Time: time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC), Precision: hl7.Day},
		Died:     &yes,
		Orders: []order{
			{ID: 1, Observations: []observation{
				{Code: hl7.CWE{Identifier: "718-7", Text: "Hemoglobin", NameOfCodingSystem: "LN"}, Value: "13.5", Status: &final, Notes: []string{"low", "checked"}},
				{Code: hl7.CWE{Identifier: "B"}, Value: "2"},
			}},
			{ID: 2, Number: "77", Observations: []observation{{Code: hl7.CWE{Identifier: "C"}, Value: "3"}}},
		},
		AllValues: []hl7.NM{"13.5", "2", "3"},
	}
	if !got.Sent.Equal(want.Sent) {
		t.Errorf("sent %v", got.Sent)
	}
	got.Sent = want.Sent
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}

	// What was read and is written again changes nothing.
	if err := m.Marshal(&got); err != nil || string(m.Bytes()) != oruResult {
		t.Errorf("%v\n%q, want\n%q", err, m.Bytes(), oruResult)
	}

	// And a new message says the same.
	fresh, err := hl7.New(hl7.DefaultDelimiters())
	if err != nil {
		t.Fatal(err)
	}
	got.AllValues = nil // would be set in OBX of no order
	if err := fresh.Marshal(got); err != nil {
		t.Fatal(err)
	}
	var again result
	if err := fresh.Unmarshal(&again); err != nil {
		t.Fatal(err)
	}
	again.Sent, again.AllValues = want.Sent, nil
	if !reflect.DeepEqual(again, got) {
		t.Errorf("got\n%+v, want\n%+v\n%q", again, got, fresh.Bytes())
	}
}

func TestUnmarshalErrors(t *testing.T) {
	t.Parallel()
	m := parse(t, "MSH|^~\\&|A\rPID|x|y|z|Q|99999999999999999999|19701399|1.5\r")
	for name, c := range map[string]struct {
		v    any
		want []string
	}{
		"no pointer": {struct{}{}, []string{"a pointer to a struct is needed"}},
		"no struct":  {new(int), []string{"a pointer to a struct is needed"}},
		"nil":        {(*result)(nil), []string{"a pointer to a struct is needed"}},
		"a bad tag": {&struct {
			A string `hl7:"PID5"`
		}{}, []string{"write PID-5"}},
		"no segment": {&struct {
			A string `hl7:"5"`
		}{}, []string{"no segment that it could be a field of"}},
		"a group": {&struct {
			A string `hl7:"OBR/OBX-5"`
		}{}, []string{"has a group"}},
		"not exported": {&struct {
			a string `hl7:"PID-5"`
		}{}, []string{"is not exported"}},
		"many for one": {&struct {
			A string `hl7:"PID-3[*]"`
		}{}, []string{"is many places"}},
		"all at once": {&struct {
			A int       `hl7:"PID-1"`
			B float64   `hl7:"PID-2"`
			C bool      `hl7:"PID-4"`
			D int64     `hl7:"PID-5"`
			E time.Time `hl7:"PID-6"`
			F int       `hl7:"PID-7"`
			G chan int  `hl7:"PID-7"`
			H hl7.DTM   `hl7:"PID-6"`
			I uint8     `hl7:"PID-5"`
		}{}, []string{"PID-1: the value is no whole number", "PID-2: the value is no number", "PID-4: the value is no Y or N", "PID-5: the value is no whole", "PID-6: this is no date and time: the month at character 5 must have 2 digits", "PID-7: the value is no whole", "PID-7: a field of type chan int can't be read"}},
	} {
		err := m.Unmarshal(c.v)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	}
	type chain struct {
		ID   string `hl7:"1"`
		Next *chain `hl7:"OBX"`
	}
	round := chain{ID: "1"}
	round.Next = &round
	if err := m.Marshal(struct {
		First *chain `hl7:"OBX"`
	}{&round}); err == nil || !strings.Contains(err.Error(), "structs in each other") {
		t.Errorf("a chain without an end: %v", err)
	}
	if err := m.Marshal(3); err == nil {
		t.Error("3 was written")
	}
	if err := parse(t, "MSH|^~\\&|A\r").Marshal(struct {
		A string `hl7:"OBX[3]-1"`
	}{"x"}); err == nil || !strings.Contains(err.Error(), "only 0 segments") {
		t.Error(err)
	}
}

func TestUnmarshalAt(t *testing.T) {
	t.Parallel()
	m := parse(t, oruResult)
	var id hl7.CX
	ok, err := m.UnmarshalAt(hl7.MustPath("PID-3[last]"), &id)
	if !ok || err != nil || id.IDNumber != "4712" || id.AssigningAuthority.NamespaceID != "NHS" {
		t.Errorf("%+v %v %v", id, ok, err)
	}
	id.IDNumber, id.AssigningAuthority.UniversalID = "48|15", "9"
	if err := m.MarshalAt(hl7.MustPath("PID-3[last]"), id); err != nil {
		t.Error(err)
	}
	if v, _ := m.Lookup(hl7.MustPath("PID-3[2]")); string(v.Raw()) != "48\\F\\15^^^NHS&9" {
		t.Errorf("%q", v.Raw())
	}
	var o order
	if ok, err := m.UnmarshalAt(hl7.MustPath("OBR[2]"), &o); !ok || err != nil || o.Number != "77" || len(o.Observations) != 1 {
		t.Errorf("%+v %v %v", o, ok, err)
	}
	if err := m.MarshalAt(hl7.MustPath("ZZ1-2[2]"), hl7.SN{Comparator: ">", Num1: "5"}); err != nil {
		t.Error(err)
	}
	for sn, want := range map[hl7.SN]string{{}: "", {Num1: "1", Separator: ":", Num2: "128"}: "1:128", {Num1: "3", Separator: "+"}: "3+", {Comparator: "<=", Num1: "5"}: "<=5"} {
		if sn.String() != want {
			t.Errorf("%+v is %s, want %s", sn, sn, want)
		}
	}
	var sn hl7.SN
	if ok, err := m.UnmarshalAt(hl7.MustPath("ZZ1-2[2]"), &sn); !ok || err != nil || sn.String() != ">5" {
		t.Errorf("%+v %v %v", sn, ok, err)
	}
	for _, path := range []string{"PID-2", "NK1-2", "PID-3[7]"} {
		if ok, err := m.UnmarshalAt(hl7.MustPath(path), &id); ok || err != nil {
			t.Errorf("%s: %v %v", path, ok, err)
		}
	}
	if _, err := m.UnmarshalAt(hl7.MustPath("PID-3"), id); err == nil {
		t.Error("read into what is no pointer")
	}
	if err := m.MarshalAt(hl7.MustPath("PID-3[*]"), id); err == nil {
		t.Error("written to many places")
	}
}

func TestDTM(t *testing.T) {
	t.Parallel()
	for text, precision := range map[string]hl7.Precision{"": hl7.NoTime, "2026": hl7.Year, "202603": hl7.Month, "20260305": hl7.Day, "2026030514": hl7.Hour, "202603051407": hl7.Minute, "20260305140709": hl7.Second,
		"20260305140709.1": hl7.Second, "20260305140709.1230": hl7.Second, "20260305140709.123456789+0530": hl7.Second, "2026-0500": hl7.Year, "20260305+0000": hl7.Day, "202603051407-0000": hl7.Minute, "20240229": hl7.Day, "20260305140709-0330": hl7.Second} {
		d, err := hl7.ParseDTM(text)
		if err != nil || d.String() != text || d.Precision != precision || d.IsZero() != (text == "") {
			t.Errorf("%s: %v %v %v", text, d, d.Precision, err)
		}
	}
	for text, want := range map[string]string{
		"20261305": "the month at character 5", "202602": "", "20260230": "not in its month", "20230229": "not in its month", "2026030525": "the hour at character 9", "2026030524": "the hour at character 9", "202603051460": "the minute at character 11",
		"20260305140760": "the second at character 13", "202": "the year at character 1", "20265": "the month at character 5", "0000": "the year", "x": "the year", "+0100": "begin with a year", "20260305140709.": "one to nine digits",
		"20260305140709.1234567890": "one to nine digits", "202603.5": "follows a second", "20260305+01": "the zone at character 9", "20260305+0160": "the zone", "20260305+2400": "the zone", "20260305140709+01000": "the zone", "2026030514070911": "only a fraction or a zone", " 2026": "the year", "2026 ": "the month",
	} {
		if d, err := hl7.ParseDTM(text); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v %v", text, d, err)
		}
	}
	berlin := time.FixedZone("", 3600)
	d, err := hl7.ParseDTM("202603051407")
	if err != nil {
		t.Fatal(err)
	}
	if in := d.In(berlin); !in.Time.Equal(time.Date(2026, 3, 5, 14, 7, 0, 0, berlin)) || in.String() != "202603051407+0100" || in.In(time.UTC) != in {
		t.Errorf("%v", in)
	}
	if !hl7.NewDTM(time.Time{}).IsZero() {
		t.Error("no time is a time")
	}
	if got := hl7.NewDTM(time.Date(2026, 3, 5, 14, 7, 9, 5, berlin)).String(); got != "20260305140709+0100" {
		t.Error(got)
	}
	if got := fmt.Sprint(hl7.NoTime, hl7.Second, hl7.Precision(9)); got != "none second Precision(9)" {
		t.Error(got)
	}
}

func TestNM(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"1": "1", "007": "7", "-3": "-3", "+1.50": "3/2", ".5": "1/2", "5.": "5", "123456789012345678901234567890": "123456789012345678901234567890"} {
		n, err := hl7.ParseNM(text)
		if err != nil || string(n) != text {
			t.Errorf("%s: %v %v", text, n, err)
		}
		if r, err := n.Rat(); err != nil || r.RatString() != want {
			t.Errorf("%s: %v %v", text, r, err)
		}
		if _, err := n.Float64(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"x", "1e5", "1,5", "--1", "1-", ".", "+", "1.2.3", " 1", "0x10", "1/2", strings.Repeat("1", 1001)} {
		if n, err := hl7.ParseNM(text); err == nil {
			t.Errorf("%q is %v", text, n)
		}
		if _, err := hl7.NM(text).Rat(); err == nil {
			t.Errorf("%q has a value", text)
		}
	}
	for text, ok := range map[hl7.NM]bool{"9223372036854775807": true, "9223372036854775808": false, "1.5": false, "1.0": true, "": false} {
		if n, err := text.Int64(); (err == nil) != ok {
			t.Errorf("%s: %d %v", text, n, err)
		}
	}
	if _, err := hl7.NM(strings.Repeat("9", 400)).Float64(); err == nil {
		t.Error("1e400 fits")
	}
}

// A time is written as it was read.
func FuzzDTM(f *testing.F) {
	f.Add("20260305140709.1234+0100")
	f.Add("2026-0000")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := hl7.ParseDTM(text)
		if err != nil {
			return
		}
		if d.String() != text {
			t.Errorf("%q becomes %q", text, d)
		}
	})
}

func TestMarshalKeepsDates(t *testing.T) {
	t.Parallel()
	const raw = "MSH|^~\\&|A\rPID|1||||||19800102|\r"
	m := parse(t, raw)
	var patient struct {
		Birthday time.Time `hl7:"PID-7"`
	}
	if err := m.Unmarshal(&patient); err != nil {
		t.Fatal(err)
	}
	if err := m.Marshal(patient); err != nil || string(m.Bytes()) != raw {
		t.Errorf("%v %q", err, m.Bytes())
	}
	patient.Birthday = patient.Birthday.AddDate(0, 0, 1)
	if err := m.Marshal(patient); err != nil || m.Get(hl7.MustPath("PID-7")) != "19800103000000+0000" {
		t.Errorf("%v %q", err, m.Bytes())
	}
	for _, nothing := range []any{nil, (*hl7.CX)(nil)} {
		if err := m.MarshalAt(hl7.MustPath("ZZ1-3"), nothing); err == nil || m.Find(hl7.MustPath("ZZ1")) >= 0 {
			t.Errorf("%v", err)
		}
	}
}

// A field of very many repetitions is read in linear time.
func TestUnmarshalManyRepetitions(t *testing.T) {
	t.Parallel()
	const n = 200_000
	m := parse(t, "MSH|^~\\&|A\rPID|1||"+strings.Repeat("1^2^3^HOSP&1~", n)+"\r")
	var patient struct {
		IDs   []hl7.CX `hl7:"PID-3"`
		Texts []string `hl7:"PID-3[*].4.2"`
	}
	if err := m.Unmarshal(&patient); err != nil || len(patient.IDs) != n+1 || patient.IDs[n-1].AssigningAuthority.UniversalID != "1" || patient.Texts[n-1] != "1" {
		t.Error(err, len(patient.IDs), len(patient.Texts))
	}
}

// A shout writes itself through a pointer, and reads itself not at all.
type shout struct{ text string }

func (s *shout) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(s.text)), nil }

func TestMarshalThroughPointerMethods(t *testing.T) {
	t.Parallel()
	m := parse(t, "MSH|^~\\&|A\r")
	err := m.Marshal(struct {
		Sender shout   `hl7:"MSH-3"`
		All    []shout `hl7:"PID-3"`
	}{shout{"lab"}, []shout{{"a"}, {"b"}}})
	if err == nil {
		err = m.MarshalAt(hl7.MustPath("PID-5"), shout{"c"})
	}
	if want := "MSH|^~\\&|LAB\rPID|||A~B||C\r"; err != nil || string(m.Bytes()) != want {
		t.Errorf("%v %q", err, m.Bytes())
	}
}

func TestUnmarshalAtReadsSlices(t *testing.T) {
	t.Parallel()
	m := parse(t, oruResult)
	var ids []hl7.CX
	if ok, err := m.UnmarshalAt(hl7.MustPath("PID-3"), &ids); !ok || err != nil || len(ids) != 2 || ids[1].IDNumber != "4712" {
		t.Error(ok, err, ids)
	}
	var values []hl7.NM
	if ok, err := m.UnmarshalAt(hl7.MustPath("OBR[1]/OBX[*]-5"), &values); !ok || err != nil || fmt.Sprint(values) != "[13.5 2]" {
		t.Error(ok, err, values)
	}
	var orders []order
	if ok, err := m.UnmarshalAt(hl7.MustPath("OBR"), &orders); !ok || err != nil || len(orders) != 2 || len(orders[0].Observations) != 2 {
		t.Error(ok, err, orders)
	}
	before := len(ids)
	if ok, err := m.UnmarshalAt(hl7.MustPath("PID-4"), &ids); ok || err != nil || len(ids) != before {
		t.Error(ok, err, ids)
	}
	var numbers []int
	if _, err := m.UnmarshalAt(hl7.MustPath("PID-5"), &numbers); err == nil {
		t.Error("a name is a number")
	}
	if err := m.MarshalAt(hl7.MustPath("PID-3"), []hl7.CX{{IDNumber: "1"}, {IDNumber: "2"}}); err != nil || m.Get(hl7.MustPath("PID-3[2].1")) != "2" || m.Get(hl7.MustPath("PID-3[2].4")) != "NHS" {
		t.Errorf("%v %q", err, m.Bytes())
	}
}

func TestLargeUnsignedNumbers(t *testing.T) {
	t.Parallel()
	m := parse(t, "MSH|^~\\&|18446744073709551615|18446744073709551616|-1|1.5|300\r")
	var n uint64
	if ok, err := m.UnmarshalAt(hl7.MustPath("MSH-3"), &n); !ok || err != nil || n != 1<<64-1 {
		t.Error(ok, err, n)
	}
	for _, p := range []string{"MSH-4", "MSH-5", "MSH-6"} {
		if _, err := m.UnmarshalAt(hl7.MustPath(p), &n); err == nil {
			t.Errorf("%s is %d", p, n)
		}
	}
	var small uint8
	if _, err := m.UnmarshalAt(hl7.MustPath("MSH-7"), &small); err == nil {
		t.Error(small)
	}
}

// What stands before a segment of the next group is that group's.
func TestMarshalAddsBeforeTheNextGroup(t *testing.T) {
	t.Parallel()
	type added struct {
		Orders []struct {
			Number string `hl7:"2"`
			Values []struct {
				Value string `hl7:"5"`
			} `hl7:"OBX"`
		} `hl7:"OBR"`
	}
	for raw, want := range map[string]string{
		"ORC|1\rOBR||1\rOBX|||||a\rNTE|1\rORC|2\rOBR||2\rOBX|||||b\r":      "ORC|1\rOBR||1\rOBX|||||a\rNTE|1\rOBX|||||+\rORC|2\rOBR||2\rOBX|||||b\rOBX|||||+\r",
		"PID|1\rOBR||1\rORC|2\rOBR||2\r":                                   "PID|1\rOBR||1\rOBX|||||+\rORC|2\rOBR||2\rOBX|||||+\r",
		"SPM|1\rORC|1\rOBR||1\rSPM|2\rORC|2\rOBR||2\rSPM|3\rORC|3\rOBR|\r": "SPM|1\rORC|1\rOBR||1\rOBX|||||+\rSPM|2\rORC|2\rOBR||2\rOBX|||||+\rSPM|3\rORC|3\rOBR|\rOBX|||||+\r",
		"PID|1\rOBR||1\rOBX|||||a\rSPM|1\rOBR||2\rOBX|||||b\rSPM|2\r":      "PID|1\rOBR||1\rOBX|||||a\rSPM|1\rOBX|||||+\rOBR||2\rOBX|||||b\rSPM|2\rOBX|||||+\r",
	} {
		m := parse(t, "MSH|^~\\&|A\r"+raw)
		var a added
		if err := m.Unmarshal(&a); err != nil {
			t.Fatal(err)
		}
		for i := range a.Orders {
			o := &a.Orders[i]
			o.Values = append(o.Values, struct {
				Value string `hl7:"5"`
			}{"+"})
		}
		if err := m.Marshal(a); err != nil || string(m.Bytes()) != "MSH|^~\\&|A\r"+want {
			t.Errorf("%v, got\n%q, want\n%q", err, m.Bytes(), want)
		}
	}
}

// Every component is read, and written as it was.
func TestWholeDataTypes(t *testing.T) {
	t.Parallel()
	const (
		cwe     = "1^2^3^4^5^6^7^8^9^10^11^12^13^14^15^2016^17^18^2019^20^21^2022"
		cx      = "1^2^3^4&1^5^6&2^2007^2008^9&j^10&a^11^12"
		address = "1&s&d^2^3^4^5^6^7^8^9&c^10&c^11^2012&2013^2013^2014^15^16^17^18^19^20^21^22&p^23&n&u&t"
		phone   = "1^2^3^4^5^6^7^8^9^10^11^12^2013^2014^15&r^16&p^17&n&u&t^18"
		person  = "1&2&3&4&5^2^3^4^5^6^7^8^9&c^2010&2011^11^2012^2013^14^15"
	)
	for text, v := range map[string]any{cwe: &hl7.CWE{}, cx: &hl7.CX{}, address: &hl7.XAD{}, phone: &hl7.XTN{}, person: &hl7.XPN{}} {
		m, to := parse(t, "MSH|^~\\&|A\rZZ1|"+text+"\r"), parse(t, "MSH|^~\\&|A\rZZ1|\r")
		p := hl7.MustPath("ZZ1-1")
		if ok, err := m.UnmarshalAt(p, v); !ok || err != nil {
			t.Errorf("%T: %v %v", v, ok, err)
		}
		if err := to.MarshalAt(p, v); err != nil || string(to.Bytes()) != string(m.Bytes()) {
			t.Errorf("%T: %v, got\n%q, want\n%q", v, err, to.Bytes(), m.Bytes())
		}
	}
}
