package engine

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Bounds of what a workflow file may ask of the decoder.
const (
	maxDepth  = 100
	maxValues = 1_000_000 // aliases can multiply a small file
	maxSecret = 64 * KiB  // of a ${file:...}
)

// A decoder fills Go values from YAML nodes, strictly, and collects every mistake
// with its place. yaml's own Decode stops being strict at a node, has no columns,
// and knows nothing of registered types.
type decoder struct {
	registry *Registry
	dir      string // relative paths are relative to it
	depth    int
	values   int
	given    bool // up: the file asks for too much
	errs     []nodeError
}

type nodeError struct {
	node *yaml.Node
	err  error
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, nodeError{n, fmt.Errorf(format, args...)})
}

// joined returns the mistakes in the order of the file, or nil.
func (d *decoder) joined(file string) error {
	slices.SortStableFunc(d.errs, func(a, b nodeError) int {
		if a.node.Line != b.node.Line {
			return a.node.Line - b.node.Line
		}
		return a.node.Column - b.node.Column
	})
	errs := make([]error, len(d.errs))
	for i, e := range d.errs {
		errs[i] = &ConfigError{File: file, Line: e.node.Line, Column: e.node.Column, Err: e.err}
	}
	return errors.Join(errs...)
}

func valueOf(p any) reflect.Value { return reflect.ValueOf(p).Elem() }

// decode fills v, which is addressable, from n. isPath says that a text value names
// a file.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, isPath bool) {
	if !d.enter(n) {
		return
	}
	defer d.leave()
	n = resolve(n)
	if kind := d.registry.kind(v.Type()); kind != "" {
		d.decodeTyped(n, v, kind)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, v.Elem(), isPath)
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		d.fail(n, "a value is missing: give one, or leave the key out")
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok && n.Kind == yaml.ScalarNode {
		if text, ok := d.scalar(n); ok {
			if err := u.UnmarshalText([]byte(text)); err != nil {
				d.fail(n, "%w", err)
			}
			if isPath && v.Kind() == reflect.String {
				v.SetString(d.path(v.String()))
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.decodeStruct(n, v)
	case reflect.Slice:
		d.decodeList(n, v, isPath)
	case reflect.Map:
		d.decodeMap(n, v)
	default:
		d.decodeScalar(n, v, isPath)
	}
}

// enter counts one more value that is being read, and reports false, once with an error,
// when there are too many, inside of each other or in all.
func (d *decoder) enter(n *yaml.Node) bool {
	d.values++
	if d.depth < maxDepth && d.values <= maxValues {
		d.depth++
		return true
	}
	if !d.given {
		d.fail(n, "the file is nested too deeply, or its aliases repeat too much")
	}
	d.given, d.values = true, maxValues // nothing more is read
	return false
}

func (d *decoder) leave() { d.depth-- }

func (d *decoder) decodeScalar(n *yaml.Node, v reflect.Value, isPath bool) {
	text, ok := d.scalar(n)
	if !ok {
		return
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		t, err := time.ParseDuration(text)
		switch {
		case err != nil && isNumber(text):
			d.fail(n, "%s is a time without a unit: write %ss or %sm", text, text, text)
		case err != nil:
			d.fail(n, "%q is no time: write for example 30s or 5m", text)
		}
		v.SetInt(int64(t))
		return
	}
	switch v.Kind() {
	case reflect.String:
		if isPath {
			text = d.path(text)
		}
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil || len(text) < 4 {
			d.fail(n, "%q is neither true nor false", text)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			d.fail(n, "%q is no whole number", text)
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			d.fail(n, "%q is no whole number from 0 up", text)
		}
		v.SetUint(i)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil {
			d.fail(n, "%q is no number", text)
		}
		v.SetFloat(f)
	default:
		d.fail(n, "a setting of Go type %v can't be written in a file", v.Type())
	}
}

// path makes a relative path relative to the workflow file.
func (d *decoder) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.dir, name)
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func (d *decoder) decodeList(n *yaml.Node, v reflect.Value, isPath bool) {
	items := n.Content
	if n.Kind != yaml.SequenceNode {
		items = []*yaml.Node{n} // one value stands for a list of one
	}
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		d.decode(item, list.Index(i), isPath)
	}
	v.Set(list)
}

