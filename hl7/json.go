package hl7

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// The JSON form of a message is lossless: what is read from it is the message byte for
// byte.
//
//	{"segments": [
//	  {"name": "MSH", "fields": ["|", "^~\\&", "LAB"]},
//	  {"name": "PID", "fields": ["1", "", [["4711", "", "", ["HOSP", "1.2.3"]], "4712"], null]}
//	]}
//
// A field, a component or a subcomponent is its text, with escape sequences resolved. A
// field with repetitions or components is an array of its repetitions, a repetition with
// components an array of these, a component with subcomponents an array of these: a~b is
// ["a", "b"], a^b is [["a", "b"]], and a&b is [[["a", "b"]]]. The HL7 null is null.
//
// A text that would be written in another way than it stands in the message, such as with
// a formatting command, is {"raw": "as it stands"}. Bytes that are no UTF-8 where that was
// expected are {"8859/1": "each byte as a character"}, others {"base64": "..."}. What ends a segment stands in "end" where it isn't a carriage return,
// and what is before MSH in "before". "characterSet" is what a transport has said against
// MSH-18, and "form" that of a message that isn't in single bytes, such as UTF-16LE+BOM.
type jsonMessage struct {
	Form         string        `json:"form,omitempty"`
	CharacterSet string        `json:"characterSet,omitempty"`
	Before       string        `json:"before,omitempty"`
	Segments     []jsonSegment `json:"segments"`
}

type jsonSegment struct {
	Name   any     `json:"name"`
	Fields []any   `json:"fields,omitempty"`
	End    *string `json:"end,omitempty"`
}

