package mllp

import "bytes"

// A Protocol is what a peer seems to speak that doesn't frame its messages as it should.
type Protocol int

// The protocols that [Sniff] tells from each other.
const (
	// UnknownProtocol is none of the others, or too few bytes to say.
	UnknownProtocol Protocol = iota
	// TLSProtocol is a TLS handshake or alert: a TLS peer on a plain port.
	TLSProtocol
	// HTTPProtocol is an HTTP request or response, or the bare page that some servers answer a stranger with.
	HTTPProtocol
	// UnframedHL7 is an HL7 message or batch without a frame around it.
	UnframedHL7
	// FramedHL7 is an MLLP frame: a plain peer where TLS is spoken.
	FramedHL7
)

// String returns the protocol in words that fit behind "the peer sends".
func (p Protocol) String() string {
	switch p {
	case TLSProtocol:
		return "TLS"
	case HTTPProtocol:
		return "HTTP"
	case UnframedHL7:
		return "HL7 without MLLP framing"
	case FramedHL7:
		return "plain MLLP"
	}
	return "an unknown protocol"
}

// Sniff tells from the first bytes of a connection, or of a refused frame ([Reader.Head]), what the peer speaks. Eight
// bytes are enough.
func Sniff(head []byte) Protocol {
	switch {
	case len(head) >= 2 && (head[0] == 0x16 || head[0] == 0x15) && head[1] == 3:
		return TLSProtocol
	case hasAnyPrefix(head, "\vMSH", "\vFHS", "\vBHS"):
		return FramedHL7
	case hasAnyPrefix(head, "MSH", "FHS", "BHS"):
		return UnframedHL7
	case hasAnyPrefix(head, "HTTP/", "GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "DELETE ", "CONNECT ", "PRI * ", "<!DOC", "<html", "<HTML"):
		return HTTPProtocol
	}
	return UnknownProtocol
}

func hasAnyPrefix(b []byte, prefixes ...string) bool {
	for _, p := range prefixes {
		if bytes.HasPrefix(b, []byte(p)) {
			return true
		}
	}
	return false
}
