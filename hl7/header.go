package hl7

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// A Header is the MSH segment of a message: what is needed to know a message and to
// acknowledge it, read without looking at the rest. It refers to the bytes it was
// parsed from, which must not change while it is in use.
//
// Make one with [ParseHeader]. The zero value has no fields.
type Header struct {
	msh    []byte // without its segment end
	wide   wide   // what the message came in; msh is UTF-8 then
	delims Delimiters
	starts [headerFields + 1]uint32 // of MSH-3 and on; each ends a byte before the next
	n      uint8
}

// headerFields is how many fields from MSH-3 on are indexed: up to MSH-21.
const headerFields = 19

// A span is a part of a message, by offsets.
type span struct{ start, end uint32 }

// maxMessage is the largest message that is parsed: offsets are of 32 bits.
const maxMessage = 1<<32 - 1

// ParseHeader reads the MSH segment at the beginning of raw. Line ends and a byte order
// mark before it are skipped. An error is a [*ParseError].
func ParseHeader(raw []byte) (h Header, err error) {
	w := detectWide(raw)
	if w.size > 0 {
		if raw, err = w.decode(w.line(raw)); err != nil {
			return h, err
		}
	}
	_, err = h.parse(raw, w)
	return h, err
}

// parse returns the offset of MSH in raw, which is UTF-8 where the message isn't in
// single bytes.
func (h *Header) parse(raw []byte, w wide) (start int, err error) {
	*h = Header{wide: w}
	if uint64(len(raw)) > maxMessage {
		return 0, &ParseError{Reason: "the message is larger than 4 GiB"}
	}
	start = skipBefore(raw)
	if !bytes.HasPrefix(raw[start:], []byte("MSH")) {
		return start, &ParseError{Offset: start, Reason: notMSH(raw[start:])}
	}
	msh := raw[start:]
	if bytes.HasPrefix(msh, []byte(`MSH|^~\&|`)) {
		h.delims = DefaultDelimiters() // as readDelimiters would find
	} else {
		// The delimiters are in the first bytes, or too many.
		head := msh[:min(len(msh), 11)]
		for i := 3; i < len(head); i++ {
			if isLineEnd(head[i]) {
				head = head[:i]
			}
		}
		if h.delims, _, err = readDelimiters(head, start); err != nil {
			h.delims = Delimiters{}
			return start, err
		}
	}
	end, plain := h.index(msh)
	h.msh = msh[:end]
	if !plain && w.size == 0 {
		h.recut()
	}
	return start, nil
}

// index finds the fields from MSH-3 on in cut, which begins with MSH or MSH masked. It
// returns where the segment ends, and whether all of it is ASCII and nothing changes the
// character set. It looks at eight bytes at a time.
func (h *Header) index(cut []byte) (end int, isASCII bool) {
	field := uint64(h.delims.Field) * lowBits
	n, all, escape := 0, uint64(0), false
	for at, ended := 4, false; !ended; at += 64 {
		// A bit for each field delimiter in 64 bytes. A branch on each of them costs more.
		delimiters := uint64(0)
		for i := 0; i < 64 && !ended; i += 8 {
			word := load(cut, at+i)
			for control := ^(word | word<<1 | word<<2) & highBits; control != 0; control &= control - 1 {
				which := bits.TrailingZeros64(control) / 8
				end = at + i + which
				if end >= len(cut) || isLineEnd(cut[end]) {
					ended = true
					word &= 1<<(8*which%64) - 1
					break
				}
				escape = escape || cut[end] == 0x1b
			}
			all |= word
			delimiters |= equal(word, field) << (i % 64)
		}
		for ; delimiters != 0 && n <= headerFields; delimiters &= delimiters - 1 {
			h.starts[n] = uint32(at + bits.TrailingZeros64(delimiters) + 1)
			n++
		}
	}
	if n > headerFields {
		n = headerFields // more than anybody asks for
	} else {
		h.starts[n] = uint32(end + 1)
	}
	h.n = uint8(n)
	return end, all&highBits == 0 && !escape
}

// load returns the eight bytes at a place of b, the first one lowest, and zeros for what is
// behind its end.
func load(b []byte, at int) (word uint64) {
	if b = b[at:]; len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	for i, c := range b {
		word |= uint64(c) << (8 * i)
	}
	return word
}

