package v2xml

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/standard"
)

const namespace = "urn:hl7-org:v2xml"

// Marshal returns the message in XML, in UTF-8, a line for each segment. The root is named
// by the message's structure, as MSH-9 has it; where that is unknown, the segments stand
// in the root without groups. A segment that has no name, such as a text that a line end
// has torn off, and the headers and ends of batches are errors.
func Marshal(m *hl7.Message) ([]byte, error) {
	d, _ := standard.Version(m.Header().Version())
	w := writer{m: m, dictionary: d}
	for i, s := range m.Segments() {
		if _, err := hl7.ParsePath(s.Name()); err != nil || len(s.Name()) != 3 {
			return nil, fmt.Errorf("v2xml: segment %d has no name", i+1)
		}
		if i > 0 && endsMessage(s.Name()) {
			return nil, fmt.Errorf("v2xml: segment %d is another header, or the end of a batch: a batch is written message by message", i+1)
		}
	}
	group, ok := d.Group(m)
	if !ok {
		group = &standard.Group{Name: rootName(m.Header())}
		for i, s := range m.Segments() {
			group.Items = append(group.Items, standard.Item{Segment: s.Name(), Index: i})
		}
	}
	w.out.WriteString(xml.Header)
	w.root = group.Name
	w.group(group, w.root, ` xmlns="`+namespace+`"`)
	return w.out.Bytes(), nil
}

// endsMessage reports whether a segment of that name begins something else, or ends what a
// message is in.
func endsMessage(name string) bool {
	switch name {
	case "MSH", "FHS", "BHS", "BTS", "FTS":
		return true
	}
	return false
}

// rootName names the root of a message whose structure isn't known.
func rootName(h *hl7.Header) string {
	name := h.MessageCode()
	if event := h.TriggerEvent(); event != "" {
		name += "_" + event
	}
	for i, c := range name {
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_')) {
			name = ""
			break
		}
	}
	if name == "" {
		return "MESSAGE"
	}
	return name
}

type writer struct {
	out        bytes.Buffer
	m          *hl7.Message
	dictionary *standard.Dictionary
	root       string
}

func (w *writer) group(g *standard.Group, name, attributes string) {
	w.out.WriteString("<" + name + attributes + ">\n")
	for _, item := range g.Items {
		if item.Group != nil {
			w.group(item.Group, w.root+"."+item.Group.Name, "")
		} else {
			w.segment(w.m.Segment(item.Index))
		}
	}
	w.out.WriteString("</" + name + ">\n")
}

func (w *writer) segment(s hl7.Segment) {
	name := s.Name()
	w.out.WriteString("<" + name + ">")
	variable := ""
	for n, field := range s.Fields() {
		if field.IsEmpty() {
			continue
		}
		f, _ := w.dictionary.Field(name, n)
		typ := f.Type
		if name == "OBX" && n == 2 {
			variable = field.Text()
		}
		if name == "OBX" && n == 5 {
			typ = variable
		}
		element := name + "." + strconv.Itoa(n)
		for _, v := range field.Repetitions() {
			w.value(element, typ, v, 1)
		}
	}
	w.out.WriteString("</" + name + ">\n")
}

// value writes a repetition (level 1), a component (2) or a subcomponent (3).
func (w *writer) value(element, typ string, v hl7.Value, level int) {
	if v.IsEmpty() {
		w.out.WriteString("<" + element + "/>")
		return
	}
	w.out.WriteString("<" + element + ">")
	parts := v.Components()
	if level == 2 {
		parts = v.Subcomponents()
	}
	t, known := w.dictionary.DataType(typ)
	composite := known && t.Len() > 0
	if level > 2 || !composite && !hasParts(v, level) || v.IsNull() {
		w.text(v)
	} else {
		if !validType(typ) {
			typ = element // a number behind the field's own name says which part it is
		}
		for n, part := range parts {
			if part.IsEmpty() {
				continue
			}
			inner := ""
			if f, ok := t.Component(n); ok {
				inner = f.Type
			}
			w.value(typ+"."+strconv.Itoa(n), inner, part, level+1)
		}
	}
	w.out.WriteString("</" + element + ">")
}

// hasParts reports whether a value has delimiters inside.
func hasParts(v hl7.Value, level int) bool {
	_, components := v.Component(2)
	_, subcomponents := v.Subcomponent(2)
	return components && level == 1 || subcomponents
}

// validType reports whether a type's name, which may come from OBX-2, can be an element's.
func validType(name string) bool {
	return len(name) >= 2 && len(name) <= 3 && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" || name == "TS" || name == "varies"
}

func (w *writer) text(v hl7.Value) {
	if v.IsNull() {
		w.out.WriteString(`""`)
		return
	}
	if v.Text() == `""` {
		w.out.WriteByte('"') // is no null
		w.escape("X22")
		return
	}
	for piece := range v.Pieces() {
		if piece.Sequence != "" {
			w.escape(piece.Sequence)
			continue
		}
		begin := 0
		for i, c := range piece.Text {
			if inXML(c) {
				continue
			}
			w.plain(piece.Text[begin:i])
			w.escape(fmt.Sprintf("X%02X", string(c)))
			begin = i + utf8.RuneLen(c)
		}
		w.plain(piece.Text[begin:])
	}
}

func (w *writer) plain(text string) {
	// A buffer takes everything.
	_ = xml.EscapeText(&w.out, []byte(text))
}

// escape writes what is no text, as the standard does.
func (w *writer) escape(sequence string) {
	w.out.WriteString(`<escape V="`)
	w.plain(sequence)
	w.out.WriteString(`"/>`)
}

// inXML reports whether a character can stand in XML 1.0.
func inXML(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c != 0xfffe && c != 0xffff
}
