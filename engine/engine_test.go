package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ladlehq/ladle/engine"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestNewReportsEveryMistake(t *testing.T) {
	t.Parallel()
	shared := newPipe()
	_, err := engine.New([]engine.Workflow{
		{Name: "a", Receiver: shared, Activities: []engine.Step{
			{Name: "x", Activity: engine.ActivityFunc(nil)}, {Name: "x", Timeout: -1},
		}},
		{Name: "a", Receiver: shared, Response: engine.Response{With: engine.With{ReplyOf: "labaratory"}},
			Activities: []engine.Step{{Name: "Laboratory", Activity: engine.ActivityFunc(nil)}}},
		{},
	})
	if err == nil {
		t.Fatal("New accepts it")
	}
	for _, want := range []string{
		`workflow "a": activities[1].name: another activity of this workflow is called "x" already`,
		`workflow "a": activities[1].timeout: -1ns is negative`,
		`workflow "a": activities[1]: a step needs an activity`,
		`workflow "a": name: another workflow is called "a" already`,
		`workflow "a": receiver: the same value already stands in workflow "a", receiver: make one for each place`,
		`workflow "a": response.with.reply-of: no activity of this workflow is called "labaratory": did you mean "Laboratory"?`,
		`name: a workflow needs a name`,
		`receiver: a workflow needs a receiver`,
	} {
		if !slices.Contains(strings.Split(err.Error(), "\n"), want) {
			t.Errorf("missing %q in\n%v", want, err)
		}
	}
	if _, err := engine.New(nil); err == nil {
		t.Error("New accepts no workflow at all")
	}
}

func TestStartOpensAllOrNone(t *testing.T) {
	t.Parallel()
	var log events
	good, bad, worse := newPipe(), newPipe(), newPipe()
	for _, p := range []*pipe{good, bad, worse} {
		p.events = &log
	}
	good.name, bad.name, worse.name = "good", "bad", "worse"
	bad.open = func(context.Context) error { return errors.New("port taken") }
	worse.open = func(context.Context) error { panic("secret") }
	e, err := engine.New([]engine.Workflow{{Name: "good", Receiver: good}, {Name: "bad", Receiver: bad}, {Name: "worse", Receiver: worse}})
	if err != nil {
		t.Fatal(err)
	}
	err = e.Start(t.Context())
	want := "workflow \"bad\": receiver: port taken\nworkflow \"worse\": receiver: panic with a value of type string"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if got, want := log.list(), []string{"open good", "open bad", "open worse", "close good"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := e.Start(t.Context()); !errors.Is(err, engine.ErrStopped) {
		t.Errorf("a second Start: %v", err)
	}
	if err := e.Wait(); err != nil {
		t.Errorf("Wait: %v", err)
	}
}

func TestStopInReverseOrder(t *testing.T) {
	t.Parallel()
	var log events
	var ws []engine.Workflow
	for _, name := range []string{"a", "b", "c"} {
		p := newPipe()
		p.name, p.events = name, &log
		ws = append(ws, engine.Workflow{Name: name, Receiver: p})
	}
	e, err := engine.New(ws)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err == nil {
		t.Error("a running engine can be started again")
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"open a", "open b", "open c", "close c", "close b", "close a"}
	if got := log.list(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// An activity that is also opened and closed.
type connection struct {
	events *events
	name   string
}

func (c *connection) Open(context.Context) error { c.events.add("open " + c.name); return nil }
func (c *connection) Close() error               { c.events.add("close " + c.name); return nil }
func (c *connection) Do(context.Context, *engine.Message) error {
	c.events.add("do " + c.name)
	return nil
}

func TestActivitiesOutliveReceivers(t *testing.T) {
	t.Parallel()
	var log events
	p := newPipe()
	p.name, p.events = "receiver", &log
	e := start(t, []engine.Workflow{{Name: "w", Receiver: p, Activities: []engine.Step{{Activity: &connection{&log, "activity"}}}}})
	if r := <-p.send("x"); r.Class != engine.Accepted {
		t.Errorf("got %v", r.Class)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"open activity", "open receiver", "do activity", "close receiver", "close activity"}
	if got := log.list(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A graceful stop finishes the message that was taken.
func TestShutdownFinishesWhatWasTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, began := newPipe(), make(chan struct{})
		e := start(t, []engine.Workflow{{Name: "w", Receiver: p, Activities: steps(func(ctx context.Context, m *engine.Message) error {
			close(began)
			select {
			case <-time.After(10 * time.Second):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})}})
		answer := p.send("x")
		<-began
		before := time.Now()
		if err := e.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if took := time.Since(before); took != 10*time.Second {
			t.Errorf("Shutdown took %v", took)
		}
		if r := <-answer; r.Class != engine.Accepted {
			t.Errorf("got %v", r.Class)
		}
		if err := e.Wait(); err != nil {
			t.Errorf("Wait: %v", err)
		}
	})
}

// A graceful stop that is given up becomes an abrupt one, also by a second call.
func TestGracefulThenAbrupt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, began := newPipe(), make(chan struct{})
		e := start(t, []engine.Workflow{{Name: "w", Receiver: p, Activities: steps(func(ctx context.Context, m *engine.Message) error {
			close(began)
			<-ctx.Done()
			return context.Cause(ctx)
		})}})
		answer := p.send("x")
		<-began
		graceful := make(chan error, 1)
		go func() { graceful <- e.Shutdown(context.Background()) }()
		synctest.Wait()
		select {
		case err := <-graceful:
			t.Fatalf("the graceful stop returned while a message was in the works: %v", err)
		default:
		}
		err := e.Shutdown(ended(t.Context()))
		if err == nil || !strings.Contains(err.Error(), "1 messages were cut short: no time left") {
			t.Errorf("the abrupt stop: %v", err)
		}
		if err := <-graceful; err != nil {
			t.Errorf("the graceful stop: %v", err)
		}
		if r := <-answer; r.Class != engine.Unavailable {
			t.Errorf("got %v", r.Class)
		}
	})
}

