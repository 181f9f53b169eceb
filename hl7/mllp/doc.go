// Package mllp frames HL7 messages on a byte stream as the Minimal Lower Layer Protocol does, and sends them.
//
// A frame is a start byte (0x0B), the message, an end byte (0x1C) and a trailer (0x0D): HL7 v2 Transport Specification,
// MLLP, release 1. Release 2 adds two frames without a message, the commit acknowledgement and the negative commit
// acknowledgement; see [Commit].
//
// [Reader] takes frames from any [io.Reader], [Append] and [Writer] make them, and [Client] sends messages over one
// connection: one at a time, or with several in flight for a partner that agrees (Window), for each of which it waits for
// the answer that is its own. It speaks release 2, too (CommitBlocks), and posts to partners that answer nothing
// ([Client.Post]). The package knows nothing of a message but, for matching an answer to what was sent, its control id;
// see [MatchControlID].
//
// Package mllptest has partners that misbehave, to try senders and receivers with.
//
// The protocol reserves its bytes: a message must not hold the start byte or the end byte. So UTF-16 and UTF-32, whose
// letters may contain them, can't be sent over MLLP.
package mllp
