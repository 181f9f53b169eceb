package hl7

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// A BatchError says that a header or a trailer of a batch or of a file is missing.
type BatchError struct {
	// Missing is the name of the segment: FHS, BHS, BTS or FTS.
	Missing string
	// Offset is where it was expected at the latest: where the item begins that can't
	// stand there without it, or the end.
	Offset int64
}

func (e *BatchError) Error() string {
	reason := "the segment is missing"
	switch e.Missing {
	case "FHS":
		reason = "a file ends here that has not begun: its header FHS is missing"
	case "BHS":
		reason = "a batch ends here that has not begun: its header BHS is missing"
	case "BTS":
		reason = "the batch before has no end: its trailer BTS is missing"
	case "FTS":
		reason = "the file before has no end: its trailer FTS is missing"
	}
	return fmt.Sprintf("hl7: at byte %d: %s", e.Offset, reason)
}

// A CountError says that a trailer counts other than what was there.
type CountError struct {
	// Segment is BTS, whose first field counts the messages of the batch, or FTS, whose
	// first field counts the batches of the file.
	Segment string
	// Declared is the trailer's number, or -1 when its field is no number.
	Declared int
	// Found is the number of messages or batches that were there. A message that was too
	// large counts, and so does a run of messages outside of any batch as a batch.
	Found int
	// Offset is where the trailer begins.
	Offset int64
}

func (e *CountError) Error() string {
	what, in := "messages", "batch"
	if e.Segment == "FTS" {
		what, in = "batches", "file"
	}
	if e.Declared < 0 {
		return fmt.Sprintf("hl7: at byte %d: %s-1 is no number; the number of %s in the %s is %d", e.Offset, e.Segment, what, in, e.Found)
	}
	return fmt.Sprintf("hl7: at byte %d: %s-1 says that the number of %s in the %s is %d, and it is %d", e.Offset, e.Segment, what, in, e.Declared, e.Found)
}

// An order is what a stream of items has told about the open batch and file.
type order struct {
	file, batch bool // is open: has a header
	run         bool // of messages outside of any batch
	batched     bool // the file has a BHS or BTS
	inBatch     int  // messages
	inFile      int  // messages
	batches     int
}

// add takes the next item. It appends to missing what should have come before it, and
// returns the error that goes with the item itself.
func (o *order) add(it Item, missing []error) ([]error, error) {
	miss := func(name string) { missing = append(missing, &BatchError{name, it.Offset}) }
	if o.batch && it.Kind != KindMessage && it.Kind != KindBatchTrailer {
		miss("BTS")
		o.batch = false
	}
	switch it.Kind {
	case KindFileHeader:
		if o.file {
			miss("FTS")
		}
		*o = order{file: true}
	case KindBatchHeader:
		o.batch, o.batched, o.run, o.inBatch = true, true, false, 0
		o.batches++
	case KindMessage:
		if !o.batch && !o.run {
			o.run, o.inBatch = true, 0
			o.batches++
		}
		o.inBatch++
		o.inFile++
	case KindBatchTrailer:
		if !o.batch {
			miss("BHS")
			if !o.run {
				o.inBatch = 0
				o.batches++
			}
		}
		o.batch, o.batched, o.run = false, true, false
		return missing, checkCount(it, o.inBatch, o.inBatch)
	case KindFileTrailer:
		if !o.file {
			miss("FHS")
		}
		also := o.batches
		if !o.batched {
			also = o.inFile
		}
		err := checkCount(it, o.batches, also)
		*o = order{}
		return missing, err
	}
	return missing, nil
}

// close appends to missing what should have come before the end.
func (o *order) close(offset int64, missing []error) []error {
	if o.batch {
		missing = append(missing, &BatchError{"BTS", offset})
	}
	if o.file {
		missing = append(missing, &BatchError{"FTS", offset})
	}
	*o = order{}
	return missing
}

// checkCount returns a [*CountError] when field 1 of a trailer is neither empty nor one
// of the two numbers.
func checkCount(it Item, found, also int) error {
	if it.Bytes == nil {
		return nil
	}
	line := it.Bytes
	if end := segmentEnd(line); end >= 0 {
		line = line[:end]
	}
	if len(line) < 4 {
		return nil
	}
	field, _ := plain(line).part(2, line[3])
	text := strings.TrimSpace(string(field.raw))
	if text == "" || text == `""` {
		return nil
	}
	if whole, fraction, ok := strings.Cut(text, "."); ok && strings.Trim(fraction, "0") == "" {
		text = whole
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		n = -1
	}
	if n == found || n == also {
		return nil
	}
	return &CountError{Segment: it.Kind.Segment(), Declared: n, Found: found, Offset: it.Offset}
}

// A File is an HL7 v2 batch file in memory (HL7 v2.9, chapter 2, 2.10.3). What is absent
// is nil: a file may be one batch, and a batch one run of messages, without any header.
// Each part is an item as a [Reader] returns it.
type File struct {
	Header  []byte // FHS
	Batches []Batch
	Trailer []byte // FTS
}

