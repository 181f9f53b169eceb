package hl7v2_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"github.com/ladlehq/ladle/hl7"
)

const adt = "MSH|^~\\&|HIS|WARD|LAB|CELLAR|20260305140709||ADT^A01^ADT_A01|17|P|2.5||||||8859/1\rPID|1||4711~4712||M\xfcller\r"

func TestIdentity(t *testing.T) {
	t.Parallel()
	id, err := hl7v2.Format{}.Identity(engine.NewMessage([]byte(adt)))
	if err != nil || id != (engine.Identity{ControlID: "17", Type: "ADT^A01"}) {
		t.Errorf("%+v, %v", id, err)
	}
	if _, err := (hl7v2.Format{}).Identity(engine.NewMessage([]byte("hello"))); err == nil {
		t.Error("no error")
	}
}

func TestCompile(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][]string{"PID-5": {"Müller"}, "PID-3[*]": {"4711", "4712"}, "PID-9": nil, "MSH-9.2": {"A01"}} {
		g, err := hl7v2.Format{}.Compile(path)
		if err != nil {
			t.Fatal(err)
		}
		m := engine.NewMessage([]byte(adt))
		all, err := g.Values(m)
		if err != nil || !slices.Equal(all, want) {
			t.Errorf("%s: %q, %v", path, all, err)
		}
		first, err := g.Value(m)
		if err != nil || len(want) > 0 && first != want[0] || len(want) == 0 && first != "" {
			t.Errorf("%s: %q, %v", path, first, err)
		}
	}
	if _, err := (hl7v2.Format{}).Compile("PID5"); err == nil {
		t.Error("PID5 is a path")
	}
	g, err := hl7v2.Format{}.Compile("PID-5")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Value(engine.NewMessage([]byte("hello"))); err == nil {
		t.Error("a value of what is no message")
	}
}

