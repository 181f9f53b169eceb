package hl7

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Unmarshal reads the message into the struct that v points to, by the tags of its
// fields:
//
//	type Result struct {
//		Patient  hl7.XPN   `hl7:"PID-5"`
//		IDs      []hl7.CX  `hl7:"PID-3"`   // all repetitions
//		Birthday time.Time `hl7:"PID-7"`
//		Orders   []struct {
//			Number       string `hl7:"3.1"`    // of the OBR
//			Observations []struct {
//				Code  hl7.CWE `hl7:"3"`        // of the OBX
//				Value string  `hl7:"5"`
//			} `hl7:"OBX"`                      // all behind this OBR
//		} `hl7:"OBR"`
//	}
//
// A tag is a path, and for a slice NTE[*]-3 is field 3 of all NTE and PID-3 all repetitions
// of one field. In the struct of a segment, a number stands for a field of it and a
// segment's name for one that follows, before the next of the outer one's name; in the
// struct of a field, a number stands for a component. A field may be a string, a number, a
// bool (Y or N, HL7 table 0136), a [time.Time], anything with UnmarshalText, a struct, a
// pointer to one of these, or a slice, for all repetitions or all segments. A field
// without a tag is left alone, but an embedded struct is read as if its fields were here.
//
// What is absent, empty or the HL7 null leaves a field as it is, a pointer nil. Of a value
// with components, anything but a string or a struct reads the first. The error joins
// those of all fields, each with its path and no content; the other fields were read.
func (m *Message) Unmarshal(v any) error {
	target, err := structOf(v)
	if err != nil {
		return err
	}
	s := scope{m: m, to: m.Len(), at: -1}
	return s.read(target)
}

// UnmarshalAt reads the one place at p, into what v points to: a struct of a segment or of
// a field, such as a [CX], or any other type that [Message.Unmarshal] knows for a field; a
// slice is for all repetitions, or all segments. It reports false when the place is absent
// or empty.
func (m *Message) UnmarshalAt(p Path, v any) (bool, error) {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return false, errors.New("hl7: a pointer is needed to read into")
	}
	if q := p; many(target.Type().Elem(), &q) {
		var places []int
		for at := range m.findAll(q) {
			places = append(places, at)
		}
		s := scope{m: m, to: m.Len(), at: -1}
		list, err := s.list(target.Type().Elem(), q, places)
		if list.Len() > 0 {
			target.Elem().Set(list)
		}
		return list.Len() > 0, err
	}
	at := m.Find(p)
	if at < 0 {
		return false, nil
	}
	found, ok := m.lookupIn(m.segment(at), p)
	if !ok || found.IsEmpty() {
		return false, nil
	}
	s := scope{m: m, from: at, to: m.Len(), at: at}
	return true, s.readValue(target.Elem(), at, m.fixed(p), found)
}

// Marshal writes the struct v, or the one that it points to, into the message, by the
// tags that [Message.Unmarshal] reads. What is missing on the way is added, segments at
// the end of the message or of what belongs to the outer one. A field with its zero value
// writes nothing, so a struct that was read and is written again changes what it knows and
// leaves the rest of the message as it stands; to write N or 0, use a pointer. After an
// error a part may have been written.
func (m *Message) Marshal(v any) error {
	source := reflect.Indirect(reflect.ValueOf(v))
	if source.Kind() != reflect.Struct {
		return errors.New("hl7: a struct is needed to write from")
	}
	s := scope{m: m, to: m.Len(), at: -1}
	return s.write(source)
}

// MarshalAt writes v, a struct such as a [CX] or any other type that [Message.Marshal]
// knows for a field, to the one place at p. The elements of a slice are written to the
// repetitions of p's field, from the first on.
func (m *Message) MarshalAt(p Path, v any) error {
	source := reflect.ValueOf(v)
	if !source.IsValid() || source.Kind() == reflect.Pointer && source.IsNil() {
		return errors.New("hl7: there is nothing to write")
	}
	if p.field == 0 || p.Many() {
		return fmt.Errorf("hl7: %v: a value is written to one field", p)
	}
	p = m.fixed(p)
	if m.Find(p) < 0 {
		// The segment comes with the first of its values.
		if err := m.set(p, nil, replace); err != nil {
			return err
		}
	}
	at := m.Find(p)
	s := scope{m: m, from: at, to: m.Len(), at: at}
	source = reflect.Indirect(source)
	if q := p; source.IsValid() && many(source.Type(), &q) && q.repetition == every && !writesText(source.Type()) {
		for i := range source.Len() {
			q.repetition = i + 1
			if err := s.writePlace(source.Index(i), at, q); err != nil {
				return err
			}
		}
		return nil
	}
	return s.writePlace(source, at, p)
}

