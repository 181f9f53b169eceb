package hl7_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/hl7"
)

var noon = time.Date(2026, 3, 5, 12, 0, 0, 0, time.FixedZone("", 3600))

func TestAppendAck(t *testing.T) {
	t.Parallel()
	location := hl7.MustPath("PID[1]-3[2].4")
	errs := []hl7.AckError{{Location: location, Code: "101", Text: "Required field missing"}}
	for name, c := range map[string]struct {
		raw  string
		ack  hl7.Ack
		want string
	}{
		"2.5": {"MSH|^~\\&|A|B|C|D|20260101||ADT^A01^ADT_A01|17|P|2.5||||||8859/1", hl7.Ack{Code: "AA"},
			"MSH|^~\\&|C|D|A|B|20260305120000+0100||ACK^A01^ACK|X|P|2.5||||||8859/1\rMSA|AA|17\r"},
		"2.3": {"MSH|^~\\&|A|B|C|D|20260101||ADT^A01|17|T|2.3", hl7.Ack{Code: "AE", Text: "no|good"},
			"MSH|^~\\&|C|D|A|B|20260305120000+0100||ACK^A01|X|T|2.3\rMSA|AE|17|no\\F\\good\r"},
		"2.1":              {"MSH|^~\\&|A|B|C|D|20260101||ADT|17|P|2.1", hl7.Ack{Code: "AR"}, "MSH|^~\\&|C|D|A|B|20260305120000+0100||ACK|X|P|2.1\rMSA|AR|17\r"},
		"other delimiters": {"MSH$%?!@$A$B$C$D$1$$ADT%A01$17$P$2.5", hl7.Ack{Code: "AA"}, "MSH$%?!@$C$D$A$B$20260305120000+0100$$ACK%A01%ACK$X$P$2.5\rMSA$AA$17\r"},
		"with components":  {"MSH|^~\\&|A^1.2^ISO|B|C|D&x|1||ADT^A01|17|P^T|2.5^DEU", hl7.Ack{Code: "AA"}, "MSH|^~\\&|C|D&x|A^1.2^ISO|B|20260305120000+0100||ACK^A01^ACK|X|P^T|2.5^DEU\rMSA|AA|17\r"},
		"bare MSH":         {"MSH|^~\\&", hl7.Ack{Code: "AE"}, "MSH|^~\\&|||||20260305120000+0100||ACK|X|P|\rMSA|AE|\r"},
		"nobody's code":    {"MSH|^~\\&|A|B|C|D|1||ADT^A01|17|P|2.5", hl7.Ack{}, "MSH|^~\\&|C|D|A|B|20260305120000+0100||ACK^A01^ACK|X|P|2.5\rMSA|AE|17\r"},
		"ERR, 2.5": {"MSH|^~\\&|A|B|C|D|1||ADT^A01|17|P|2.5", hl7.Ack{Code: "AE", Errors: errs},
			"MSH|^~\\&|C|D|A|B|20260305120000+0100||ACK^A01^ACK|X|P|2.5\rMSA|AE|17\rERR||PID^1^3^2^4|101^Required field missing^HL70357|E\r"},
		"ERR, 2.3": {"MSH|^~\\&|A|B|C|D|1||ADT^A01|17|P|2.3", hl7.Ack{Code: "AE", Errors: errs},
			"MSH|^~\\&|C|D|A|B|20260305120000+0100||ACK^A01|X|P|2.3\rMSA|AE|17\rERR|PID^1^3^101&Required field missing&HL70357\r"},
	} {
		c.ack.Time, c.ack.ControlID = noon, "X"
		h, err := hl7.ParseHeader([]byte(c.raw))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := string(h.AppendAck(nil, c.ack)); got != c.want {
			t.Errorf("%s: got\n%q want\n%q", name, got, c.want)
		}
	}
	var unread hl7.Header
	if got, want := string(unread.AppendAck(nil, hl7.Ack{Code: "AR", Text: "no", Time: noon, ControlID: "X"})), "MSH|^~\\&|||||20260305120000+0100||ACK|X|P|2.3\rMSA|AR||no\r"; got != want {
		t.Errorf("unread: got\n%q want\n%q", got, want)
	}
	a, b := unread.AppendAck(nil, hl7.Ack{}), unread.AppendAck(nil, hl7.Ack{})
	if string(a) == string(b) {
		t.Error("two acknowledgements with one control id")
	}
}

