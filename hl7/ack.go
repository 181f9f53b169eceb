package hl7

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// An AckCode is the first field of MSA: what became of a message (HL7 table 0008).
type AckCode string

// Acknowledgement codes.
const (
	ApplicationAccept AckCode = "AA"
	ApplicationError  AckCode = "AE" // the content is at fault, or its processing
	ApplicationReject AckCode = "AR" // not for version, type or status of the receiver
	CommitAccept      AckCode = "CA"
	CommitError       AckCode = "CE"
	CommitReject      AckCode = "CR"
)

// An Ack is what an acknowledgement says.
type Ack struct {
	// Code is MSA-1. The zero value stands for ApplicationError, so that an
	// acknowledgement that nobody filled in is no positive one.
	Code AckCode
	// Text explains the code to a person. It becomes MSA-3.
	Text string
	// ControlID is the acknowledgement's own MSH-10. "" makes a random one.
	ControlID string
	// Time is MSH-7. The zero value is now.
	Time time.Time
	// Errors become ERR segments.
	Errors []AckError
}

// An AckError is one fault in the message that is acknowledged.
type AckError struct {
	// Location is where the fault is; the zero value is the whole message.
	Location Path
	// Code is of HL7 table 0357, such as "101" for a required field that is missing.
	Code string
	// Text explains the code.
	Text string
	// Warning says that the message was taken all the same.
	Warning bool
}

// AppendAck appends the acknowledgement of the message that h is the header of (HL7
// v2.9, chapter 2, 2.9.2): sender and receiver change places, and delimiters, version,
// processing id and character set are the message's own. The zero Header stands for a
// message that couldn't be read; the acknowledgement then has the usual delimiters, and
// an empty MSA-2.
func (h *Header) AppendAck(dst []byte, a Ack) []byte {
	d, fs := h.delims, h.delims.Field
	if h.msh == nil {
		d = DefaultDelimiters()
		fs = d.Field
	}
	if a.Code == "" {
		a.Code = ApplicationError
	}
	if a.Time.IsZero() {
		a.Time = time.Now()
	}
	version := h.component(12, 1)
	dst = append(dst, "MSH"...)
	dst = append(dst, fs)
	if h.msh == nil {
		dst = d.appendEncodingCharacters(dst)
		version = []byte("2.3")
	} else {
		dst = append(dst, h.Field(2)...)
	}
	for _, f := range []int{5, 6, 3, 4} {
		dst = append(dst, fs)
		dst = append(dst, h.Field(f)...)
	}
	dst = append(dst, fs)
	dst = a.Time.AppendFormat(dst, "20060102150405-0700")
	dst = append(dst, fs, fs)
	dst = h.appendAckType(dst, d, version)
	dst = append(dst, fs)
	if a.ControlID == "" {
		dst = appendRandomID(dst)
	} else {
		dst, _ = appendEscaped(dst, a.ControlID, d)
	}
	dst = append(dst, fs)
	if p := h.Field(11); len(p) > 0 {
		dst = append(dst, p...)
	} else {
		dst = append(dst, 'P')
	}
	dst = append(dst, fs)
	if v := h.Field(12); len(v) > 0 {
		dst = append(dst, v...)
	} else {
		dst = append(dst, version...)
	}
	if charset := h.Field(18); len(charset) > 0 {
		for range 6 {
			dst = append(dst, fs)
		}
		dst = append(dst, charset...)
	}
	dst = append(dst, "\rMSA"...)
	dst = append(dst, fs)
	dst = append(dst, a.Code...)
	dst = append(dst, fs)
	dst = append(dst, h.Field(10)...)
	if a.Text != "" {
		dst = append(dst, fs)
		dst, _ = appendEscaped(dst, a.Text, d)
	}
	dst = append(dst, '\r')
	for _, e := range a.Errors {
		dst = e.appendERR(dst, d, version)
	}
	return dst
}

// appendAckType appends MSH-9: ACK, with the event since 2.2 and the structure since
// 2.3.1.
func (h *Header) appendAckType(dst []byte, d Delimiters, version []byte) []byte {
	dst = append(dst, "ACK"...)
	event := h.component(9, 2)
	if d.Component == 0 || len(event) == 0 || atMost(version, 2, 1, 9) {
		return dst
	}
	dst = append(append(dst, d.Component), event...)
	if !atMost(version, 2, 3, 0) {
		dst = append(append(dst, d.Component), "ACK"...)
	}
	return dst
}

