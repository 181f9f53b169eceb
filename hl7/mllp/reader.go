package mllp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	// firstBuffer is small because most connections of a busy receiver are idle, and most messages under 3 kB.
	firstBuffer = 4 << 10
	// keptBuffer is the largest buffer that outlives its message: what a connection may hold while it is idle.
	keptBuffer = 128 << 10
	// headSize is how much of a refused frame is kept: enough for any MSH segment that an answer is made from.
	headSize = 2 << 10
	// emptyReads is how often a source may return nothing without an error before it is taken for broken.
	emptyReads = 100
)

// A Reader takes the messages out of a stream of MLLP frames.
//
// It accepts what the field sends: several frames in one packet, a frame split anywhere, NULs and line ends between
// frames, a frame without its trailer, any segment ends. It refuses with a [*FrameError] what can't be trusted: bytes
// without a start byte, a start or an end byte inside a message, a message over the limit, a stream that ends inside a
// message. An end byte that is the last byte to have arrived ends its message at once, since a sender that leaves the
// trailer out waits for an answer; its trailer is passed over when it comes.
//
// A Reader reads ahead, so that the source must not be read by anybody else. It allocates only while its buffer grows:
// reading messages up to 64 kB costs no allocation a message. It never holds more than the limit, a frame's three bytes
// and the 4 kB of one read, and gives up a buffer of more than 128 kB once its message is done with.
//
// The zero value is not usable; call [NewReader]. A Reader is not safe for concurrent use.
type Reader struct {
	src     io.Reader
	framing Framing
	max     int
	invalid error // why the framing can't be used

	buf        []byte
	start, end int   // buf[start:end] was read and not yet taken
	base       int64 // offset in the stream of buf[0]
	scanned    int   // bytes behind the start byte that are known to hold no control byte
	owed       bool  // the trailer of the last frame had not arrived when its message was returned
	late       error // came from the source together with bytes

	msg     []byte // what the last Next returned
	refused Reason // why the frame was refused whose rest is still in the stream; 0 for none
	head    []byte // the first bytes of the frame that was refused last
}

// NewReader returns a Reader of the [Standard] framing on src. The longest message that it accepts has maxMessage
// bytes; 0 or less means [DefaultMaxMessage].
func NewReader(src io.Reader, maxMessage int) *Reader {
	return Framing{}.NewReader(src, maxMessage)
}

// NewReader is the function [NewReader] for another framing. With a framing that is not valid every call of Next
// returns what [Framing.Validate] returns.
func (f Framing) NewReader(src io.Reader, maxMessage int) *Reader {
	if maxMessage <= 0 {
		maxMessage = DefaultMaxMessage
	}
	return &Reader{src: src, framing: f.orStandard(), max: min(maxMessage, math.MaxInt-2*keptBuffer), invalid: f.Validate()}
}

// Next returns the next message without its frame. The slice is valid until the following call of Next or Skip and may
// be changed until then; [Reader.Take] keeps it for longer. An empty frame gives an empty message. A commit block of
// release 2 is returned as it is: see [CommitOf].
//
// Next blocks until a message is complete, is refused, or the source returns an error. At the end of the stream,
// between frames, it returns [io.EOF]. A [*FrameError] refuses one frame: the following call goes on behind it, as
// [Reader.Skip] does. Any other error is the source's, wrapped; after one that may pass, such as a deadline, a further
// call goes on where this one stopped, with nothing lost.
func (r *Reader) Next() ([]byte, error) {
	if r.invalid != nil {
		return nil, r.invalid
	}
	if err := r.Skip(); err != nil {
		return nil, err
	}
	r.msg, r.head = nil, r.head[:0]
	r.shrink()
	if err := r.seekStart(); err != nil {
		return nil, err
	}
	for {
		content := r.buf[r.start+1 : r.end]
		at, reason := firstControl(content[r.scanned:min(len(content), r.max+1)], r.framing)
		at += r.scanned
		switch {
		case reason == StartInside:
			return nil, r.refuse(StartInside, at)
		case reason == EndInside && !r.endsFrame(r.start+1+at):
			return nil, r.refuse(EndInside, at)
		case reason == EndInside:
			r.start += 1 + at + 1
			r.scanned = 0
			r.passTrailer()
			r.msg = content[:at:at]
			return r.msg, nil
		case len(content) > r.max:
			return nil, r.refuse(TooLarge, r.max)
		}
		r.scanned = len(content)
		if err := r.fill(); errors.Is(err, io.EOF) {
			return nil, r.refuse(Truncated, r.scanned)
		} else if err != nil {
			return nil, err
		}
	}
}

