package hl7v2

import (
	"errors"
	"fmt"
	"mime"
	"strings"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/hl7"
)

// Format is the [engine.Format] of HL7 v2. The zero value is ready.
type Format struct {
	// Acknowledgement says which acknowledgements a message is answered with. The default
	// is what each message asks for.
	Acknowledgement Acknowledgement
}

// View returns the message that m holds, parsed once and kept until m's body changes.
// It is for reading: what [Edit] changes reaches m's body, and what is changed here
// doesn't. A charset that the transport gave overrides MSH-18.
func View(m *engine.Message) (*hl7.Message, error) {
	return engine.View(m, func(raw []byte) (*hl7.Message, error) {
		msg, err := hl7.Parse(raw)
		if err != nil {
			return nil, err
		}
		if _, params, err := mime.ParseMediaType(m.ContentType); err == nil && params["charset"] != "" {
			msg.SetCharacterSet(params["charset"])
		}
		return msg, nil
	})
}

// Edit lets change edit the message that m holds and makes the result m's body. When
// change returns an error m stays as it was.
func Edit(m *engine.Message, change func(*hl7.Message) error) error {
	msg, err := View(m)
	if err != nil {
		return err
	}
	before := m.Body()
	if err := change(msg); err != nil {
		m.SetBody(before) // drops the half-edited view
		return err
	}
	m.SetBodyAndView(msg.Bytes(), msg)
	return nil
}

// Identity returns MSH-10, and the type as MSH-9.1 and MSH-9.2.
func (Format) Identity(m *engine.Message) (engine.Identity, error) {
	h, err := hl7.ParseHeader(m.Body())
	if err != nil {
		return engine.Identity{}, err
	}
	kind := h.MessageCode()
	if event := h.TriggerEvent(); event != "" {
		kind += "^" + event
	}
	return engine.Identity{ControlID: h.ControlID(), Type: kind}, nil
}

// Compile makes a getter of an HL7 path: see [hl7.Path].
func (Format) Compile(path string) (engine.Getter, error) {
	p, err := hl7.ParsePath(path)
	if err != nil {
		return nil, err
	}
	return getter{p}, nil
}

type getter struct{ path hl7.Path }

func (g getter) Value(m *engine.Message) (string, error) {
	msg, err := View(m)
	if err != nil {
		return "", err
	}
	return msg.Get(g.path), nil
}

func (g getter) Values(m *engine.Message) ([]string, error) {
	msg, err := View(m)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, v := range msg.All(g.path) {
		all = append(all, v)
	}
	return all, nil
}

// AnswerTemplate makes every line a segment. What is filled in is escaped by the delimiters
// of the template's own MSH segment.
func (Format) AnswerTemplate(text string) (string, func(string) string) {
	text = strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(text), "\r\n", "\r"), "\n", "\r") + "\r"
	d := hl7.DefaultDelimiters()
	if h, err := hl7.ParseHeader([]byte(text)); err == nil {
		d = h.Delimiters()
	}
	return text, func(value string) string {
		escaped, err := d.AppendEscaped(nil, value)
		if err != nil {
			return "" // the template names no escape character
		}
		return string(escaped)
	}
}

// readdress makes a partner's acknowledgement an application acknowledgement of the message
// with this control id, which asks for the same acknowledgements in enhanced mode as own. A
// partner that has sent an accept acknowledgement alone has said with it all that it says.
func readdress(reply []byte, controlID string, own hl7.Ack) ([]byte, error) {
	msg, err := hl7.Parse(reply)
	if err != nil {
		return nil, err
	}
	if err := msg.Set(hl7.MustPath("MSA-2"), controlID); err != nil {
		return nil, err
	}
	if own.AcceptAcknowledgement != "" {
		if err := errors.Join(msg.Set(hl7.MustPath("MSH-15"), own.AcceptAcknowledgement), msg.Set(hl7.MustPath("MSH-16"), own.ApplicationAcknowledgement)); err != nil {
			return nil, err
		}
	}
	code := hl7.MustPath("MSA-1")
	for application, accept := range acceptCodes {
		if msg.Get(code) == string(accept) {
			if err := msg.Set(code, string(application)); err != nil {
				return nil, err
			}
			break
		}
	}
	return msg.Bytes(), nil
}

// ReadAnswer reads a partner's acknowledgement of m. It fails with
// [engine.ErrNoAcknowledgement] where the reply is none, and with [engine.ErrWrongID]
// where its MSA-2 is not m's MSH-10.
func (Format) ReadAnswer(m *engine.Message, reply []byte) (engine.Answer, error) {
	sent, err := hl7.ParseHeader(m.Body())
	if err != nil {
		return engine.Answer{}, err
	}
	ack, err := hl7.ParseAck(reply)
	if err != nil {
		return engine.Answer{}, fmt.Errorf("%w: %w", engine.ErrNoAcknowledgement, err)
	}
	if ack.ControlID != sent.ControlID() {
		return engine.Answer{}, engine.ErrWrongID
	}
	a := engine.Answer{Text: ack.Text}
	switch ack.Code {
	case hl7.ApplicationAccept, hl7.CommitAccept:
		a.Class = engine.Accepted
	case hl7.ApplicationReject, hl7.CommitReject:
		a.Class = engine.Rejected
	default:
		a.Class = engine.Failed
	}
	return a, nil
}

// ContentType returns "application/hl7-v2".
func (Format) ContentType() string { return "application/hl7-v2" }

var (
	_ engine.Format         = Format{}
	_ engine.TemplateFormat = Format{}
	_ engine.CodeChecker    = Format{}
	_ engine.Getter         = getter{}
)
