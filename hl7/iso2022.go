package hl7

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Escape sequences of ISO 2022 change the character set inside a value: the escape
// character ESC and two or three more, or in HL7's own form \Cxxyy\ and \Mxxyyzz\ (HL7
// v2.9, chapter 2, 2.7.2 and MSH-18). At the end of a value everything is as it was.

// An isoSet is a character set that an escape sequence changes to.
type isoSet struct {
	designator string // behind ESC
	upper      bool   // for the bytes over 127; else for those under
	double     bool   // two bytes for each character
	table      func() *isoTable
}

// An isoTable has the characters of a set by their bytes without the eighth bit, and back.
type isoTable struct {
	runes map[uint16]rune
	codes map[rune]uint16
}

// newSet makes a set whose characters are those that read gives. Its table is made when
// it is used first.
func newSet(designator string, upper, double bool, read func(code uint16) rune) *isoSet {
	return &isoSet{designator, upper, double, sync.OnceValue(func() *isoTable {
		t := &isoTable{make(map[uint16]rune), make(map[rune]uint16)}
		add := func(code uint16) {
			if r := read(code); r != utf8.RuneError && r >= utf8.RuneSelf {
				t.runes[code] = r
				if _, taken := t.codes[r]; !taken {
					t.codes[r] = code
				}
			}
		}
		for high := uint16(0x20); high < 0x80; high++ {
			if !double {
				add(high)
				continue
			}
			for low := uint16(0x21); low < 0x7f; low++ {
				add(high<<8 | low)
			}
		}
		return t
	})}
}

// pair reads two bytes in an encoding where both have the eighth bit.
func pair(e encoding.Encoding, prefix ...byte) func(uint16) rune {
	return func(code uint16) rune {
		b, err := e.NewDecoder().Bytes(append(bytes.Clone(prefix), byte(code>>8)|0x80, byte(code)|0x80))
		r, size := utf8.DecodeRune(b)
		if err != nil || size != len(b) {
			return utf8.RuneError
		}
		return r
	}
}

func upperHalf(t *charmap.Charmap) func(uint16) rune {
	return func(code uint16) rune { return t.DecodeByte(byte(code) | 0x80) }
}

func katakana(code uint16) rune {
	if code < 0x21 || code > 0x5f {
		return utf8.RuneError
	}
	return rune(code) - 0x21 + 0xff61
}

func roman(code uint16) rune {
	switch code {
	case '\\':
		return '¥'
	case '~':
		return '‾'
	}
	return rune(code)
}

var (
	ascii    = newSet("(B", false, false, func(uint16) rune { return utf8.RuneError })
	jisRoman = newSet("(J", false, false, roman)
	jisX0201 = newSet("(I", false, false, katakana)
	jisX0208 = newSet("$B", false, true, pair(japanese.EUCJP))
	jisX0212 = newSet("$(D", false, true, pair(japanese.EUCJP, 0x8f))
	ksX1001  = newSet("$)C", true, true, pair(korean.EUCKR))

	isoSets = []*isoSet{
		ascii, jisRoman, jisX0201, jisX0208, jisX0212, ksX1001,
		newSet("$@", false, true, pair(japanese.EUCJP)),
		newSet("$(B", false, true, pair(japanese.EUCJP)),
		newSet("$(C", false, true, pair(korean.EUCKR)),
		newSet("$A", false, true, pair(simplifiedchinese.GBK)),
		newSet("$)A", true, true, pair(simplifiedchinese.GBK)),
		newSet("$)B", true, true, pair(japanese.EUCJP)),
		newSet(")I", true, false, katakana),
		newSet("-A", true, false, upperHalf(charmap.ISO8859_1)),
		newSet("-B", true, false, upperHalf(charmap.ISO8859_2)),
		newSet("-C", true, false, upperHalf(charmap.ISO8859_3)),
		newSet("-D", true, false, upperHalf(charmap.ISO8859_4)),
		newSet("-L", true, false, upperHalf(charmap.ISO8859_5)),
		newSet("-G", true, false, upperHalf(charmap.ISO8859_6)),
		newSet("-F", true, false, upperHalf(charmap.ISO8859_7)),
		newSet("-H", true, false, upperHalf(charmap.ISO8859_8)),
		newSet("-M", true, false, upperHalf(charmap.ISO8859_9)),
		newSet("-b", true, false, upperHalf(charmap.ISO8859_15)),
	}
)

