package profile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/ladlehq/ladle/hl7/standard"
	"gopkg.in/yaml.v3"
)

// MaxSize is the most bytes that a profile's file may have.
const MaxSize = 1 << 20

// An Error is something wrong in a profile's text, with its place. Line and column count from 1;
// both are 0 where it is about the file as a whole.
type Error struct {
	File         string
	Line, Column int
	Err          error
}

// Error returns file:line:column and what is wrong.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// Load reads a profile from a file. Its errors are those of [Parse], and those of opening and
// reading the file.
func Load(file string) (*standard.Profile, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, err
	}
	return Parse(file, text)
}

// Parse reads a profile from text. The file's name is for the errors only. The profile that it
// returns is checked: its Dictionary and Validator succeed. The error joins an [*Error] for each
// thing that is wrong, in the order of the text.
func Parse(file string, text []byte) (*standard.Profile, error) {
	if len(text) > MaxSize {
		return nil, &Error{File: file, Err: fmt.Errorf("the profile has more than %d bytes", MaxSize)}
	}
	r := &reader{file: file, nodes: map[string]*yaml.Node{}}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, &Error{File: file, Err: errors.New("the profile is empty")}
	case err != nil:
		return nil, r.syntax(err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		r.fail(&second, "a second document; a file holds one profile")
	} else if !errors.Is(err, io.EOF) {
		return nil, r.syntax(err)
	}
	p := r.profile(document.Content[0])
	if len(r.errs) == 0 {
		if _, err := p.Dictionary(); err != nil {
			r.place(err)
		}
	}
	if len(r.errs) > 0 {
		slices.SortStableFunc(r.errs, func(a, b *Error) int {
			return cmp.Or(a.Line-b.Line, a.Column-b.Column)
		})
		joined := make([]error, len(r.errs))
		for i, e := range r.errs {
			joined[i] = e
		}
		return nil, errors.Join(joined...)
	}
	return p, nil
}

// A reader turns YAML nodes into a profile and collects what is wrong.
type reader struct {
	file  string
	errs  []*Error
	nodes map[string]*yaml.Node // by the keys that lead to a node, joined by NUL
}

func (r *reader) fail(n *yaml.Node, format string, args ...any) {
	r.errs = append(r.errs, &Error{r.file, n.Line, n.Column, fmt.Errorf(format, args...)})
}

// syntax takes the line out of an error of the YAML library, which has no other way to tell it.
func (r *reader) syntax(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	e := &Error{File: r.file, Err: errors.New(text)}
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, what, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(number); err == nil {
			e.Line, e.Column, e.Err = line, 1, errors.New(what)
		}
	}
	return e
}

// place gives the errors of the profile's check their places.
func (r *reader) place(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			r.place(err)
		}
		return
	}
	var wrong *standard.ProfileError
	if !errors.As(err, &wrong) {
		r.errs = append(r.errs, &Error{File: r.file, Err: err})
		return
	}
	for keys := wrong.Place; ; keys = keys[:len(keys)-1] {
		if n := r.nodes[strings.Join(keys, "\x00")]; n != nil {
			r.fail(n, "%w", err)
			return
		}
		if len(keys) == 0 {
			r.errs = append(r.errs, &Error{File: r.file, Err: err})
			return
		}
	}
}

// A member is a key of a mapping with its value.
type member struct {
	key, value *yaml.Node
	path       []string
}

// mapping returns the members of a mapping. If known isn't empty, other keys are errors.
func (r *reader) mapping(n *yaml.Node, path []string, known ...string) []member {
	if n.Kind != yaml.MappingNode {
		r.fail(n, "%s where a mapping of keys to values was expected", kind(n))
		return nil
	}
	seen := map[string]bool{}
	var members []member
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode || k.Tag == "!!merge":
			r.fail(k, "%s where a key was expected", kind(k))
			continue
		case seen[k.Value]:
			r.fail(k, "the key %q stands twice", k.Value)
			continue
		case len(known) > 0 && !slices.Contains(known, k.Value):
			r.fail(k, "unknown key %q; %s", k.Value, suggestion(k.Value, known))
			continue
		}
		seen[k.Value] = true
		m := member{k, v, append(slices.Clone(path), k.Value)}
		r.nodes[strings.Join(m.path, "\x00")] = k
		members = append(members, m)
	}
	return members
}

func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias (which profiles don't have)"
	}
	if n.Tag == "!!merge" {
		return "a merge (which profiles don't have)"
	}
	return "a single value"
}

// suggestion names the known key that is nearest to a mistyped one, or all of them.
func suggestion(key string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(key, k); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "the keys here are " + strings.Join(known, ", ")
}

// distance counts the letters to change, add or remove to get from a to b. Long texts aren't
// compared: no key is long.
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, corner+1, row[j]+1)
		}
	}
	return row[len(b)]
}

func (r *reader) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		r.fail(n, "%s where a text was expected", kind(n))
		return ""
	}
	return n.Value
}

func (r *reader) number(n *yaml.Node) *int {
	if n.Kind == yaml.ScalarNode && n.Value == "unlimited" {
		return new(0)
	}
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || v < 0 {
		r.fail(n, "a whole number of 0 or more, or unlimited, was expected")
		return nil
	}
	return &v
}

func (r *reader) flag(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Value != "true" && n.Value != "false" {
		r.fail(n, "true or false was expected")
	}
	return n.Value == "true"
}

