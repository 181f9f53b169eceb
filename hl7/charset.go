package hl7

import (
	"bytes"
	"errors"
	"iter"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// A charset turns the bytes of values into text and back (HL7 v2.9, chapter 2, MSH-18 and
// table 0211).
type charset struct {
	name   string
	known  bool
	strict bool              // declared as ASCII: nothing else is written
	table  *charmap.Charmap  // one byte for each character; nil for UTF-8 and ASCII
	multi  encoding.Encoding // several bytes
	// width is the length of the character of multi that b begins with. It is set where
	// the second byte may look like a delimiter.
	width func(b []byte) int
	// sets are what escape sequences of ISO 2022 may change to. It is nil where MSH-18
	// declares no such set.
	sets []*isoSet
	// surrogates tells that what is no UTF-8 is half of a surrogate pair.
	surrogates bool
	base       *isoSet // the set that bytes over 127 are of at first, for writing
}

// maxCharsets bounds the repetitions of MSH-18 that are looked at.
const maxCharsets = 16

var utf8Charset = charset{known: true}

// wideCharset is that of a message that was converted from UTF-16 or UTF-32: UTF-8, and the
// three bytes that stand for half of a surrogate pair.
var wideCharset = charset{name: "wide", known: true, surrogates: true}

// commonCharsets are those that most messages are in, by MSH-18.
var commonCharsets = map[string]*charset{
	"":              &utf8Charset,
	"UNICODE UTF-8": {name: "UNICODE UTF-8", known: true},
	"ASCII":         {name: "ASCII", known: true, strict: true},
	"8859/1":        {name: "8859/1", known: true, table: charmap.ISO8859_1},
	"8859/15":       {name: "8859/15", known: true, table: charmap.ISO8859_15},
}

// charsetOf returns the character set of these names: the first is that of the message,
// the others are what escape sequences may change to. No name is read and written as
// UTF-8; so is what claims ASCII read, because many senders write UTF-8 and don't say so.
func charsetOf(names ...string) charset {
	c := charset{name: strings.Join(names, "~"), known: true}
	first := plainName(names[0])
	switch {
	case len(c.name) == 0:
		return utf8Charset
	case first == "":
		c.strict = true
	default:
		c.set(first)
	}
	for _, name := range names {
		if set := isoSetOf(plainName(name)); set != nil {
			c.sets = append(c.sets, set)
		}
	}
	switch {
	case first == "isoir87" || first == "isoir159" || first == "isoir14" || first == "iso2022jp":
		if first == "iso2022jp" {
			c.sets = append(c.sets, jisX0208, jisX0201)
		}
	case len(names) == 1:
		c.sets = nil
	case c.table != nil:
		c.base = isoSetOf(first)
	}
	return c
}

func plainName(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		}
		return -1
	}, name)
}

// set takes the set with that plain name, in the spelling of table 0211, of the internet
// or of Windows.
func (c *charset) set(name string) {
	switch name {
	case "unicodeutf8", "utf8", "unicode", "unicodeutf16", "utf16", "unicodeutf32", "utf32":
		// A message that really is in UTF-16 was converted before.
	case "ascii", "usascii", "iso646", "isoir6":
		c.strict = true
	case "isoir87", "isoir159", "iso2022jp":
		c.strict = true
	case "big5", "big5hkscs", "cp950", "windows950":
		c.multi, c.width = traditionalchinese.Big5, big5Width
	case "gb180302000", "gb18030":
		c.multi, c.width = simplifiedchinese.GB18030, gb18030Width
	case "gbk", "gb2312", "cp936", "windows936":
		c.multi, c.width = simplifiedchinese.GBK, gb18030Width
	case "shiftjis", "sjis", "windows31j", "cp932", "isoir14":
		// Half a set of its own, JIS X 0201 is the first half of Shift-JIS.
		c.multi, c.width = japanese.ShiftJIS, shiftJISWidth
	case "eucjp":
		c.multi = japanese.EUCJP
	case "ksx1001", "euckr", "ksc56011987", "cp949", "windows949":
		c.multi = korean.EUCKR
	default:
		c.table = charmapOf(name)
		c.known = c.table != nil
	}
}

