package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ladlehq/ladle/engine"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// Each error chooses its answer, however deep it is wrapped.
func TestAnswerByError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want engine.Class
	}{
		{nil, engine.Accepted},
		{errors.New("any"), engine.Failed},
		{engine.ErrFiltered, engine.Filtered},
		{fmt.Errorf("deep: %w", fmt.Errorf("deeper: %w", engine.ErrRejected)), engine.Rejected},
		{engine.ErrUnavailable, engine.Unavailable},
		{engine.ErrStopped, engine.Unavailable},
		{engine.ErrUnreachable, engine.Unavailable},
		{engine.ErrTimeout, engine.Unavailable},
		{engine.ErrNoAcknowledgement, engine.Unavailable},
		{engine.ErrWrongID, engine.Unavailable},
		{engine.ErrPartnerError, engine.Failed},
		{engine.ErrPartnerRejected, engine.Rejected},
		{engine.RetryAfter(errors.New("busy"), 3*time.Second), engine.Unavailable},
	} {
		p := newPipe()
		later := false
		start(t, []engine.Workflow{{Name: "w", Receiver: p, Activities: steps(
			func(context.Context, *engine.Message) error { return c.err },
			func(context.Context, *engine.Message) error { later = true; return nil },
		)}})
		r := <-p.send("x")
		if r.Class != c.want {
			t.Errorf("%v: got %v, want %v", c.err, r.Class, c.want)
		}
		if later != (c.err == nil) {
			t.Errorf("%v: the next activity ran: %v", c.err, later)
		}
		switch {
		case c.want != engine.Unavailable && r.RetryAfter != 0:
			t.Errorf("%v: RetryAfter %v", c.err, r.RetryAfter)
		case c.want == engine.Unavailable && r.RetryAfter == 0:
			t.Errorf("%v: no RetryAfter", c.err)
		case strings.Contains(fmt.Sprint(c.err), "busy") && r.RetryAfter != 3*time.Second:
			t.Errorf("%v: RetryAfter %v", c.err, r.RetryAfter)
		}
	}
}

// A panic ends its message and nothing else, and the log has its stack and not its
// value.
func TestPanicEndsTheMessage(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.DebugLevel)
	p := newPipe()
	start(t, []engine.Workflow{{Name: "w", Receiver: p, Activities: steps(func(_ context.Context, m *engine.Message) error {
		if string(m.Body()) == "bad" {
			panic("patient SECRET")
		}
		return nil
	})}}, engine.WithLogger(zap.New(core)))
	if r := <-p.send("bad"); r.Class != engine.Failed {
		t.Errorf("got %v", r.Class)
	}
	if r := <-p.send("good"); r.Class != engine.Accepted {
		t.Errorf("got %v", r.Class)
	}
	line := logs.FilterMessage("message not accepted").All()
	if len(line) != 1 {
		t.Fatalf("log: %v", logs.All())
	}
	if stack := fmt.Sprint(line[0].ContextMap()["stack"]); !strings.Contains(stack, "TestPanicEndsTheMessage") {
		t.Errorf("no stack: %v", line[0].ContextMap())
	}
	assertNotLogged(t, logs, "SECRET")
}

