package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

var (
	beforeSteps         = "before the first activity"
	_           Handler = (*workflow)(nil)
)

// Handle runs m through the workflow and returns the answer.
func (w *workflow) Handle(ctx context.Context, m *Message) Reply {
	r := &run{workflow: w, message: m.ID, began: time.Now()}
	r.step.Store(&beforeSteps)
	w.engine.runs.add(r)
	defer w.engine.runs.remove(r)

	ctx = runContext{w.engine.hard, ctx}
	err := w.run(ctx, m, r)
	if w.engine.hard.Err() != nil {
		// The hard stop cuts a message short even when its last activity has just
		// succeeded: the peer is gone, and only a negative answer promises nothing.
		err = errors.Join(ErrStopped, err)
	}
	reply := w.answer(m, err)
	w.logEnd(m, r, reply, err, time.Since(r.began))
	return w.apart(ctx, m, reply)
}

// apart takes from reply what goes by the sender that is set for it.
func (w *workflow) apart(ctx context.Context, m *Message, reply Reply) Reply {
	if !reply.Later || w.Response.To == nil {
		return reply
	}
	body := reply.Body
	reply.Body = nil
	reply.Then = func() {
		r := &run{workflow: w, message: m.ID, began: time.Now()}
		r.step.Store(&responseStep)
		w.engine.runs.add(r)
		defer w.engine.runs.remove(r)
		w.sendLater(ctx, m, body)
	}
	return reply
}

// A runContext ends with the engine's hard stop, and has the values of the context that the
// message came with.
type runContext struct {
	context.Context // the engine's
	values          context.Context
}