// isPlain reports whether all of b is ASCII and nothing changes the character set.
func isPlain(b []byte) bool {
	if bytes.IndexByte(b, 0x1b) >= 0 {
		return false
	}
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// recut finds the fields again, now that they have letters: the last byte of one may look
// like a delimiter, and MSH-18, which says so, may have moved for it. The character set is
// the one under which MSH-18 says that it is.
func (h *Header) recut() {
	named := h.charset()
	if named.known && !named.masks() && named.name != "" {
		return
	}
	for _, c := range []charset{*named, charsetOf("BIG-5"), charsetOf("GB 18030-2000"), charsetOf("Shift_JIS"), charsetOf("ISO IR87")} {
		if !c.masks() {
			continue
		}
		again := *h
		again.recutBy(&c)
		named := again.charset()
		if !named.masks() {
			continue
		}
		certain := again
		if certain.recutBy(named); certain.starts == again.starts && certain.n == again.n {
			*h = again
			return
		}
	}
}

// recutBy finds the fields in the character set c.
func (h *Header) recutBy(c *charset) {
	if h.msh != nil {
		h.index(c.cut(h.msh, h.delims))
	}
}

// charset returns the character set that MSH-18 names.
func (h *Header) charset() *charset {
	field := h.Field(18)
	if c := commonCharsets[string(field)]; c != nil {
		return c
	}
	var names []string
	for rest, more := plain(field), true; more && len(names) < maxCharsets; {
		var name text
		name, rest, more = rest.next(h.delims.Repetition)
		names = append(names, string(name.raw))
	}
	c := charsetOf(names...)
	c.name = string(field)
	return &c
}

// skipBefore returns where a message begins behind a byte order mark and line ends.
func skipBefore(raw []byte) int {
	i := 0
	if bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")) {
		i = 3
	}
	for i < len(raw) && (raw[i] == '\r' || raw[i] == '\n') {
		i++
	}
	return i
}

// notMSH says what stands where MSH was expected.
func notMSH(raw []byte) string {
	switch {
	case len(raw) == 0:
		return "there is no message: nothing but white space"
	case bytes.HasPrefix(raw, []byte("FHS")), bytes.HasPrefix(raw, []byte("BHS")):
		return "a batch begins here, and not a message: MSH was expected"
	case raw[0] == 0x0b:
		return "an MLLP frame begins here: MSH was expected, without the frame around it"
	}
	return "a message begins with MSH"
}

// segmentEnd returns where the segment that raw begins with ends, or -1.
func segmentEnd(raw []byte) int {
	cr := bytes.IndexByte(raw, '\r')
	if cr >= 0 {
		raw = raw[:cr]
	}
	if lf := bytes.IndexByte(raw, '\n'); lf >= 0 {
		return lf
	}
	return cr
}

// Delimiters returns the message's delimiters.
func (h *Header) Delimiters() Delimiters { return h.delims }

// Field returns the bytes of field n as they stand, with all repetitions, or nil when
// the field is absent. MSH-1 is the field separator, MSH-2 the encoding characters.
// Fields behind MSH-21 are absent.
func (h *Header) Field(n int) []byte {
	switch {
	case h.msh == nil || n < 1:
		return nil
	case n == 1:
		return h.msh[3:4]
	case n == 2:
		end := len(h.msh)
		if h.n > 0 {
			end = int(h.starts[0]) - 1
		}
		return h.msh[4:end]
	case n-3 < int(h.n):
		return h.msh[h.starts[n-3] : h.starts[n-2]-1]
	}
	return nil
}

// component returns component n of the first repetition of field f. Such fields are short:
// byte by byte is the fastest way.
func (h *Header) component(f, n int) []byte {
	b, d := h.Field(f), &h.delims
	begin := 0
	for at, c := range b {
		if c != d.Component && c != d.Repetition || c == 0 {
			continue
		}
		if n == 1 {
			return b[begin:at]
		}
		if c == d.Repetition {
			return nil
		}
		n--
		begin = at + 1
	}
	if n > 1 {
		return nil
	}
	return b[begin:]
}

// ControlID returns MSH-10, the sender's own number for the message, in the bytes that
// it is written in.
func (h *Header) ControlID() string { return h.text(h.Field(10)) }

// MessageCode returns MSH-9.1, such as "ADT".
func (h *Header) MessageCode() string { return h.text(h.component(9, 1)) }

// TriggerEvent returns MSH-9.2, such as "A01".
func (h *Header) TriggerEvent() string { return h.text(h.component(9, 2)) }

// Version returns MSH-12.1, such as "2.5.1".
func (h *Header) Version() string { return h.text(h.component(12, 1)) }

// ProcessingID returns MSH-11.1: P for production, T for training, D for debugging.
func (h *Header) ProcessingID() string { return h.text(h.component(11, 1)) }

// CharacterSet returns the first repetition of MSH-18, a name of HL7 table 0211, or ""
// for ASCII.
func (h *Header) CharacterSet() string { return h.text(first(h.Field(18), h.delims.Repetition)) }

// AcceptAcknowledgement and ApplicationAcknowledgement return MSH-15 and MSH-16: when
// the sender wants an acknowledgement of each kind (AL, NE, ER, SU). Both empty is
// HL7's original mode (chapter 2, 2.9.2).
func (h *Header) AcceptAcknowledgement() string { return h.text(h.Field(15)) }

// ApplicationAcknowledgement returns MSH-16. See [Header.AcceptAcknowledgement].
func (h *Header) ApplicationAcknowledgement() string { return h.text(h.Field(16)) }

func (h *Header) text(b []byte) string {
	if indexDelimiter(b, h.delims.Escape) < 0 {
		return string(b)
	}
	return string(appendUnescaped(nil, plain(b), h.delims))
}
