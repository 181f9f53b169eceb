package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A datePattern writes a time by the pattern letters of Java's DateTimeFormatter and
// .NET's custom format strings, where these agree.
type datePattern []func([]byte, time.Time) []byte

func (p datePattern) format(t time.Time) string {
	b := make([]byte, 0, 32)
	for _, f := range p {
		b = f(b, t)
	}
	return string(b)
}

// dateLayouts gives the letters of one run their layout in Go's own notation.
var dateLayouts = map[string]string{
	"yyyy": "2006", "yy": "06", "uuuu": "2006",
	"MMMM": "January", "MMM": "Jan", "MM": "01", "M": "1",
	"dd": "02", "d": "2",
	"dddd": "Monday", "ddd": "Mon", "EEEE": "Monday", "EEE": "Mon", "E": "Mon",
	"HH": "15", "hh": "03", "h": "3",
	"mm": "04", "m": "4",
	"ss": "05", "s": "5",
	"a": "PM", "tt": "PM",
	"Z": "-0700", "XX": "Z0700", "XXX": "Z07:00", "zzz": "-07:00", "K": "Z07:00",
	"DDD": "002",
}

// dateHints say what to write for letters that mean something else than people
// expect, or that Java and .NET read differently.
var dateHints = map[byte]string{
	'Y': "Y is the year of the week in Java: write yyyy",
	'D': "D is the day of the year: write dd for the day of the month",
	'z': "z differs between Java and .NET: write zzz or XXX for +01:00, Z for +0100",
}

func parseDatePattern(s string) (datePattern, error) {
	if s == "" {
		return nil, errors.New("the pattern is empty: write for example yyyyMMdd")
	}
	var p datePattern
	literal := func(text string) {
		p = append(p, func(b []byte, _ time.Time) []byte { return append(b, text...) })
	}
	letters := make(map[byte]bool)
	for i := 0; i < len(s); {
		c := s[i]
		if c == '\'' {
			text, rest, err := quoted(s[i+1:])
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", s, err)
			}
			literal(text)
			i = len(s) - len(rest)
			continue
		}
		n := 1
		for i+n < len(s) && s[i+n] == c {
			n++
		}
		run := s[i : i+n]
		i += n
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			literal(run)
			continue
		}
		letters[c] = true
		switch layout := dateLayouts[run]; {
		case layout != "":
			p = append(p, func(b []byte, t time.Time) []byte { return t.AppendFormat(b, layout) })
		case run == "H":
			p = append(p, func(b []byte, t time.Time) []byte { return fmt.Appendf(b, "%d", t.Hour()) })
		case (c == 'S' || c == 'f') && n <= 9:
			p = append(p, func(b []byte, t time.Time) []byte { return append(b, fmt.Sprintf("%09d", t.Nanosecond())[:n]...) })
		default:
			if hint := dateHints[c]; hint != "" {
				return nil, fmt.Errorf("pattern %q: %s", s, hint)
			}
			return nil, fmt.Errorf("pattern %q: %q means nothing here: put text between single quotes", s, run)
		}
	}
	if letters['m'] && !letters['H'] && !letters['h'] {
		return nil, fmt.Errorf("pattern %q: mm is minutes, and there are no hours beside it: write MM for the month", s)
	}
	return p, nil
}

// quoted reads literal text up to its closing quote. Two quotes in a row are one quote,
// inside and outside of text.
func quoted(s string) (text, rest string, err error) {
	if strings.HasPrefix(s, "'") {
		return "'", s[1:], nil
	}
	for {
		before, after, found := strings.Cut(s, "'")
		if !found {
			return "", "", errors.New("a quote is not closed")
		}
		text += before
		if !strings.HasPrefix(after, "'") {
			return text, after, nil
		}
		text += "'"
		s = after[1:]
	}
}
