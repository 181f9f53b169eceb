package engine

import "errors"

// A Format is what the engine asks about a payload: what a message calls itself,
// values by path, and an answer of each kind. The engine itself moves bytes. The
// Format of HL7 v2 is in package engine/hl7v2; others come the same way, without a
// change here.
//
// All methods are safe for concurrent use, each call with a message of its own.
type Format interface {
	// Identity reads what the message calls itself. An error means that the body
	// is no message of this format: it is answered as Rejected, and no activity
	// sees it.
	Identity(m *Message) (Identity, error)
	// Compile makes a Getter of a path, or says what is wrong with the path.
	Compile(path string) (Getter, error)
	// Answer puts an answer to m, as m was received, into the format's own words.
	// It makes a well-formed answer also where m is empty or can't be read.
	Answer(m *Message, a Answer) (Reply, error)
	// ReadAnswer reads what a partner has replied to m, as m was sent. It fails
	// with ErrNoAcknowledgement where the reply is none, and with ErrWrongID where
	// it belongs to another message.
	ReadAnswer(m *Message, reply []byte) (Answer, error)
	// ContentType is the media type under which a message of this format is sent,
	// such as "application/hl7-v2".
	ContentType() string
}

// An Identity is what a message calls itself.
type Identity struct {
	// ControlID is the sender's own number for the message; "" where it has none.
	ControlID string
	// Type is the kind of message, such as "ADT^A01".
	Type string
}

// A Getter reads the values that a path names. It is safe for concurrent use.
type Getter interface {
	// Value returns the first value, or "" where there is none.
	Value(m *Message) (string, error)
	// Values returns every value, in the order of the message.
	Values(m *Message) ([]string, error)
}

// A CodeChecker is a Format whose answers have codes that a [Response] can set. CheckCode
// says what is wrong with a code for a class, or returns nil.
type CodeChecker interface {
	CheckCode(c Class, code string) error
}

// A TemplateFormat is a Format whose answers can be written as templates.
// AnswerTemplate returns text as the format wants it, with its own line ends, say, and
// what makes a value safe to stand in it.
type TemplateFormat interface {
	AnswerTemplate(text string) (template string, clean func(string) string)
}

// A FormatProvider is a [Receiver] that knows which Format its messages have when
// the workflow names none. The receivers of package receivers say HL7 v2.
type FormatProvider interface{ DefaultFormat() Format }

// Raw is the Format of payloads that nobody looks into: every body is a message,
// there are no paths, and an answer is an empty body. It is used where neither the
// workflow nor its receiver names a Format.
type Raw struct{}

// Identity returns the zero Identity.
func (Raw) Identity(*Message) (Identity, error) { return Identity{}, nil }

// Compile fails: a raw payload has no paths.
func (Raw) Compile(string) (Getter, error) {
	return nil, errors.New("this workflow's messages are raw bytes, which have no paths")
}

// Answer returns a reply with a class and no body, or with the reply to pass on.
func (Raw) Answer(_ *Message, a Answer) (Reply, error) {
	return Reply{Class: a.Class, Body: a.PassOn}, nil
}

// ReadAnswer fails with ErrNoAcknowledgement: nothing in raw bytes says whether
// they accept.
func (Raw) ReadAnswer(*Message, []byte) (Answer, error) { return Answer{}, ErrNoAcknowledgement }

// ContentType returns "application/octet-stream".
func (Raw) ContentType() string { return "application/octet-stream" }

var _ Format = Raw{}
