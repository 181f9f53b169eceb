package mllp

import (
	"bytes"
	"errors"
)

// Errors of [MatchControlID].
var (
	// ErrNoMSA says that a reply holds no MSA segment, so that it answers no message.
	ErrNoMSA = errors.New("mllp: the reply has no MSA segment: it is no acknowledgement")
	// ErrWrongID says that a reply answers another message: its MSA-2 is not the MSH-10 that was sent.
	ErrWrongID = errors.New("mllp: MSA-2 of the reply is not MSH-10 of the message sent: it answers another message")
	// ErrCommitNAK says that a release 2 receiver could not store the message; it is to be sent again.
	ErrCommitNAK = errors.New("mllp: the partner could not store the message and answered with a negative commit acknowledgement")
)

// MatchControlID reports whether reply answers sent: MSA-2 of the reply is MSH-10 of the message (HL7 v2 chapter 2,
// "Message acknowledgment"), spaces around them not counted. It is what a [Client] checks when it has no Check of its own.
//
// It returns nil when they match, and also when sent has no MSH-10 (a batch, or no HL7), since there is nothing to
// match; [ErrNoMSA] or [ErrWrongID] when they don't; [ErrAwaitNext] for a positive commit block of release 2, behind
// which the acknowledgement follows; [ErrCommitNAK] for a negative one. It looks at the identifiers alone: a reply that
// matches may say AA or AE.
func MatchControlID(sent, reply []byte) error {
	switch CommitOf(reply) {
	case CommitACK:
		return ErrAwaitNext
	case CommitNAK:
		return ErrCommitNAK
	}
	id, _ := field(sent, "MSH", 9)
	if len(id) == 0 {
		return nil
	}
	got, found := field(reply, "MSA", 2)
	switch {
	case !found:
		return ErrNoMSA
	case !bytes.Equal(id, got):
		return ErrWrongID
	}
	return nil
}

// field returns the n-th piece behind the name of the first segment of that name, and whether there is such a segment. The
// separator is the byte behind the name of the first segment, as in MSH-1; the pieces of MSH therefore count from MSH-2.
func field(msg []byte, name string, n int) ([]byte, bool) {
	msg = bytes.TrimLeft(msg, "\r\n")
	if len(msg) < 4 {
		return nil, false
	}
	separator := msg[3]
	for len(msg) > 0 {
		segment := msg
		if end := bytes.IndexAny(msg, "\r\n"); end >= 0 {
			segment, msg = msg[:end], msg[end+1:]
		} else {
			msg = nil
		}
		if len(segment) < 3 || string(segment[:3]) != name || len(segment) > 3 && segment[3] != separator {
			continue
		}
		for range n {
			at := bytes.IndexByte(segment, separator)
			if at < 0 {
				return nil, true
			}
			segment = segment[at+1:]
		}
		if end := bytes.IndexByte(segment, separator); end >= 0 {
			segment = segment[:end]
		}
		return bytes.Trim(segment, " "), true
	}
	return nil, false
}