// Skip passes over the rest of a frame that Next has refused, without holding it: to the end of that frame, or, where
// the start byte was missing, to an end byte or the next start byte, whichever comes first. So a peer that is answered
// after Skip gets one answer for each frame that it has sent. Where nothing was refused Skip does nothing.
//
// Skip blocks until it is there; a peer that goes on sending for ever is stopped by a deadline on the source. When the
// stream ends first it returns [io.EOF]; other errors are as for Next.
func (r *Reader) Skip() error {
	for r.refused != 0 {
		r.msg = nil
		rest := r.buf[r.start:r.end]
		end := bytes.IndexByte(rest, r.framing.End)
		if r.refused == NoStart {
			before := rest
			if end >= 0 {
				before = rest[:end]
			}
			if at := bytes.IndexByte(before, r.framing.Start); at >= 0 {
				r.start += at
				r.refused = 0
				return nil
			}
		}
		if end < 0 {
			r.start = r.end
			r.shrink()
			if err := r.fill(); err != nil {
				return err
			}
			continue
		}
		r.start += end
		last := r.endsFrame(r.start)
		r.start++
		if last {
			r.passTrailer()
			r.refused = 0
		}
	}
	return nil
}

// Head returns the first bytes, 2 kB at most, of the frame that the last Next refused: what had arrived of it by then,
// without the start byte. An answer can be made from them, and [Sniff] tells another protocol. It returns nothing when the
// last Next refused nothing. The slice is valid until the following call of Next; Skip leaves it alone.
func (r *Reader) Head() []byte { return r.head }

// Take returns the message of the last Next for good: the caller may keep and change it. A large message that fills
// most of the buffer is handed over without a copy, others are copied. Without such a message Take returns nil.
func (r *Reader) Take() []byte {
	msg := r.msg
	if msg == nil {
		return nil
	}
	if len(msg) < keptBuffer || len(msg) < len(r.buf)/2 {
		kept := make([]byte, len(msg))
		copy(kept, msg) // which the compiler makes one of, without clearing
		return kept
	}
	r.msg = nil
	r.move(make([]byte, max(firstBuffer, r.end-r.start)))
	return msg
}

// Buffered returns how many bytes were read from the source and not yet returned, fillers between frames not counted.
// It is 0 exactly when the peer is between two frames as far as it has been heard: then nothing is lost by closing.
func (r *Reader) Buffered() int {
	at := r.start
	if r.owed && at < r.end && r.buf[at] == r.framing.Trailer {
		at++
	}
	for at < r.end && isFiller(r.buf[at]) {
		at++
	}
	return r.end - at
}

