package standard

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A Dictionary is one version of HL7 v2: its segments, data types, tables and message
// structures, as far as they are known here (see [Gaps]). It comes from [Version], or from
// [Profile.Dictionary] with a site's changes. A Dictionary never changes and is safe for concurrent
// use. The zero value knows nothing.
type Dictionary struct {
	version    string
	segments   map[string]*segment
	types      map[string]*dataType
	structures map[string]*structure
	tables     map[string]*table    // a profile's tables, before those that all versions share
	local      map[string]*dataType // a profile's own copies, by the field or component that has it
	localIn    map[string]bool      // the segments with such fields
}

type segment struct {
	name, text string
	fields     []Field
}

type dataType struct {
	name, text string
	components []Field
}

type structure struct {
	name, text string
	nodes      []node
	forbidden  map[string]struct{} // segments that a profile forbids
	once       sync.Once
	plan       *plan
}

type node struct {
	name     string
	kind     NodeKind
	min, max int
	nodes    []node
}

type table struct {
	id, text  string
	codes     []Code
	suggested bool // user-defined: the standard only suggests its codes
	site      bool // from a profile
}

// The versions that are described, oldest first. Each is decoded when it is first asked for,
// and once.
var versions = [...]struct {
	id   string
	load func() *Dictionary
}{
	{"2.1", sync.OnceValue(func() *Dictionary { return load("2.1") })},
	{"2.2", sync.OnceValue(func() *Dictionary { return load("2.2") })},
	{"2.3", sync.OnceValue(func() *Dictionary { return load("2.3") })},
	{"2.3.1", sync.OnceValue(func() *Dictionary { return load("2.3.1") })},
	{"2.4", sync.OnceValue(func() *Dictionary { return load("2.4") })},
	{"2.5", sync.OnceValue(func() *Dictionary { return load("2.5") })},
	{"2.5.1", sync.OnceValue(func() *Dictionary { return load("2.5.1") })},
	{"2.6", sync.OnceValue(func() *Dictionary { return load("2.6") })},
	{"2.7", sync.OnceValue(func() *Dictionary { return load("2.7") })},
	{"2.7.1", sync.OnceValue(func() *Dictionary { return load("2.7.1") })},
}

// Versions returns the versions of the standard that are described here, oldest first. The
// slice is the caller's.
func Versions() []string {
	ids := make([]string, len(versions))
	for i, v := range versions {
		ids[i] = v.id
	}
	return ids
}

// Version returns the dictionary of a version as MSH-12.1 states it ("2.5.1"), and whether it is
// the dictionary of exactly that version. It never returns nil: for a version that isn't
// described it returns the nearest older one, since each version of the standard keeps what the
// one before had (HL7 v2.9 chapter 2, Compatibility); so for 2.8 and 2.9 it is 2.7.1. For one
// older than all it returns the oldest, and for a text that is no version, such as an empty
// one, the newest. Spaces around id are ignored.
//
// The first call for a version decodes its data, which takes some milliseconds; others wait for
// it. Later calls are a look-up.
func Version(id string) (*Dictionary, bool) {
	id = strings.TrimSpace(id)
	asked, ok := parseVersion(id)
	if !ok {
		return versions[len(versions)-1].load(), false
	}
	nearest := 0
	for i, v := range versions {
		known, _ := parseVersion(v.id)
		switch slices.Compare(known[:], asked[:]) {
		case 0:
			return v.load(), true
		case -1:
			nearest = i
		}
	}
	return versions[nearest].load(), false
}

func parseVersion(id string) (numbers [3]int, ok bool) {
	parts := 0
	for part := range strings.SplitSeq(id, ".") {
		if parts == len(numbers) || part == "" || len(part) > 4 {
			return numbers, false
		}
		for _, c := range []byte(part) {
			if c < '0' || c > '9' {
				return numbers, false
			}
			numbers[parts] = numbers[parts]*10 + int(c-'0')
		}
		parts++
	}
	return numbers, parts > 0
}

// Version returns the version that d describes, such as "2.5.1".
func (d *Dictionary) Version() string { return d.version }

// Segment returns the segment of that name, and whether this version has it.
func (d *Dictionary) Segment(name string) (Segment, bool) {
	s := d.segments[name]
	return Segment{s}, s != nil
}