// charmapOf returns the set with one byte for each character that has this plain name.
func charmapOf(name string) *charmap.Charmap {
	switch strings.TrimPrefix(name, "iso") {
	case "88591", "latin1":
		return charmap.ISO8859_1
	case "88592", "latin2":
		return charmap.ISO8859_2
	case "88593":
		return charmap.ISO8859_3
	case "88594":
		return charmap.ISO8859_4
	case "88595":
		return charmap.ISO8859_5
	case "88596":
		return charmap.ISO8859_6
	case "88597":
		return charmap.ISO8859_7
	case "88598":
		return charmap.ISO8859_8
	case "88599", "latin5":
		return charmap.ISO8859_9
	case "885910":
		return charmap.ISO8859_10
	case "885911", "tis620", "windows874", "cp874":
		return charmap.Windows874
	case "885913":
		return charmap.ISO8859_13
	case "885914":
		return charmap.ISO8859_14
	case "885915", "latin9":
		return charmap.ISO8859_15
	case "885916":
		return charmap.ISO8859_16
	case "windows1250", "cp1250":
		return charmap.Windows1250
	case "windows1251", "cp1251":
		return charmap.Windows1251
	case "windows1252", "cp1252", "ansi":
		return charmap.Windows1252
	case "windows1253", "cp1253":
		return charmap.Windows1253
	case "windows1254", "cp1254":
		return charmap.Windows1254
	case "windows1255", "cp1255":
		return charmap.Windows1255
	case "windows1256", "cp1256":
		return charmap.Windows1256
	case "windows1257", "cp1257":
		return charmap.Windows1257
	case "windows1258", "cp1258":
		return charmap.Windows1258
	case "cp437", "ibm437":
		return charmap.CodePage437
	case "cp850", "ibm850":
		return charmap.CodePage850
	case "cp852", "ibm852":
		return charmap.CodePage852
	case "cp858", "ibm858":
		return charmap.CodePage858
	case "cp866", "ibm866":
		return charmap.CodePage866
	case "koi8r":
		return charmap.KOI8R
	case "koi8u":
		return charmap.KOI8U
	}
	return nil
}

// The widths go by the ranges of the bytes and not by which characters are assigned:
// hospitals use the private areas.

func big5Width(b []byte) int {
	if len(b) > 1 && b[0] >= 0x81 && b[0] <= 0xfe && (b[1] >= 0x40 && b[1] <= 0x7e || b[1] >= 0xa1 && b[1] <= 0xfe) {
		return 2
	}
	return 1
}

func gb18030Width(b []byte) int {
	switch {
	case len(b) < 2 || b[0] < 0x81 || b[0] > 0xfe:
		return 1
	case b[1] >= 0x40 && b[1] <= 0xfe && b[1] != 0x7f:
		return 2
	case len(b) >= 4 && b[1] >= 0x30 && b[1] <= 0x39 && b[2] >= 0x81 && b[2] <= 0xfe && b[3] >= 0x30 && b[3] <= 0x39:
		return 4
	}
	return 1
}

func shiftJISWidth(b []byte) int {
	if len(b) > 1 && (b[0] >= 0x81 && b[0] <= 0x9f || b[0] >= 0xe0 && b[0] <= 0xfc) && (b[1] >= 0x40 && b[1] <= 0xfc && b[1] != 0x7f) {
		return 2
	}
	return 1
}

// masks reports whether a byte that looks like a delimiter may be a part of a letter.
func (c *charset) masks() bool { return c.width != nil || c.sets != nil }

// masked stands in place of the bytes of a letter.
const masked = 0x80

// cut returns b with its letters masked, or b itself where no letter looks like a
// delimiter.
func (c *charset) cut(b []byte, d Delimiters) []byte {
	switch {
	case !c.masks():
		return b
	case c.sets == nil:
		// A set that isn't declared changes how a value is read, not where it ends.
		return c.mask(b, d, 0)
	}
	return c.mask(b, d, d.Escape)
}

// mask returns b with its letters masked.
func (c *charset) mask(b []byte, d Delimiters, escape byte) []byte {
	cut := bytes.Clone(b)
	r := reader{charset: c, rest: b, escape: escape}
	for at := 0; len(r.rest) > 0; {
		n, kind := r.next()
		if kind != single {
			for i := range n {
				cut[at+i] = masked
			}
		} else if b[at] == escape && escape != 0 {
			// The end of one sequence is not the beginning of another.
			if _, length, ok := appendFirstSequence(nil, r.rest, d); ok {
				n = length
			}
		}
		at += n
		r.rest = r.rest[n:]
	}
	return cut
}

