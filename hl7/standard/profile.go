package standard

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Profile says where a site's messages differ from the standard: it adds, relaxes or forbids.
// What it doesn't mention stays as the standard has it. The zero Profile lacks only the version.
// The package hl7/standard/profile reads one from YAML.
type Profile struct {
	Name     string                    // for people
	Version  string                    // the version that it departs from, such as "2.5.1"; one of Versions
	Segments map[string]SegmentProfile // by the segment's name: the site's own, or more about a standard one
	Fields   map[string]FieldProfile   // by place: "PID-3", "PID-3.4" or "PID-3.4.1"
	Tables   map[string]TableProfile   // by number or by a name of the site's own
	Messages map[string]MessageProfile // by structure, such as "ADT_A01", or "*" for every one
	Rules    map[Rule]Severity         // the severity of findings, Off for none
}

// A SegmentProfile describes a segment, or changes one of the standard.
type SegmentProfile struct {
	Description string               // "" leaves it
	Fields      map[int]FieldProfile // by number from 1; one that lies beyond the last is added
}

// A FieldProfile changes or describes a field, component or subcomponent. What is nil or empty
// stays as it is.
type FieldProfile struct {
	Name   string
	Type   string
	Usage  *Usage
	Repeat *int // 0 for any number of times
	Length *int // 0 for any length
	Table  *string
}

// A TableProfile is a table of the site's own, or a change of one of the standard. A code that
// isn't in it is then an error by the rule [TableSite].
type TableProfile struct {
	Description string
	Codes       map[string]string // code and meaning
	Add         bool              // the codes come to those of the standard, not in their place
	Remove      []string          // codes of the standard that the site doesn't use; only with Add
}

// A MessageProfile changes the structure of a message.
type MessageProfile struct {
	Like     string                  // a new structure begins as a copy of this one
	Segments map[string]PlaceProfile // by the segment's name
}

// A PlaceProfile changes a segment's place in a structure, or adds one. Required means in the
// group that the place is in, wherever that group stands.
type PlaceProfile struct {
	Group  string // the group that it is in; "" for all places that it has, or the message itself
	After  string // a segment that the structure doesn't have comes after this one; "" for the end
	Usage  *Usage // Required, Optional or Forbidden
	Repeat *int   // 0 for any number of times
}

// A ProfileError is something wrong in a profile.
type ProfileError struct {
	Place []string // the keys that lead to it, such as "fields", "PID-3"
	Err   error
}

// Error returns the place and what is wrong there.
func (e *ProfileError) Error() string {
	return strings.Join(e.Place, ": ") + ": " + e.Err.Error()
}

// Unwrap returns what is wrong.
func (e *ProfileError) Unwrap() error { return e.Err }

// Dictionary returns the dictionary of the profile's version with the profile's changes. The
// error joins a [*ProfileError] for each thing that is wrong. The profile isn't kept: later
// changes to it change nothing.
func (p *Profile) Dictionary() (*Dictionary, error) {
	base, exact := Version(p.Version)
	if !exact {
		return nil, &ProfileError{[]string{"version"}, fmt.Errorf("%q isn't a version that is described; choose one of %s", p.Version, strings.Join(Versions(), ", "))}
	}
	e := &profileEditor{
		dictionary: &Dictionary{
			version: base.version, segments: maps.Clone(base.segments), types: base.types,
			structures: maps.Clone(base.structures), tables: map[string]*table{}, local: map[string]*dataType{}, localIn: map[string]bool{},
		},
		copied: map[string]bool{},
	}
	for _, id := range slices.Sorted(maps.Keys(p.Tables)) {
		e.table(id, p.Tables[id])
	}
	for _, name := range slices.Sorted(maps.Keys(p.Segments)) {
		e.segment(name, p.Segments[name])
	}
	for _, place := range slices.Sorted(maps.Keys(p.Fields)) {
		e.field(place, p.Fields[place])
	}
	names := slices.Sorted(maps.Keys(p.Messages))
	for _, name := range names { // copies first, so that "*" and changes see them
		e.like(name, p.Messages[name])
	}
	for _, name := range names {
		e.message(name, p.Messages[name])
	}
	for _, r := range slices.Sorted(maps.Keys(p.Rules)) {
		if _, ok := DefaultSeverity(r); !ok {
			e.fail(fmt.Errorf("there is no such rule; the rules are %s", joined(Rules())), "rules", string(r))
		} else if p.Rules[r] > Error {
			e.fail(fmt.Errorf("%d isn't a severity", p.Rules[r]), "rules", string(r))
		}
	}
	if err := errors.Join(e.errs...); err != nil {
		return nil, err
	}
	return e.dictionary, nil
}