// A charset that the transport gives overrides MSH-18.
func TestViewCharset(t *testing.T) {
	t.Parallel()
	m := engine.NewMessage([]byte(strings.Replace(adt, "\xfc", "\xc3\xbc", 1)))
	m.ContentType = "application/hl7-v2; charset=utf-8"
	msg, err := hl7v2.View(m)
	if err != nil || msg.Get(hl7.MustPath("PID-5")) != "Müller" {
		t.Error(msg.Get(hl7.MustPath("PID-5")), err)
	}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	m := engine.NewMessage([]byte(adt))
	path := hl7.MustPath("PID-5")
	if err := hl7v2.Edit(m, func(msg *hl7.Message) error { return msg.Set(path, "Özil") }); err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(adt, "M\xfcller", "\xd6zil", 1); string(m.Body()) != want || string(m.Original()) != adt {
		t.Errorf("%q", m.Body())
	}
	failed := errors.New("changed my mind")
	err := hl7v2.Edit(m, func(msg *hl7.Message) error {
		msg.Set(path, "half")
		return failed
	})
	if msg, _ := hl7v2.View(m); !errors.Is(err, failed) || msg.Get(path) != "Özil" {
		t.Errorf("%v, %q", err, m.Body())
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body   string
		answer engine.Answer
		code   hl7.AckCode
		id     string
		text   string
	}{
		"accepted":          {adt, engine.Answer{Class: engine.Accepted}, "AA", "17", ""},
		"filtered":          {adt, engine.Answer{Class: engine.Filtered}, "AA", "17", ""},
		"failed":            {adt, engine.Answer{}, "AE", "17", "The message could not be processed."},
		"rejected":          {adt, engine.Answer{Class: engine.Rejected}, "AR", "17", "The message was rejected."},
		"unavailable":       {adt, engine.Answer{Class: engine.Unavailable}, "AR", "17", "The message can't be processed now. Send it again later."},
		"too large":         {adt, engine.Answer{Class: engine.TooLarge}, "AR", "17", "The message is larger than this receiver takes."},
		"own text":          {adt, engine.Answer{Class: engine.Rejected, Text: "No|thanks"}, "AR", "17", "No|thanks"},
		"no HL7":            {"hello", engine.Answer{Class: engine.Rejected}, "AR", "", "This is no HL7 v2 message: one begins with an MSH segment."},
		"nothing":           {"", engine.Answer{Class: engine.TooLarge}, "AR", "", "The message is larger than this receiver takes."},
		"passed on":         {adt, engine.Answer{Class: engine.Accepted, PassOn: []byte("MSH|^~\\&|L|||||||9|P|2.5\rMSA|AA|1|fine\rZZZ\r")}, "AA", "17", "fine"},
		"a CA to pass on":   {adt, engine.Answer{Class: engine.Accepted, PassOn: []byte("MSH|^~\\&|L|||||||9|P|2.5\rMSA|CA|1|fine\rZZZ\r")}, "AA", "17", "fine"},
		"a CR to pass on":   {adt, engine.Answer{Class: engine.Rejected, PassOn: []byte("MSH|^~\\&|L|||||||9|P|2.5\rMSA|CR|1|no\r")}, "AR", "17", "no"},
		"no HL7 to pass on": {adt, engine.Answer{Class: engine.Accepted, PassOn: []byte("OK")}, "AA", "17", ""},
	} {
		m := engine.NewMessage([]byte(c.body))
		m.SetBody([]byte("MSH|^~\\&|changed|||||||18|P|2.5\r")) // the answer is to what came in
		reply, err := hl7v2.Format{}.Answer(m, c.answer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		ack, err := hl7.ParseAck(reply.Body)
		if err != nil || ack.Code != c.code || ack.ControlID != c.id || ack.Text != c.text {
			t.Errorf("%s: %+v, %v", name, ack, err)
		}
		if name == "passed on" && !strings.HasSuffix(string(reply.Body), "\rZZZ\r") {
			t.Errorf("%s: %q", name, reply.Body)
		}
	}
}

// A partner's reply that is passed on in enhanced mode asks for what an acknowledgement of
// Ladle's own would.
func TestAnswerPassesOnInEnhancedMode(t *testing.T) {
	t.Parallel()
	for apart, want := range map[bool]string{false: "NE", true: "AL"} {
		m := engine.NewMessage([]byte("MSH|^~\\&|H|W|L|C|2026||ADT^A01|17|P|2.5|||AL|AL\r"))
		reply, err := hl7v2.Format{}.Answer(m, engine.Answer{Class: engine.Accepted, Apart: apart, PassOn: []byte("MSH|^~\\&|L|||||||9|P|2.5\rMSA|AA|1\r")})
		if err != nil {
			t.Fatal(err)
		}
		if h, err := hl7.ParseHeader(reply.Body); err != nil || string(h.Field(15)) != want || string(h.Field(16)) != "NE" {
			t.Errorf("apart %v: %q, %v", apart, reply.Body, err)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]engine.Class{"AA": engine.Accepted, "CA": engine.Accepted, "AE": engine.Failed, "CE": engine.Failed, "AR": engine.Rejected, "CR": engine.Rejected} {
		a, err := hl7v2.Format{}.ReadAnswer(engine.NewMessage([]byte(adt)), []byte("MSH|^~\\&|\rMSA|"+code+"|17|why\r"))
		if err != nil || a.Class != want || a.Text != "why" {
			t.Errorf("%s: %+v, %v", code, a, err)
		}
	}
	for reply, want := range map[string]error{"": engine.ErrNoAcknowledgement, "OK": engine.ErrNoAcknowledgement, "MSH|^~\\&|\rMSA|XX|17\r": engine.ErrNoAcknowledgement, "MSH|^~\\&|\rMSA|AA|1\r": engine.ErrWrongID} {
		if a, err := (hl7v2.Format{}).ReadAnswer(engine.NewMessage([]byte(adt)), []byte(reply)); !errors.Is(err, want) || a.Class.Positive() {
			t.Errorf("%q: %+v, %v", reply, a, err)
		}
	}
}

func ExampleEdit() {
	m := engine.NewMessage([]byte("MSH|^~\\&|HIS|||||||17|P|2.5\rPID|1||4711\r"))
	activity := engine.ActivityFunc(func(_ context.Context, m *engine.Message) error {
		return hl7v2.Edit(m, func(msg *hl7.Message) error {
			return msg.Set(hl7.MustPath("PID-3.4"), "HOSPITAL")
		})
	})
	if err := activity.Do(context.Background(), m); err != nil {
		fmt.Println(err)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(string(m.Body())), "\r") {
		fmt.Println(line)
	}
	// Output:
	// MSH|^~\&|HIS|||||||17|P|2.5
	// PID|1||4711^^^HOSPITAL
}
