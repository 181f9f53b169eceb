package engine

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.uber.org/zap"
)

// A Workflow is one receiver and what happens to each message that it brings.
type Workflow struct {
	// Name names the workflow in logs and errors. It is required, and unique within
	// an engine.
	Name string `yaml:"name"`
	// Receiver brings the messages in. It is required.
	Receiver Receiver `yaml:"receiver"`
	// Format is what the messages are made of. Nil stands for the receiver's own
	// default, which is HL7 v2 for the receivers of package receivers, or Raw.
	Format Format `yaml:"-"`
	// When lets only some messages in; the others are answered as Filtered. Nil lets
	// all in.
	When Filter `yaml:"-"`
	// Activities are done in order, each after the one before it has succeeded. The
	// first that fails ends the run. None at all is allowed: each message is then
	// answered as Accepted and forgotten, which a port test may want.
	Activities []Step `yaml:"activities"`
	// Response says what is answered. The zero value answers each message with an
	// acknowledgement after the last activity.
	Response Response `yaml:"response"`
}

// A Step is one activity in its place in a workflow.
type Step struct {
	// Name names the step, so that others can refer to it. "" is allowed; where it
	// isn't "", it is unique within the workflow.
	Name string `yaml:"name"`
	// Activity is what is done. It is required.
	Activity Activity `yaml:",inline"`
	// When skips the activity for messages that don't match. Nil skips none.
	When Filter `yaml:"-"`
	// Timeout ends the activity's context after this time and fails the run as
	// Unavailable. 0 sets no limit beyond the activity's own.
	Timeout time.Duration `yaml:"timeout"`
}

// A Response says what a workflow answers. The zero value is an acknowledgement
// after the last activity.
type Response struct {
	// With is what the answer is made of.
	With With `yaml:"with"`
	// Answers change the code and the text of acknowledgements, by class.
	Answers ClassAnswers `yaml:"answers"`
	// To, when it isn't nil, sends the application acknowledgements of HL7's enhanced
	// mode, for partners that take them on a connection of their own. The accept
	// acknowledgement answers the message where it came in, and so does everything in
	// original mode. Where To fails, it is logged: the message itself has been processed.
	// Nil answers with both where the message came in.
	To Sender `yaml:"to"`
}

// ClassAnswers say what is answered for each class of outcome. The zero value leaves all to
// the Format.
type ClassAnswers struct {
	Accepted    ClassAnswer `yaml:"accepted"`
	Filtered    ClassAnswer `yaml:"filtered"`
	Rejected    ClassAnswer `yaml:"rejected"`
	Failed      ClassAnswer `yaml:"failed"`
	Unavailable ClassAnswer `yaml:"unavailable"`
	TooLarge    ClassAnswer `yaml:"too-large"`
}

// A ClassAnswer is a code, such as AR, and a text. Each that is "" is the Format's own.
type ClassAnswer struct {
	Code string `yaml:"code"`
	Text string `yaml:"text"`
}

// of returns what is set for a class.
func (a ClassAnswers) of(c Class) ClassAnswer {
	switch c {
	case Accepted:
		return a.Accepted
	case Filtered:
		return a.Filtered
	case Rejected:
		return a.Rejected
	case Unavailable:
		return a.Unavailable
	case TooLarge:
		return a.TooLarge
	}
	return a.Failed
}

// With is what an answer is made of. The zero value is an acknowledgement of the
// workflow's own. In a file it is ack, none, {reply-of: NAME} or {template: TEXT}.
type With struct {
	// Template is a [Template] of the answer to a message that is accepted or filtered.
	// Any other message is answered with an acknowledgement. In HL7 v2 each line is a
	// segment, and what is filled in is escaped.
	Template string `yaml:"template"`
	// ReplyOf names the activity whose reply is the answer, made to refer to the
	// message that is answered: what a partner has replied to forward-to-sender, or
	// what a Go activity has kept with [Message.SetReply]. Where that activity was
	// skipped or has no reply, and where its reply says otherwise than how the run
	// has ended, an acknowledgement goes out.
	ReplyOf string `yaml:"reply-of"`
	// None answers with an empty body: the class of the answer still reaches a peer
	// whose protocol has another place for it, such as the status of HTTP.
	None bool `yaml:"-"`
}

// UnmarshalText reads "ack" or "none".
func (w *With) UnmarshalText(text []byte) error {
	switch string(text) {
	case "ack":
		*w = With{}
	case "none":
		*w = With{None: true}
	default:
		return fmt.Errorf("%q is no answer: write ack, none, {reply-of: NAME} or {template: TEXT}", text)
	}
	return nil
}

// workflow is a Workflow made ready to run.
type workflow struct {
	Workflow
	engine *Engine
	log    *zap.Logger
	calm   *zap.Logger // of what has reached no activity
	steps  []step

	template Template // of the answer
	clean    func(string) string
}

type step struct {
	Step
	label string // for people: the name, or type and place
}