// The texts are in the message's character set, and what it has no delimiter or character
// for doesn't end them.
func TestAppendAckTexts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want string }{
		"8859/1":       {header("8859/1"), "MSA|AE||M\xfcller \\F\\ ?\rERR||PID^2|101^\xe9 ?^HL70357|W\r"},
		"UTF-8":        {header("UNICODE UTF-8"), "MSA|AE||Müller \\F\\ Ł\rERR||PID^2|101^é Ł^HL70357|W\r"},
		"no escape":    {"MSH|^~|A", "MSA|AE||Müller   Ł\rERR||PID^2|101^é Ł^HL70357|W\r"},
		"no component": {"MSH||A", "MSA|AE||Müller   Ł\rERR||PID|101|W\r"},
		"2.3":          {"MSH|^~\\&|A|||||||||2.3", "MSA|AE||Müller \\F\\ Ł\rERR|PID^2^^101&é Ł&HL70357\r"},
		"2.3, bare":    {"MSH||A|||||||||2.3", "MSA|AE||Müller   Ł\rERR|PID\r"},
	} {
		h, err := hl7.ParseHeader([]byte(c.raw))
		if err != nil {
			t.Fatal(err)
		}
		ack := h.AppendAck(nil, hl7.Ack{Text: "Müller | Ł", Errors: []hl7.AckError{{Location: hl7.MustPath("PID[2]"), Code: "101", Text: "é Ł", Warning: true}}})
		if _, got, _ := strings.Cut(string(ack), "\r"); got != c.want {
			t.Errorf("%s: got\n%q, want\n%q", name, got, c.want)
		}
	}
}

func TestAcknowledgementModes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		accept, application string
		enhanced            bool
		ca, ce, aa, ae      bool
	}{
		{"", "", false, false, false, true, true},
		{"NE", "NE", true, false, false, false, false},
		{"AL", "NE", true, true, true, false, false},
		{"SU", "NE", true, true, false, false, false},
		{"ER", "", true, false, true, false, false},
		{"NE", "AL", true, false, false, true, true},
		{"", "SU", true, false, false, true, false},
		{"AL", "ER", true, true, true, false, true},
		{"??", "AL", true, true, true, true, true},
	} {
		h, err := hl7.ParseHeader([]byte("MSH|^~\\&|A|B|C|D|1||ADT^A01|17|P|2.5|||" + c.accept + "|" + c.application))
		if err != nil {
			t.Fatal(err)
		}
		if h.Enhanced() != c.enhanced || h.WantsAccept(true) != c.ca || h.WantsAccept(false) != c.ce || h.WantsApplication(true) != c.aa || h.WantsApplication(false) != c.ae {
			t.Errorf("%s/%s: %v %v %v %v %v", c.accept, c.application, h.Enhanced(), h.WantsAccept(true), h.WantsAccept(false), h.WantsApplication(true), h.WantsApplication(false))
		}
	}
	h, err := hl7.ParseHeader([]byte("MSH|^~\\&|A|B|C|D|1||ADT^A01|17|P|2.5|||AL|AL||8859/1"))
	if err != nil {
		t.Fatal(err)
	}
	got := string(h.AppendAck(nil, hl7.Ack{Code: "AA", ControlID: "X", Time: noon, AcceptAcknowledgement: "AL", ApplicationAcknowledgement: "NE"}))
	if want := "MSH|^~\\&|C|D|A|B|20260305120000+0100||ACK^A01^ACK|X|P|2.5|||AL|NE||8859/1\rMSA|AA|17\r"; got != want {
		t.Errorf("got\n%q want\n%q", got, want)
	}
}

func TestNullModesAreNone(t *testing.T) {
	t.Parallel()
	h, err := hl7.ParseHeader([]byte("MSH|^~\\&|A|B|C|D|1||ADT^A01|1|P|2.5|||\"\"|\"\""))
	if err != nil || h.Enhanced() || h.WantsAccept(true) || !h.WantsApplication(true) {
		t.Error(err, h.Enhanced())
	}
	h, err = hl7.ParseHeader([]byte("MSH|^~\\&|A|B|C|D|1||ADT^A01|1|P|2.5|||\"\"|AL"))
	if err != nil || !h.Enhanced() || h.WantsAccept(true) || !h.WantsApplication(true) {
		t.Error(err, h.Enhanced())
	}
}