func (c runContext) Value(key any) any {
	// The engine's first: it answers for what is derived from c when that asks for what ends it.
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

var responseStep = "response"

// sendLater sends an application acknowledgement of enhanced mode by the sender that is set
// for it. Where that fails, there is nothing left to do but to say so: what it says stays
// true.
func (w *workflow) sendLater(ctx context.Context, m *Message, body []byte) {
	ack := NewMessage(body)
	ack.ContentType = w.Format.ContentType()
	err := guard(func() error {
		_, err := w.Response.To.Send(ctx, ack)
		return err
	})
	if err != nil {
		w.log.Error("the application acknowledgement did not reach the partner", append(errorFields(err), zap.Inline(m))...)
	}
}

// Refuse answers a message that the receiver turns away.
func (w *workflow) Refuse(ctx context.Context, m *Message, a Answer) Reply {
	if a.Class.Positive() {
		a.Class = Rejected
	}
	a.Apart = w.Response.To != nil
	w.customise(&a)
	reply := Reply{Class: a.Class}
	if !w.Response.With.None {
		reply = w.format(m, a)
	}
	if a.Class == Unavailable {
		reply.RetryAfter = DefaultRetryAfter
	}
	if ce := w.calm.Check(zap.InfoLevel, "message refused"); ce != nil {
		ce.Write(zap.Inline(m), zap.Stringer("answer", a.Class), zap.String("text", a.Text))
	}
	return w.apart(runContext{w.engine.hard, ctx}, m, reply)
}

func (w *workflow) run(ctx context.Context, m *Message, r *run) error {
	if w.engine.hard.Err() != nil {
		return ErrStopped
	}
	fail := func(label string, err error) error {
		return &StepError{Workflow: w.Name, Step: label, Message: m.ID, Err: err}
	}
	err := guard(func() error {
		if _, err := w.Format.Identity(m); err != nil {
			return fmt.Errorf("%w: %w", ErrRejected, err)
		}
		return w.match(ctx, w.When, m, ErrFiltered)
	})
	if err != nil {
		return fail("receiver", err)
	}
	for i := range w.steps {
		s := &w.steps[i]
		r.step.Store(&s.label)
		m.step = s.Name
		if err := s.do(ctx, w, m); err != nil {
			return fail(s.label, err)
		}
	}
	return nil
}

// match returns otherwise when m doesn't pass f.
func (w *workflow) match(ctx context.Context, f Filter, m *Message, otherwise error) error {
	if f == nil {
		return nil
	}
	ok, err := f.Match(ctx, m)
	if err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	if !ok {
		return otherwise
	}
	return nil
}

var errSkip = errors.New("skipped")

func (s *step) do(ctx context.Context, w *workflow, m *Message) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if s.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.Timeout, fmt.Errorf("no end within %v: %w", s.Timeout, ErrUnavailable))
		defer cancel()
	}
	err := guard(func() error {
		if err := w.match(ctx, s.When, m, errSkip); err != nil {
			return err
		}
		return s.Activity.Do(ctx, m)
	})
	switch {
	case err == nil, err == errSkip:
		return nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		// The activity gave up because it was told to: say by whom.
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// DefaultRetryAfter is what a peer is told to wait when its message can't be processed
// now and nothing says for how long.
const DefaultRetryAfter = time.Minute

// answer chooses what is said of a run that ended with err.
func (w *workflow) answer(m *Message, err error) Reply {
	class := classOf(err)
	a := Answer{Class: class, Cause: err, Apart: w.Response.To != nil}
	w.customise(&a)
	with := w.Response.With
	if with.ReplyOf != "" {
		// A partner's acceptance must not cover a later activity's failure, nor its
		// refusal a run that has ended well.
		if r, ok := m.Reply(with.ReplyOf); ok && len(r.Body) > 0 && r.Class.Positive() == class.Positive() {
			a.PassOn = r.Body
		}
	}
	if with.Template != "" && class.Positive() {
		var body string
		err := guard(func() (err error) {
			body, err = w.template.Render(m, w.clean)
			return err
		})
		if err != nil {
			w.log.Error("the answer could not be written", append(errorFields(err), zap.Inline(m))...)
			class, a.Class = Failed, Failed
		} else {
			a.PassOn = []byte(body)
		}
	}
	var reply Reply
	if with.None {
		reply = Reply{Class: class}
	} else {
		reply = w.format(m, a)
	}
	if class == Unavailable {
		reply.RetryAfter = DefaultRetryAfter
		if ra, ok := errors.AsType[*retryAfterError](err); ok {
			reply.RetryAfter = ra.after
		}
	}
	return reply
}

// customise puts in the code and the text that are set for the class.
func (w *workflow) customise(a *Answer) {
	set := w.Response.Answers.of(a.Class)
	a.Code = set.Code
	if a.Text == "" {
		a.Text = set.Text
	}
}

// format puts a into the words of the Format. Where that fails, there is an answer
// without a body, and never a better one than Failed.
func (w *workflow) format(m *Message, a Answer) Reply {
	var reply Reply
	err := guard(func() (err error) {
		reply, err = w.Format.Answer(m, a)
		return err
	})
	if err == nil {
		reply.Class = a.Class
		return reply
	}
	w.log.Error("the answer could not be written", append(errorFields(err), zap.Inline(m))...)
	if a.Class.Positive() {
		a.Class = Failed
	}
	return Reply{Class: a.Class}
}

// logEnd writes one line for the message's end: at debug for one that went well,
// as a warning for one that somebody has to look at.
func (w *workflow) logEnd(m *Message, r *run, reply Reply, err error, took time.Duration) {
	level, text := zapcore.DebugLevel, "message done"
	if !reply.Class.Positive() {
		level, text = zapcore.WarnLevel, "message not accepted"
	}
	log := w.log
	if r.step.Load() == &beforeSteps { // no HL7, say
		log = w.calm
	}
	ce := log.Check(level, text)
	if ce == nil {
		return
	}
	fields := []zap.Field{zap.Inline(m), zap.Stringer("answer", reply.Class), zap.Duration("took", took)}
	if err != nil && level != zapcore.DebugLevel {
		fields = append(fields, errorFields(err)...)
	}
	ce.Write(fields...)
}