// isoSetOf returns the set that a name of table 0211 stands for where it is brought in by
// escape sequences, or nil.
func isoSetOf(name string) *isoSet {
	designator := ""
	switch strings.TrimPrefix(name, "iso") {
	case "ir87":
		return jisX0208
	case "ir159":
		return jisX0212
	case "ir14":
		return jisX0201
	case "ksx1001":
		return ksX1001
	case "88591":
		designator = "-A"
	case "88592":
		designator = "-B"
	case "88593":
		designator = "-C"
	case "88594":
		designator = "-D"
	case "88595":
		designator = "-L"
	case "88596":
		designator = "-G"
	case "88597":
		designator = "-F"
	case "88598":
		designator = "-H"
	case "88599":
		designator = "-M"
	case "885915":
		designator = "-b"
	}
	for _, set := range isoSets {
		if set.designator == designator {
			return set
		}
	}
	return nil
}

// designation returns the set that b begins to change to, and how long the sequence is
// that says so; 0 when it is none.
func designation(b []byte, escape byte) (*isoSet, int) {
	if len(b) < 3 {
		return nil, 0
	}
	if b[0] == 0x1b {
		for _, set := range isoSets {
			if strings.HasPrefix(string(b[1:min(len(b), 4)]), set.designator) {
				return set, 1 + len(set.designator)
			}
		}
		return nil, 0
	}
	if escape == 0 || b[0] != escape || b[1] != 'C' && b[1] != 'M' {
		return nil, 0
	}
	end := bytes.IndexByte(b[2:min(len(b), 9)], escape)
	if end < 0 {
		return nil, 0
	}
	var code [4]byte
	designator, ok := appendHex(code[:0], b[2:2+end])
	if !ok {
		return nil, 0
	}
	for len(designator) > 2 && designator[len(designator)-1] == 0 {
		designator = designator[:len(designator)-1] // \Mxxyy00\ is \Mxxyy\
	}
	for _, set := range isoSets {
		if set.designator == string(designator) {
			return set, end + 3
		}
	}
	return nil, 0
}

// switches reports whether somewhere in b a sequence of HL7 changes the set.
func switches(b []byte, escape byte) bool {
	for {
		i := bytes.IndexByte(b, escape)
		if i < 0 {
			return false
		}
		if _, n := designation(b[i:], escape); n > 0 {
			return true
		}
		b = b[i+1:]
	}
}

// A reader steps through bytes in a character set.
type reader struct {
	*charset
	rest   []byte
	escape byte
	shift
}

// The kinds of what a reader comes to.
const (
	single      = iota // a byte that stands for itself, or one of the message's own set
	several            // a character of several bytes in the message's own set
	change             // of the set, which is in force now
	lowerLetter        // a letter of the set that lower is
	upperLetter
)

// next returns the length and the kind of what comes next. There must be something.
func (r *reader) next() (int, int) {
	b := r.rest[0]
	if b == 0x1b && r.sets != nil || b == r.escape && b != 0 {
		if set, n := designation(r.rest, r.escape); n > 0 {
			switch {
			case set == ascii:
				r.lower = nil
			case set.upper:
				r.upper = set
			default:
				r.lower = set
			}
			return n, change
		}
	}
	two := len(r.rest) > 1
	switch {
	case b == '\r' || b == '\n':
		r.lower, r.upper = nil, nil
	case b >= 0x80 && r.upper != nil && r.upper.double && two && r.rest[1] >= 0x80:
		return 2, upperLetter
	case b >= 0x80 && r.upper != nil && !r.upper.double:
		return 1, upperLetter
	case b > 0x20 && b < 0x7f && r.lower != nil && r.lower.double && two && r.rest[1] > 0x20 && r.rest[1] < 0x7f:
		return 2, lowerLetter
	case b > 0x20 && b < 0x7f && r.lower == jisX0201:
		return 1, lowerLetter
	case b >= 0x80 && r.width != nil:
		if n := r.width(r.rest); n > 1 {
			return n, several
		}
	}
	return 1, single
}

