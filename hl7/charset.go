package hl7

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// singleByte are the character sets of HL7 table 0211 and of the field that have one
// byte for each character, by their names in small letters without punctuation.
func singleByte(name string) *charmap.Charmap {
	switch name {
	case "88591", "iso88591", "latin1":
		return charmap.ISO8859_1
	case "88592", "iso88592":
		return charmap.ISO8859_2
	case "88593", "iso88593":
		return charmap.ISO8859_3
	case "88594", "iso88594":
		return charmap.ISO8859_4
	case "88595", "iso88595":
		return charmap.ISO8859_5
	case "88596", "iso88596":
		return charmap.ISO8859_6
	case "88597", "iso88597":
		return charmap.ISO8859_7
	case "88598", "iso88598":
		return charmap.ISO8859_8
	case "88599", "iso88599":
		return charmap.ISO8859_9
	case "885915", "iso885915":
		return charmap.ISO8859_15
	case "windows1250", "cp1250":
		return charmap.Windows1250
	case "windows1251", "cp1251":
		return charmap.Windows1251
	case "windows1252", "cp1252":
		return charmap.Windows1252
	case "windows1253", "cp1253":
		return charmap.Windows1253
	case "windows1254", "cp1254":
		return charmap.Windows1254
	case "windows1257", "cp1257":
		return charmap.Windows1257
	}
	return nil
}

func plainName(charset string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		}
		return -1
	}, charset)
}

// A charset turns the bytes of values into text and back.
type charset struct {
	name  string
	table *charmap.Charmap // nil for ASCII and UTF-8
	known bool
}

// charsetOf returns the character set of that name. ASCII and no name are read as
// UTF-8, which many senders write without saying so.
func charsetOf(name string) charset {
	c := charset{name: name}
	switch plain := plainName(name); plain {
	case "", "ascii", "usascii", "iso646", "unicodeutf8", "utf8", "unicode":
		c.known = true
	default:
		c.table = singleByte(plain)
		c.known = c.table != nil
	}
	return c
}

// decode returns b as text. Bytes that are no UTF-8 where UTF-8 was expected are read
// as ISO 8859-1, so that no byte is lost.
func (c charset) decode(b []byte) string {
	table := c.table
	if table == nil {
		if utf8.Valid(b) {
			return string(b)
		}
		table = charmap.ISO8859_1
	}
	ascii := true
	for _, x := range b {
		ascii = ascii && x < 0x80
	}
	if ascii {
		return string(b)
	}
	var s strings.Builder
	for _, x := range b {
		s.WriteRune(table.DecodeByte(x))
	}
	return s.String()
}

// encode returns text in the character set.
func (c charset) encode(text string) (string, error) {
	switch {
	case !c.known:
		return "", fmt.Errorf("hl7: the character set %q of MSH-18 is unknown: nothing can be written in it", c.name)
	case !utf8.ValidString(text):
		return "", fmt.Errorf("hl7: the text is no valid UTF-8")
	case c.table == nil:
		return text, nil
	}
	b, err := encoding.ReplaceUnsupported(c.table.NewEncoder()).String(text)
	if err != nil {
		return "", fmt.Errorf("hl7: %w", err)
	}
	if back, err := c.table.NewDecoder().String(b); err != nil || back != text {
		return "", fmt.Errorf("hl7: the text has characters that are not in the message's character set %s", c.name)
	}
	return b, nil
}