func structOf(v any) (reflect.Value, error) {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		return reflect.Value{}, errors.New("hl7: a pointer to a struct is needed to read into")
	}
	return target.Elem(), nil
}

// A scope is what the tags of a struct refer to.
type scope struct {
	m        *Message
	from, to int   // the segments that names are looked for in
	at       int   // the segment that numbers are fields of, or -1
	in       Path  // the place that numbers are parts of, when its field isn't 0
	value    Value // that stands there, when it is read
	depth    int   // of structs in structs
}

// maxStructs bounds structs in structs: pointers may go round in a circle.
const maxStructs = 16

var errDeep = fmt.Errorf("hl7: there are more than %d structs in each other", maxStructs)

// path reads a tag. For a path inside of the scope's own segment, own is true.
func (s *scope) path(tag string) (p Path, own bool, err error) {
	if tag == "" || tag[0] < '0' || tag[0] > '9' {
		p, err = ParsePath(tag)
		if err == nil && p.parent.name != none {
			err = fmt.Errorf("hl7: the tag %q has a group: put the struct of the segments into that of the group", tag)
		}
		return p, false, err
	}
	switch {
	case s.at < 0:
		return p, false, fmt.Errorf("hl7: the tag %q is a number, and there is no segment that it could be a field of", tag)
	case s.in.field == 0:
		if p, err = ParsePath("ZZZ-" + tag); err != nil {
			return p, false, fmt.Errorf("hl7: the tag %q is no field of a segment", tag)
		}
		p.segment = place{name: s.m.Segment(s.at).named()}
		return p, true, nil
	}
	p = s.in
	for part := range strings.SplitSeq(tag, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > maxField || p.subcomponent > 0 {
			return p, false, fmt.Errorf("hl7: the tag %q is no part of %v", tag, s.in)
		}
		if p.component == 0 {
			p.component = n
		} else {
			p.subcomponent = n
		}
	}
	return p, true, nil
}