// A shift is the sets that are in force somewhere in a value. The zero shift is the
// message's own.
type shift struct{ lower, upper *isoSet }

// switching returns raw as text where escape sequences may change the set. It begins with
// the sets of a shift and leaves there those that are in force at the end.
func (c *charset) switching(raw []byte, d Delimiters, in *shift) string {
	var out strings.Builder
	var run []byte
	r := reader{charset: c, rest: raw, escape: d.Escape, shift: *in}
	letter := func(set *isoSet, n int) {
		out.WriteString(c.decode(run))
		run = run[:0]
		code := uint16(r.rest[0] & 0x7f)
		if n == 2 {
			code = code<<8 | uint16(r.rest[1]&0x7f)
		}
		if l, ok := set.table().runes[code]; ok {
			out.WriteRune(l)
		} else {
			out.WriteRune(utf8.RuneError)
		}
	}
	for len(r.rest) > 0 {
		n, kind := r.next()
		switch kind {
		case several:
			run = append(run, r.rest[:n]...)
		case lowerLetter:
			letter(r.lower, n)
		case upperLetter:
			letter(r.upper, n)
		case single:
			b := r.rest[0]
			if b == d.Escape && b != 0 {
				var ok bool
				if run, n, ok = appendFirstSequence(run, r.rest, d); ok {
					break
				}
				n = 1
			}
			if r.lower == jisRoman && (b == '\\' || b == '~') {
				letter(jisRoman, 1)
				break
			}
			run = append(run, b)
		}
		r.rest = r.rest[n:]
	}
	*in = r.shift
	out.WriteString(c.decode(run))
	return out.String()
}

// A writer writes characters and changes the set where one wants another.
type writer struct {
	*charset
	out          []byte
	encoder      *encoding.Encoder
	lower, upper *isoSet // nil is the message's own
}

func (w *writer) designate(set *isoSet) {
	w.out = append(append(w.out, 0x1b), set.designator...)
}

// write writes r and reports whether there is a set that has it.
func (w *writer) write(r rune) bool {
	if w.encoder == nil && w.multi != nil {
		w.encoder = w.multi.NewEncoder()
	}
	if r < utf8.RuneSelf {
		w.leaveLower()
		w.out = append(w.out, byte(r))
		return true
	}
	for _, set := range []*isoSet{w.lower, w.upper} {
		if set != nil && w.writeIn(set, r) {
			return true
		}
	}
	if own, ok := w.appendRune(nil, r, w.encoder); ok {
		w.leaveLower()
		if w.upper != nil && w.base != nil {
			w.designate(w.base)
			w.upper = nil
		}
		if w.upper == nil {
			w.out = append(w.out, own...)
			return true
		}
	}
	for _, set := range w.sets {
		if _, ok := set.table().codes[r]; !ok {
			continue
		}
		w.designate(set)
		if set.upper {
			w.upper = set
		} else {
			w.lower = set
		}
		return w.writeIn(set, r)
	}
	return false
}

func (w *writer) writeIn(set *isoSet, r rune) bool {
	code, ok := set.table().codes[r]
	if !ok {
		return false
	}
	eighth := byte(0)
	if set.upper {
		eighth = 0x80
	}
	if set.double {
		w.out = append(w.out, byte(code>>8)|eighth)
	}
	w.out = append(w.out, byte(code)|eighth)
	return true
}

func (w *writer) leaveLower() {
	if w.lower != nil {
		w.designate(ascii)
		w.lower = nil
	}
}

// end goes back to the message's own set, which is in force where a value begins.
func (w *writer) end() {
	w.leaveLower()
	if w.upper != nil && w.base != nil {
		w.designate(w.base)
		w.upper = nil
	}
}