// appendERR appends an ERR segment: ERR-1 alone before 2.5, ERR-2 to ERR-4 and ERR-8
// since (chapter 2, 2.14.5).
func (e AckError) appendERR(dst []byte, d Delimiters, version []byte) []byte {
	fs, p := d.Field, e.Location
	cs := d.Component
	if cs == 0 {
		cs = '^'
	}
	dst = append(append(dst, "ERR"...), fs)
	number := func(n int) {
		if n > 0 {
			dst = strconv.AppendInt(dst, int64(n), 10)
		}
	}
	location := func() {
		if p.segment.name == "" {
			return
		}
		dst = append(append(dst, p.segment.name...), cs)
		number(max(p.segment.n, 1))
		if p.field > 0 {
			dst = append(dst, cs)
			number(p.field)
		}
	}
	code := func(sub byte) {
		dst, _ = appendEscaped(dst, e.Code, d)
		dst = append(dst, sub)
		dst, _ = appendEscaped(dst, e.Text, d)
		dst = append(append(dst, sub), "HL70357"...)
	}
	if atMost(version, 2, 4, 9) {
		sub := d.Subcomponent
		if sub == 0 {
			sub = '&'
		}
		location()
		for n := bytes.Count(dst[bytes.LastIndexByte(dst, fs)+1:], []byte{cs}); n < 3; n++ {
			dst = append(dst, cs)
		}
		code(sub)
		return append(dst, '\r')
	}
	dst = append(dst, fs)
	location()
	if p.field > 0 && (p.repetition > 0 || p.component > 0) {
		dst = append(dst, cs)
		number(max(p.repetition, 1))
		if p.component > 0 {
			dst = append(dst, cs)
			number(p.component)
		}
		if p.subcomponent > 0 {
			dst = append(dst, cs)
			number(p.subcomponent)
		}
	}
	dst = append(dst, fs)
	code(cs)
	severity := byte('E')
	if e.Warning {
		severity = 'W'
	}
	dst = append(dst, fs, severity)
	return append(dst, '\r')
}

// atMost reports whether version, such as 2.3.1, is no later than want. What is no
// version is late.
func atMost(version []byte, want ...int) bool {
	if len(version) == 0 {
		return false
	}
	for _, w := range want {
		n, digits := 0, 0
		for ; digits < len(version) && version[digits] >= '0' && version[digits] <= '9' && n < 1000; digits++ {
			n = 10*n + int(version[digits]-'0')
		}
		switch {
		case digits == 0 || n > w:
			return false
		case n < w:
			return true
		case digits == len(version):
			return true // 2.3 is 2.3.0
		case version[digits] != '.':
			return false
		}
		version = version[digits+1:]
	}
	return true
}

// idAlphabet has 32 characters, so that five random bits make one.
const idAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// appendRandomID appends a control id of 20 characters, which is what MSH-10 holds in
// every version. It is unique and no secret, so the fast generator will do.
func appendRandomID(dst []byte) []byte {
	for range 2 {
		for n, bits := 0, rand.Uint64(); n < 10; n++ {
			dst = append(dst, idAlphabet[bits&31])
			bits >>= 5
		}
	}
	return dst
}

// An AckInfo is what a partner's acknowledgement says.
type AckInfo struct {
	// Code is MSA-1.
	Code AckCode
	// ControlID is MSA-2: the MSH-10 of the message that is acknowledged.
	ControlID string
	// Text is MSA-3. It is the partner's, and may hold content of the message.
	Text string
}

// Positive reports whether the code says that the message was accepted.
func (a AckInfo) Positive() bool { return a.Code == ApplicationAccept || a.Code == CommitAccept }

// ParseAck reads an acknowledgement: any message with an MSA segment, whatever its type
// and version. An MSA segment alone is read, too. A code that is not of HL7 table 0008
// and a missing MSA are errors.
func ParseAck(raw []byte) (AckInfo, error) {
	start := skipBefore(raw)
	var m Message
	if bytes.HasPrefix(raw[start:], []byte("MSA")) {
		alone := append([]byte("MSH|^~\\&\r"), raw[start:]...)
		if err := m.Parse(alone); err != nil {
			return AckInfo{}, err
		}
	} else if err := m.Parse(raw); err != nil {
		return AckInfo{}, err
	}
	at, _ := m.find(place{name: "MSA"}, 0, m.count())
	if at < 0 {
		return AckInfo{}, &ParseError{Offset: start, Reason: "the message has no MSA segment, so it is no acknowledgement"}
	}
	s := Segment{&m, m.segment(at)}
	text := func(n int) string {
		v, _ := s.Field(n)
		return v.Text()
	}
	// The id is compared and not read: its bytes are taken as they are, as
	// Header.ControlID takes them.
	id, _ := s.field(2)
	a := AckInfo{Code: AckCode(strings.TrimSpace(text(1))), ControlID: m.header.text(id), Text: text(3)}
	switch a.Code {
	case ApplicationAccept, ApplicationError, ApplicationReject, CommitAccept, CommitError, CommitReject:
		return a, nil
	}
	return AckInfo{}, &ParseError{Offset: start, Segment: "MSA", Reason: "field 1 must have an acknowledgement code: AA, AE, AR, CA, CE or CR"}
}