// text returns t as UTF-8 with its escape sequences resolved.
func (c *charset) text(t text, d Delimiters) string {
	at := indexDelimiter(t.cut, d.Escape)
	switch {
	case c.sets != nil || at >= 0 && switches(t.raw[at:], d.Escape):
		return c.switching(t.raw, d, new(shift))
	case at < 0:
		return c.decode(t.raw)
	}
	return c.decode(appendUnescaped(make([]byte, 0, len(t.raw)), t, d))
}

// pieces yields the texts of a value and, between them, the sequences that mean something
// and that stays says of that they are no part of the text. A set that one text has changed
// to is in force in the next.
func (c *charset) pieces(t text, d Delimiters, stays func(sequence []byte) bool) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		at := indexDelimiter(t.cut, d.Escape)
		switching := c.sets != nil || at >= 0 && switches(t.raw[at:], d.Escape)
		if switching && c.sets == nil {
			t.cut = c.mask(t.raw, d, d.Escape) // these letters may look like an escape character
		}
		var in shift
		read := func(t text) string {
			if switching {
				return c.switching(t.raw, d, &in)
			}
			return c.text(t, d)
		}
		for begin := 0; ; {
			before, sequence, behind := cutSequence(t.slice(begin, len(t.raw)), d)
			if sequence != nil && !stays(sequence) {
				begin = len(t.raw) - len(behind.raw)
				continue
			}
			if !yield(read(t.slice(0, begin+len(before.raw))), sequence) || sequence == nil {
				return
			}
			begin, t = 0, behind
		}
	}
}

// decode returns b as text. Bytes that are no UTF-8 where UTF-8 was expected are read
// as ISO 8859-1, so that no byte is lost.
func (c *charset) decode(b []byte) string {
	if isPlain(b) {
		return string(b)
	}
	table := c.table
	switch {
	case c.multi != nil:
		s, err := c.multi.NewDecoder().Bytes(b)
		if err != nil {
			return strings.ToValidUTF8(string(b), "\ufffd")
		}
		return string(s)
	case table == nil:
		if utf8.Valid(b) {
			return string(b)
		}
		if c.surrogates {
			return strings.ToValidUTF8(string(b), "\ufffd")
		}
		table = charmap.ISO8859_1
	}
	var s strings.Builder
	s.Grow(len(b) + len(b)/4)
	for _, x := range b {
		s.WriteRune(table.DecodeByte(x))
	}
	return s.String()
}

// encode returns an escaped text in the character set. In place of a character that isn't
// in it stands the replacement, which is escaped, too; without one it is an error.
func (c *charset) encode(text, replacement string) ([]byte, error) {
	w := writer{charset: c, out: make([]byte, 0, len(text)+8)}
	switch {
	case !utf8.ValidString(text):
		return nil, errors.New("hl7: the text is no valid UTF-8")
	case c.known && !c.strict && c.table == nil && c.multi == nil && c.sets == nil:
		return append(w.out, text...), nil
	}
	for _, r := range text {
		if w.write(r) {
			continue
		}
		if replacement == "" && !c.known {
			return nil, errors.New("hl7: the character set that MSH-18 names is unknown: nothing but ASCII can be written in it")
		}
		if replacement == "" {
			return nil, errors.New("hl7: the text has characters that are not in the message's character set")
		}
		for _, r := range replacement {
			if !w.write(r) {
				return nil, errors.New("hl7: the replacement itself is not in the message's character set")
			}
		}
	}
	w.end()
	return w.out, nil
}

// appendRune appends r in the message's own set. It reports false when that doesn't hold
// r, or would give back another one.
func (c *charset) appendRune(dst []byte, r rune, e *encoding.Encoder) ([]byte, bool) {
	switch {
	case r < utf8.RuneSelf:
		return append(dst, byte(r)), true
	case !c.known || c.strict:
		return dst, false
	case c.table != nil:
		b, ok := c.table.EncodeRune(r)
		if !ok || c.table.DecodeByte(b) != r {
			return dst, false
		}
		return append(dst, b), true
	case c.multi != nil:
		b, err := e.Bytes([]byte(string(r)))
		if err != nil || c.decode(b) != string(r) || c.width != nil && c.width(b) != len(b) {
			return dst, false
		}
		return append(dst, b...), true
	}
	return utf8.AppendRune(dst, r), true
}