// prepare checks workflows and makes them ready. It reports every mistake, each as
// a *FieldError that knows the index of its workflow.
func prepare(workflows []Workflow, log *zap.Logger) ([]*workflow, []*FieldError) {
	p := preparer{
		log:    log,
		shared: &shared{values: make(map[string]sharedValue)},
		places: make(map[any]string),
	}
	var ready []*workflow
	names := make(map[string]bool)
	for i := range workflows {
		w := workflows[i]
		p.index, p.name = i+1, w.Name
		switch {
		case w.Name == "":
			p.report("name", errors.New("a workflow needs a name"))
		case names[w.Name]:
			p.report("name", fmt.Errorf("another workflow is called %q already", w.Name))
		}
		names[w.Name] = true
		ready = append(ready, p.workflow(w))
	}
	if len(workflows) == 0 {
		p.index = 0
		p.report("workflows", errors.New("there is no workflow to run"))
	}
	return ready, p.errs
}

type preparer struct {
	log    *zap.Logger
	shared *shared
	places map[any]string // where each Preparer stands
	index  int
	name   string
	errs   []*FieldError
}

func (p *preparer) report(field string, err error) {
	for _, e := range flatten(InField(field, err)) {
		f := e.(*FieldError)
		f.Workflow, f.index = p.name, p.index
		p.errs = append(p.errs, f)
	}
}

func (p *preparer) workflow(w Workflow) *workflow {
	r := &workflow{Workflow: w, log: p.log.With(zap.String("workflow", w.Name))}
	if r.Format == nil {
		r.Format = Raw{}
		if d, ok := w.Receiver.(FormatProvider); ok {
			r.Format = d.DefaultFormat()
		}
	}
	r.calm = calm(r.log)
	env := Env{Workflow: w.Name, Format: r.Format, Logger: r.log, shared: p.shared}
	if w.Receiver == nil {
		p.report("receiver", errors.New("a workflow needs a receiver"))
	} else {
		env := env
		env.Logger = calm(r.log)
		p.prepare("receiver", w.Receiver, env)
	}
	p.prepare("when", w.When, env)
	names := make(map[string]bool)
	for i, s := range w.Activities {
		field := fmt.Sprintf("activities[%d]", i)
		label := s.Name
		if label == "" {
			label = fmt.Sprintf("activity %d (%s)", i+1, typeLabel(s.Activity))
		}
		if s.Name != "" && names[s.Name] {
			p.report(field+".name", fmt.Errorf("another activity of this workflow is called %q already", s.Name))
		}
		names[s.Name] = true
		if s.Timeout < 0 {
			p.report(field+".timeout", fmt.Errorf("%v is negative", s.Timeout))
		}
		env := env
		env.Step, env.Logger = s.Name, r.log.With(zap.String("step", label))
		if s.Activity == nil {
			p.report(field, errors.New("a step needs an activity"))
		} else {
			p.prepare(field, s.Activity, env)
		}
		p.prepare(field+".when", s.When, env)
		r.steps = append(r.steps, step{Step: s, label: label})
	}
	p.response(r, env)
	if name := w.Response.With.ReplyOf; name != "" && !names[name] {
		p.report("response.with.reply-of", fmt.Errorf("no activity of this workflow is called %q%s", name, suggest(name, names)))
	}
	return r
}

// response checks what is answered, and makes it ready.
func (p *preparer) response(w *workflow, env Env) {
	with := w.Response.With
	if with.Template != "" {
		text := with.Template
		if f, ok := w.Format.(TemplateFormat); ok {
			text, w.clean = f.AnswerTemplate(text)
		}
		var err error
		w.template, err = CompileTemplate(env, text)
		p.report("response.with.template", err)
		if with.ReplyOf != "" {
			p.report("response.with.template", errors.New("there is one answer: leave template or reply-of away"))
		}
	}
	for _, c := range []struct {
		name  string
		class Class
	}{{"accepted", Accepted}, {"filtered", Filtered}, {"rejected", Rejected}, {"failed", Failed}, {"unavailable", Unavailable}, {"too-large", TooLarge}} {
		code := w.Response.Answers.of(c.class).Code
		if code == "" {
			continue
		}
		err := errors.New("the workflow's format has no codes: leave it away")
		if f, ok := w.Format.(CodeChecker); ok {
			err = f.CheckCode(c.class, code)
		}
		p.report("response.answers."+c.name+".code", err)
	}
	if w.Response.To != nil {
		env.Logger = env.Logger.With(zap.String("step", "response"))
		p.prepare("response.to", w.Response.To, env)
	}
}

func (p *preparer) prepare(field string, v any, env Env) {
	if v == nil {
		return
	}
	_, isReceiver := v.(Receiver)
	pr, isPreparer := v.(Preparer)
	if (isReceiver || isPreparer) && reflect.TypeOf(v).Kind() == reflect.Pointer {
		here := fmt.Sprintf("workflow %q, %s", env.Workflow, field)
		if there, used := p.places[v]; used {
			p.report(field, fmt.Errorf("the same value already stands in %s: make one for each place", there))
			return
		}
		p.places[v] = here
	}
	if isPreparer {
		p.report(field, guard(func() error { return pr.Prepare(env) }))
	}
}

// typeLabel names an activity's type as a person would.
func typeLabel(v any) string {
	name := fmt.Sprintf("%T", v)
	name = strings.TrimLeft(name, "*")
	return name[strings.LastIndex(name, ".")+1:]
}