func joined(rules []Rule) string {
	texts := make([]string, len(rules))
	for i, r := range rules {
		texts[i] = string(r)
	}
	return strings.Join(texts, ", ")
}

// A profileEditor works on a copy of a dictionary. It copies what it changes and shares the
// rest.
type profileEditor struct {
	dictionary *Dictionary
	copied     map[string]bool // segments, structures and data types that are the copy's own
	errs       []error
}

func (e *profileEditor) fail(err error, place ...string) {
	e.errs = append(e.errs, &ProfileError{place, err})
}

func (e *profileEditor) table(id string, p TableProfile) {
	key := tableID(id)
	if key == "" {
		e.fail(errors.New("a table needs a number or a name"), "tables", id)
		return
	}
	t := &table{id: key, text: p.Description, site: true}
	codes := map[string]string{}
	known := sharedTables()[key]
	if p.Add && known == nil {
		e.fail(errors.New("the standard's codes of this table aren't known, so there is nothing to add to; give all codes"), "tables", id)
		return
	}
	if known != nil && t.text == "" {
		t.text = known.text
	}
	if p.Add {
		for _, c := range known.codes {
			codes[c.Value] = c.Text
		}
	}
	for _, code := range p.Remove {
		if _, ok := codes[code]; !ok {
			e.fail(fmt.Errorf("the code %q to remove isn't in the standard's table", code), "tables", id, "remove")
		}
		delete(codes, code)
	}
	maps.Copy(codes, p.Codes)
	if len(codes) == 0 {
		e.fail(errors.New("a table without codes forbids everything; give its codes"), "tables", id)
	}
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		t.codes = append(t.codes, Code{Value: code, Text: codes[code]})
	}
	e.dictionary.tables[key] = t
}

const maxFields = 1000

func (e *profileEditor) segment(name string, p SegmentProfile) {
	if !segmentName(name) {
		e.fail(errors.New("a segment's name is a letter and two letters or digits, in capitals"), "segments", name)
		return
	}
	s := e.dictionary.segments[name]
	if s == nil {
		s = &segment{name: name}
	} else {
		s = &segment{name: name, text: s.text, fields: slices.Clone(s.fields)}
	}
	if p.Description != "" {
		s.text = p.Description
	}
	for _, n := range slices.Sorted(maps.Keys(p.Fields)) {
		place := []string{"segments", name, "fields", strconv.Itoa(n)}
		if n < 1 || n > maxFields {
			e.fail(fmt.Errorf("a field's number is 1 to %d", maxFields), place...)
			continue
		}
		for len(s.fields) < n {
			s.fields = append(s.fields, Field{Number: len(s.fields) + 1})
		}
		e.change(&s.fields[n-1], p.Fields[n], place)
	}
	e.dictionary.segments[name] = s
}

