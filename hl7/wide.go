package hl7

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// A wide is the form of a message that has two or four bytes for each character: UTF-16
// or UTF-32. Such a message is converted to UTF-8 and back. The zero value is none.
type wide struct {
	size   uint8 // of a unit in bytes
	little bool
	mark   bool // a byte order mark stands before it
}

// detectWide looks at the first letters of a message.
func detectWide(raw []byte) wide {
	if len(raw) < 8 || raw[0] == 'M' && raw[1] == 'S' {
		return wide{}
	}
	for _, w := range []wide{{size: 4, little: true}, {size: 4}, {size: 2, little: true}, {size: 2}} {
		for _, w.mark = range []bool{true, false} {
			begin := []rune{0xfeff, 'M', 'S', 'H'}
			if !w.mark {
				begin = begin[1:]
			}
			var b [16]byte
			prefix := b[:0]
			for _, r := range begin {
				prefix = w.appendUnit(prefix, uint32(r))
			}
			if bytes.HasPrefix(raw, prefix) {
				return w
			}
		}
	}
	return wide{}
}

func (w wide) unit(b []byte) uint32 {
	var u uint32
	for i := range w.size {
		if w.little {
			u |= uint32(b[i]) << (8 * i)
		} else {
			u = u<<8 | uint32(b[i])
		}
	}
	return u
}

func (w wide) appendUnit(dst []byte, u uint32) []byte {
	for i := range w.size {
		if w.little {
			dst = append(dst, byte(u>>(8*i)))
		} else {
			dst = append(dst, byte(u>>(8*(w.size-1-i))))
		}
	}
	return dst
}

// line returns raw up to its first line end.
func (w wide) line(raw []byte) []byte {
	for i := 0; i+int(w.size) <= len(raw); i += int(w.size) {
		if u := w.unit(raw[i:]); u == '\r' || u == '\n' {
			return raw[:i]
		}
	}
	return raw
}

// decode converts raw to UTF-8. Half of a surrogate pair becomes the three bytes that
// UTF-8 would have for it, so that it comes back as it was.
func (w wide) decode(raw []byte) ([]byte, error) {
	if len(raw)%int(w.size) != 0 {
		return nil, &ParseError{Offset: len(raw) - len(raw)%int(w.size), Reason: "the message, in UTF-16 or UTF-32, ends in the middle of a character"}
	}
	at := 0
	if w.mark {
		at = int(w.size)
	}
	out := make([]byte, 0, len(raw)/int(w.size)+len(raw)/8)
	for ; at < len(raw); at += int(w.size) {
		u := w.unit(raw[at:])
		if w.size == 2 && utf16.IsSurrogate(rune(u)) && at+4 <= len(raw) {
			if r := utf16.DecodeRune(rune(u), rune(w.unit(raw[at+2:]))); r != utf8.RuneError {
				u = uint32(r)
				at += 2
			}
		}
		switch {
		case u > utf8.MaxRune:
			return nil, &ParseError{Offset: at, Reason: "the message, in UTF-32, has a number that is no character"}
		case u >= 0xd800 && u < 0xe000:
			out = append(out, 0xe0|byte(u>>12), 0x80|byte(u>>6)&0x3f, 0x80|byte(u)&0x3f)
		default:
			out = utf8.AppendRune(out, rune(u))
		}
	}
	return out, nil
}

// encode appends the UTF-8 text b, which may begin in the free space of dst, as it was
// before decode. The byte order mark goes before a whole message.
func (w wide) encode(dst, b []byte) []byte {
	b = bytes.Clone(b)
	if w.mark {
		dst = w.appendUnit(dst, 0xfeff)
	}
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 && len(b) >= 3 && b[0] == 0xed && b[1]&0xe0 == 0xa0 && b[2]&0xc0 == 0x80 {
			r, size = rune(b[0]&0xf)<<12|rune(b[1]&0x3f)<<6|rune(b[2]&0x3f), 3
		}
		b = b[size:]
		if w.size == 2 && r > 0xffff {
			high, low := utf16.EncodeRune(r)
			dst = w.appendUnit(dst, uint32(high))
			r = low
		}
		dst = w.appendUnit(dst, uint32(r))
	}
	return dst
}
