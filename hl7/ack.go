package hl7

import (
	"bytes"
	"encoding/binary"
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
	// AcceptAcknowledgement and ApplicationAcknowledgement become MSH-15 and MSH-16: what
	// the sender of this acknowledgement wants for it in turn. Only an application
	// acknowledgement in enhanced mode needs them.
	AcceptAcknowledgement, ApplicationAcknowledgement string
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
// an empty MSA-2. A character of its texts that the character set doesn't have becomes a
// question mark, and a delimiter that the message has no escape character for a space.
//
// The acknowledgement of a message in UTF-16 or UTF-32 is in the same form.
func (h *Header) AppendAck(dst []byte, a Ack) []byte {
	began := len(dst)
	dst = h.appendAck(dst, a)
	if h.wide.size > 0 {
		return h.wide.encode(dst[:began], dst[began:])
	}
	return dst
}

func (h *Header) appendAck(dst []byte, a Ack) []byte {
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
	switch {
	case h.n >= 4:
		// MSH-3 to MSH-6 with the separators before them, two and two.
		sender, receiver, end := h.starts[0]-1, h.starts[2]-1, h.starts[4]-1
		dst = append(dst, h.msh[:sender]...)
		dst = append(dst, h.msh[receiver:end]...)
		dst = append(dst, h.msh[sender:receiver]...)
	case h.msh == nil:
		version = []byte("2.3")
		dst = d.appendEncodingCharacters(append(dst, "MSH|"...))
		dst = append(dst, fs, fs, fs, fs)
	default:
		dst = append(append(dst, "MSH"...), fs)
		dst = append(dst, h.Field(2)...)
		for _, f := range []int{5, 6, 3, 4} {
			dst = append(append(dst, fs), h.Field(f)...)
		}
	}
	dst = append(dst, fs)
	dst = appendTime(dst, a.Time)
	dst = append(dst, fs, fs)
	dst = h.appendAckType(dst, d, version)
	dst = append(dst, fs)
	if a.ControlID == "" {
		dst = appendRandomID(dst)
	} else {
		dst = h.appendText(dst, a.ControlID, d)
	}
	processing := h.Field(11)
	if len(processing) == 0 {
		processing = []byte("P")
	}
	dst = append(append(dst, fs), processing...)
	if v := h.Field(12); len(v) > 0 {
		version = v
	}
	dst = append(append(dst, fs), version...)
	charset := h.Field(18)
	if len(charset) > 0 || a.AcceptAcknowledgement != "" || a.ApplicationAcknowledgement != "" {
		dst = append(dst, fs, fs, fs)
		dst = h.appendText(dst, a.AcceptAcknowledgement, d)
		dst = append(dst, fs)
		dst = h.appendText(dst, a.ApplicationAcknowledgement, d)
	}
	if len(charset) > 0 {
		dst = append(dst, fs, fs)
		dst = append(dst, charset...)
	}
	dst = append(dst, "\rMSA"...)
	dst = append(dst, fs)
	dst = append(dst, a.Code...)
	dst = append(dst, fs)
	dst = append(dst, h.Field(10)...)
	if a.Text != "" {
		dst = append(dst, fs)
		dst = h.appendText(dst, a.Text, d)
	}
	dst = append(dst, '\r')
	for _, e := range a.Errors {
		dst = h.appendERR(dst, e, d, version)
	}
	return dst
}

// appendText appends a text escaped and in the message's character set.
func (h *Header) appendText(dst []byte, text string, d Delimiters) []byte {
	if text == "" {
		return dst
	}
	began := len(dst)
	dst, _ = appendEscaped(dst, text, d, false)
	if isPlain(dst[began:]) || h.wide.size > 0 {
		return dst
	}
	c := h.charset()
	escaped, _ := appendEscaped(nil, text, d, c.sets != nil)
	encoded, err := c.encode(strings.ToValidUTF8(string(escaped), "?"), d.escaped("?"))
	if err != nil {
		return dst[:began]
	}
	return append(dst[:began], encoded...)
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

// appendERR appends an ERR segment: ERR-1 alone before 2.5, ERR-2 to ERR-4 since (chapter
// 2, 2.14.5). Where the message names no delimiter for the parts of a field, there is only
// the first part.
func (h *Header) appendERR(dst []byte, e AckError, d Delimiters, version []byte) []byte {
	dst = append(append(dst, "ERR"...), d.Field)
	p, old := e.Location, atMost(version, 2, 4, 9)
	code := func(sub byte) {
		for i, part := range []string{e.Code, e.Text, "HL70357"} {
			if i > 0 {
				dst = append(dst, sub)
			}
			if dst = h.appendText(dst, part, d); sub == 0 {
				return
			}
		}
	}
	var places []int
	if p.segment.name != none {
		places = []int{max(p.segment.n, 1), p.field}
		if p.field > 0 && (p.repetition > 0 || p.component > 0) {
			places = append(places, max(p.repetition, 1), p.component, p.subcomponent)
		}
	}
	if !old {
		dst = append(dst, d.Field)
	}
	dst = append(dst, p.segment.name.String()...)
	for i := 0; d.Component != 0 && (old && i < 2 || !old && i < len(places) && places[i] > 0); i++ {
		dst = append(dst, d.Component)
		if i < len(places) && places[i] > 0 {
			dst = strconv.AppendInt(dst, int64(places[i]), 10)
		}
	}
	if old {
		if d.Component != 0 {
			dst = append(dst, d.Component)
			code(d.Subcomponent)
		}
		return append(dst, '\r')
	}
	dst = append(dst, d.Field)
	code(d.Component)
	severity := byte('E')
	if e.Warning {
		severity = 'W'
	}
	return append(dst, d.Field, severity, '\r')
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

// appendRandomID appends a control id of 20 characters, which is what MSH-10 holds in
// every version. It is unique and no secret, so the fast generator will do. Five random
// bits make a character.
func appendRandomID(dst []byte) []byte {
	first, second := rand.Uint64(), rand.Uint64()
	dst = binary.LittleEndian.AppendUint64(dst, idCharacters(first))
	dst = binary.LittleEndian.AppendUint64(dst, idCharacters(second))
	return binary.LittleEndian.AppendUint32(dst, uint32(idCharacters(first>>40|second>>40<<24)))
}

// idCharacters returns eight characters for the lower 40 bits, each one of
// 0123456789ABCDEFGHJKMNPQRSTVWXYZ: letters that look like figures are left out.
func idCharacters(bits uint64) uint64 {
	// Five bits into each byte.
	bits = bits&0xfffff | bits&0xfffff00000<<12
	bits = bits&0x000003ff000003ff | bits&0x000ffc00000ffc00<<6
	bits = bits&0x001f001f001f001f | bits&0x03e003e003e003e0<<3
	atLeast := func(n uint64) uint64 { return (bits + (0x80-n)*lowBits) >> 7 & lowBits }
	return bits + '0'*lowBits + 7*atLeast(10) + atLeast(18) + atLeast(20) + atLeast(22) + atLeast(27)
}

// twoDigits has the numbers below a hundred.
const twoDigits = "0001020304050607080910111213141516171819" +
	"2021222324252627282930313233343536373839" +
	"4041424344454647484950515253545556575859" +
	"6061626364656667686970717273747576777879" +
	"8081828384858687888990919293949596979899"

// appendTime appends t as YYYYMMDDHHMMSS and its zone. It does in a quarter of the time
// what the layout 20060102150405-0700 does.
func appendTime(dst []byte, t time.Time) []byte {
	_, offset := t.Zone()
	// The same figures in UTC, which looks for no zone again.
	u := time.Unix(t.Unix()+int64(offset), 0).UTC()
	year, month, day := u.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, "20060102150405-0700")
	}
	hour, minute, second := u.Clock()
	sign, zone := byte('+'), offset/60
	if zone < 0 {
		sign, zone = '-', -zone
	}
	two := func(n int) (byte, byte) { return twoDigits[2*n%200], twoDigits[2*n%200+1] }
	var b [19]byte
	b[0], b[1] = two(year / 100)
	b[2], b[3] = two(year % 100)
	b[4], b[5] = two(int(month))
	b[6], b[7] = two(day)
	b[8], b[9] = two(hour)
	b[10], b[11] = two(minute)
	b[12], b[13] = two(second)
	b[14] = sign
	b[15], b[16] = two(zone / 60)
	b[17], b[18] = two(zone % 60)
	return append(dst, b[:]...)
}

// Enhanced reports whether the sender asks for enhanced mode: whether MSH-15 or MSH-16
// says anything (HL7 v2.9, chapter 2, 2.9.3). The HL7 null says nothing.
func (h *Header) Enhanced() bool {
	says := func(f []byte) bool { return len(f) > 0 && string(f) != `""` }
	return says(h.Field(15)) || says(h.Field(16))
}

// WantsAccept reports whether the sender wants an accept acknowledgement (CA, CE or CR):
// never in original mode, else as MSH-15 says. accepted is whether it would be CA.
func (h *Header) WantsAccept(accepted bool) bool {
	return h.Enhanced() && wants(h.AcceptAcknowledgement(), accepted)
}

// WantsApplication reports whether the sender wants an application acknowledgement (AA,
// AE or AR): always in original mode, else as MSH-16 says. accepted is whether it would
// be AA.
func (h *Header) WantsApplication(accepted bool) bool {
	return !h.Enhanced() || wants(h.ApplicationAcknowledgement(), accepted)
}

// wants reads a condition of HL7 table 0155. One that is unknown is taken for always: an
// acknowledgement too many is passed over, and for one too few a sender waits.
func wants(condition string, accepted bool) bool {
	switch condition {
	case "", `""`, "NE":
		return false
	case "ER":
		return !accepted
	case "SU":
		return accepted
	}
	return true
}

// An AckInfo is what a partner's acknowledgement says.
type AckInfo struct {
	// Code is MSA-1.
	Code AckCode
	// ControlID is MSA-2: the MSH-10 of the message that is acknowledged.
	ControlID string
	// Text is MSA-3. It is the partner's, and may hold content of the message.
	Text string
	// Errors are the ERR segments, in the form of every version. Their texts are the
	// partner's, too.
	Errors []AckError
}

// Positive reports whether the code says that the message was accepted.
func (a AckInfo) Positive() bool { return a.Code == ApplicationAccept || a.Code == CommitAccept }

// maxAckErrors bounds the ERR segments that are read.
const maxAckErrors = 1000

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
	at, _ := m.find(place{name: segmentName{'M', 'S', 'A'}}, 0, m.Len())
	if at < 0 {
		return AckInfo{}, &ParseError{Offset: start, Reason: "the message has no MSA segment, so it is no acknowledgement"}
	}
	s := m.Segment(at)
	field := func(n int) Value {
		v, _ := s.Field(n)
		return v
	}
	// The id is compared and not read: its bytes are taken as they are, as
	// Header.ControlID takes them.
	a := AckInfo{Code: AckCode(strings.TrimSpace(field(1).Text())), ControlID: m.header.text(field(2).Raw()), Text: field(3).Text()}
	switch a.Code {
	case ApplicationAccept, ApplicationError, ApplicationReject, CommitAccept, CommitError, CommitReject:
	default:
		return AckInfo{}, &ParseError{Offset: start, Segment: "MSA", Reason: "field 1 must have an acknowledgement code: AA, AE, AR, CA, CE or CR"}
	}
	for _, s := range m.Segments() {
		if string(s.name()) == "ERR" {
			a.Errors = s.appendErrors(a.Errors)
		}
	}
	return a, nil
}

