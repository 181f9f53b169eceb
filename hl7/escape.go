package hl7

import "bytes"

// appendUnescaped appends b with its escape sequences resolved (HL7 v2.9, chapter 2,
// 2.7). Sequences that are unknown, or have no end, are kept as they stand, and so are
// those that change the character set or only highlight text.
func appendUnescaped(dst, b []byte, d Delimiters) []byte {
	for {
		i := indexDelimiter(b, d.Escape)
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		b = b[i:]
		end := bytes.IndexByte(b[1:], d.Escape)
		if end < 0 {
			return append(dst, b...)
		}
		sequence := b[1 : 1+end]
		var ok bool
		if dst, ok = appendSequence(dst, sequence, d); ok {
			b = b[end+2:]
			continue
		}
		// The escape character at the end may begin another sequence.
		dst = append(dst, b[:end+1]...)
		b = b[end+1:]
	}
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
	if len(s) > 2 && s[0] == 'X' && len(s)%2 == 1 {
		before := len(dst)
		for i := 1; i < len(s); i += 2 {
			hi, lo := unhex(s[i]), unhex(s[i+1])
			if hi < 0 || lo < 0 {
				return dst[:before], false
			}
			dst = append(dst, byte(hi<<4|lo))
		}
		return dst, true
	}
	return dst, false
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
// frame becomes hexadecimal. The text "" (two quotes) would be the HL7 null; it is
// written so that it isn't. A delimiter in a message that names no escape character
// can't be written; ok is then false.
func appendEscaped(dst []byte, text string, d Delimiters) (_ []byte, ok bool) {
	if text == `""` && !d.has('"') {
		if d.Escape == 0 {
			return dst, false
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
		control := c == '\r' || c == '\n' || c == 0x0b || c == 0x1c
		switch {
		case letter == 0 && !control:
			dst = append(dst, c)
			continue
		case d.Escape == 0:
			return dst, false
		case letter != 0:
			dst = append(dst, d.Escape, letter, d.Escape)
		default:
			dst = append(dst, d.Escape, 'X', hexDigits[c>>4], hexDigits[c&15], d.Escape)
		}
	}
	return dst, true
}