func (d *decoder) decodeMap(n *yaml.Node, v reflect.Value) {
	if v.Type().Key().Kind() != reflect.String {
		d.fail(n, "a setting of Go type %v can't be written in a file", v.Type())
		return
	}
	m := reflect.MakeMap(v.Type())
	for key, value := range d.pairs(n) {
		e := reflect.New(v.Type().Elem()).Elem()
		d.decode(value, e, false)
		m.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), e)
	}
	v.Set(m)
}

// decodeStruct fills the fields of v by the keys of n.
func (d *decoder) decodeStruct(n *yaml.Node, v reflect.Value) {
	fields, inline, optional := fieldsOf(v)
	var types map[string]reflect.Type // what an inlined interface can be
	if inline.IsValid() {
		types = d.registry.types[inline.Type()]
	}
	var typedKey *yaml.Node
	for key, value := range d.pairs(n) {
		if f, ok := fields[key.Value]; ok {
			d.decode(value, f.value, f.isPath)
			continue
		}
		t := types[key.Value]
		switch {
		case t == nil:
			d.unknownKey(key, fields, types)
		case typedKey != nil:
			d.fail(key, "%s and %s in one place: write a list item for each", typedKey.Value, key.Value)
			continue
		default:
			d.build(value, inline, t)
		}
		if types != nil {
			typedKey = key // a misspelt one stands for what was meant
		}
	}
	if inline.IsValid() && !optional && typedKey == nil && n.Kind == yaml.MappingNode {
		d.fail(n, "there is no %s here: name one of %s", d.registry.kind(inline.Type()), names(types))
	}
}

// decodeTyped fills v, a Receiver, say, from a mapping whose one key is the name of
// a registered type.
func (d *decoder) decodeTyped(n *yaml.Node, v reflect.Value, kind string) {
	types := d.registry.types[v.Type()]
	if n.Kind != yaml.MappingNode {
		d.fail(n, "want the %s's type and its settings, such as {%s: {...}}", kind, firstOr(names(types), "type"))
		return
	}
	var typedKey *yaml.Node
	for key, value := range d.pairs(n) {
		t := types[key.Value]
		switch {
		case t == nil:
			d.fail(key, "unknown %s %q%s", kind, key.Value, orKnown(suggest(key.Value, types), names(types)))
		case typedKey != nil:
			d.fail(key, "%s and %s in one place: a workflow has one %s", typedKey.Value, key.Value, kind)
		default:
			d.build(value, v, t)
		}
		typedKey = key
	}
	if typedKey == nil {
		d.fail(n, "there is no %s here: name one of %s", kind, names(types))
	}
}

// build makes a new value of the registered type t, fills it, and puts it into v.
func (d *decoder) build(settings *yaml.Node, v reflect.Value, t reflect.Type) {
	p := reflect.New(t)
	if s := resolve(settings); !(s.Kind == yaml.ScalarNode && s.Tag == "!!null") {
		d.decode(settings, p.Elem(), false)
	}
	v.Set(p)
}

func (d *decoder) unknownKey(key *yaml.Node, fields map[string]field, types map[string]reflect.Type) {
	all := make(map[string]bool)
	for name := range fields {
		all[name] = true
	}
	for name := range types {
		all[name] = true
	}
	d.fail(key, "unknown key %q%s", key.Value, orKnown(suggest(key.Value, all), names(all)))
}

func orKnown(suggestion, known string) string {
	if suggestion != "" {
		return suggestion
	}
	return ": known here are " + known
}

