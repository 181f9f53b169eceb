package activities

import (
	"fmt"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/hl7"
)

// An Acknowledgement says what counts as acceptance of a message that was sent.
//
// A negative acknowledgement of the message (AE, AR, CE, CR) always ends the waiting, and
// one of another message never counts.
type Acknowledgement int

const (
	// AcknowledgementHL7 wants what each message asks for (HL7 v2.9, chapter 2, 2.9.3): with
	// MSH-15 and MSH-16 empty (original mode), or with MSH-16 that wants it, an application
	// acknowledgement, AA, in front of which a CA is passed over; with MSH-15 alone an
	// accept acknowledgement, CA, or an AA; with neither (NE and NE) none, and the message
	// counts as sent and unconfirmed. In a file: hl7.
	AcknowledgementHL7 Acknowledgement = iota
	// AcknowledgementApplication wants AA, whatever the message asks for. In a file:
	// application.
	AcknowledgementApplication
	// AcknowledgementAccept wants CA or AA, whatever the message asks for: it is for
	// partners that send CA alone. In a file: accept.
	AcknowledgementAccept
	// AcknowledgementStatus is for partners over HTTP that answer with no HL7: a 2xx
	// status accepts. In a file: status.
	AcknowledgementStatus
	// AcknowledgementNone is for partners that send no acknowledgement, or over HTTP none
	// that says anything: the message counts as sent and unconfirmed, unless an HTTP status
	// reports a failure. In a file: none.
	AcknowledgementNone
)

var acknowledgements = []string{"hl7", "application", "accept", "status", "none"}

func (a Acknowledgement) String() string {
	if a < 0 || int(a) >= len(acknowledgements) {
		return fmt.Sprintf("acknowledgement %d", int(a))
	}
	return acknowledgements[a]
}

// MarshalText writes the name that UnmarshalText reads.
func (a Acknowledgement) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads "hl7", "application", "accept", "status" or "none".
func (a *Acknowledgement) UnmarshalText(text []byte) error {
	for i, name := range acknowledgements {
		if name == string(text) {
			*a = Acknowledgement(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no kind of acknowledgement: write hl7, application, accept, status or none", text)
}

// What is wanted for one message.
type wanted int

const (
	application wanted = iota // AA
	accept                    // CA or AA
	both                      // CA, and AA behind it
	errorsAlone               // nothing unless there is a fault
	nothing
)

// wants says what is wanted for the message sent. What is no HL7 is wanted AA for.
func (a Acknowledgement) wants(sent []byte) wanted {
	switch a {
	case AcknowledgementApplication:
		return application
	case AcknowledgementAccept:
		return accept
	case AcknowledgementNone:
		return nothing
	}
	h, err := hl7.ParseHeader(sent)
	if err != nil {
		return application
	}
	return wantsOf(&h)
}

func wantsOf(h *hl7.Header) wanted {
	switch byCommit, byApplication := h.WantsAccept(true), h.WantsApplication(true); {
	case byCommit && byApplication:
		return both
	case byApplication:
		return application
	case byCommit:
		return accept
	case h.WantsAccept(false) || h.WantsApplication(false):
		return errorsAlone
	}
	return nothing
}

var errCommitAlone = fmt.Errorf("%w of the application: the partner has sent an accept acknowledgement (CA) alone; if it sends no other, set acknowledgement to accept", engine.ErrNoAcknowledgement)

// isCommitAccept reports whether reply is CA.
func isCommitAccept(reply []byte) bool {
	ack, err := hl7.ParseAck(reply)
	return err == nil && ack.Code == hl7.CommitAccept
}

// refusal is the error for what a partner's acknowledgement says; nil when it accepts.
func refusal(c engine.Class) error {
	switch {
	case c == engine.Rejected:
		return engine.ErrPartnerRejected
	case !c.Positive():
		return engine.ErrPartnerError
	}
	return nil
}
