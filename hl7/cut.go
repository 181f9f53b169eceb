package hl7

import "bytes"

// A text is a part of a message, twice: as it stands, and as it is cut. The two are the
// same bytes, but where the character set has letters of several bytes that may look like
// delimiters: there the bytes of these letters are masked in cut. Offsets are the same in
// both.
type text struct{ raw, cut []byte }

// plain returns the text of bytes that need no mask.
func plain(b []byte) text { return text{b, b} }

func (t text) slice(from, to int) text { return text{t.raw[from:to], t.cut[from:to]} }

// part returns part n, from 1, between delimiters d.
func (t text) part(n int, d byte) (text, bool) {
	rest := t.cut
	for ; n > 1; n-- {
		i := indexDelimiter(rest, d)
		if i < 0 {
			return text{}, false
		}
		rest = rest[i+1:]
	}
	from := len(t.cut) - len(rest)
	return t.slice(from, from+len(first(rest, d))), true
}

// next returns the text up to the first delimiter d, what is behind it, and whether there
// was one.
func (t text) next(d byte) (head, rest text, more bool) {
	i := indexDelimiter(t.cut, d)
	if i < 0 {
		return t, text{}, false
	}
	return t.slice(0, i), t.slice(i+1, len(t.cut)), true
}

// parts counts the parts between delimiters d.
func (t text) parts(d byte) int {
	if d == 0 {
		return 1
	}
	return 1 + bytes.Count(t.cut, []byte{d})
}

// first returns b up to delimiter d.
func first(b []byte, d byte) []byte {
	if i := indexDelimiter(b, d); i >= 0 {
		return b[:i]
	}
	return b
}

// indexDelimiter returns where d is in b, or -1; a zero d is nowhere.
func indexDelimiter(b []byte, d byte) int {
	if d == 0 {
		return -1
	}
	return bytes.IndexByte(b, d)
}
