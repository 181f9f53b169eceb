package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// compare checks the source a against the other source b, as they were read, and describes what
// it found. A contradiction about a type, a name, an optionality or a repetition is an error.
func compare(a, b *description) ([]byte, error) {
	var out bytes.Buffer
	var contradictions []error
	fmt.Fprintf(&out, "hl7-dictionary 1.0.1 (the source) compared with hl7v2-dictionary 1.8.0\n\n")
	fmt.Fprintf(&out, "The second lays each version over the one before, so what an older version had stays in the\nnewer ones. What only the second has is therefore not taken over. It shares its names and their\nspelling with the first: it confirms how the first is to be read, but isn't independent of it.\n")
	for _, id := range slices.Sorted(maps.Keys(b.versions)) {
		v, w := a.versions[id], b.versions[id]
		if v == nil {
			fmt.Fprintf(&out, "\n%s: only in hl7v2-dictionary, with nothing of its own: it is the version before under another number.\n", id)
			continue
		}
		c := comparison{}
		for _, k := range slices.Sorted(maps.Keys(v.segments)) {
			if s := w.segments[k]; s != nil {
				c.fields(k+"-", v.segments[k].fields, s.fields)
			}
		}
		fmt.Fprintf(&out, "\n%s\n  segments: %s\n  fields: %s\n", id, overlap(v.segments, w.segments), c.String())
		contradictions = append(contradictions, c.errors(id)...)
		c = comparison{}
		for _, k := range slices.Sorted(maps.Keys(v.types)) {
			if t := w.types[k]; t != nil {
				c.fields(k+".", v.types[k].components, t.components)
			}
		}
		fmt.Fprintf(&out, "  data types: %s\n  components: %s\n", overlap(v.types, w.types), c.String())
		contradictions = append(contradictions, c.errors(id)...)

		same, doubled, differing := 0, 0, []string(nil)
		for _, k := range slices.Sorted(maps.Keys(v.structures)) {
			s := w.structures[k]
			if s == nil {
				continue
			}
			switch reduced, cut := withoutRepeats(v.structures[k].nodes); {
			case !sameNodes(reduced, s.nodes):
				differing = append(differing, k)
			case cut:
				doubled++
			default:
				same++
			}
		}
		fmt.Fprintf(&out, "  structures: %s\n", overlap(v.structures, w.structures))
		fmt.Fprintf(&out, "    alike: %d; alike but for what the second doesn't hold, a name twice in one group or the members of a choice: %d; different: %d%s\n", same, doubled, len(differing), listed(differing))
	}
	return out.Bytes(), errors.Join(contradictions...)
}

func overlap[T any](a, b map[string]T) string {
	both, only := 0, []string(nil)
	for _, k := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[k]; ok {
			both++
		} else {
			only = append(only, k)
		}
	}
	missing := []string(nil)
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if _, ok := b[k]; !ok {
			missing = append(missing, k)
		}
	}
	return fmt.Sprintf("%d in both; only in the first: %d%s; only in the second: %d%s", both, len(missing), listed(missing), len(only), listed(only))
}

func listed(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, " ") + ")"
}

// A comparison counts what two lists of fields say of the same fields.
type comparison struct {
	both, tables, lengths, extra int
	contradictions               []string
}

func (c *comparison) fields(prefix string, a, b []field) {
	for i := range b {
		if i >= len(a) {
			c.extra++
			continue
		}
		c.both++
		x, y := a[i], b[i]
		if x.name != y.name || x.typ != y.typ || x.usage != y.usage || x.repeat != y.repeat {
			c.contradictions = append(c.contradictions, fmt.Sprintf("%s%d: %+v against %+v", prefix, i+1, x, y))
		}
		switch {
		case x.table == y.table:
		case x.table == "":
			c.tables++
		default:
			c.contradictions = append(c.contradictions, fmt.Sprintf("%s%d: table %s against %s", prefix, i+1, x.table, y.table))
		}
		switch {
		case x.length == y.length:
		case x.length == 0:
			c.lengths++
		default:
			c.contradictions = append(c.contradictions, fmt.Sprintf("%s%d: length %d against %d", prefix, i+1, x.length, y.length))
		}
	}
}

func (c *comparison) String() string {
	return fmt.Sprintf("%d in both, alike in name, type, optionality and repetition; only in the second, from an older version: %d fields, %d tables, %d lengths", c.both, c.extra, c.tables, c.lengths)
}

func (c *comparison) errors(id string) []error {
	var errs []error
	for _, text := range c.contradictions {
		errs = append(errs, fmt.Errorf("version %s: the sources contradict each other: %s", id, text))
	}
	return errs
}

// withoutRepeats leaves of nodes what the second source has: of two of one name in a group the
// last one, at the place of the first, since a JavaScript object can't hold both; and of a choice
// its name, which is made of its members' names, but not its members.
func withoutRepeats(nodes []node) ([]node, bool) {
	var kept []node
	cut := false
	for _, n := range nodes {
		if n.kind == 'C' && len(n.nodes) > 0 {
			n.nodes, cut = nil, true
		}
		children, c := withoutRepeats(n.nodes)
		n.nodes, cut = children, cut || c
		if i := slices.IndexFunc(kept, func(k node) bool { return k.name == n.name }); i >= 0 {
			kept[i], cut = n, true
			continue
		}
		kept = append(kept, n)
	}
	return kept, cut
}

func sameNodes(a, b []node) bool {
	return slices.EqualFunc(a, b, func(x, y node) bool {
		return x.name == y.name && x.min == y.min && x.max == y.max && sameNodes(x.nodes, y.nodes)
	})
}