func names[V any](m map[string]V) string {
	if len(m) == 0 {
		return "none, since nothing is registered"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

func firstOr(list, otherwise string) string {
	first, _, _ := strings.Cut(list, ",")
	if strings.Contains(first, " ") {
		return otherwise
	}
	return first
}

// pairs yields the keys and values of a mapping and reports keys that are no text or
// that are given twice. A merge (`<<: *base`) gives the keys that the mapping itself
// has not.
func (d *decoder) pairs(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			d.fail(n, "want settings by name here, this is %s", nodeKind(n))
			return
		}
		seen := make(map[string]*yaml.Node)
		var merges []*yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := resolve(n.Content[i]), n.Content[i+1]
			switch {
			case key.Tag == "!!merge":
				merges = append(merges, value)
				continue
			case key.Kind != yaml.ScalarNode:
				d.fail(key, "a key must be a plain word, this is %s", nodeKind(key))
				continue
			case seen[key.Value] != nil:
				d.fail(key, "%q is given twice, first in line %d", key.Value, seen[key.Value].Line)
				continue
			}
			seen[key.Value] = key
			if !yield(key, value) {
				return
			}
		}
		for _, m := range merges {
			d.merge(m, seen, yield)
		}
	}
}

// merge yields the pairs of the mapping m, or of each mapping in the list m, that
// have not been seen.
func (d *decoder) merge(m *yaml.Node, seen map[string]*yaml.Node, yield func(key, value *yaml.Node) bool) {
	if !d.enter(m) {
		return
	}
	defer d.leave()
	m = resolve(m)
	if m.Kind == yaml.SequenceNode {
		for _, item := range m.Content {
			d.merge(item, seen, yield)
		}
		return
	}
	for key, value := range d.pairs(m) {
		if seen[key.Value] == nil {
			seen[key.Value] = key
			yield(key, value)
		}
	}
}

func nodeKind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "settings by name"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	}
	return "a single value"
}

// scalar returns the text of a scalar with its ${env:...} and ${file:...} filled.
func (d *decoder) scalar(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, "want a single value here, this is %s", nodeKind(n))
		return "", false
	}
	text, ok := n.Value, true
	var out strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			break
		}
		end := strings.IndexByte(text[i:], '}')
		if end < 0 {
			break
		}
		end += i
		place := text[i+2 : end]
		kind, name, _ := strings.Cut(place, ":")
		if escaped := i > 0 && text[i-1] == '$'; escaped || kind != "env" && kind != "file" {
			out.WriteString(text[:end+1])
			text = text[end+1:]
			continue
		}
		value, err := d.external(kind, name)
		if err != nil {
			d.fail(n, "${%s}: %w", place, err)
			ok = false
		}
		out.WriteString(text[:i] + value)
		text = text[end+1:]
	}
	out.WriteString(text)
	return out.String(), ok
}

func (d *decoder) external(kind, name string) (string, error) {
	if name == "" {
		return "", errors.New("the name is missing")
	}
	if kind == "env" {
		value, ok := os.LookupEnv(name)
		if !ok {
			return "", errors.New("the environment variable is not set")
		}
		return value, nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(d.dir, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("can't read the file: %w", errors.Unwrap(err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(maxSecret)+1))
	if err != nil {
		return "", fmt.Errorf("can't read the file: %w", errors.Unwrap(err))
	}
	if len(b) > int(maxSecret) {
		return "", fmt.Errorf("the file is larger than %v", maxSecret)
	}
	value := strings.TrimSuffix(string(b), "\n")
	return strings.TrimSuffix(value, "\r"), nil
}

// A field is a setting of a struct.
type field struct {
	value  reflect.Value
	isPath bool
}

// fieldsOf returns the settings of v by name, those of inlined structs among them,
// and its inlined interface, if it has one, which the option omitempty makes optional.
func fieldsOf(v reflect.Value) (fields map[string]field, inline reflect.Value, optional bool) {
	fields = make(map[string]field)
	for i := range v.NumField() {
		sf, fv := v.Type().Field(i), v.Field(i)
		name, opts, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		switch {
		case !sf.IsExported() || name == "-":
		case strings.Contains(opts, "inline") && fv.Kind() == reflect.Struct:
			inner, in, opt := fieldsOf(fv)
			maps.Copy(fields, inner)
			if in.IsValid() {
				inline, optional = in, opt
			}
		case strings.Contains(opts, "inline"):
			inline, optional = fv, strings.Contains(opts, "omitempty")
		default:
			if name == "" {
				name = strings.ToLower(sf.Name)
			}
			fields[name] = field{fv, sf.Tag.Get("ladle") == "path"}
		}
	}
	return fields, inline, optional
}