// A Batch is a part of a [File].
type Batch struct {
	Header   []byte // BHS
	Messages [][]byte
	Trailer  []byte // BTS
}

// ParseFile cuts raw, which is one file, into its parts, where a [Reader] cuts it. The
// parts are slices of raw.
//
// The error is the first that a Reader returns, a [*ParseError], [*BatchError] or
// [*CountError]; or a *ParseError where another file begins, since only a Reader reads
// several. The File has everything else that was found all the same, without further
// file headers and trailers.
func ParseFile(raw []byte) (*File, error) {
	f := new(File)
	var first error
	fail := func(err error) {
		if first == nil {
			first = err
		}
	}
	miss := func(name string, at int) { fail(&BatchError{name, int64(at)}) }
	const (
		closed    = iota
		run       // the last batch takes messages
		batchOpen // and has a header
	)
	state, items, batched, messages := closed, 0, false, 0
	for from := 0; from < len(raw); {
		to := len(raw)
		if i := bytes.IndexByte(raw[from:], frameEnd); i >= 0 {
			to = from + i
		}
		for at := from; ; {
			n, _ := skipFill(raw[at:to], true)
			if at += n; at == to {
				break
			}
			k, _ := kindAt(raw[at:to], true)
			end := at + itemEnd(k, raw[at:to])
			if k == 0 {
				fail(&ParseError{Offset: at, Reason: noItem(raw[at:])})
				at = end
				continue
			}
			part := trimItem(raw[at:end])
			part = part[:len(part):len(part)]
			it := Item{k, part, int64(at)}
			if state == batchOpen && k != KindMessage && k != KindBatchTrailer {
				miss("BTS", at)
				state = closed
			}
			if f.Trailer != nil || k == KindFileHeader && items > 0 {
				fail(&ParseError{Offset: at, Segment: k.Segment(), Reason: "another file begins here: a Reader reads several"})
			}
			items++
			switch k {
			case KindFileHeader:
				if items == 1 {
					f.Header = part
				}
				state = closed
			case KindBatchHeader:
				f.Batches = append(f.Batches, Batch{Header: part})
				state, batched = batchOpen, true
			case KindMessage:
				if state == closed {
					f.Batches = append(f.Batches, Batch{})
					state = run
				}
				b := &f.Batches[len(f.Batches)-1]
				b.Messages = append(b.Messages, part)
				messages++
			case KindBatchTrailer:
				if state != batchOpen {
					miss("BHS", at)
				}
				if state == closed {
					f.Batches = append(f.Batches, Batch{})
				}
				b := &f.Batches[len(f.Batches)-1]
				b.Trailer = part
				if err := checkCount(it, len(b.Messages), len(b.Messages)); err != nil {
					fail(err)
				}
				state, batched = closed, true
			case KindFileTrailer:
				if f.Header == nil {
					miss("FHS", at)
				}
				also := len(f.Batches)
				if !batched {
					also = messages
				}
				if err := checkCount(it, len(f.Batches), also); err != nil {
					fail(err)
				}
				if f.Trailer == nil {
					f.Trailer = part
				}
				state = closed
			}
			at = end
		}
		from = to + 1
	}
	if state == batchOpen {
		miss("BTS", len(raw))
	}
	if f.Header != nil && f.Trailer == nil {
		miss("FTS", len(raw))
	}
	return f, first
}

// itemEnd returns where the item of kind k that b begins with ends. b has no frame end.
func itemEnd(k Kind, b []byte) int {
	var c controls
	for at := 0; ; at++ {
		if at = c.next(b, at); at == len(b) {
			return at
		}
		if ends, _ := endsAt(k, b[at], b[at+1:], true); !ends {
			continue
		}
		if b[at] == frameStart {
			return at
		}
		return at + 1
	}
}

// AppendTo appends the file to dst: its parts in their order, with a CR behind a part
// that has no segment end. Frames and blank lines between the parts are not written, and
// the trailers' counts are not changed; a [BatchWriter] counts.
func (f *File) AppendTo(dst []byte) []byte {
	dst = appendItem(dst, f.Header)
	for _, b := range f.Batches {
		dst = appendItem(dst, b.Header)
		for _, m := range b.Messages {
			dst = appendItem(dst, m)
		}
		dst = appendItem(dst, b.Trailer)
	}
	return appendItem(dst, f.Trailer)
}

func appendItem(dst, part []byte) []byte {
	dst = append(dst, part...)
	if len(part) > 0 && !isLineEnd(part[len(part)-1]) {
		dst = append(dst, '\r')
	}
	return dst
}

// BatchOptions say what a [BatchWriter] writes around the messages. The zero value is
// one batch between minimal BHS and BTS segments.
type BatchOptions struct {
	// File adds FHS and FTS.
	File bool
	// FileHeader is the FHS segment, with SFT and UAC segments behind it if need be. It
	// implies File. Without it a minimal one is made.
	FileHeader []byte
	// BatchHeader is the BHS segment of the first batch, likewise.
	BatchHeader []byte
	// Delimiters are those of the headers that are made. Zero means
	// [DefaultDelimiters].
	Delimiters Delimiters
}