// MarshalJSON returns the message's JSON form: an object whose "segments" have a "name"
// and "fields", these being texts or arrays of repetitions, components and subcomponents.
// The form is stable, and [Message.UnmarshalJSON] gives the message byte for byte.
func (m *Message) MarshalJSON() ([]byte, error) {
	if m.Len() == 0 {
		return nil, errors.New("hl7: there is no message")
	}
	out := jsonMessage{Form: m.header.wide.String(), CharacterSet: m.rarely().transport, Before: string(m.raw[:m.start])}
	w := jsonWriter{m.charset(), m.header.delims}
	for i, s := range m.Segments() {
		js := jsonSegment{Name: w.raw(s.text.raw[:len(s.name())], false)}
		for n, f := range s.Fields() {
			if n <= 2 && s.isHeader() {
				js.Fields = append(js.Fields, w.raw(f.text.raw, false))
			} else {
				js.Fields = append(js.Fields, w.value(f.text, 1))
			}
		}
		if end := string(m.ends(i)); end != "\r" {
			js.End = &end
		}
		out.Segments = append(out.Segments, js)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return nil, fmt.Errorf("hl7: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

type jsonWriter struct {
	charset *charset
	delims  Delimiters
}

// value returns a text or the array of its parts.
func (w *jsonWriter) value(t text, level int) any {
	if level > 3 {
		return w.leaf(t)
	}
	var parts []any
	for rest, more := t, true; more; {
		var head text
		head, rest, more = rest.next(w.delims.level(level))
		parts = append(parts, w.value(head, level+1))
	}
	if _, nested := parts[0].([]any); len(parts) == 1 && !nested {
		return parts[0]
	}
	return parts
}

func (w *jsonWriter) leaf(t text) any {
	if string(t.raw) == `""` {
		return nil
	}
	s := w.charset.text(t, w.delims)
	escaped, ok := appendEscaped(nil, s, w.delims, w.charset.sets != nil)
	if ok && utf8.ValidString(s) {
		if encoded, err := w.charset.encode(string(escaped), ""); err == nil && bytes.Equal(encoded, t.raw) {
			return s
		}
	}
	return w.raw(t.raw, true)
}

// raw returns bytes as they stand: as a text where that gives them back. tagged says that
// a text could be taken for another one.
func (w *jsonWriter) raw(b []byte, tagged bool) any {
	s := w.charset.decode(b)
	if back, err := w.charset.encodeRaw(s); err != nil || !bytes.Equal(back, b) {
		if w.charset.table == nil && w.charset.multi == nil && !utf8.Valid(b) {
			return map[string]string{"8859/1": (&charset{known: true, table: charmap.ISO8859_1}).decode(b)}
		}
		return map[string]string{"base64": base64.StdEncoding.EncodeToString(b)}
	}
	if tagged {
		return map[string]string{"raw": s}
	}
	return s
}

// encodeRaw encodes what decode has read, also where nothing else would be written.
func (c *charset) encodeRaw(s string) ([]byte, error) {
	if c.table == nil && c.multi == nil {
		return []byte(s), nil
	}
	return (&charset{known: true, table: c.table, multi: c.multi, width: c.width}).encode(s, "")
}

// UnmarshalJSON reads what [Message.MarshalJSON] has written, or what somebody has written
// in that form. An error says which segment and field is wrong, and m is empty then.
func (m *Message) UnmarshalJSON(b []byte) error {
	*m = Message{}
	var in jsonMessage
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return fmt.Errorf("hl7: this is not the JSON form of a message: %w", err)
	}
	raw, err := in.encode()
	if err != nil {
		return fmt.Errorf("hl7: in the JSON form of a message: %w", err)
	}
	if err := m.Parse(raw); err != nil {
		return err
	}
	if in.CharacterSet != "" && !m.SetCharacterSet(in.CharacterSet) {
		*m = Message{}
		return errors.New("hl7: in the JSON form of a message: the character set is unknown")
	}
	return nil
}

func (in *jsonMessage) encode() ([]byte, error) {
	if len(in.Segments) == 0 {
		return nil, errors.New("there are no segments")
	}
	form, err := parseWide(in.Form)
	if err != nil {
		return nil, err
	}
	if strings.Trim(strings.TrimPrefix(in.Before, "\ufeff"), "\r\n") != "" {
		return nil, errors.New(`"before" may have a byte order mark and line ends alone`)
	}
	first := in.Segments[0].Fields
	if len(first) < 2 || in.Segments[0].Name != "MSH" {
		return nil, errors.New("the first segment must be MSH, with the delimiters in its fields 1 and 2")
	}
	separator, ok := first[0].(string)
	chars, okay := first[1].(string)
	if !ok || !okay {
		return nil, errors.New("fields 1 and 2 of MSH must be texts")
	}
	// MSH-18 says how everything is to be encoded; it is ASCII itself.
	w := jsonReader{charset: &charset{known: true}}
	if w.delims, _, err = readDelimiters([]byte("MSH"+separator+chars), 0); err != nil || len(separator) != 1 || len(chars) > 0 && w.delims.Component == 0 {
		return nil, errors.New("fields 1 and 2 of MSH are no delimiters")
	}
	if len(first) > 17 {
		named, err := w.value(nil, first[17], 1)
		if err != nil {
			return nil, fmt.Errorf("MSH-18: %w", err)
		}
		h, err := ParseHeader([]byte("MSH" + separator + chars + strings.Repeat(separator, 16) + string(named)))
		if err != nil {
			return nil, err
		}
		w.charset = h.charset()
	}
	switch {
	case form.size > 0:
		w.charset = &charset{known: true}
	case in.CharacterSet != "":
		c := charsetOf(in.CharacterSet)
		w.charset = &c
	}
	out := []byte(in.Before)
	for i, s := range in.Segments {
		if out, err = w.segment(out, s, i == len(in.Segments)-1); err != nil {
			return nil, fmt.Errorf("segment %d: %w", i+1, err)
		}
	}
	if form.size > 0 {
		return form.encode(nil, out), nil
	}
	return out, nil
}

type jsonReader struct {
	charset *charset
	delims  Delimiters
}

func (r *jsonReader) segment(out []byte, s jsonSegment, last bool) ([]byte, error) {
	name, err := r.rawOf(s.Name)
	if err != nil {
		return out, fmt.Errorf("the name: %w", err)
	}
	d := r.delims.Field
	if len(name) == 0 && len(s.Fields) == 0 || indexDelimiter(r.charset.cut(name, r.delims), d) >= 0 || bytes.ContainsAny(name, "\r\n") {
		return out, errors.New("the name is empty, or has a delimiter or line end")
	}
	out = append(out, name...)
	header := len(name) == 3 && segmentName(name).isHeader()
	for i, f := range s.Fields {
		switch {
		case header && i == 0:
			if f != string(d) {
				return out, errors.New("field 1 must be the field separator")
			}
			out = append(out, d)
			continue
		case header && i == 1:
			chars, err := r.rawOf(f)
			if err != nil || indexDelimiter(chars, d) >= 0 || bytes.ContainsAny(chars, "\r\n") {
				return out, errors.New("field 2 must be the encoding characters")
			}
			out = append(out, chars...)
			continue
		}
		out = append(out, d)
		if out, err = r.value(out, f, 1); err != nil {
			return out, fmt.Errorf("field %d: %w", i+1, err)
		}
	}
	end := "\r"
	if s.End != nil {
		if end = *s.End; strings.Trim(end, "\r\n") != "" || end == "" && !last {
			return out, errors.New(`"end" may have carriage returns and line feeds alone`)
		}
	}
	return append(out, end...), nil
}

func (r *jsonReader) value(out []byte, v any, level int) ([]byte, error) {
	list, ok := v.([]any)
	if !ok {
		return r.leaf(out, v)
	}
	d := r.delims.level(level)
	if level > 3 || d == 0 && len(list) > 1 {
		return out, errors.New("there are more arrays in each other than the delimiters have levels")
	}
	var err error
	for i, part := range list {
		if i > 0 {
			out = append(out, d)
		}
		if out, err = r.value(out, part, level+1); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (r *jsonReader) leaf(out []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(out, `""`...), nil
	case string:
		escaped, ok := appendEscaped(nil, v, r.delims, r.charset.sets != nil)
		if !ok {
			return out, errNoEscape
		}
		encoded, err := r.charset.encode(string(escaped), "")
		return append(out, encoded...), err
	}
	b, err := r.rawOf(v)
	if err != nil {
		return out, err
	}
	cut := r.charset.cut(b, r.delims)
	for _, c := range []byte{'\r', '\n', r.delims.Field, r.delims.Repetition, r.delims.Component, r.delims.Subcomponent} {
		if indexDelimiter(cut, c) >= 0 {
			return out, fmt.Errorf("a raw value has a %q inside", c)
		}
	}
	return append(out, b...), nil
}

// rawOf returns the bytes of a text, a {"raw"}, an {"8859/1"} or a {"base64"}.
func (r *jsonReader) rawOf(v any) ([]byte, error) {
	s, ok := v.(string)
	if o, object := v.(map[string]any); object && len(o) == 1 {
		if encoded, found := o["base64"].(string); found {
			b, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				return nil, errors.New("the base64 can't be read")
			}
			return b, nil
		}
		if latin, found := o["8859/1"].(string); found {
			b, err := (&charset{known: true, table: charmap.ISO8859_1}).encode(latin, "")
			if err != nil {
				return nil, errors.New("the 8859/1 has characters that are not in that set")
			}
			return b, nil
		}
		s, ok = o["raw"].(string)
	}
	if !ok {
		return nil, errors.New(`a value must be a text, null, an array, {"raw": ...}, {"8859/1": ...} or {"base64": ...}`)
	}
	return r.charset.encodeRaw(s)
}

// String returns the name of the form, or "".
func (w wide) String() string {
	if w.size == 0 {
		return ""
	}
	name := fmt.Sprintf("UTF-%d", 8*w.size)
	if w.little {
		name += "LE"
	} else {
		name += "BE"
	}
	if w.mark {
		name += "+BOM"
	}
	return name
}

func parseWide(name string) (wide, error) {
	for _, w := range []wide{{}, {2, true, true}, {2, true, false}, {2, false, true}, {2, false, false}, {4, true, true}, {4, true, false}, {4, false, true}, {4, false, false}} {
		if w.String() == name {
			return w, nil
		}
	}
	return wide{}, errors.New(`the "form" is unknown: it is UTF-16 or UTF-32, LE or BE, and +BOM, such as UTF-16LE+BOM`)
}
