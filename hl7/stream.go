package hl7

import (
	"bytes"
	"fmt"
	"io"
	"math"
)

// DefaultMaxMessage is the largest item that a [Reader] returns when its MaxMessage is 0:
// 256 MiB.
const DefaultMaxMessage = 256 << 20

const (
	// block is how much is read at once, and the size of the first buffer.
	block = 64 << 10
	// emptyReads is how often a source may return nothing without an error before it is
	// taken for broken.
	emptyReads = 100

	frameStart    = 0x0b
	frameEnd      = 0x1c
	byteOrderMark = "\xef\xbb\xbf"
)

// A Kind says what an [Item] is.
type Kind int

// The kinds of items.
const (
	KindMessage      Kind = iota + 1 // MSH and all that follows
	KindFileHeader                   // FHS
	KindBatchHeader                  // BHS
	KindBatchTrailer                 // BTS
	KindFileTrailer                  // FTS
)

// Segment returns the name of the segment that items of this kind begin with, such as
// "MSH", or "" for no kind.
func (k Kind) Segment() string {
	switch k {
	case KindMessage:
		return "MSH"
	case KindFileHeader:
		return "FHS"
	case KindBatchHeader:
		return "BHS"
	case KindBatchTrailer:
		return "BTS"
	case KindFileTrailer:
		return "FTS"
	}
	return ""
}

// String returns the kind in plain words.
func (k Kind) String() string {
	switch k {
	case KindMessage:
		return "message"
	case KindFileHeader:
		return "file header"
	case KindBatchHeader:
		return "batch header"
	case KindBatchTrailer:
		return "batch trailer"
	case KindFileTrailer:
		return "file trailer"
	}
	return fmt.Sprintf("kind %d", int(k))
}

// An Item is what a file of HL7 v2 messages is made of: a message, or a header or a
// trailer around messages.
type Item struct {
	Kind Kind
	// Bytes are the item's bytes as they stand in the stream, from its name up to and
	// with the end of its last segment: CR, LF or CRLF, or nothing when a frame or the
	// stream ends there. Blank lines between its segments are among them; those behind
	// its last segment, the bytes of the frame and a byte order mark are not.
	Bytes []byte
	// Offset is where Bytes begin in the stream.
	Offset int64
}

// A Reader takes the messages out of a stream of any size (HL7 v2.9, chapter 2, 2.10.3):
// one message behind the other, or in batches and files with their headers and trailers,
// with or without MLLP frames around them, with any segment ends. All that it holds is a
// buffer, of 64 kB at first, which is doubled when an item is larger.
//
// An item begins where a segment MSH, FHS, BHS, BTS or FTS stands at the beginning of a
// line or behind the frame's 0x0B. It ends where the next one begins, at the frame's
// 0x1C, or at the end of the stream. To a header belong the segments SFT and UAC behind
// it, to a trailer nothing. A segment has the name when a punctuation character, the
// segment end or the end of the frame stands behind it. Between items a byte order mark,
// NUL, CR, LF, 0x0B, 0x1C and 0x1A mean nothing; so frames may lack a byte of theirs, or
// hold a whole batch.
//
// A message is not looked into: [Parse] says whether it can be read.
//
// MaxMessage may be set before any Next. A Reader reads ahead, so the source must not be
// read by anybody else. It is not safe for concurrent use. Make one with [NewReader].
type Reader struct {
	// MaxMessage is the largest item in bytes, blank lines behind it included. 0 or less
	// means [DefaultMaxMessage].
	MaxMessage int

	src  io.Reader
	late error // came from the source together with bytes
	eof  bool

	buf        []byte
	start, end int   // buf[start:end] was read and not yet returned
	at         int   // up to here buf has no end of the item
	base       int64 // offset in the stream of buf[0]
	controls   controls

	skipping bool // over the rest of what an error was returned for
	skipped  Kind

	order  order
	owed   []error // to return before held
	held   Item
	heldBy error
}

// NewReader returns a Reader of src.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// Next returns the next item. Its bytes are valid until the following Next, and may be
// changed until then. Next blocks until the item is known to be complete: without frames
// that is when the next one begins. At the end of the stream it returns [io.EOF].
//
// After any of these errors the following Next goes on:
//
//   - A [*ParseError] stands for what can't be returned: something else where an item was
//     expected, up to the next item, or an item larger than MaxMessage.
//   - A [*BatchError] comes before the item, or the end of the stream, in front of which
//     a header or a trailer is missing. Files without FHS and FTS, and messages outside
//     of any batch, are no errors.
//   - A [*CountError] comes together with the trailer that says another number than that
//     of the messages or batches that were there. It is the one error that has an item.
//
// Any other error is the source's, wrapped; if it may pass, such as a deadline, a further
// Next goes on where this one stopped.
func (r *Reader) Next() (Item, error) {
	if len(r.owed) == 0 && r.held.Kind == 0 && r.heldBy == nil {
		it, err := r.next()
		switch {
		case it.Kind != 0:
			var count error
			r.owed, count = r.order.add(it, r.owed[:0])
			if err == nil {
				err = count
			} else {
				it = Item{}
			}
		case err == io.EOF:
			r.owed = r.order.close(r.base+int64(r.end), r.owed[:0])
		}
		if len(r.owed) == 0 {
			return it, err
		}
		r.held, r.heldBy = it, err
	}
	if len(r.owed) > 0 {
		err := r.owed[0]
		r.owed = r.owed[1:]
		return Item{}, err
	}
	it, err := r.held, r.heldBy
	r.held, r.heldBy = Item{}, nil
	return it, err
}