// assertNotLogged fails when any line of the log, as it would be written, has text.
func assertNotLogged(t *testing.T, logs *observer.ObservedLogs, text string) {
	t.Helper()
	enc := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	for _, l := range logs.All() {
		b, err := enc.EncodeEntry(l.Entry, l.Context)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b.Bytes(), []byte(text)) {
			t.Errorf("the log has %q: %s", text, b)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	is := func(text string) engine.Filter {
		return engine.FilterFunc(func(_ context.Context, m *engine.Message) (bool, error) {
			if string(m.Body()) == "broken" {
				return false, errors.New("can't tell")
			}
			return strings.Contains(string(m.Body()), text), nil
		})
	}
	p, did := newPipe(), ""
	start(t, []engine.Workflow{{Name: "w", Receiver: p, When: is("a"), Activities: []engine.Step{
		{When: is("b"), Activity: engine.ActivityFunc(func(context.Context, *engine.Message) error { did += "1"; return nil })},
		{Activity: engine.ActivityFunc(func(context.Context, *engine.Message) error { did += "2"; return nil })},
	}}})
	for _, c := range []struct {
		body string
		want engine.Class
		did  string
	}{
		{"ab", engine.Accepted, "12"},
		{"a", engine.Accepted, "2"},
		{"b", engine.Filtered, ""},
		{"broken", engine.Failed, ""},
	} {
		did = ""
		if r := <-p.send(c.body); r.Class != c.want || did != c.did {
			t.Errorf("%s: got %v and did %q, want %v and %q", c.body, r.Class, did, c.want, c.did)
		}
	}
}

func TestStepTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		p := newPipe()
		start(t, []engine.Workflow{{Name: "w", Receiver: p, Activities: []engine.Step{{Name: "slow", Timeout: 3 * time.Second,
			Activity: engine.ActivityFunc(func(ctx context.Context, _ *engine.Message) error { <-ctx.Done(); return ctx.Err() })}}}},
			engine.WithLogger(zap.New(core)))
		before := time.Now()
		if r := <-p.send("x"); r.Class != engine.Unavailable || time.Since(before) != 3*time.Second {
			t.Errorf("got %v after %v", r.Class, time.Since(before))
		}
		if !strings.Contains(fmt.Sprint(logs.All()[0].ContextMap()["error"]), "no end within 3s") {
			t.Errorf("log: %v", logs.All()[0].ContextMap())
		}
	})
}

