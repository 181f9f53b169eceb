package mllp

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// DefaultMaxMessage is the longest message in bytes, frame not counted, that a [Reader] accepts when its maker set no
// limit: 16 MiB.
const DefaultMaxMessage = 16 << 20

// A Framing is the set of bytes that stand around a message. The zero value is the standard's: 0x0B, message, 0x1C,
// 0x0D. Some partners are set to other bytes, such as STX (0x02) and ETX (0x03) without a trailer.
//
// A Framing is a value; its methods are safe for concurrent use.
type Framing struct {
	// Start stands before the message.
	Start byte
	// End stands behind the message.
	End byte
	// Trailer stands behind End. Zero means none, unless the whole Framing is zero.
	Trailer byte
}

// Standard is the framing of MLLP release 1 and 2. It is what the zero [Framing] stands for.
func Standard() Framing { return Framing{Start: 0x0B, End: 0x1C, Trailer: 0x0D} }

func (f Framing) orStandard() Framing {
	if f == (Framing{}) {
		return Standard()
	}
	return f
}

// UnmarshalText reads a framing as its bytes in hexadecimal digits, in their order: "0B 1C 0D", or "02 03" for one without
// a trailer. Spaces and an 0x before each byte may be there or not. It doesn't check the bytes; see [Framing.Validate].
func (f *Framing) UnmarshalText(text []byte) error {
	digits := strings.NewReplacer(" ", "", "0x", "", "0X", "").Replace(string(text))
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) < 2 || len(b) > 3 {
		return errors.New(`no framing: write the start byte, the end byte and, if there is one, the trailer in hexadecimal digits, such as "0B 1C 0D"`)
	}
	*f = Framing{Start: b[0], End: b[1]}
	if len(b) == 3 {
		f.Trailer = b[2]
	}
	return nil
}

// MarshalText writes a framing as UnmarshalText reads it, the zero value as the standard's.
func (f Framing) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// String returns the bytes in hexadecimal digits, such as "0B 1C 0D".
func (f Framing) String() string {
	f = f.orStandard()
	if f.Trailer == 0 {
		return fmt.Sprintf("%02X %02X", f.Start, f.End)
	}
	return fmt.Sprintf("%02X %02X %02X", f.Start, f.End, f.Trailer)
}

// Validate reports why frames could not be told from each other with these bytes: start and end are the same, or one of
// them is NUL, CR or LF, which a [Reader] passes over between frames.
func (f Framing) Validate() error {
	f = f.orStandard()
	switch {
	case isFiller(f.Start):
		return fmt.Errorf("mllp: start byte 0x%02X can't open a frame: NUL, CR and LF are passed over between frames; the standard's is 0x0B", f.Start)
	case isFiller(f.End):
		return fmt.Errorf("mllp: end byte 0x%02X can't close a frame: messages and the gaps between them hold NUL, CR and LF; the standard's is 0x1C", f.End)
	case f.Start == f.End:
		return fmt.Errorf("mllp: start byte and end byte are both 0x%02X; they must differ", f.Start)
	case f.Trailer != 0 && (f.Trailer == f.Start || f.Trailer == f.End):
		return fmt.Errorf("mllp: trailer 0x%02X is also the start or the end byte; it must differ from both", f.Trailer)
	}
	return nil
}

// isFiller reports whether b is met between the frames of sloppy senders and means nothing there.
func isFiller(b byte) bool { return b == 0 || b == '\r' || b == '\n' }

// Append appends msg as one frame to dst and returns the extended slice. It doesn't look into msg: a message that holds
// the start or the end byte, which the protocol forbids, is found by [Framing.Check].
func (f Framing) Append(dst, msg []byte) []byte {
	f = f.orStandard()
	dst = append(dst, f.Start)
	dst = append(dst, msg...)
	dst = append(dst, f.End)
	if f.Trailer != 0 {
		dst = append(dst, f.Trailer)
	}
	return dst
}

// Append appends msg to dst as one frame of the [Standard] framing and returns the extended slice.
func Append(dst, msg []byte) []byte { return Framing{}.Append(dst, msg) }