func (r *reader) usage(n *yaml.Node) *standard.Usage {
	if n.Kind == yaml.ScalarNode {
		switch n.Value {
		case "required":
			return new(standard.Required)
		case "optional":
			return new(standard.Optional)
		case "conditional":
			return new(standard.Conditional)
		case "backward-compatible":
			return new(standard.BackwardCompatible)
		case "forbidden":
			return new(standard.Forbidden)
		}
	}
	r.fail(n, "required, optional, conditional, backward-compatible or forbidden was expected")
	return nil
}

func (r *reader) profile(n *yaml.Node) *standard.Profile {
	p := &standard.Profile{}
	for _, m := range r.mapping(n, nil, "name", "version", "segments", "fields", "tables", "messages", "rules") {
		switch m.key.Value {
		case "name":
			p.Name = r.text(m.value)
		case "version":
			p.Version = r.text(m.value)
		case "segments":
			p.Segments = map[string]standard.SegmentProfile{}
			for _, m := range r.mapping(m.value, m.path) {
				p.Segments[m.key.Value] = r.segment(m)
			}
		case "fields":
			p.Fields = map[string]standard.FieldProfile{}
			for _, m := range r.mapping(m.value, m.path) {
				p.Fields[m.key.Value] = r.field(m)
			}
		case "tables":
			p.Tables = map[string]standard.TableProfile{}
			for _, m := range r.mapping(m.value, m.path) {
				p.Tables[m.key.Value] = r.table(m)
			}
		case "messages":
			p.Messages = map[string]standard.MessageProfile{}
			for _, m := range r.mapping(m.value, m.path) {
				p.Messages[m.key.Value] = r.message(m)
			}
		case "rules":
			p.Rules = map[standard.Rule]standard.Severity{}
			for _, m := range r.mapping(m.value, m.path, ruleNames()...) {
				p.Rules[standard.Rule(m.key.Value)] = r.severity(m.value)
			}
		}
	}
	if p.Version == "" && len(r.errs) == 0 {
		r.fail(n, "the profile has no version; it names the one that it departs from, such as version: \"2.5.1\"")
	}
	return p
}

func ruleNames() []string {
	var names []string
	for _, rule := range standard.Rules() {
		names = append(names, string(rule))
	}
	return names
}

func (r *reader) severity(n *yaml.Node) standard.Severity {
	for s := standard.Off; s <= standard.Error; s++ {
		// YAML 1.1 takes a bare off for false; its text is what was written.
		if n.Kind == yaml.ScalarNode && n.Value == s.String() {
			return s
		}
	}
	r.fail(n, "off, information, warning or error was expected")
	return standard.Off
}

func (r *reader) segment(m member) standard.SegmentProfile {
	var p standard.SegmentProfile
	for _, m := range r.mapping(m.value, m.path, "description", "fields") {
		switch m.key.Value {
		case "description":
			p.Description = r.text(m.value)
		case "fields":
			p.Fields = map[int]standard.FieldProfile{}
			for _, m := range r.mapping(m.value, m.path) {
				n, err := strconv.Atoi(m.key.Value)
				if err != nil || strconv.Itoa(n) != m.key.Value {
					r.fail(m.key, "%q isn't a field's number", m.key.Value)
					continue
				}
				p.Fields[n] = r.field(m)
			}
		}
	}
	return p
}

func (r *reader) field(m member) standard.FieldProfile {
	var p standard.FieldProfile
	for _, m := range r.mapping(m.value, m.path, "name", "type", "usage", "repeat", "length", "table") {
		switch m.key.Value {
		case "name":
			p.Name = r.text(m.value)
		case "type":
			p.Type = r.text(m.value)
		case "usage":
			p.Usage = r.usage(m.value)
		case "repeat":
			p.Repeat = r.number(m.value)
		case "length":
			p.Length = r.number(m.value)
		case "table":
			p.Table = new(r.text(m.value))
		}
	}
	return p
}

func (r *reader) table(m member) standard.TableProfile {
	var p standard.TableProfile
	for _, m := range r.mapping(m.value, m.path, "description", "codes", "add", "remove") {
		switch m.key.Value {
		case "description":
			p.Description = r.text(m.value)
		case "codes":
			p.Codes = map[string]string{}
			for _, m := range r.mapping(m.value, m.path) {
				p.Codes[m.key.Value] = r.text(m.value)
			}
		case "add":
			p.Add = r.flag(m.value)
		case "remove":
			if m.value.Kind != yaml.SequenceNode {
				r.fail(m.value, "%s where a list of codes was expected", kind(m.value))
				continue
			}
			for _, n := range m.value.Content {
				p.Remove = append(p.Remove, r.text(n))
			}
		}
	}
	return p
}

func (r *reader) message(m member) standard.MessageProfile {
	var p standard.MessageProfile
	for _, m := range r.mapping(m.value, m.path, "like", "segments") {
		switch m.key.Value {
		case "like":
			p.Like = r.text(m.value)
		case "segments":
			p.Segments = map[string]standard.PlaceProfile{}
			for _, m := range r.mapping(m.value, m.path) {
				p.Segments[m.key.Value] = r.segmentPlace(m)
			}
		}
	}
	return p
}

func (r *reader) segmentPlace(m member) standard.PlaceProfile {
	var p standard.PlaceProfile
	for _, m := range r.mapping(m.value, m.path, "group", "after", "usage", "repeat") {
		switch m.key.Value {
		case "group":
			p.Group = r.text(m.value)
		case "after":
			p.After = r.text(m.value)
		case "usage":
			p.Usage = r.usage(m.value)
		case "repeat":
			p.Repeat = r.number(m.value)
		}
	}
	return p
}
