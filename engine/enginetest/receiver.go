package enginetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ladlehq/ladle/engine"
)

// A ReceiverCase tells [TestReceiver] what it has to know of a receiver.
type ReceiverCase struct {
	// New returns a new receiver that can be opened beside others of its kind: on a port
	// that the system chooses, say.
	New func(t *testing.T) engine.Receiver
	// Send brings body to r as a peer would, waits for the answer, and returns an error
	// unless it is a positive one.
	Send func(t *testing.T, r engine.Receiver, body []byte) error
	// Body is a message that the receiver's default format takes.
	Body []byte
}

// patience is how long anything may take before a test gives up.
const patience = 20 * time.Second

// TestReceiver runs the tests of the contract, each with a receiver of its own.
func TestReceiver(t *testing.T, c ReceiverCase) {
	t.Run("a message is handed over and answered", func(t *testing.T) {
		got := make(chan []byte, 1)
		h := newHarness(t, c, func(_ context.Context, m *engine.Message) error {
			got <- m.Body()
			return nil
		})
		if err := c.Send(t, h.receiver, c.Body); err != nil {
			t.Fatalf("no positive answer: %v", err)
		}
		if b := <-got; string(b) != string(c.Body) {
			t.Errorf("handed over %d bytes that are not the %d that were sent", len(b), len(c.Body))
		}
		h.stop(context.Background(), nil)
	})
	t.Run("a failure is answered negatively", func(t *testing.T) {
		h := newHarness(t, c, func(context.Context, *engine.Message) error { return errors.New("failed") })
		if err := c.Send(t, h.receiver, c.Body); err == nil {
			t.Error("a positive answer to a message that failed")
		}
		h.stop(context.Background(), nil)
	})
	t.Run("a soft stop finishes what was taken", func(t *testing.T) {
		inside, release := make(chan struct{}), make(chan struct{})
		h := newHarness(t, c, func(ctx context.Context, _ *engine.Message) error {
			close(inside)
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		sent := make(chan error, 1)
		go func() { sent <- c.Send(t, h.receiver, c.Body) }()
		wait(t, inside, "the message to arrive")
		stopped := make(chan error, 1)
		go func() { stopped <- h.engine.Shutdown(context.Background()) }()
		close(release)
		if err := receive(t, sent, "the answer"); err != nil {
			t.Errorf("what was taken was not answered positively: %v", err)
		}
		if err := receive(t, stopped, "the stop"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	t.Run("a hard stop cuts short", func(t *testing.T) {
		inside := make(chan struct{})
		h := newHarness(t, c, func(ctx context.Context, _ *engine.Message) error {
			close(inside)
			<-ctx.Done()
			return ctx.Err()
		})
		sent := make(chan error, 1)
		go func() { sent <- c.Send(t, h.receiver, c.Body) }()
		wait(t, inside, "the message to arrive")
		now, cancel := context.WithCancel(context.Background())
		cancel()
		h.stop(now, context.Canceled)
		if err := receive(t, sent, "the peer's end"); err == nil {
			t.Error("a positive answer to a message that was cut short")
		}
	})
	t.Run("Close alone makes Serve return", func(t *testing.T) {
		r := c.New(t)
		prepare(t, r)
		if err := r.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- r.Serve(context.Background(), refuser{}) }()
		for range 3 {
			if err := r.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		receive(t, served, "Serve to return")
	})
	t.Run("Close without Serve", func(t *testing.T) {
		r := c.New(t)
		prepare(t, r)
		if err := r.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Run("Prepare twice", func(t *testing.T) {
		r := c.New(t)
		prepare(t, r)
		prepare(t, r)
	})
}

// A refuser answers nothing positively.
type refuser struct{}

func (refuser) Handle(context.Context, *engine.Message) engine.Reply { return engine.Reply{} }
func (refuser) Refuse(context.Context, *engine.Message, engine.Answer) engine.Reply {
	return engine.Reply{}
}

// prepare checks r as an engine does, without running it.
func prepare(t *testing.T, r engine.Receiver) {
	t.Helper()
	if _, err := engine.New([]engine.Workflow{{Name: "enginetest", Receiver: r}}); err != nil {
		t.Fatal(err)
	}
}

// A harness runs one receiver with one activity.
type harness struct {
	t        *testing.T
	receiver engine.Receiver
	engine   *engine.Engine
}

func newHarness(t *testing.T, c ReceiverCase, do engine.ActivityFunc) *harness {
	t.Helper()
	r := c.New(t)
	e, err := engine.New([]engine.Workflow{{Name: "enginetest", Receiver: r, Activities: []engine.Step{{Activity: do}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		e.Shutdown(ctx)
	})
	return &harness{t, r, e}
}

func (h *harness) stop(ctx context.Context, want error) {
	h.t.Helper()
	stopped := make(chan error, 1)
	go func() { stopped <- h.engine.Shutdown(ctx) }()
	if err := receive(h.t, stopped, "the stop"); !errors.Is(err, want) {
		h.t.Errorf("Shutdown: %v, want %v", err, want)
	}
}

func wait(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
	}
}

func receive(t *testing.T, c <-chan error, what string) error {
	t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
		return nil
	}
}
