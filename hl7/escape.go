package hl7

import (
	"bytes"
	"strconv"
	"strings"
)

// appendUnescaped appends t with its escape sequences resolved (HL7 v2.9, chapter 2,
// 2.7). Sequences that are unknown, or have no end, are kept as they stand, and so are
// those that format or highlight text.
func appendUnescaped(dst []byte, t text, d Delimiters) []byte {
	for {
		i := indexDelimiter(t.cut, d.Escape)
		if i < 0 {
			return append(dst, t.raw...)
		}
		dst = append(dst, t.raw[:i]...)
		var n int
		var ok bool
		if dst, n, ok = appendFirstSequence(dst, t.raw[i:], d); !ok {
			// The escape character at the end may begin another sequence.
			n = max(n-1, 1)
			dst = append(dst, t.raw[i:i+n]...)
		}
		t = t.slice(i+n, len(t.raw))
	}
}

// appendFirstSequence appends what the escape sequence at the beginning of b stands for
// and returns its length, or 0 when there is none.
func appendFirstSequence(dst, b []byte, d Delimiters) (_ []byte, n int, ok bool) {
	end := bytes.IndexByte(b[1:], d.Escape)
	if end < 0 {
		return dst, 0, false
	}
	dst, ok = appendSequence(dst, b[1:1+end], d)
	return dst, end + 2, ok
}

// appendSequence appends what the sequence between two escape characters stands for.
func appendSequence(dst, s []byte, d Delimiters) ([]byte, bool) {
	if len(s) == 1 {
		c := byte(0)
		switch s[0] {
		case 'F':
			c = d.Field
		case 'S':
			c = d.Component
		case 'T':
			c = d.Subcomponent
		case 'R':
			c = d.Repetition
		case 'E':
			c = d.Escape
		case 'P':
			c = d.Truncation
		}
		if c == 0 {
			return dst, false
		}
		return append(dst, c), true
	}
	if string(s) == ".br" {
		return append(dst, '\n'), true
	}
	if len(s) > 2 && s[0] == 'X' {
		return appendHex(dst, s[1:])
	}
	return dst, false
}

// appendHex appends the bytes that s has in hexadecimal.
func appendHex(dst, s []byte) ([]byte, bool) {
	if len(s)%2 != 0 {
		return dst, false
	}
	before := len(dst)
	for i := 0; i < len(s); i += 2 {
		hi, lo := unhex(s[i]), unhex(s[i+1])
		if hi < 0 || lo < 0 {
			return dst[:before], false
		}
		dst = append(dst, byte(hi<<4|lo))
	}
	return dst, true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c - 'A' + 10)
	case 'a' <= c && c <= 'f':
		return int(c - 'a' + 10)
	}
	return -1
}

const hexDigits = "0123456789ABCDEF"

// appendEscaped appends text so that it stands for itself inside a value: delimiters
// and the escape character become their sequences, and what would end a segment or a
// frame becomes hexadecimal; so does ESC where it would change the character set. The
// text "" (two quotes) would be the HL7 null; it is written so that it isn't. A delimiter
// in a message that names no escape character can't be written; ok is then false, and a
// space stands in its place.
func appendEscaped(dst []byte, text string, d Delimiters, switches bool) (_ []byte, ok bool) {
	ok = true
	if text == `""` && !d.has('"') {
		if d.Escape == 0 {
			return append(dst, ' '), false
		}
		return append(append(dst, '"', d.Escape), 'X', '2', '2', d.Escape), true
	}
	for i := range len(text) {
		c := text[i]
		letter := byte(0)
		switch {
		case c == 0:
		case c == d.Field:
			letter = 'F'
		case c == d.Component:
			letter = 'S'
		case c == d.Subcomponent:
			letter = 'T'
		case c == d.Repetition:
			letter = 'R'
		case c == d.Escape:
			letter = 'E'
		case c == d.Truncation:
			letter = 'P'
		}
		hex := c == '\r' || c == '\n' || c == 0x0b || c == 0x1c || c == 0x1b && switches
		switch {
		case letter == 0 && !hex:
			dst = append(dst, c)
		case d.Escape == 0:
			dst, ok = append(dst, ' '), false
		case letter != 0:
			dst = append(dst, d.Escape, letter, d.Escape)
		default:
			dst = append(dst, d.Escape, 'X', hexDigits[c>>4], hexDigits[c&15], d.Escape)
		}
	}
	return dst, ok
}

// AppendEscaped appends text, in UTF-8, as it stands for itself inside a value: delimiters
// and line ends become escape sequences, and the text of two quotes is kept apart from
// the HL7 null. It fails where that needs an escape character and there is none.
// [Message.Set] does this by itself.
func (d Delimiters) AppendEscaped(dst []byte, text string) ([]byte, error) {
	out, ok := appendEscaped(dst, text, d, false)
	if !ok {
		return dst, errNoEscape
	}
	return out, nil
}

// escaped returns text escaped, with spaces in place of what can't be.
func (d Delimiters) escaped(text string) string {
	out, _ := appendEscaped(nil, text, d, true)
	return string(out)
}

// maxFormat bounds the numbers in formatting commands: more lines or columns than this
// are on no page.
const maxFormat = 1000

// Formatted returns the value as formatted text (FT) is meant to be read: the commands
// \.br\ \.sp\ \.ce\ end a line, \.in\ and \.ti\ indent, \.sk\ skips spaces, and highlighting
// (\H\ \N\), filling (\.fi\ \.nf\) and what a site has for itself (\Zdd\) leave no trace
// (HL7 v2.9, chapter 2, 2.7.6). All else is as in [Value.Text].
func (v Value) Formatted() string {
	if v.literal || v.m == nil {
		return string(v.text.raw)
	}
	d := v.m.header.delims
	var out strings.Builder
	indent, once := 0, 0
	fresh := true // at the beginning of a line
	stays := func(sequence []byte) bool {
		_, _, ok := formatCommand(string(sequence))
		return ok
	}
	for text, sequence := range v.m.charset().pieces(v.text, d, stays) {
		if text != "" {
			if fresh {
				out.WriteString(strings.Repeat(" ", max(indent+once, 0)))
				fresh, once = false, 0
			}
			out.WriteString(text)
		}
		switch command, n, _ := formatCommand(string(sequence)); command {
		case "br", "ce":
			out.WriteByte('\n')
			fresh = true
		case "sp":
			out.WriteString(strings.Repeat("\n", max(n, 1)))
			fresh = true
		case "sk":
			out.WriteString(strings.Repeat(" ", max(n, 0)))
		case "in":
			indent = n
		case "ti":
			once = n
		}
	}
	return out.String()
}

// formatCommand reads a formatting command between two escape characters.
func formatCommand(s string) (command string, n int, ok bool) {
	switch {
	case s == "H", s == "N":
		return s, 0, true
	case len(s) > 1 && s[0] == 'Z' && !strings.ContainsAny(s[1:], " "):
		return "Z", 0, true
	case len(s) < 3 || s[0] != '.':
		return "", 0, false
	}
	command = s[1:3]
	switch command {
	case "br", "ce", "fi", "nf", "sp", "sk", "in", "ti":
	default:
		return "", 0, false
	}
	if digits := strings.TrimSpace(s[3:]); digits != "" {
		var err error
		if n, err = strconv.Atoi(digits); err != nil {
			return "", 0, false
		}
	}
	return command, min(max(n, -maxFormat), maxFormat), true
}