// next returns the next item whatever came before it. An item with an error is one that
// is too large, and has no bytes.
func (r *Reader) next() (Item, error) {
	for r.skipping {
		if end, ok := r.scan(r.skipped); ok {
			r.start, r.skipping = end, false
			break
		}
		r.start = r.at
		if err := r.fill(); err != nil {
			return Item{}, err
		}
	}
	k, err := r.seek()
	if err != nil {
		return Item{}, err
	}
	r.at = r.start
	offset := r.base + int64(r.start)
	if k == 0 {
		r.skipping, r.skipped = true, 0
		return Item{}, &ParseError{Offset: int(offset), Reason: noItem(r.buf[r.start:r.end])}
	}
	for {
		end, ok := r.scan(k)
		if ok && end-r.start <= r.limit() {
			raw := trimItem(r.buf[r.start:end])
			r.start = end
			return Item{Kind: k, Bytes: raw[:len(raw):len(raw)], Offset: offset}, nil
		}
		if ok || r.at-r.start > r.limit() {
			r.skipping, r.skipped = true, k
			return Item{Kind: k, Offset: offset}, &ParseError{Offset: int(offset), Segment: k.Segment(), Reason: fmt.Sprintf("the %v is larger than the limit of %d bytes", k, r.limit())}
		}
		if err := r.fill(); err != nil {
			return Item{}, err
		}
	}
}