// An activity that ignores its context delays the stop, is named, and its message is
// not answered positively.
func TestLaggardIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		p, began := newPipe(), make(chan struct{})
		e := start(t, []engine.Workflow{{Name: "w", Receiver: p, Activities: []engine.Step{{Name: "deaf", Activity: engine.ActivityFunc(func(context.Context, *engine.Message) error {
			close(began)
			time.Sleep(12 * time.Second) // on the bubble's clock
			return nil
		})}}}}, engine.WithLogger(zap.New(core)))
		answer := p.send("x")
		<-began
		before := time.Now()
		if err := e.Shutdown(ended(t.Context())); err == nil {
			t.Error("a stop that cut a message short says nothing")
		}
		if took := time.Since(before); took != 12*time.Second {
			t.Errorf("Shutdown took %v", took)
		}
		if r := <-answer; r.Class.Positive() {
			t.Errorf("answered %v", r.Class)
		}
		named := logs.FilterMessage("an activity ignores its context and delays the stop").FilterField(zap.String("step", "deaf"))
		if named.Len() != 2 {
			t.Errorf("named %d times: %v", named.Len(), logs.All())
		}
	})
}

// Run returns only when no message is in the works.
func TestRunReturnsAfterTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, began := newPipe(), make(chan struct{})
		done := false
		e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: p, Activities: steps(func(context.Context, *engine.Message) error {
			close(began)
			time.Sleep(20 * time.Second)
			done = true
			return nil
		})}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- e.Run(ctx) }()
		answer := p.send("x")
		<-began
		cancel()
		if err := <-ran; err != nil || !done {
			t.Errorf("Run: %v, done: %v", err, done)
		}
		if r := <-answer; r.Class != engine.Accepted {
			t.Errorf("got %v", r.Class)
		}
	})
}

func TestGraceBoundsRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, began := newPipe(), make(chan struct{})
		e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: p, Activities: steps(func(ctx context.Context, _ *engine.Message) error {
			close(began)
			<-ctx.Done()
			return context.Cause(ctx)
		})}}, engine.WithGrace(7*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- e.Run(ctx) }()
		p.send("x")
		<-began
		cancel()
		before := time.Now()
		if err := <-ran; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(before); took != 7*time.Second {
			t.Errorf("Run took %v after the stop", took)
		}
	})
}