// The end of the context that a receiver hands in, such as a peer's going away, doesn't
// end the run; its values arrive.
func TestRunOutlivesItsPeer(t *testing.T) {
	t.Parallel()
	type key struct{}
	p := newPipe()
	var alive error
	var value any
	p.serve = func(ctx context.Context, h engine.Handler) error {
		gone, cancel := context.WithCancel(context.WithValue(ctx, key{}, "kept"))
		cancel()
		if r := h.Handle(gone, engine.NewMessage(nil)); r.Class != engine.Accepted {
			t.Errorf("got %v", r.Class)
		}
		return nil
	}
	e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: p, Activities: steps(func(ctx context.Context, _ *engine.Message) error {
		alive, value = ctx.Err(), ctx.Value(key{})
		return nil
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil || alive != nil || value != "kept" {
		t.Errorf("Run: %v, the activity's context: %v, its value: %v", err, alive, value)
	}
}

// A letters format answers in letters: enough of a Format to see what the engine asks.
type letters struct{ engine.Raw }

func (letters) Identity(m *engine.Message) (engine.Identity, error) {
	if len(m.Body()) == 0 {
		return engine.Identity{}, errors.New("no letters")
	}
	return engine.Identity{ControlID: string(m.Body()[:1])}, nil
}

func (letters) Answer(m *engine.Message, a engine.Answer) (engine.Reply, error) {
	switch {
	case string(m.Original()) == "unanswerable":
		return engine.Reply{}, errors.New("no answer")
	case a.PassOn != nil:
		return engine.Reply{Body: append([]byte("passed on: "), a.PassOn...)}, nil
	}
	return engine.Reply{Body: []byte(a.Class.String() + " " + string(m.Original()))}, nil
}

func TestAnswerInTheFormat(t *testing.T) {
	t.Parallel()
	partner := func(_ context.Context, m *engine.Message) error {
		switch string(m.Body()) {
		case "silent":
			return nil
		case "no":
			m.SetReply(engine.Reply{Class: engine.Failed, Body: []byte("partner says no")})
			return engine.ErrPartnerError
		}
		m.SetReply(engine.Reply{Class: engine.Accepted, Body: []byte("partner says yes")})
		m.SetBody([]byte("changed on the way"))
		return nil
	}
	last := func(_ context.Context, m *engine.Message) error {
		if string(m.Original()) == "late failure" {
			return errors.New("late")
		}
		return nil
	}
	for _, c := range []struct {
		with engine.With
		body string
		want string
		is   engine.Class
	}{
		{engine.With{}, "yes", "accepted yes", engine.Accepted},
		{engine.With{}, "no", "failed no", engine.Failed},
		{engine.With{}, "", "rejected ", engine.Rejected},
		{engine.With{}, "unanswerable", "", engine.Failed},
		{engine.With{None: true}, "yes", "", engine.Accepted},
		{engine.With{None: true}, "no", "", engine.Failed},
		{engine.With{ReplyOf: "partner"}, "yes", "passed on: partner says yes", engine.Accepted},
		{engine.With{ReplyOf: "partner"}, "no", "passed on: partner says no", engine.Failed},
		{engine.With{ReplyOf: "partner"}, "silent", "accepted silent", engine.Accepted},
		{engine.With{ReplyOf: "partner"}, "late failure", "failed late failure", engine.Failed},
	} {
		p := newPipe()
		start(t, []engine.Workflow{{Name: "w", Receiver: p, Format: letters{}, Response: engine.Response{With: c.with}, Activities: []engine.Step{
			{Name: "partner", Activity: engine.ActivityFunc(partner)}, {Activity: engine.ActivityFunc(last)},
		}}})
		r := <-p.send(c.body)
		if string(r.Body) != c.want || r.Class != c.is {
			t.Errorf("%+v, %q: got %v %q, want %v %q", c.with, c.body, r.Class, r.Body, c.is, c.want)
		}
	}
}

func TestRefuseIsNeverPositive(t *testing.T) {
	t.Parallel()
	p := newPipe()
	start(t, []engine.Workflow{{Name: "w", Receiver: p, Format: letters{}, Activities: steps(func(context.Context, *engine.Message) error {
		t.Error("an activity saw a refused message")
		return nil
	})}})
	<-p.ready
	for _, class := range []engine.Class{engine.Accepted, engine.Filtered, engine.TooLarge} {
		r := p.handler.Refuse(t.Context(), engine.NewMessage([]byte("x")), engine.Answer{Class: class})
		if r.Class.Positive() || len(r.Body) == 0 {
			t.Errorf("%v: got %v %q", class, r.Class, r.Body)
		}
	}
}

func TestMessageView(t *testing.T) {
	t.Parallel()
	parsed := 0
	parse := func(b []byte) (*string, error) {
		parsed++
		if len(b) == 0 {
			return nil, errors.New("empty")
		}
		s := string(b)
		return &s, nil
	}
	m := engine.NewMessage([]byte("one"))
	for range 3 {
		if v, err := engine.View(m, parse); err != nil || *v != "one" {
			t.Fatal(v, err)
		}
	}
	if parsed != 1 {
		t.Errorf("parsed %d times", parsed)
	}
	c := m.Clone()
	m.SetVariable("a", "m")
	m.SetBody([]byte("two"))
	if v, err := engine.View(m, parse); err != nil || *v != "two" {
		t.Error(v, err)
	}
	if v, err := engine.View(c, parse); err != nil || *v != "one" || c.Variables != nil {
		t.Error("the clone follows", v, err, c.Variables)
	}
	two := "two"
	m.SetBodyAndView([]byte("2"), &two)
	if v, err := engine.View(m, parse); err != nil || v != &two || string(m.Original()) != "one" {
		t.Error(v, err)
	}
	m.SetBody(nil)
	if _, err := engine.View(m, parse); err == nil {
		t.Error("no error")
	}
}

// An answer that panics while it is written fails, and nothing else does.
func TestAnswerThatPanics(t *testing.T) {
	t.Parallel()
	p := newPipe()
	start(t, []engine.Workflow{{Name: "w", Receiver: p, Format: words{}, Response: engine.Response{With: engine.With{Template: "${0}"}}}})
	if r := <-p.send("one two"); r.Class != engine.Failed {
		t.Errorf("got %v %q", r.Class, r.Body)
	}
}
