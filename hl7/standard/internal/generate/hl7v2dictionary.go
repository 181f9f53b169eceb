package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// readHL7V2Dictionary reads the unpacked npm package hl7v2-dictionary. All of it is one
// minified file: each segment, data type and message is a variable, three lists of them make a
// version, and each version is laid over the one before. Only the structure of a message is
// complete in itself.
func readHL7V2Dictionary(dir string) (*description, error) {
	src, err := os.ReadFile(filepath.Join(dir, "index.js"))
	if err != nil {
		return nil, fmt.Errorf("hl7v2-dictionary: %w", err)
	}
	d, err := parseHL7V2Dictionary(string(src))
	if err != nil {
		return nil, fmt.Errorf("hl7v2-dictionary: %w", err)
	}
	return d, nil
}

var (
	variablePattern = regexp.MustCompile(`\b(?:var |,)([\w$]+)=\{(?:desc|fields):?`)
	exportPattern   = regexp.MustCompile(`\bz\(([\w$]+),\{`)
	versionPattern  = regexp.MustCompile(`([\w$]+)=(?:new [\w$]+|([\w$]+)\.extend)\(\{version:\w+\.v\d`)
	aliasPattern    = regexp.MustCompile(`(?:var |,)([\w$]+)=([\w$]+);`)
)

func parseHL7V2Dictionary(src string) (*description, error) {
	variables := map[string]*object{}
	for _, m := range variablePattern.FindAllStringSubmatchIndex(src, -1) {
		open := strings.IndexByte(src[m[3]:], '{') + m[3]
		v, _, err := readLiteral(src, open)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", src[m[2]:m[3]], err)
		}
		variables[src[m[2]:m[3]]] = v.(*object)
	}
	lists := map[string]*object{}
	for _, m := range exportPattern.FindAllStringSubmatchIndex(src, -1) {
		v, _, err := readLiteral(src, m[1]-1)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", src[m[2]:m[3]], err)
		}
		lists[src[m[2]:m[3]]] = v.(*object)
	}
	d := &description{versions: map[string]*version{}}
	made := map[string]*version{} // by variable
	aliases := map[string]string{}
	for _, m := range aliasPattern.FindAllStringSubmatch(src, -1) {
		aliases[m[1]] = m[2]
	}
	for _, m := range versionPattern.FindAllStringSubmatchIndex(src, -1) {
		open := strings.IndexByte(src[m[3]:], '{') + m[3]
		value, _, err := readLiteral(src, open)
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", src[m[2]:m[3]], err)
		}
		args := value.(*object)
		label, _ := args.get("version").(name)
		_, id, _ := strings.Cut(string(label), ".v")
		v := &version{id: strings.ReplaceAll(id, "_", "."), segments: map[string]*segment{}, types: map[string]*dataType{}, structures: map[string]*structure{}}
		if m[4] >= 0 {
			base, err := resolve(made, aliases, src[m[4]:m[5]])
			if err != nil {
				return nil, fmt.Errorf("version %s: %w", v.id, err)
			}
			inherit(v, base)
		}
		if err := overlay(v, args, lists, variables); err != nil {
			return nil, fmt.Errorf("version %s: %w", v.id, err)
		}
		made[src[m[2]:m[3]]] = v
		d.versions[v.id] = v
	}
	if len(d.versions) == 0 {
		return nil, fmt.Errorf("no version in it: is this hl7v2-dictionary 1.8.0?")
	}
	return d, nil
}

// resolve follows the minifier's chain of variables from one that a version extends to the one
// that the version before was given to.
func resolve(made map[string]*version, aliases map[string]string, variable string) (*version, error) {
	for next := variable; next != ""; next = aliases[next] {
		if v := made[next]; v != nil {
			return v, nil
		}
	}
	return nil, fmt.Errorf("it extends %s, which isn't known", variable)
}

func inherit(v, base *version) {
	for k, s := range base.segments {
		c := *s
		c.fields = append([]field(nil), s.fields...)
		v.segments[k] = &c
	}
	for k, t := range base.types {
		c := *t
		c.components = append([]field(nil), t.components...)
		v.types[k] = &c
	}
	for k, s := range base.structures {
		v.structures[k] = s
	}
}

func overlay(v *version, args *object, lists, variables map[string]*object) error {
	each := func(member string, add func(key string, o *object) error) error {
		ref, ok := args.get(member).(name)
		if !ok {
			return nil
		}
		list := lists[string(ref)]
		if list == nil {
			return fmt.Errorf("%s %s aren't known", member, ref)
		}
		for _, key := range list.keys {
			ref, _ := list.get(key).(name)
			o := variables[string(ref)]
			if o == nil {
				return fmt.Errorf("%s: %s (%s) isn't known", member, key, ref)
			}
			if err := add(key, o); err != nil {
				return fmt.Errorf("%s: %s: %w", member, key, err)
			}
		}
		return nil
	}
	if err := each("segments", func(key string, o *object) error {
		s := v.segments[key]
		if s == nil {
			s = &segment{name: key}
			v.segments[key] = s
		}
		if text := o.text("desc"); text != "" {
			s.text = text
		}
		return overlayFields(&s.fields, o.object("fields"))
	}); err != nil {
		return err
	}
	if err := each("types", func(key string, o *object) error {
		t := v.types[key]
		if t == nil {
			t = &dataType{name: key}
			v.types[key] = t
		}
		if text := o.text("desc"); text != "" {
			t.text = text
		}
		return overlayFields(&t.components, o.object("fields"))
	}); err != nil {
		return err
	}
	if args.get("messages") != nil {
		v.structures = map[string]*structure{}
	}
	return each("messages", func(key string, o *object) error {
		s := &structure{name: key, text: o.text("desc"), nodes: hl7V2DictionaryNodes(o.object("segments"))}
		v.structures[key] = s
		return nil
	})
}

func overlayFields(fields *[]field, o *object) error {
	if o == nil {
		return nil
	}
	for _, key := range o.keys {
		n, err := strconv.Atoi(key)
		if err != nil || n < 1 || n > 1000 {
			return fmt.Errorf("%q isn't a field's number", key)
		}
		for len(*fields) < n {
			*fields = append(*fields, field{})
		}
		f, m := &(*fields)[n-1], o.object(key)
		if text := m.text("desc"); text != "" {
			f.name = text
		}
		if typ := m.text("type"); typ != "" {
			f.typ = typ
		}
		if opt := m.text("opt"); opt != "" {
			f.usage = opt[0]
		}
		if rep, ok := m.number("rep"); ok {
			f.repeat = rep
		} else if m.text("rep") == "infinite" {
			f.repeat = 0
		}
		if length, ok := m.number("len"); ok {
			f.length = length
		}
		if table, ok := m.number("table"); ok {
			f.table = tableID(strconv.Itoa(table))
		}
	}
	return nil
}

func hl7V2DictionaryNodes(o *object) []node {
	if o == nil {
		return nil
	}
	var nodes []node
	for _, key := range o.keys {
		m := o.object(key)
		n := node{name: key, kind: 'S'}
		n.min, _ = m.number("min")
		n.max, _ = m.number("max")
		if m.get("segments") != nil {
			n.kind, n.nodes = 'G', hl7V2DictionaryNodes(m.object("segments"))
		}
		nodes = append(nodes, n)
	}
	return nodes
}