// A receiver that fails while it serves stops the engine, and Wait and Run say so.
func TestServeErrorsReachWait(t *testing.T) {
	t.Parallel()
	broken := errors.New("the cable is out")
	for name, serve := range map[string]func(context.Context, engine.Handler) error{
		"error": func(context.Context, engine.Handler) error { return broken },
		"panic": func(context.Context, engine.Handler) error { panic(broken) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log events
				good, bad := newPipe(), newPipe()
				bad.serve, bad.events, bad.name = serve, &log, "bad"
				began := make(chan struct{})
				ws := []engine.Workflow{{Name: "good", Receiver: good, Activities: steps(func(context.Context, *engine.Message) error {
					close(began)
					time.Sleep(3 * time.Second)
					return nil
				})}, {Name: "bad", Receiver: bad}}
				e, err := engine.New(ws)
				if err != nil {
					t.Fatal(err)
				}
				bad.serve = func(ctx context.Context, h engine.Handler) error { <-began; return serve(ctx, h) }
				ran := make(chan error)
				go func() { ran <- e.Run(t.Context()) }()
				answer := good.send("x")
				err = <-ran
				if err == nil || !strings.Contains(err.Error(), `workflow "bad": receiver: `) {
					t.Errorf("Run: %v", err)
				}
				if name == "error" && (!errors.Is(err, broken) || !errors.Is(e.Wait(), broken)) {
					t.Errorf("Run: %v, Wait: %v", err, e.Wait())
				}
				if r := <-answer; r.Class != engine.Accepted {
					t.Errorf("what the other workflow had taken: %v", r.Class)
				}
				if !slices.Contains(log.list(), "close bad") {
					t.Error("the failed receiver keeps its port")
				}
			})
		})
	}
}

// When the user has only called Start, a failed receiver still brings the rest to an
// end within the grace time.
func TestServeErrorWithoutRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good, bad := newPipe(), newPipe()
		began := make(chan struct{})
		bad.serve = func(context.Context, engine.Handler) error { <-began; return errors.New("out") }
		e := start(t, []engine.Workflow{{Name: "good", Receiver: good, Activities: steps(func(ctx context.Context, _ *engine.Message) error {
			close(began)
			<-ctx.Done()
			return context.Cause(ctx)
		})}, {Name: "bad", Receiver: bad}}, engine.WithGrace(4*time.Second))
		answer := good.send("x")
		before := time.Now()
		<-began
		if err := e.Wait(); err == nil {
			t.Error("Wait says nothing")
		}
		if took := time.Since(before); took != 4*time.Second {
			t.Errorf("Wait took %v", took)
		}
		if r := <-answer; r.Class != engine.Unavailable {
			t.Errorf("got %v", r.Class)
		}
	})
}

// A receiver that comes to its natural end is no failure.
func TestReceiverEnds(t *testing.T) {
	t.Parallel()
	p := newPipe()
	p.serve = func(ctx context.Context, h engine.Handler) error {
		h.Handle(ctx, engine.NewMessage([]byte("one")))
		return nil
	}
	e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: p}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestShutdownBeforeStart(t *testing.T) {
	t.Parallel()
	e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: newPipe()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Wait(); err == nil {
		t.Error("Wait of an engine that was never started returns nil")
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := e.Start(t.Context()); !errors.Is(err, engine.ErrStopped) {
		t.Errorf("Start: %v", err)
	}
}

// A stop doesn't wait for a receiver that is slow to open.
func TestShutdownEndsOpening(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, opening := newPipe(), make(chan struct{})
		p.open = func(ctx context.Context) error { close(opening); <-ctx.Done(); return ctx.Err() }
		e, err := engine.New([]engine.Workflow{{Name: "w", Receiver: p}})
		if err != nil {
			t.Fatal(err)
		}
		started := make(chan error)
		go func() { started <- e.Start(t.Context()) }()
		<-opening
		if err := e.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-started; !errors.Is(err, context.Canceled) {
			t.Errorf("Start: %v", err)
		}
	})
}