// each calls do with every field of v that has a tag.
func (s *scope) each(v reflect.Value, do func(f reflect.Value, p Path, own bool) error) error {
	if s.depth > maxStructs {
		return errDeep
	}
	var errs []error
	for i := range v.NumField() {
		f, field := v.Field(i), v.Type().Field(i)
		tag, ok := field.Tag.Lookup("hl7")
		switch {
		case !ok && field.Anonymous && f.Kind() == reflect.Struct:
			if err := s.each(f, do); err != nil {
				errs = append(errs, err)
			}
			continue
		case !ok || tag == "-":
			continue
		case !field.IsExported():
			return fmt.Errorf("hl7: the field %s has a tag and is not exported", field.Name)
		}
		p, own, err := s.path(tag)
		if err != nil {
			return err
		}
		if err := do(f, p, own); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// inner returns the scope of the segment at a place, with what follows up to the next of
// its name.
func (s *scope) inner(at int) scope {
	in := scope{m: s.m, from: at + 1, to: s.to, at: at, depth: s.depth + 1}
	if next, _ := s.m.find(place{name: s.m.Segment(at).named()}, at+1, s.to); next >= 0 {
		in.to = next
	}
	return in
}

// many reports whether a Go field is for all places of a path, and makes the path so.
func many(t reflect.Type, p *Path) bool {
	if t.Kind() != reflect.Slice || isText(t) || t.Elem().Kind() == reflect.Uint8 {
		return false
	}
	switch {
	case p.field == 0:
		p.segment.n = every
	case p.segment.n != every:
		p.repetition = every
	}
	return true
}

func (s *scope) read(v reflect.Value) error {
	return s.each(v, func(f reflect.Value, p Path, own bool) error {
		all := many(f.Type(), &p)
		if !all && p.Many() {
			return fmt.Errorf("hl7: %v is many places, and the field is for one", p)
		}
		places := []int{s.at}
		if !own {
			places = nil
			for found := range s.m.matches(p.segment, s.from, s.to) {
				places = append(places, found.at)
			}
		}
		if all {
			list, err := s.list(f.Type(), p, places)
			if list.Len() > 0 {
				f.Set(list)
			}
			return err
		}
		if len(places) == 0 {
			return nil
		}
		at := places[0]
		if own && s.in.field > 0 {
			return s.readValue(f, at, p, s.part(p))
		}
		v, _ := s.m.lookupIn(s.m.segment(at), p)
		return s.readValue(f, at, p, v)
	})
}

// list reads all that stands at p in the segments at some places into a slice.
func (s *scope) list(t reflect.Type, p Path, places []int) (reflect.Value, error) {
	var errs []error
	list := reflect.MakeSlice(t, 0, len(places))
	add := func(at int, q Path, v Value) {
		element := reflect.New(t.Elem()).Elem()
		if err := s.readValue(element, at, q, v); err != nil {
			errs = append(errs, err)
		}
		list = reflect.Append(list, element)
	}
	for _, at := range places {
		if p.repetition != every {
			v, _ := s.m.lookupIn(s.m.segment(at), p)
			add(at, p, v)
			continue
		}
		whole, ok := s.m.Segment(at).Field(p.field)
		if !ok || whole.IsEmpty() {
			continue
		}
		var outer scope
		for n, v := range whole.Repetitions() {
			q := p
			if q.repetition, outer.value = n, v; p.component > 0 {
				v = outer.part(p)
			}
			add(at, q, v)
		}
	}
	return list, errors.Join(errs...)
}

// part returns what stands at p, which is a part of the scope's own place.
func (s *scope) part(p Path) Value {
	v, ok := s.value, true
	if s.in.component == 0 {
		v, ok = v.Component(p.component)
	}
	if ok && p.subcomponent > 0 {
		v, ok = v.Subcomponent(p.subcomponent)
	}
	if !ok {
		return Value{}
	}
	return v
}

// readValue reads a value that stands in the segment at a place.
func (s *scope) readValue(f reflect.Value, at int, p Path, v Value) error {
	if v.IsEmpty() || v.IsNull() {
		return nil
	}
	if f.Kind() == reflect.Pointer && !isText(f.Type()) {
		pointed := reflect.New(f.Type().Elem())
		err := s.readValue(pointed.Elem(), at, p, v)
		f.Set(pointed)
		return err
	}
	if f.Kind() == reflect.Struct && !isText(f.Type()) && f.Type() != reflect.TypeFor[time.Time]() {
		in := s.inner(at)
		in.in, in.value = p, v
		return in.read(f)
	}
	if f.Kind() != reflect.String && p.field > 0 {
		v, _ = v.Component(1)
		v, _ = v.Subcomponent(1)
	}
	if err := setText(f, v.Text()); err != nil {
		return fmt.Errorf("hl7: %v: %w", p, err)
	}
	return nil
}

// isText reports whether a type reads and writes itself.
func isText(t reflect.Type) bool {
	return t != reflect.TypeFor[time.Time]() && t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// writesText reports whether a type, or a pointer to it, writes itself.
func writesText(t reflect.Type) bool {
	return t != reflect.TypeFor[time.Time]() && t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// A valueError stands for an error whose text may have content of a message.
type valueError struct {
	what string
	err  error
}

func (e *valueError) Error() string { return "the value is no " + e.what }
func (e *valueError) Unwrap() error { return e.err }

func setText(f reflect.Value, text string) error {
	if isText(f.Type()) {
		if err := f.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
			if f.Type().PkgPath() == reflect.TypeFor[DTM]().PkgPath() {
				return err // our own have no content in their texts
			}
			return &valueError{f.Type().String(), err}
		}
		return nil
	}
	if f.Type() == reflect.TypeFor[time.Time]() {
		var d DTM
		if err := d.UnmarshalText([]byte(text)); err != nil {
			return err
		}
		f.Set(reflect.ValueOf(d.Time))
		return nil
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(text)
	case reflect.Bool:
		if text != "Y" && text != "N" {
			return &valueError{"Y or N", nil}
		}
		f.SetBool(text == "Y")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := NM(text).Int64()
		if err != nil || f.OverflowInt(n) {
			return &valueError{"whole number that fits", err}
		}
		f.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := NM(text).Rat()
		if err != nil || !n.IsInt() || !n.Num().IsUint64() || f.OverflowUint(n.Num().Uint64()) {
			return &valueError{"whole number that fits", err}
		}
		f.SetUint(n.Num().Uint64())
	case reflect.Float32, reflect.Float64:
		n, err := NM(text).Float64()
		if err != nil || f.OverflowFloat(n) {
			return &valueError{"number that fits", err}
		}
		f.SetFloat(n)
	default:
		return fmt.Errorf("a field of type %v can't be read", f.Type())
	}
	return nil
}

func (s *scope) write(v reflect.Value) error {
	return s.each(v, func(f reflect.Value, p Path, own bool) error {
		if f.IsZero() {
			return nil
		}
		all := many(f.Type(), &p)
		if !all && p.Many() {
			return fmt.Errorf("hl7: %v is many places, and the field is for one", p)
		}
		n := 1
		if all {
			n = f.Len()
		}
		for i := range n {
			element, q := f, p
			if all {
				element = f.Index(i)
				if q.repetition == every {
					q.repetition = i + 1
				} else {
					q.segment.n = i + 1
				}
			}
			at := s.at
			if !own {
				var err error
				if at, err = s.segment(q); err != nil {
					return err
				}
			}
			before := s.m.Len()
			if err := s.writePlace(element, at, q); err != nil {
				return err
			}
			s.to += s.m.Len() - before
		}
		return nil
	})
}

// segment returns the place of the segment that p names in the scope, and adds it where
// it is missing.
func (s *scope) segment(p Path) (int, error) {
	at, seen := s.m.find(p.segment, s.from, s.to)
	if at >= 0 {
		return at, nil
	}
	if p.segment.n > 0 && seen+1 < p.segment.n || p.segment.n == last && seen > 0 {
		return 0, fmt.Errorf("hl7: %v: there are only %d segments of that name", p, seen)
	}
	if at = s.to; s.at >= 0 {
		at = s.m.groupEnd(s.at, s.to)
	}
	s.m.insertSegment(at, []byte(p.segment.name.String()))
	s.to++
	return at, nil
}

// writePlace writes to one place of the segment at a place.
func (s *scope) writePlace(f reflect.Value, at int, p Path) error {
	for f.Kind() == reflect.Pointer {
		if f.IsNil() {
			return nil
		}
		f = f.Elem()
	}
	if f.Kind() == reflect.Struct && !isText(f.Type()) && !writesText(f.Type()) && f.Type() != reflect.TypeFor[time.Time]() {
		in := s.inner(at)
		in.in = p
		return in.write(f)
	}
	text, err := textOf(f)
	if err != nil {
		return fmt.Errorf("hl7: %v: %w", p, err)
	}
	if t, ok := f.Interface().(time.Time); ok && s.reads(at, p, t) {
		return nil // a date stays one: it isn't told to the second that nobody has told
	}
	switch {
	case p.field == 0:
		return fmt.Errorf("hl7: %v is a segment: only a struct can be written to it", p)
	case p.field <= 2 && p.segment.name.isHeader():
		return nil // the message has its delimiters
	}
	value, err := s.m.encoded(p, text)
	if err != nil {
		return err
	}
	return s.m.setIn(at, p, value, replace)
}

// reads reports whether a place reads as a time already.
func (s *scope) reads(at int, p Path, t time.Time) bool {
	v, ok := s.m.lookupIn(s.m.segment(at), p)
	if !ok {
		return false
	}
	v, _ = v.Component(1)
	var d DTM
	return d.UnmarshalText([]byte(v.Text())) == nil && d.Time.Equal(t)
}

// textOf returns a value as HL7 writes it.
func textOf(f reflect.Value) (string, error) {
	if writesText(f.Type()) {
		m, ok := f.Interface().(encoding.TextMarshaler)
		if !ok {
			pointed := reflect.New(f.Type())
			pointed.Elem().Set(f)
			m = pointed.Interface().(encoding.TextMarshaler)
		}
		text, err := m.MarshalText()
		if err != nil {
			return "", &valueError{f.Type().String(), err}
		}
		return string(text), nil
	}
	switch v := f.Interface().(type) {
	case time.Time:
		if v.IsZero() {
			return "", nil
		}
		return NewDTM(v).String(), nil
	}
	switch f.Kind() {
	case reflect.String:
		return f.String(), nil
	case reflect.Bool:
		if f.Bool() {
			return "Y", nil
		}
		return "N", nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(f.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(f.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(f.Float(), 'f', -1, f.Type().Bits()), nil
	}
	return "", fmt.Errorf("a field of type %v can't be written", f.Type())
}
