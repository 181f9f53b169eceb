package hl7

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
)

// An NM is a number in the text that it was written in, so that nothing of it is lost:
// digits with an optional sign and decimal point, and no exponent (HL7 v2.9, chapter 2A,
// NM). The zero value is no number.
type NM string

// maxNM bounds a number's length, so that it can't be used to make one of any size.
const maxNM = 1000

// ParseNM reads a number. The empty text is the zero NM. The forms .5 and 5. are met in
// the field and are read, too.
func ParseNM(text string) (NM, error) {
	n, err := parseNM(text)
	if err != nil {
		return "", fmt.Errorf("hl7: %w", err)
	}
	return n, nil
}

func parseNM(text string) (NM, error) {
	if text == "" {
		return "", nil
	}
	if len(text) > maxNM {
		return "", fmt.Errorf("this is no number: it has more than %d characters", maxNM)
	}
	digits, points := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && points == 0:
			points++
		case (c == '+' || c == '-') && i == 0:
		default:
			return "", fmt.Errorf("this is no number: at character %d a digit was expected", i+1)
		}
	}
	if digits == 0 {
		return "", errors.New("this is no number: it has no digit")
	}
	return NM(text), nil
}

// Int64 returns the number, or an error when it is none, has a fraction or doesn't fit.
func (n NM) Int64() (int64, error) {
	r, err := n.Rat()
	if err != nil {
		return 0, err
	}
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, errors.New("hl7: the number has a fraction or is too large for 64 bits")
	}
	return r.Num().Int64(), nil
}

// Float64 returns the nearest floating-point number.
func (n NM) Float64() (float64, error) {
	if _, err := n.Rat(); err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return 0, errors.New("hl7: the number is too large for 64 bits")
	}
	return f, nil
}

// Rat returns the number exactly.
func (n NM) Rat() (*big.Rat, error) {
	if n == "" {
		return nil, errors.New("hl7: there is no number")
	}
	if _, err := ParseNM(string(n)); err != nil {
		return nil, err
	}
	r, ok := new(big.Rat).SetString(string(n))
	if !ok {
		return nil, errors.New("hl7: this is no number")
	}
	return r, nil
}

// MarshalText returns the number as it was written.
func (n NM) MarshalText() ([]byte, error) {
	_, err := ParseNM(string(n))
	return []byte(n), err
}

// UnmarshalText reads what [ParseNM] does.
func (n *NM) UnmarshalText(text []byte) (err error) {
	*n, err = parseNM(string(text))
	return err
}

// An SN is a structured number: ">100", "1:128", "2-5" or "3+" (HL7 v2.9, chapter 2A, SN).
type SN struct {
	Comparator string `hl7:"1"` // > < >= <= = or <>; "" is =
	Num1       NM     `hl7:"2"`
	Separator  string `hl7:"3"` // - + / . or :; "" where there is one number
	Num2       NM     `hl7:"4"`
}

// String returns the number as people read it, such as "1:128".
func (s SN) String() string {
	return s.Comparator + string(s.Num1) + s.Separator + string(s.Num2)
}
