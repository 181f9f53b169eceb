package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
)

// An Engine runs workflows side by side: it opens their receivers, supervises them,
// and brings them to a stop in which every message that was taken is finished. An
// Engine runs once. All methods are safe for concurrent use.
type Engine struct {
	workflows []*workflow
	log       *zap.Logger
	grace     time.Duration

	mu    sync.Mutex
	state state
	errs  []error // of receivers that failed while they served, and of closing

	soft     context.Context // ends when receivers are to take no more
	softStop context.CancelFunc
	hard     context.Context // ends when messages are to be cut short
	hardStop context.CancelFunc
	done     chan struct{} // closed when every goroutine has ended

	runs   runs
	opened []namedCloser // in the order of opening
}

type state int

const (
	stateNew state = iota
	stateStarting
	stateRunning
	stateStopped
)

type namedCloser struct {
	name  string
	close func() error
}

// DefaultGrace is how long [Engine.Run] lets messages finish when nothing else is
// set.
const DefaultGrace = 30 * time.Second

// An Option changes how an [Engine] is made.
type Option func(*Engine)

// WithLogger sets where the engine and its workflows log. Without it they log
// nothing.
func WithLogger(log *zap.Logger) Option {
	return func(e *Engine) {
		if log != nil {
			e.log = log
		}
	}
}

// WithGrace sets how long [Engine.Run] lets messages finish at a stop before it cuts
// them short. The default is [DefaultGrace]; 0 cuts them short at once.
func WithGrace(d time.Duration) Option {
	return func(e *Engine) { e.grace = max(d, 0) }
}

// New returns an engine that runs workflows. It checks everything that can be
// checked without opening anything, and returns every mistake, joined, each as a
// [*FieldError].
func New(workflows []Workflow, opts ...Option) (*Engine, error) {
	e := &Engine{log: zap.NewNop(), grace: DefaultGrace, done: make(chan struct{})}
	for _, o := range opts {
		o(e)
	}
	ready, mistakes := prepare(workflows, e.log)
	if len(mistakes) > 0 {
		all := make([]error, len(mistakes))
		for i, m := range mistakes {
			all[i] = m
		}
		return nil, errors.Join(all...)
	}
	e.workflows = ready
	for _, w := range ready {
		w.engine = e
	}
	e.soft, e.softStop = context.WithCancel(context.Background())
	hard, stop := context.WithCancelCause(context.Background())
	e.hard, e.hardStop = hard, func() { stop(ErrStopped) }
	e.runs.init()
	return e, nil
}

// Start opens every activity and every receiver and lets the receivers serve. It
// returns when all are open; when one can't be opened, the rest are tried too, all
// are closed again, and the error names each that failed. The end of ctx ends the
// opening, not what was started.
func (e *Engine) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.soft, cancel)() // a stop need not wait for a slow opening

	e.mu.Lock()
	if e.state != stateNew {
		defer e.mu.Unlock()
		if e.state == stateStopped {
			return ErrStopped
		}
		return errStarted
	}
	e.state = stateStarting
	e.mu.Unlock()

	if err := e.open(ctx); err != nil {
		e.finish(e.closeAll())
		return err
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	e.state = stateRunning
	var serving sync.WaitGroup
	for _, w := range e.workflows {
		e.logOpen(w)
		serving.Go(func() { e.serve(w) })
	}
	go func() {
		serving.Wait()
		e.runs.wait()
		e.finish(e.closeAll())
	}()
	return nil
}

// open opens activities before receivers, so that no message comes before there is
// somebody to process it.
func (e *Engine) open(ctx context.Context) error {
	var errs []error
	try := func(w *workflow, what string, open, closing func() error) {
		name := fmt.Sprintf("workflow %q: %s", w.Name, what)
		if err := guard(open); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			return
		}
		e.opened = append(e.opened, namedCloser{name, closing})
	}
	for _, w := range e.workflows {
		for _, s := range w.steps {
			if o, ok := s.Activity.(Opener); ok {
				try(w, s.label, func() error { return o.Open(ctx) }, o.Close)
			}
		}
		if o, ok := w.Response.To.(Opener); ok {
			try(w, responseStep, func() error { return o.Open(ctx) }, o.Close)
		}
	}
	for _, w := range e.workflows {
		try(w, "receiver", func() error { return w.Receiver.Open(ctx) }, w.Receiver.Close)
	}
	return errors.Join(errs...)
}