func TestParseAckErrors(t *testing.T) {
	t.Parallel()
	const msh = "MSH|^~\\&|C|D|A|B|1||ACK|X|P|2.5\rMSA|AE|17\r"
	path := hl7.MustPath
	for raw, want := range map[string][]hl7.AckError{
		"ERR|PID^1^3^101&Required&HL70357~OBX^2^5":  {{Location: path("PID[1]-3"), Code: "101", Text: "Required"}, {Location: path("OBX[2]-5")}},
		"ERR||PID^1^3^2^4^1|101^Required^HL70357|E": {{Location: path("PID[1]-3[2].4.1"), Code: "101", Text: "Required"}},
		"ERR||PID^1|207|W||||Call us":               {{Location: path("PID[1]"), Code: "207", Text: "Call us", Warning: true}},
		"ERR|||207|I|||Diagnosis\rERR|||100|E":      {{Code: "207", Text: "Diagnosis", Warning: true}, {Code: "100"}},
		"ERR||pid^1^3|101":                          {{Code: "101"}},
		"ERR||PID^0^3|101":                          {{Location: path("PID"), Code: "101"}},
		"ERR||PID^99999999999999999999^3|101":       {{Location: path("PID"), Code: "101"}},
		"ERR|\rERR":                                 nil,
		"ERR|^^^207&Text":                           {{Code: "207", Text: "Text"}},
	} {
		got, err := hl7.ParseAck([]byte(msh + raw + "\r"))
		if err != nil || !reflect.DeepEqual(got.Errors, want) {
			t.Errorf("%q: got %+v, %v", raw, got.Errors, err)
		}
	}
}

func TestParseAck(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]hl7.AckInfo{
		"MSH|^~\\&|C|D|A|B|1||ACK^A01^ACK|X|P|2.5\rMSA|AA|17\r":       {Code: "AA", ControlID: "17"},
		"MSH|^~\\&|\nMSA|CE|17|why\\F\\|\n":                           {Code: "CE", ControlID: "17", Text: "why|"},
		"MSH|^~\\&|C|D|A|B|1||ORU^R01|X|P|9.9\rZZZ\rMSA| AR |17\rERR": {Code: "AR", ControlID: "17"},
		"MSA|AA|17":         {Code: "AA", ControlID: "17"},
		"\r\nMSA|AE|17|x\r": {Code: "AE", ControlID: "17", Text: "x"},
	} {
		got, err := hl7.ParseAck([]byte(raw))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v", raw, got, err)
		}
		if got.Positive() != (want.Code == "AA") {
			t.Errorf("%q: positive %v", raw, got.Positive())
		}
	}
	for raw, want := range map[string]string{
		"": "no message", "OK": "begins with MSH", "MSH|^~\\&|\r": "no MSA segment", "MSH|^~\\&|\rMSA|\r": "acknowledgement code", "MSH|^~\\&|\rMSA|aa|17\r": "acknowledgement code", "MSH|^~\\&|\rMSAX|AA|17\r": "no MSA segment",
	} {
		if got, err := hl7.ParseAck([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v, %v", raw, got, err)
		}
	}
}

func FuzzParseAck(f *testing.F) {
	f.Add([]byte("MSH|^~\\&|C|D|A|B|1||ACK^A01^ACK|X|P|2.5\rMSA|AA|17\r"))
	f.Add([]byte("MSA|AA|17"))
	f.Add([]byte("MSH|^~\\&|C|D|A|B|1||ACK|X|P|2.5||||||BIG-5\rMSA|AE|17|\xa5|\rERR|PID^1^3^101&x&HL70357~OBX^2\rERR||PID^1^3^2^4^1|101^x|W||||why"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := hl7.ParseAck(raw)
		if err == nil && len(a.Code) != 2 || err != nil && !reflect.DeepEqual(a, hl7.AckInfo{}) {
			t.Errorf("%+v, %v", a, err)
		}
		if m, parsed := hl7.Parse(raw); parsed == nil && err == nil {
			text := ""
			if v, ok := m.Lookup(hl7.MustPath("MSA-3")); ok {
				whole, _ := m.Segment(m.Find(hl7.MustPath("MSA"))).Field(3)
				if text = whole.Text(); !strings.HasPrefix(string(whole.Raw()), string(v.Raw())) {
					t.Errorf("%q is not the beginning of %q", v.Raw(), whole.Raw())
				}
			}
			if a.Text != text {
				t.Errorf("MSA-3 is %q and not %q", text, a.Text)
			}
		}
	})
}