// seekStart goes to the next start byte.
func (r *Reader) seekStart() error {
	for {
		if r.owed && r.start < r.end {
			r.passTrailer()
		}
		for r.start < r.end && isFiller(r.buf[r.start]) {
			r.start++
		}
		if r.start < r.end {
			if r.buf[r.start] != r.framing.Start {
				return r.refuse(NoStart, 0)
			}
			return nil
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// endsFrame reports whether the end byte at buf[i] ends a frame, by what stands behind it. Nothing behind it ends the
// frame too: to wait for the trailer of a sender that sends none would be to wait for ever.
func (r *Reader) endsFrame(i int) bool {
	if i+1 == r.end {
		return true
	}
	next := r.buf[i+1]
	return next == r.framing.Trailer || next == r.framing.Start || isFiller(next)
}

// passTrailer goes over the trailer behind an end byte, or remembers that it has yet to come.
func (r *Reader) passTrailer() {
	r.owed = r.framing.Trailer != 0 && r.start == r.end
	if r.framing.Trailer != 0 && r.start < r.end && r.buf[r.start] == r.framing.Trailer {
		r.start++
	}
}

// refuse makes the error for the frame at buf[start], of which size bytes were good, and leaves the rest to Skip.
func (r *Reader) refuse(reason Reason, size int) error {
	e := &FrameError{Reason: reason, Offset: r.base + int64(r.start), Size: size}
	content := r.buf[r.start:r.end]
	if reason != NoStart {
		content = content[1:]
		e.Offset += 1 + int64(size)
		r.start += 1 + size
	}
	if reason == TooLarge {
		e.Limit = r.max
	}
	if reason != Truncated {
		r.refused = reason
	}
	if reason == TooLarge || reason == NoStart {
		size = len(content)
	}
	r.head = append(r.head[:0], content[:min(size, headSize)]...)
	r.scanned = 0
	return e
}

// fill reads once from the source into the buffer, for which it makes room.
func (r *Reader) fill() error {
	if r.late != nil {
		err := r.late
		r.late = nil
		return err
	}
	if r.start == r.end {
		r.base += int64(r.start)
		r.start, r.end = 0, 0
	}
	if r.end == len(r.buf) {
		r.makeRoom()
	}
	for range emptyReads {
		n, err := r.src.Read(r.buf[r.end:])
		if n < 0 || n > len(r.buf)-r.end {
			return fmt.Errorf("mllp: the source's Read returned %d bytes into room for %d", n, len(r.buf)-r.end)
		}
		r.end += n
		if err != nil && !errors.Is(err, io.EOF) {
			err = fmt.Errorf("mllp: read: %w", err)
		}
		if n > 0 {
			r.late = err
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("mllp: read: %w", io.ErrNoProgress)
}

// makeRoom moves what is unread to the front, or to a larger buffer when it fills more than half of this one.
func (r *Reader) makeRoom() {
	unread := r.end - r.start
	size := len(r.buf)
	switch limit := r.max + 3 + firstBuffer; {
	case size == 0:
		size = min(firstBuffer, limit)
	case unread > size/2:
		size = min(2*size, max(limit, size))
	}
	if size == len(r.buf) {
		r.move(r.buf)
		return
	}
	r.move(make([]byte, size))
}

// shrink gives up a large buffer that is no longer needed, so that an idle connection holds little.
func (r *Reader) shrink() {
	if unread := r.end - r.start; len(r.buf) > keptBuffer && unread <= keptBuffer/2 {
		r.move(make([]byte, max(firstBuffer, unread)))
	}
}

// move takes what is unread to the front of buf, which may be the present buffer.
func (r *Reader) move(buf []byte) {
	n := copy(buf, r.buf[r.start:r.end])
	r.base += int64(r.start)
	r.buf, r.start, r.end = buf, 0, n
}

// firstControl returns the place of the first start or end byte in b, with the reason for which it is wrong inside a
// message; -1 and 0 when there is none.
func firstControl(b []byte, f Framing) (int, Reason) {
	// Block by block, so that the second search finds what the first has brought near.
	for at := 0; ; at += nearBlock {
		if i, reason := firstControlNear(b[at:min(at+nearBlock, len(b))], f); reason != 0 {
			return at + i, reason
		}
		if at+nearBlock >= len(b) {
			return -1, 0
		}
	}
}

// nearBlock fits into the smallest cache beside other things.
const nearBlock = 8 << 10

func firstControlNear(b []byte, f Framing) (int, Reason) {
	end := bytes.IndexByte(b, f.End)
	if end >= 0 {
		b = b[:end]
	}
	if at := bytes.IndexByte(b, f.Start); at >= 0 {
		return at, StartInside
	}
	if end < 0 {
		return -1, 0
	}
	return end, EndInside
}