// seek goes to what stands behind the bytes that mean nothing between items, and returns
// its kind, or 0 when it is no item.
func (r *Reader) seek() (Kind, error) {
	for {
		n, more := skipFill(r.buf[r.start:r.end], r.eof)
		r.start += n
		if !more {
			k, unknown := kindAt(r.buf[r.start:r.end], r.eof)
			// What an error says depends on two bytes.
			if !unknown && (k != 0 || r.eof || r.end-r.start >= 2) {
				return k, nil
			}
		} else if r.eof {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
}

// scan returns where the item of kind k, into which r.at points, ends in the buffer. When
// more must be read to know that, r.at is behind what was looked at.
func (r *Reader) scan(k Kind) (int, bool) {
	for {
		p := r.controls.next(r.buf[:r.end], r.at)
		if p == r.end {
			r.at = r.end
			return r.end, r.eof
		}
		ends, unknown := endsAt(k, r.buf[p], r.buf[p+1:r.end], r.eof)
		switch {
		case unknown:
			r.at = p
			return 0, false
		case ends && isLineEnd(r.buf[p]):
			return p + 1, true
		case ends:
			return p, true
		}
		r.at = p + 1
	}
}

func (r *Reader) limit() int {
	if r.MaxMessage <= 0 {
		return DefaultMaxMessage
	}
	return min(r.MaxMessage, math.MaxInt-2*block)
}

// fill reads once from the source. The end of the stream is no error.
func (r *Reader) fill() error {
	if err := r.late; err != nil {
		r.late = nil
		return err
	}
	r.makeRoom()
	for range emptyReads {
		room := r.buf[r.end:min(len(r.buf), r.end+block)]
		n, err := r.src.Read(room)
		if n < 0 || n > len(room) {
			return fmt.Errorf("hl7: the source's Read returned %d bytes into room for %d", n, len(room))
		}
		r.end += n
		if err == io.EOF {
			r.eof = true
			return nil
		}
		if err != nil {
			err = fmt.Errorf("hl7: read: %w", err)
		}
		if n > 0 {
			r.late = err
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("hl7: read: %w", io.ErrNoProgress)
}

// makeRoom moves what is unread to the front once that costs less than reading it did,
// or to a buffer of twice the size when this one is full of it.
func (r *Reader) makeRoom() {
	unread, size := r.end-r.start, len(r.buf)
	switch {
	case size == 0:
		r.move(make([]byte, block))
	case unread <= r.start && (r.start >= block || r.end == size):
		r.move(r.buf)
	case r.end == size:
		if grown := size + min(size, r.limit()+2*block-size); grown > size {
			r.move(make([]byte, grown))
		} else {
			r.move(r.buf)
		}
	}
}

// move takes what is unread to the front of buf, which may be the present buffer.
func (r *Reader) move(buf []byte) {
	n := r.start
	r.end = copy(buf, r.buf[n:r.end])
	r.buf, r.start = buf, 0
	r.at = max(r.at-n, 0)
	r.base += int64(n)
	r.controls.shift(n)
}

// controls remembers where the next of each of the bytes is that an item may end at, so
// that no byte is searched twice for one of them.
type controls [len(controlBytes)]int

const controlBytes = "\r\n\x0b\x1c"

// next returns where the first of them stands in b from at on, or len(b). b must begin
// as it did the last time, and at must be no less.
func (c *controls) next(b []byte, at int) int {
	first := len(b)
	for i := range c {
		p := max(c[i], at)
		if p < len(b) && b[p] != controlBytes[i] {
			if n := bytes.IndexByte(b[p:], controlBytes[i]); n >= 0 {
				p += n
			} else {
				p = len(b)
			}
		}
		c[i] = p
		first = min(first, p)
	}
	return first
}

// shift says that n bytes were taken from the front of what next searches.
func (c *controls) shift(n int) {
	for i := range c {
		c[i] = max(c[i]-n, 0)
	}
}

func isLineEnd(c byte) bool { return c == '\r' || c == '\n' }

// skipFill returns how many bytes at the beginning of b mean nothing between items, and
// whether more of them may follow. With whole nothing follows b.
func skipFill(b []byte, whole bool) (n int, more bool) {
	for n < len(b) {
		switch b[n] {
		case 0, '\r', '\n', frameStart, frameEnd, 0x1a:
			n++
			continue
		case byteOrderMark[0]:
			if bytes.HasPrefix(b[n:], []byte(byteOrderMark)) {
				n += len(byteOrderMark)
				continue
			}
			return n, !whole && isPrefix(b[n:], byteOrderMark)
		}
		return n, false
	}
	return n, true
}

// isPrefix reports whether b is shorter than s and s begins with it.
func isPrefix(b []byte, s string) bool { return len(b) < len(s) && string(b) == s[:len(b)] }

// kindAt returns the kind of the item that b begins with, a byte order mark before it
// skipped, or 0 when it is none. It is unknown when that depends on what follows b; with
// whole nothing follows.
func kindAt(b []byte, whole bool) (k Kind, unknown bool) {
	if len(b) > 0 {
		switch b[0] {
		case 'M', 'F', 'B':
		case byteOrderMark[0]:
			if !bytes.HasPrefix(b, []byte(byteOrderMark)) {
				return 0, !whole && isPrefix(b, byteOrderMark)
			}
			b = b[len(byteOrderMark):]
		default:
			return 0, false
		}
	}
	for _, k := range [...]Kind{KindMessage, KindFileHeader, KindBatchHeader, KindBatchTrailer, KindFileTrailer} {
		is, unknown := isSegment(b, k.Segment(), whole)
		if is {
			return k, false
		}
		if unknown {
			return 0, true
		}
	}
	return 0, false
}

// isSegment reports whether b begins with the segment called name, which has three
// letters. It is unknown when that depends on what follows b; with whole nothing follows.
func isSegment(b []byte, name string, whole bool) (is, unknown bool) {
	if len(b) <= len(name) {
		if string(b) != name[:len(b)] {
			return false, false
		}
		return whole && len(b) == len(name), !whole
	}
	c := b[len(name)]
	return string(b[:len(name)]) == name && (isDelimiter(c) || isLineEnd(c) || c == frameStart || c == frameEnd), false
}

// endsAt reports whether an item of kind k ends at the control byte c, which rest stands
// behind; kind 0 is what is no item. It is unknown when that depends on what follows
// rest; with whole nothing follows.
func endsAt(k Kind, c byte, rest []byte, whole bool) (ends, unknown bool) {
	switch {
	case c == frameEnd:
		return true, false
	case c == frameStart:
	case len(rest) == 0:
		return false, !whole
	case isLineEnd(rest[0]):
		return false, false
	case k == KindBatchTrailer || k == KindFileTrailer:
		return true, false
	case k == KindBatchHeader || k == KindFileHeader:
		for _, name := range [...]string{"SFT", "UAC"} {
			if is, unknown := isSegment(rest, name, whole); is || unknown {
				return false, unknown
			}
		}
		return true, false
	}
	next, unknown := kindAt(rest, whole)
	return next != 0, unknown
}

// trimItem returns b without the blank lines at its end.
func trimItem(b []byte) []byte {
	n := len(b)
	for n > 0 && isLineEnd(b[n-1]) {
		n--
	}
	switch {
	case n+1 < len(b) && b[n] == '\r' && b[n+1] == '\n':
		n += 2
	case n < len(b):
		n++
	}
	return b[:n]
}

// noItem says what stands where an item was expected.
func noItem(b []byte) string {
	if b[0] >= 0xfe || len(b) > 1 && b[1] == 0 {
		return "this is no message: it may be UTF-16, and MSH was expected in single bytes"
	}
	return "this is no message: MSH was expected, or FHS, BHS, BTS or FTS of a batch"
}