// Check reports with a [*FrameError] that msg can't be framed because it holds the start or the end byte; the offset
// is the offset in msg. It reads msg twice at the speed of [bytes.IndexByte].
func (f Framing) Check(msg []byte) error {
	f = f.orStandard()
	if err := f.Validate(); err != nil {
		return err
	}
	at, reason := firstControl(msg, f)
	if reason == 0 {
		return nil
	}
	return &FrameError{Reason: reason, Offset: int64(at), Size: len(msg)}
}

// A Commit is the content of a release 2 commit block. [CommitOf] tells such a block from a message.
type Commit byte

// The commit blocks of MLLP release 2. A receiver sends one for each message, before any acknowledgement of HL7 itself.
const (
	// NoCommit is not a commit block.
	NoCommit Commit = 0
	// CommitACK says that the message is in safe storage: the sender may forget it.
	CommitACK Commit = 0x06
	// CommitNAK says that the message could not be stored: the sender is to send it again.
	CommitNAK Commit = 0x15
)

// CommitOf tells which commit block the content of a frame is, [NoCommit] when it is none.
func CommitOf(content []byte) Commit {
	if len(content) == 1 {
		if c := Commit(content[0]); c == CommitACK || c == CommitNAK {
			return c
		}
	}
	return NoCommit
}

// String returns the name that the standard gives the block.
func (c Commit) String() string {
	switch c {
	case NoCommit:
		return "no commit block"
	case CommitACK:
		return "commit acknowledgement"
	case CommitNAK:
		return "negative commit acknowledgement"
	}
	return fmt.Sprintf("commit block 0x%02X", byte(c))
}

// AppendCommit appends the commit block c to dst as one frame and returns the extended slice.
func (f Framing) AppendCommit(dst []byte, c Commit) []byte {
	content := [1]byte{byte(c)}
	return f.Append(dst, content[:])
}

// A Reason says why a frame was refused.
type Reason int

// The reasons to refuse a frame.
const (
	// NoStart: a byte other than NUL, CR and LF came where a start byte was expected.
	NoStart Reason = iota + 1
	// StartInside: a start byte came inside a message. Either the sender broke off and began anew, or the message holds
	// a byte that the protocol forbids.
	StartInside
	// EndInside: an end byte came inside a message, that is, not before the trailer, a start byte, NUL, CR or LF.
	EndInside
	// TooLarge: the message is over the reader's limit.
	TooLarge
	// Truncated: the stream ended inside a message. Such an error is also [io.ErrUnexpectedEOF].
	Truncated
)

// String returns the reason in plain words.
func (r Reason) String() string {
	switch r {
	case NoStart:
		return "no start byte"
	case StartInside:
		return "start byte inside a message"
	case EndInside:
		return "end byte inside a message"
	case TooLarge:
		return "message too large"
	case Truncated:
		return "message cut off by the end of the stream"
	}
	return fmt.Sprintf("reason %d", int(r))
}

// A FrameError says why, and where in the stream, a frame was refused. It holds no content.
type FrameError struct {
	Reason Reason
	// Offset is where in the stream, counted from its first byte as 0, the offending byte stands: the byte that is no
	// start byte, the control byte inside the message, the first byte over the limit, the end of the stream.
	Offset int64
	// Size is the number of bytes of the message that came before it.
	Size int
	// Limit is the reader's limit in bytes, where the reason is [TooLarge].
	Limit int
}

// Error returns the reason, the offset and the size, never content.
func (e *FrameError) Error() string {
	switch e.Reason {
	case NoStart:
		return fmt.Sprintf("mllp: no start byte at offset %d: the peer doesn't frame its messages, or speaks another protocol", e.Offset)
	case TooLarge:
		return fmt.Sprintf("mllp: message over the limit of %d bytes at offset %d: raise the limit if such messages are expected", e.Limit, e.Offset)
	}
	return fmt.Sprintf("mllp: %s at offset %d, after %d bytes of it", e.Reason, e.Offset, e.Size)
}

// Is makes a [Truncated] error also an [io.ErrUnexpectedEOF].
func (e *FrameError) Is(target error) bool {
	return e.Reason == Truncated && target == io.ErrUnexpectedEOF
}

// ReasonOf returns the reason for which err, or an error that it wraps, refused a frame; 0 when it did not.
func ReasonOf(err error) Reason {
	var fe *FrameError
	if errors.As(err, &fe) {
		return fe.Reason
	}
	return 0
}