func (e *Engine) logOpen(w *workflow) {
	if h, ok := w.Receiver.(HealthReporter); ok {
		if err := h.Health(); err != nil {
			w.log.Warn("receiver is open and waits", zap.Error(err))
			return
		}
	}
	fields := []zap.Field{}
	switch r := w.Receiver.(type) {
	case Endpoint:
		fields = append(fields, zap.String("address", r.URL()))
	case Addresser:
		fields = append(fields, zap.Stringer("address", r.Addr()))
	}
	w.log.Info("receiver is open", fields...)
}

// serve runs one receiver to its end. A receiver that fails stops the engine: its
// partners are better served by a process that ends and is started again than by one
// that goes on without a part of it.
func (e *Engine) serve(w *workflow) {
	err := guard(func() error { return w.Receiver.Serve(e.soft, w) })
	if err == nil {
		w.log.Info("receiver has ended")
		return
	}
	w.log.Error("receiver failed, the engine stops", errorFields(err)...)
	e.fail(fmt.Errorf("workflow %q: receiver: %w", w.Name, err))
	if err := guard(w.Receiver.Close); err != nil { // frees its port now
		e.fail(fmt.Errorf("workflow %q: receiver: close: %w", w.Name, err))
	}
	e.softStop()
	cut := time.AfterFunc(e.grace, e.cutShort)
	context.AfterFunc(e.hard, func() { cut.Stop() }) // finish ends it, too
}

func (e *Engine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errs = append(e.errs, err)
}

// closeAll closes what was opened, in reverse.
func (e *Engine) closeAll() error {
	var errs []error
	for i := len(e.opened) - 1; i >= 0; i-- {
		o := e.opened[i]
		if err := guard(o.close); err != nil {
			errs = append(errs, fmt.Errorf("%s: close: %w", o.name, err))
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) finish(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.errs = append(e.errs, err)
	}
	e.state = stateStopped
	e.softStop()
	e.hardStop()
	close(e.done)
}

// Wait blocks until the engine has stopped and every goroutine of it has ended, and
// returns why it failed: the errors of receivers that ended while they served. It
// returns nil after a stop that was asked for, and at once with an error when the
// engine was never started.
func (e *Engine) Wait() error {
	e.mu.Lock()
	started := e.state != stateNew
	e.mu.Unlock()
	if !started {
		return errNotStarted
	}
	<-e.done
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(e.errs...)
}

// Shutdown stops the engine. The receivers take no more messages and finish those
// that they have taken; when ctx ends before they have, the messages still running
// are cut short, which is the hard stop: their contexts end, the receivers are
// closed, and no positive answer is given. Shutdown then returns an error that says
// how many they were.
//
// It returns when every goroutine has ended, however long that takes: an activity
// that ignores its context is named in the log every 5 seconds. Shutdown may be
// called again, also while another call waits: an ended ctx then makes the hard
// stop at once.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	if e.state == stateNew {
		e.state = stateStopped
		e.softStop()
		e.hardStop()
		close(e.done)
	}
	e.mu.Unlock()
	e.softStop()
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
	}
	n := e.runs.count()
	e.cutShort()
	<-e.done
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d messages were cut short: %w", n, context.Cause(ctx))
}

// cutShort makes the hard stop and watches over what doesn't heed it.
func (e *Engine) cutShort() {
	e.mu.Lock()
	running, first := e.state == stateRunning, e.hard.Err() == nil
	e.softStop()
	e.hardStop()
	e.mu.Unlock()
	if !running || !first {
		return
	}
	for _, w := range e.workflows {
		if err := guard(w.Receiver.Close); err != nil {
			e.fail(fmt.Errorf("workflow %q: receiver: close: %w", w.Name, err))
		}
	}
	go e.nameLaggards()
}

// laggardInterval is how often an activity that delays the stop is named.
const laggardInterval = 5 * time.Second

