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
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := hl7.ParseAck(raw)
		if err == nil && len(a.Code) != 2 || err != nil && !reflect.DeepEqual(a, hl7.AckInfo{}) {
			t.Errorf("%+v, %v", a, err)
		}
	})
}