// appendErrors appends what an ERR segment says: the repetitions of ERR-1 before 2.5, else
// ERR-2 to ERR-4 and, where ERR-3 has no text, ERR-8 or ERR-7.
func (s Segment) appendErrors(dst []AckError) []AckError {
	old, _ := s.Field(1)
	location, _ := s.Field(2)
	code, _ := s.Field(3)
	if location.IsEmpty() && code.IsEmpty() {
		for _, v := range old.Repetitions() {
			if v.IsEmpty() || len(dst) >= maxAckErrors {
				continue
			}
			e := AckError{Location: v.location(3)}
			if c, ok := v.Component(4); ok {
				e.Code, e.Text = c.subtext(1), c.subtext(2)
			}
			dst = append(dst, e)
		}
		return dst
	}
	if len(dst) >= maxAckErrors {
		return dst
	}
	text := func(n int) string {
		v, _ := s.Field(n)
		return v.Text()
	}
	first, _ := location.Repetition(1)
	e := AckError{Location: first.location(6), Warning: text(4) == "W" || text(4) == "I"}
	if c, ok := code.Component(1); ok {
		e.Code = c.Text()
	}
	if c, ok := code.Component(2); ok {
		e.Text = c.Text()
	}
	for _, n := range []int{8, 7} {
		if e.Text == "" {
			e.Text = text(n)
		}
	}
	return append(dst, e)
}

func (v Value) subtext(n int) string {
	s, _ := v.Subcomponent(n)
	return s.Text()
}

// location reads the first components as a place: segment, its number, field, repetition,
// component, subcomponent. What is no place ends it.
func (v Value) location(components int) Path {
	var p Path
	numbers := []struct {
		n    *int
		most int
	}{{&p.segment.n, maxNumber}, {&p.field, maxField}, {&p.repetition, maxNumber}, {&p.component, maxField}, {&p.subcomponent, maxField}}
	for i, c := range v.Components() {
		text := c.Text()
		switch {
		case i > components:
			return p
		case i == 1:
			if !isSegmentName(text) {
				return p
			}
			p.segment.name = segmentName([]byte(text))
		default:
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > numbers[i-2].most {
				return p
			}
			*numbers[i-2].n = n
		}
	}
	return p
}
