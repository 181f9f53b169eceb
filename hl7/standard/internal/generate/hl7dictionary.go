package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// usages are the numbers that hl7-dictionary has for optionality. Its README counts from 0, its
// data from 1; that these four are meant shows in hl7v2-dictionary, which has the letters.
const usages = " ORCB"

// readHL7Dictionary reads the unpacked npm package hl7-dictionary.
func readHL7Dictionary(dir string) (*description, error) {
	d := &description{versions: map[string]*version{}, tables: map[string]*table{}}
	entries, err := os.ReadDir(filepath.Join(dir, "lib"))
	if err != nil {
		return nil, fmt.Errorf("hl7-dictionary: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		v, err := readHL7DictionaryVersion(filepath.Join(dir, "lib", e.Name()), e.Name())
		if err != nil {
			return nil, fmt.Errorf("hl7-dictionary, version %s: %w", e.Name(), err)
		}
		d.versions[v.id] = v
	}
	tables, err := readAssigned(filepath.Join(dir, "lib", "tables.js"))
	if err != nil {
		return nil, fmt.Errorf("hl7-dictionary: %w", err)
	}
	for _, key := range tables.keys {
		o := tables.object(key)
		t := &table{id: tableID(key), text: o.text("desc")}
		values := o.object("values")
		for _, code := range slices.Sorted(maps.Keys(values.values)) {
			t.codes = append(t.codes, [2]string{strings.Join(strings.Fields(code), " "), values.text(code)})
		}
		d.tables[t.id] = t
	}
	return d, nil
}

// readAssigned reads the object literal that the first statement of a file assigns.
func readAssigned(file string) (*object, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	at := strings.IndexByte(string(src), '{')
	if at < 0 {
		return nil, fmt.Errorf("%s: no object in it", file)
	}
	v, _, err := readLiteral(string(src), at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return v.(*object), nil
}

func readHL7DictionaryVersion(dir, id string) (*version, error) {
	v := &version{id: id, segments: map[string]*segment{}, types: map[string]*dataType{}, structures: map[string]*structure{}}
	fields, err := readAssigned(filepath.Join(dir, "fields.js"))
	if err != nil {
		return nil, err
	}
	segments, err := readAssigned(filepath.Join(dir, "segments.js"))
	if err != nil {
		return nil, err
	}
	messages, err := readAssigned(filepath.Join(dir, "messages.js"))
	if err != nil {
		return nil, err
	}
	for _, key := range fields.keys {
		o := fields.object(key)
		t := &dataType{name: key, text: o.text("desc")}
		if t.components, err = hl7DictionaryFields(o.list("subfields")); err != nil {
			return nil, fmt.Errorf("data type %s: %w", key, err)
		}
		v.types[key] = t
	}
	for _, key := range segments.keys {
		o := segments.object(key)
		s := &segment{name: key, text: o.text("desc")}
		if s.fields, err = hl7DictionaryFields(o.list("fields")); err != nil {
			return nil, fmt.Errorf("segment %s: %w", key, err)
		}
		v.segments[key] = s
	}
	for _, key := range messages.keys {
		o := messages.object(key)
		s := &structure{name: key, text: o.text("desc")}
		if s.nodes, err = hl7DictionaryNodes(o.object("segments").list("segments")); err != nil {
			return nil, fmt.Errorf("message %s: %w", key, err)
		}
		v.structures[key] = s
	}
	return v, nil
}

func hl7DictionaryFields(list []any) ([]field, error) {
	var fields []field
	for i, item := range list {
		o, ok := item.(*object)
		if !ok {
			return nil, fmt.Errorf("field %d isn't an object", i+1)
		}
		f := field{name: o.text("desc"), typ: o.text("datatype")}
		opt, _ := o.number("opt")
		if opt < 1 || opt >= len(usages) {
			return nil, fmt.Errorf("field %d has the unknown optionality %d", i+1, opt)
		}
		f.usage = usages[opt]
		if f.repeat, ok = o.number("rep"); !ok {
			return nil, fmt.Errorf("field %d has no repetition", i+1)
		}
		f.length, _ = o.number("len")
		if n, ok := o.number("table"); ok {
			f.table = tableID(fmt.Sprint(n))
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func hl7DictionaryNodes(list []any) ([]node, error) {
	var nodes []node
	for i, item := range list {
		o, ok := item.(*object)
		if !ok {
			return nil, fmt.Errorf("item %d of a group isn't an object", i+1)
		}
		n := node{name: o.text("name"), kind: 'S'}
		n.min, _ = o.number("min")
		n.max, _ = o.number("max")
		var err error
		switch {
		case o.get("children") != nil:
			n.kind = 'G'
			n.nodes, err = hl7DictionaryNodes(o.list("children"))
		case o.get("compounds") != nil:
			n.kind = 'C'
			n.nodes, err = hl7DictionaryNodes(o.list("compounds"))
		}
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// tableID writes a table's number the way the standard does, in four digits.
func tableID(number string) string {
	return strings.Repeat("0", max(0, 4-len(number))) + number
}
