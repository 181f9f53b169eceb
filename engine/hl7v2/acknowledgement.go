package hl7v2

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/hl7"
)

// An Acknowledgement says which acknowledgements a message is answered with (HL7 v2.9,
// chapter 2, 2.9.2 and 2.9.3). There are two kinds: the accept acknowledgement (CA, CE, CR)
// says whether the message is safe, and the application acknowledgement (AA, AE, AR) what
// became of it.
type Acknowledgement int

const (
	// AcknowledgementHL7 answers as each message asks: with an application acknowledgement
	// when its MSH-15 and MSH-16 are empty (original mode), and else with those that they
	// want (enhanced mode), which may be both or none. An acknowledgement that comes in
	// (MSH-9 is ACK) is answered in enhanced mode alone. In a file: hl7.
	AcknowledgementHL7 Acknowledgement = iota
	// AcknowledgementApplication answers with an application acknowledgement, whatever the
	// message asks for. In a file: application.
	AcknowledgementApplication
	// AcknowledgementAccept answers with an accept acknowledgement alone. In a file: accept.
	AcknowledgementAccept
	// AcknowledgementBoth answers with both. In a file: both.
	AcknowledgementBoth
)

var acknowledgements = []string{"hl7", "application", "accept", "both"}

// String returns the name that UnmarshalText reads.
func (a Acknowledgement) String() string {
	if a < 0 || int(a) >= len(acknowledgements) {
		return fmt.Sprintf("acknowledgement %d", int(a))
	}
	return acknowledgements[a]
}

// MarshalText returns what String returns.
func (a Acknowledgement) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads "hl7", "application", "accept" or "both".
func (a *Acknowledgement) UnmarshalText(text []byte) error {
	i := slices.Index(acknowledgements, string(text))
	if i < 0 {
		return fmt.Errorf("%q is no kind of acknowledgement: write hl7, application, accept or both; none is set as response: {with: none}", text)
	}
	*a = Acknowledgement(i)
	return nil
}

// wants says which acknowledgements go out. An accept acknowledgement that refuses ends the
// matter.
func (a Acknowledgement) wants(h *hl7.Header, positive bool) (accept, application bool) {
	switch a {
	case AcknowledgementApplication:
		return false, true
	case AcknowledgementAccept:
		return true, false
	case AcknowledgementBoth:
		return true, positive
	}
	if h.MessageCode() == "ACK" && !h.Enhanced() {
		// An acknowledgement isn't acknowledged: two that did so would never come to an end.
		return false, false
	}
	accept, application = h.WantsAccept(positive), h.WantsApplication(positive)
	return accept, application && (positive || !accept)
}

// texts are what MSA-3 says of each class when the answer has no text of its own.
var texts = map[engine.Class]string{
	engine.Failed:      "The message could not be processed.",
	engine.Rejected:    "The message was rejected.",
	engine.Unavailable: "The message can't be processed now. Send it again later.",
	engine.TooLarge:    "The message is larger than this receiver takes.",
}

// code is the acknowledgement code of a class (HL7 table 0008).
func code(c engine.Class) hl7.AckCode {
	switch c {
	case engine.Accepted, engine.Filtered:
		return hl7.ApplicationAccept
	case engine.Rejected, engine.Unavailable, engine.TooLarge:
		return hl7.ApplicationReject
	}
	return hl7.ApplicationError
}

// acceptCodes are the codes of accept acknowledgements, by those of application
// acknowledgements.
var acceptCodes = map[hl7.AckCode]hl7.AckCode{
	hl7.ApplicationAccept: hl7.CommitAccept,
	hl7.ApplicationError:  hl7.CommitError,
	hl7.ApplicationReject: hl7.CommitReject,
}

// CheckCode refuses what is no application code, and a code that would say of a message the
// opposite of what became of it. Accept acknowledgements get the code that corresponds.
func (Format) CheckCode(c engine.Class, code string) error {
	k := hl7.AckCode(code)
	switch _, known := acceptCodes[k]; {
	case !known:
		return fmt.Errorf("%q is no code of an acknowledgement: write AA, AE or AR", code)
	case c == engine.Accepted && k != hl7.ApplicationAccept:
		return fmt.Errorf("a message that was accepted is answered with AA: %s would have it sent again", code)
	case !c.Positive() && k == hl7.ApplicationAccept:
		return errors.New("AA says that the message is safe, and it isn't: write AE or AR")
	}
	return nil
}

// A Fault refuses a message for what is wrong in it. An activity returns one, or an error
// that wraps one, and the acknowledgement then has an ERR segment for each of its errors
// (chapter 2, 2.14.5). The message is answered as Failed, or, where the error wraps
// engine.ErrRejected, too, as Rejected.
type Fault struct {
	// Errors are for the peer to read. They must not hold content of the message.
	Errors []hl7.AckError
}

// Error names the places and the codes.
func (f *Fault) Error() string {
	text := "the message is at fault"
	for i, e := range f.Errors {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		text += fmt.Sprintf("%s%v %s %s", sep, e.Location, e.Code, e.Text)
	}
	return text
}

// internalError is the code of HL7 table 0357 for what isn't the message's fault.
const internalError = "207"

// Answer makes the acknowledgements of the message as it was received (HL7 v2.9, chapter 2,
// 2.9.2 and 2.9.3). Where that has no readable header, there is an application
// acknowledgement with the usual delimiters and an empty MSA-2.
func (f Format) Answer(m *engine.Message, a engine.Answer) (engine.Reply, error) {
	h, err := hl7.ParseHeader(m.Original())
	ack := hl7.Ack{Code: code(a.Class), Text: a.Text}
	if a.Code != "" {
		ack.Code = hl7.AckCode(a.Code)
	}
	if ack.Text == "" {
		ack.Text = texts[a.Class]
	}
	reply := engine.Reply{ContentType: f.ContentType()}
	if err != nil {
		if a.Class == engine.Rejected && a.Text == "" {
			ack.Text = "This is no HL7 v2 message: one begins with an MSH segment."
		}
		reply.Body = h.AppendAck(make([]byte, 0, 256), ack)
		return reply, nil
	}
	if fault, ok := errors.AsType[*Fault](a.Cause); ok {
		ack.Errors = fault.Errors
	} else if a.Class == engine.Failed || a.Class == engine.Unavailable || a.Class == engine.TooLarge {
		ack.Errors = []hl7.AckError{{Code: internalError, Text: ack.Text}}
	}
	accept, application := f.Acknowledgement.wants(&h, a.Class.Positive())
	if accept {
		first := ack
		first.Code = acceptCodes[ack.Code]
		reply.Accept = h.AppendAck(make([]byte, 0, 256), first)
	}
	if !application {
		return reply, nil
	}
	reply.Later = h.Enhanced()
	if reply.Later {
		ack.AcceptAcknowledgement, ack.ApplicationAcknowledgement = "NE", "NE"
		if a.Apart {
			ack.AcceptAcknowledgement = "AL" // nothing else would say that it has arrived
		}
	}
	if a.PassOn != nil {
		if reply.Body, err = readdress(a.PassOn, h.ControlID(), ack); err == nil {
			return reply, nil
		}
		// A partner's reply that can't be made to fit is no answer.
	}
	reply.Body = h.AppendAck(make([]byte, 0, 256), ack)
	return reply, nil
}