func segmentName(s string) bool {
	if len(s) != 3 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// change lays the changes over a field.
func (e *profileEditor) change(f *Field, p FieldProfile, place []string) {
	if p.Name != "" {
		f.Name = p.Name
	}
	if p.Type != "" {
		if e.dictionary.types[p.Type] == nil {
			e.fail(fmt.Errorf("version %s has no data type %q", e.dictionary.version, p.Type), append(slices.Clone(place), "type")...)
		}
		f.Type = p.Type
	}
	if p.Usage != nil {
		if *p.Usage > Forbidden {
			e.fail(fmt.Errorf("%d isn't a usage", *p.Usage), append(slices.Clone(place), "usage")...)
		}
		f.Usage = *p.Usage
	}
	for _, number := range []struct {
		key string
		to  *int
		n   *int
	}{{"repeat", &f.Repeat, p.Repeat}, {"length", &f.Length, p.Length}} {
		if number.n == nil {
			continue
		}
		if *number.n < 0 {
			e.fail(errors.New("it can't be negative; 0 stands for no limit"), append(slices.Clone(place), number.key)...)
		}
		*number.to = *number.n
	}
	if p.Table != nil {
		f.Table = tableID(*p.Table)
		if f.Table != "" {
			if _, ok := e.dictionary.Table(f.Table); !ok {
				e.fail(fmt.Errorf("the codes of table %q aren't known; describe it under tables", *p.Table), append(slices.Clone(place), "table")...)
			}
		}
	}
}

// field changes a field, component or subcomponent. A component belongs to a data type that many
// fields share, so its field gets a copy of the type of its own.
func (e *profileEditor) field(text string, p FieldProfile) {
	place := []string{"fields", text}
	at, err := parsePlace(text)
	if err != nil {
		e.fail(err, place...)
		return
	}
	s := e.dictionary.segments[at.segment]
	if s == nil {
		e.fail(fmt.Errorf("version %s has no segment %s; describe it under segments", e.dictionary.version, at.segment), place...)
		return
	}
	if at.numbers[0] > len(s.fields) {
		e.fail(fmt.Errorf("%s has %d fields in version %s; describe more under segments", at.segment, len(s.fields), e.dictionary.version), place...)
		return
	}
	if len(at.numbers) == 1 {
		if !e.copied[at.segment] {
			s = &segment{name: s.name, text: s.text, fields: slices.Clone(s.fields)}
			e.dictionary.segments[at.segment], e.copied[at.segment] = s, true
		}
		e.change(&s.fields[at.numbers[0]-1], p, place)
		return
	}
	owner := at.segment + "-" + strconv.Itoa(at.numbers[0])
	f := s.fields[at.numbers[0]-1]
	for depth, n := range at.numbers[1:] {
		t := e.dictionary.typeAt(owner, f.Type)
		if t == nil || n > len(t.components) {
			e.fail(fmt.Errorf("%s has the type %s, which has no component %d in version %s", owner, f.Type, n, e.dictionary.version), place...)
			return
		}
		if depth == len(at.numbers)-2 {
			if e.dictionary.local[owner] == nil {
				t = &dataType{name: t.name, text: t.text, components: slices.Clone(t.components)}
				e.dictionary.local[owner], e.dictionary.localIn[at.segment] = t, true
			}
			if p.Repeat != nil {
				e.fail(errors.New("only a field repeats, not a component"), append(place, "repeat")...)
			}
			e.change(&t.components[n-1], p, place)
			return
		}
		f = t.components[n-1]
		owner += "." + strconv.Itoa(n)
	}
}

// typeAt returns the data type of a field or component: the copy that a profile made for it, or
// the one of that name.
func (d *Dictionary) typeAt(place, name string) *dataType {
	if t := d.local[place]; t != nil {
		return t
	}
	return d.types[name]
}

// A place is a field, component or subcomponent without its occurrence.
type place struct {
	segment string
	numbers []int
}

func parsePlace(text string) (place, error) {
	segment, rest, ok := strings.Cut(text, "-")
	if !ok || !segmentName(segment) {
		return place{}, errors.New("a field is named like PID-3, a component like PID-3.4, a subcomponent like PID-3.4.1")
	}
	p := place{segment: segment}
	for part := range strings.SplitSeq(rest, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > maxFields || len(p.numbers) == 3 {
			return place{}, errors.New("a field is named like PID-3, a component like PID-3.4, a subcomponent like PID-3.4.1")
		}
		p.numbers = append(p.numbers, n)
	}
	return p, nil
}

func (e *profileEditor) like(name string, p MessageProfile) {
	if p.Like == "" {
		return
	}
	s := e.dictionary.structures[p.Like]
	switch {
	case name == "*":
		e.fail(errors.New("only a message with a name can be like another"), "messages", name, "like")
	case s == nil:
		e.fail(fmt.Errorf("version %s has no structure %q", e.dictionary.version, p.Like), "messages", name, "like")
	default:
		e.dictionary.structures[name] = &structure{name: name, text: s.text, nodes: s.nodes, forbidden: s.forbidden}
	}
}

func (e *profileEditor) message(name string, p MessageProfile) {
	if name == "*" {
		for _, segment := range slices.Sorted(maps.Keys(p.Segments)) {
			e.everywhere(segment, p.Segments[segment])
		}
		return
	}
	if e.dictionary.structures[name] == nil {
		if p.Like == "" {
			e.fail(fmt.Errorf("version %s has no structure %q; one of the site's own says which one it is like", e.dictionary.version, name), "messages", name)
		}
		return
	}
	for _, segment := range slices.Sorted(maps.Keys(p.Segments)) {
		if err := e.placeIn(e.own(name), segment, p.Segments[segment]); err != nil {
			e.fail(err, "messages", name, "segments", segment)
		}
	}
}

// own returns a structure of which all is the copy's own.
func (e *profileEditor) own(name string) *structure {
	s := e.dictionary.structures[name]
	if !e.copied["message "+name] {
		s = &structure{name: s.name, text: s.text, nodes: cloneNodes(s.nodes), forbidden: maps.Clone(s.forbidden)}
		e.dictionary.structures[name], e.copied["message "+name] = s, true
	}
	return s
}

func cloneNodes(nodes []node) []node {
	nodes = slices.Clone(nodes)
	for i := range nodes {
		if nodes[i].nodes != nil {
			nodes[i].nodes = cloneNodes(nodes[i].nodes)
		}
	}
	return nodes
}

// everywhere changes all structures that have what the change is about.
func (e *profileEditor) everywhere(segment string, p PlaceProfile) {
	found := false
	for _, name := range slices.Sorted(maps.Keys(e.dictionary.structures)) {
		place := p
		if len(places(e.dictionary.structures[name].nodes, segment)) > 0 {
			place.After = "" // where it already is it stays
		}
		err := e.placeIn(e.own(name), segment, place)
		if err != nil && !errors.Is(err, errNoPlace) {
			e.fail(err, "messages", "*", "segments", segment)
			return
		}
		found = found || err == nil
	}
	if !found {
		e.fail(fmt.Errorf("no structure of version %s has that place", e.dictionary.version), "messages", "*", "segments", segment)
	}
}

var errNoPlace = errors.New("the structure doesn't have that")

func (e *profileEditor) placeIn(s *structure, segment string, p PlaceProfile) error {
	if !segmentName(segment) {
		return errors.New("a segment's name is a letter and two letters or digits, in capitals")
	}
	if p.Usage != nil && *p.Usage != Required && *p.Usage != Optional && *p.Usage != Forbidden {
		return errors.New("a segment is required, optional or forbidden")
	}
	if p.Repeat != nil && *p.Repeat < 0 {
		return errors.New("how often a segment repeats can't be negative; 0 stands for any number of times")
	}
	nodes := &s.nodes
	if p.Group != "" {
		g := findGroup(s.nodes, p.Group)
		if g == nil {
			return fmt.Errorf("%s has no group %q: %w", s.name, p.Group, errNoPlace)
		}
		nodes = &g.nodes
	}
	if p.Usage != nil && *p.Usage == Forbidden {
		if p.Group != "" {
			return errors.New("a segment is forbidden in a whole message, not in one of its groups")
		}
		if s.forbidden == nil {
			s.forbidden = map[string]struct{}{}
		}
		s.forbidden[segment] = struct{}{}
		relax(s.nodes, segment)
		return nil
	}
	if found := places(*nodes, segment); len(found) > 0 {
		if p.After != "" {
			return fmt.Errorf("%s already has a place for %s; leave out after", s.name, segment)
		}
		for _, n := range found {
			setPlace(n, p)
		}
		return nil
	}
	n := node{name: segment, kind: SegmentNode}
	setPlace(&n, p)
	if p.After == "" {
		if p.Usage == nil && p.Repeat == nil {
			return errors.New("nothing is said about it: whether it is required, how often it stands, or after which segment")
		}
		*nodes = append(*nodes, n)
		return nil
	}
	if !insertAfter(nodes, p.After, n) {
		return fmt.Errorf("%s has no segment %q there: %w", s.name, p.After, errNoPlace)
	}
	return nil
}

func setPlace(n *node, p PlaceProfile) {
	if p.Usage != nil {
		n.min = 0
		if *p.Usage == Required {
			n.min = 1
		}
	}
	if p.Repeat != nil {
		n.max = *p.Repeat
	}
}

// relax makes a segment that is now forbidden no longer required.
func relax(nodes []node, segment string) {
	for i := range nodes {
		if nodes[i].kind == SegmentNode && nodes[i].name == segment {
			nodes[i].min = 0
		}
		relax(nodes[i].nodes, segment)
	}
}

func findGroup(nodes []node, name string) *node {
	for i := range nodes {
		if nodes[i].kind != GroupNode {
			continue
		}
		if nodes[i].name == name {
			return &nodes[i]
		}
		if g := findGroup(nodes[i].nodes, name); g != nil {
			return g
		}
	}
	return nil
}

func places(nodes []node, segment string) []*node {
	var found []*node
	for i := range nodes {
		switch nodes[i].kind {
		case SegmentNode:
			if nodes[i].name == segment {
				found = append(found, &nodes[i])
			}
		case GroupNode:
			found = append(found, places(nodes[i].nodes, segment)...)
		}
	}
	return found
}

// insertAfter puts n after the first place of a segment.
func insertAfter(nodes *[]node, segment string, n node) bool {
	for i := range *nodes {
		switch (*nodes)[i].kind {
		case SegmentNode:
			if (*nodes)[i].name == segment {
				*nodes = slices.Insert(*nodes, i+1, n)
				return true
			}
		case GroupNode:
			if insertAfter(&(*nodes)[i].nodes, segment, n) {
				return true
			}
		}
	}
	return false
}
