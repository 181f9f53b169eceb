package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/ladlehq/ladle/engine"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A pipe is a receiver that takes messages from the test instead of from a socket.
// Its hooks, where they are set, stand in for what a real one may do wrong.
type pipe struct {
	open  func(context.Context) error
	serve func(context.Context, engine.Handler) error
	close func() error

	mu       sync.Mutex
	handler  engine.Handler
	ready    chan struct{}
	closed   chan struct{}
	inFlight sync.WaitGroup
	events   *events
	name     string
}

func newPipe() *pipe { return &pipe{ready: make(chan struct{}), closed: make(chan struct{})} }

func (p *pipe) Open(ctx context.Context) error {
	p.events.add("open " + p.name)
	if p.open != nil {
		return p.open(ctx)
	}
	return nil
}

func (p *pipe) Serve(ctx context.Context, h engine.Handler) error {
	if p.serve != nil {
		return p.serve(ctx, h)
	}
	p.mu.Lock()
	p.handler = h
	p.mu.Unlock()
	close(p.ready)
	select {
	case <-ctx.Done():
	case <-p.closed:
	}
	p.inFlight.Wait()
	return nil
}

func (p *pipe) Close() error {
	p.events.add("close " + p.name)
	p.mu.Lock()
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	p.mu.Unlock()
	if p.close != nil {
		return p.close()
	}
	return nil
}

// send hands a message to the workflow as a peer would, and returns where its answer
// will be.
func (p *pipe) send(body string) <-chan engine.Reply {
	return p.sendMessage(engine.NewMessage([]byte(body)))
}

func (p *pipe) sendMessage(m *engine.Message) <-chan engine.Reply {
	<-p.ready
	answer := make(chan engine.Reply, 1)
	p.inFlight.Go(func() { answer <- p.handler.Handle(context.Background(), m) })
	return answer
}

// events keeps what happened in its order.
type events struct {
	mu  sync.Mutex
	all []string
}

func (e *events) add(s string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, s)
}

func (e *events) list() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.all...)
}

// start makes and starts an engine that is shut down when the test ends.
func start(t *testing.T, ws []engine.Workflow, opts ...engine.Option) *engine.Engine {
	t.Helper()
	e, err := engine.New(ws, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Shutdown(context.Background()) })
	return e
}

func steps(activities ...engine.ActivityFunc) []engine.Step {
	var all []engine.Step
	for _, a := range activities {
		all = append(all, engine.Step{Activity: a})
	}
	return all
}

func ended(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	cancel(errors.New("no time left"))
	return ctx
}