// A BatchWriter writes messages as a batch, or as a file of batches, and counts them
// (HL7 v2.9, chapter 2, 2.10.3). It holds none: each goes to the underlying writer at
// once, in one or two writes.
//
// After an error of the underlying writer every method returns it again. A BatchWriter
// is not safe for concurrent use. Make one with [NewBatchWriter].
type BatchWriter struct {
	w       io.Writer
	o       BatchOptions
	begun   bool
	err     error // for good
	sep     byte  // of the present batch's header
	fileSep byte

	messages int // of the present batch
	batches  int
}

// NewBatchWriter returns a BatchWriter to w. An error in the options is returned by
// every method, before anything was written.
func NewBatchWriter(w io.Writer, o BatchOptions) *BatchWriter {
	if o.Delimiters == (Delimiters{}) {
		o.Delimiters = DefaultDelimiters()
	}
	bw := &BatchWriter{w: w}
	o.File = o.File || o.FileHeader != nil
	if o.File {
		o.FileHeader, bw.err = header(KindFileHeader, o.FileHeader, o.Delimiters)
	}
	if bw.err == nil {
		o.BatchHeader, bw.err = header(KindBatchHeader, o.BatchHeader, o.Delimiters)
	}
	bw.o = o
	return bw
}

// header returns a copy of given, or a minimal header, after a check.
func header(k Kind, given []byte, d Delimiters) ([]byte, error) {
	b := appendItem(nil, given)
	if given == nil {
		b = append(append(b, k.Segment()...), d.Field)
		b = append(d.appendEncodingCharacters(b), '\r')
	}
	if err := checkItem(k, b); err != nil {
		return nil, err
	}
	_, _, err := readDelimiters(b[:max(segmentEnd(b), 3)], 0)
	return b, err
}

// checkItem returns a [*ParseError] when b isn't one item of kind k, as a [Reader] would
// read it.
func checkItem(k Kind, b []byte) error {
	if is, _ := isSegment(b, k.Segment(), true); !is {
		return &ParseError{Reason: fmt.Sprintf("a %v begins with %s", k, k.Segment())}
	}
	if i := bytes.IndexByte(b, frameEnd); i >= 0 {
		return &ParseError{Offset: i, Reason: fmt.Sprintf("the byte 0x1C would end the %v here", k)}
	}
	if end := itemEnd(k, b); end < len(b) {
		return &ParseError{Offset: end, Reason: fmt.Sprintf("the %v ends before this: another segment of a batch was not expected in it", k)}
	}
	return nil
}

// WriteMessage writes one message, with a CR behind it when it has no segment end there.
// An error is a [*ParseError] when message isn't one message that begins with MSH:
// nothing was written then, and the batch can go on.
func (w *BatchWriter) WriteMessage(message []byte) error {
	if w.err != nil {
		return w.err
	}
	if err := checkItem(KindMessage, message); err != nil {
		return err
	}
	w.begin()
	w.write(message)
	if !isLineEnd(message[len(message)-1]) {
		w.write([]byte{'\r'})
	}
	w.messages++
	return w.err
}

// NextBatch ends the present batch and begins another one with the BHS segment header,
// or a minimal one when it is nil. For a header that is none it returns a [*ParseError]
// and writes nothing.
func (w *BatchWriter) NextBatch(bhs []byte) error {
	if w.err != nil {
		return w.err
	}
	bhs, err := header(KindBatchHeader, bhs, w.o.Delimiters)
	if err != nil {
		return err
	}
	w.begin()
	w.endBatch()
	w.beginBatch(bhs)
	return w.err
}

// Close writes the trailers with the counts. Without any message it is a file of one
// empty batch. It doesn't close the underlying writer. After Close every method returns
// an error that is [fs.ErrClosed].
func (w *BatchWriter) Close() error {
	if w.err != nil {
		return w.err
	}
	w.begin()
	w.endBatch()
	if w.o.File {
		w.write(trailer(KindFileTrailer, w.fileSep, w.batches))
	}
	err := w.err
	if err == nil {
		w.err = fmt.Errorf("hl7: the batch was ended: %w", fs.ErrClosed)
	}
	return err
}

// begin writes the first headers.
func (w *BatchWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	if w.o.File {
		w.fileSep = w.o.FileHeader[3]
		w.write(w.o.FileHeader)
	}
	w.beginBatch(w.o.BatchHeader)
}

func (w *BatchWriter) beginBatch(bhs []byte) {
	w.sep, w.messages = bhs[3], 0
	w.batches++
	w.write(bhs)
}

func (w *BatchWriter) endBatch() { w.write(trailer(KindBatchTrailer, w.sep, w.messages)) }

// trailer returns the segment that counts n.
func trailer(k Kind, sep byte, n int) []byte {
	b := append([]byte(k.Segment()), sep)
	return append(strconv.AppendInt(b, int64(n), 10), '\r')
}

// write writes b unless an error came before.
func (w *BatchWriter) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = fmt.Errorf("hl7: write: %w", err)
	}
}