// Segments returns all segments, in the order of their names.
func (d *Dictionary) Segments() iter.Seq[Segment] {
	return func(yield func(Segment) bool) {
		for _, name := range slices.Sorted(maps.Keys(d.segments)) {
			if !yield(Segment{d.segments[name]}) {
				return
			}
		}
	}
}

// Field returns field number n of a segment, and whether this version has it. Fields count from
// 1; MSH-1 is the field separator itself.
func (d *Dictionary) Field(segment string, n int) (Field, bool) {
	return Segment{d.segments[segment]}.Field(n)
}

// DataType returns the data type of that name, and whether this version has it.
func (d *Dictionary) DataType(name string) (DataType, bool) {
	t := d.types[name]
	return DataType{t}, t != nil
}

// DataTypes returns all data types, in the order of their names.
func (d *Dictionary) DataTypes() iter.Seq[DataType] {
	return func(yield func(DataType) bool) {
		for _, name := range slices.Sorted(maps.Keys(d.types)) {
			if !yield(DataType{d.types[name]}) {
				return
			}
		}
	}
}

// Table returns a table by its number, with or without leading zeros ("0001", "1"), or by the
// name that a site gave to its own, and whether its codes are known. Many tables are only named
// by the standard and filled by the site (user-defined tables): those aren't known.
func (d *Dictionary) Table(id string) (Table, bool) {
	id = tableID(id)
	if t := d.tables[id]; t != nil {
		return Table{t}, true
	}
	t := sharedTables()[id]
	return Table{t}, t != nil
}

// Tables returns all tables whose codes are known, in the order of their numbers.
func (d *Dictionary) Tables() iter.Seq[Table] {
	return func(yield func(Table) bool) {
		all := maps.Clone(sharedTables())
		maps.Copy(all, d.tables)
		for _, id := range slices.Sorted(maps.Keys(all)) {
			if !yield(Table{all[id]}) {
				return
			}
		}
	}
}

func tableID(id string) string {
	if id == "" || len(id) >= 4 || strings.Trim(id, "0123456789") != "" {
		return id
	}
	return "0000"[len(id):] + id
}

// Structure returns the message structure of that name as MSH-9.3 states it ("ADT_A01"), and
// whether this version has it.
func (d *Dictionary) Structure(name string) (Structure, bool) {
	s := d.structures[name]
	return Structure{s}, s != nil
}

// Structures returns all message structures, in the order of their names.
func (d *Dictionary) Structures() iter.Seq[Structure] {
	return func(yield func(Structure) bool) {
		for _, name := range slices.Sorted(maps.Keys(d.structures)) {
			if !yield(Structure{d.structures[name]}) {
				return
			}
		}
	}
}

// StructureOf returns the structure of a message by its type and trigger event as MSH-9.1 and
// MSH-9.2 state them ("ADT", "A08"), for messages without MSH-9.3. From 2.3.1 on table 0354 gives
// it where it can (ADT_A01 for ADT^A08); otherwise it is the structure of that very event
// (ADT_A08), or the one that a type has for all events (ACK).
func (d *Dictionary) StructureOf(messageType, event string) (Structure, bool) {
	if messageType == "" {
		return Structure{}, false
	}
	if numbers, _ := parseVersion(d.version); event != "" && slices.Compare(numbers[:], []int{2, 3, 1}) >= 0 {
		for _, name := range eventStructures()[messageType+"_"+event] {
			if s := d.structures[name]; s != nil {
				return Structure{s}, true
			}
		}
	}
	if s := d.structures[messageType+"_"+event]; s != nil {
		return Structure{s}, true
	}
	s := d.structures[messageType]
	return Structure{s}, s != nil
}

// eventStructures is table 0354 turned round: the structures for "ADT_A08", of which there is
// more than one only where the table contradicts itself.
var eventStructures = sync.OnceValue(func() map[string][]string {
	m := map[string][]string{}
	t := sharedTables()["0354"]
	if t == nil {
		return m
	}
	for _, c := range t.codes {
		messageType, _, ok := strings.Cut(c.Value, "_")
		if !ok {
			continue
		}
		for _, event := range strings.FieldsFunc(c.Text, func(r rune) bool { return r == ',' || r == '.' || r == ' ' }) {
			m[messageType+"_"+event] = append(m[messageType+"_"+event], c.Value)
		}
	}
	return m
})