func (e *Engine) nameLaggards() {
	t := time.NewTicker(laggardInterval)
	defer t.Stop()
	for {
		select {
		case <-e.done:
			return
		case now := <-t.C:
			e.runs.each(func(r *run) {
				r.workflow.log.Warn("an activity ignores its context and delays the stop",
					zap.String("step", *r.step.Load()), zap.Stringer("message", r.message), zap.Duration("for", now.Sub(r.began)))
			})
		}
	}
}

// Run starts the engine, waits until ctx ends or a receiver fails, and shuts down
// within the grace time ([WithGrace]). It returns nil when ctx ended and everything
// that was taken is finished.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.Start(ctx); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-e.soft.Done():
	case <-e.done:
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.grace)
	defer cancel()
	return errors.Join(e.Shutdown(grace), e.Wait())
}

// Addr returns the address that the workflow's receiver listens on, with the port
// that :0 became, or nil when there is no such workflow, it doesn't listen, or it is
// not open.
func (e *Engine) Addr(workflow string) net.Addr {
	if w := e.workflow(workflow); w != nil {
		if a, ok := w.Receiver.(Addresser); ok {
			return a.Addr()
		}
	}
	return nil
}

// URL returns the address to hand to a partner of the workflow, or "" when there is
// no such workflow or its receiver has none.
func (e *Engine) URL(workflow string) string {
	if w := e.workflow(workflow); w != nil {
		if a, ok := w.Receiver.(Endpoint); ok {
			return a.URL()
		}
	}
	return ""
}

// Health returns nil while messages can come in to the workflow, and otherwise why they
// can't: the engine doesn't run, there is no such workflow, or its receiver waits for
// something ([HealthReporter]).
func (e *Engine) Health(workflow string) error {
	w := e.workflow(workflow)
	if w == nil {
		return fmt.Errorf("there is no workflow %q", workflow)
	}
	e.mu.Lock()
	running := e.state == stateRunning && e.soft.Err() == nil
	e.mu.Unlock()
	if !running {
		return errNotRunning
	}
	if h, ok := w.Receiver.(HealthReporter); ok {
		return h.Health()
	}
	return nil
}

// Workflows returns the names of the workflows, in order.
func (e *Engine) Workflows() []string {
	names := make([]string, len(e.workflows))
	for i, w := range e.workflows {
		names[i] = w.Name
	}
	return names
}

func (e *Engine) workflow(name string) *workflow {
	for _, w := range e.workflows {
		if w.Name == name {
			return w
		}
	}
	return nil
}

// guard calls f and turns a panic into a *PanicError.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Type: fmt.Sprintf("%T", v), Stack: debug.Stack()}
		}
	}()
	return f()
}

// errorFields are the log fields of err, with the stack where it was a panic.
func errorFields(err error) []zap.Field {
	fields := []zap.Field{zap.Error(err)}
	if p, ok := errors.AsType[*PanicError](err); ok {
		fields = append(fields, zap.ByteString("stack", p.Stack))
	}
	return fields
}

// runs are the messages in the works: a ring, which costs less than a map where each message
// comes and goes.
type runs struct {
	mu   sync.Mutex
	ring run // the first and the last are its neighbours
	n    int
	none *sync.Cond
}

// A run is one message in the works.
type run struct {
	workflow *workflow
	message  uuid.UUID
	began    time.Time
	step     atomic.Pointer[string]

	before, behind *run
}

func (r *runs) init() {
	r.ring.before, r.ring.behind = &r.ring, &r.ring
	r.none = sync.NewCond(&r.mu)
}

func (r *runs) add(x *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x.before, x.behind = r.ring.before, &r.ring
	x.before.behind, r.ring.before = x, x
	r.n++
}

func (r *runs) remove(x *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x.before.behind, x.behind.before = x.behind, x.before
	if r.n--; r.n == 0 {
		r.none.Broadcast()
	}
}

func (r *runs) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

func (r *runs) wait() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.n > 0 {
		r.none.Wait()
	}
}

func (r *runs) each(f func(*run)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for x := r.ring.behind; x != &r.ring; x = x.behind {
		f(x)
	}
}
