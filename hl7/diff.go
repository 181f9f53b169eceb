package hl7

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
)

// A Difference is a place where two messages don't say the same.
type Difference struct {
	// A and B are the place in the one message and in the other. The zero Path means that
	// there is none: a segment came or went.
	A, B Path
	// Was and Is are the texts there, "" where there is none. The HL7 null is "" in
	// quotes. Of a segment that came or went it is the whole segment as it stands.
	Was, Is string
}

// String returns the difference in a line, such as: PID-5.1: "SMITH" is now "JONES".
func (d Difference) String() string {
	switch {
	case d.A == Path{}:
		return fmt.Sprintf("%v came: %q", d.B, d.Is)
	case d.B == Path{}:
		return fmt.Sprintf("%v went: %q", d.A, d.Was)
	case d.A != d.B:
		return fmt.Sprintf("%v, now %v: %q is now %q", d.A, d.B, d.Was, d.Is)
	}
	return fmt.Sprintf("%v: %q is now %q", d.A, d.Was, d.Is)
}

// Diff yields what changes from a to b, value by value, in the order of the messages.
// Texts are compared, so other delimiters, character sets, line ends and trailing
// delimiters are no differences. Segments are laid beside each other so that one that
// came in between doesn't make all that follow differ. What lies in one of the paths
// ignore is left out; in these no number means all, so that OBX-5 is OBX-5 of every OBX.
func Diff(a, b *Message, ignore ...Path) iter.Seq[Difference] {
	return func(yield func(Difference) bool) {
		left, right := contents(a), contents(b)
		number(left, right)
		for _, pair := range align(left, right) {
			ok := true
			switch {
			case pair[0] < 0:
				s := right[pair[1]]
				ok = ignored(s.path, ignore) || yield(Difference{B: s.path, Is: b.charset().decode(b.segment(pair[1]).raw)})
			case pair[1] < 0:
				s := left[pair[0]]
				ok = ignored(s.path, ignore) || yield(Difference{A: s.path, Was: a.charset().decode(a.segment(pair[0]).raw)})
			default:
				ok = diffValues(left[pair[0]].values, right[pair[1]].values, left[pair[0]].path, right[pair[1]].path, ignore, yield)
			}
			if !ok {
				return
			}
		}
	}
}

// A content is what a segment says.
type content struct {
	path   Path
	values []said
	number int32    // the same for segments that say the same
	begins [4]int32 // the first values, by numbers that are the same for the same encoding
}

type said struct {
	path    Path
	text    string
	encoded string // in one encoding for all messages: equal where the values are
}

func contents(m *Message) []content {
	all := make([]content, m.Len())
	var count counter
	for i, s := range m.Segments() {
		all[i].path.segment = count.next(s.named())
	}
	t := transcoder{from: m, delims: DefaultDelimiters(), charset: &utf8Charset, anew: true}
	for c := m.Walk(); c.Next(); {
		p, v := c.Path(), c.Value()
		if p.field <= 2 && p.segment.name.isHeader() {
			continue
		}
		s := &all[c.Segment()]
		value := said{p, v.Text(), ""}
		t.fields = p.field == 0
		if encoded, err := t.append(nil, v.text); err == nil {
			value.encoded = string(encoded)
		}
		s.values = append(s.values, value)
	}
	return all
}

func (p Path) inSegment(q Path) Path {
	p.segment = q.segment
	return p
}

// same reports whether two segments say the same.
func (c *content) same(d *content) bool {
	return c.path.segment.name == d.path.segment.name && slices.EqualFunc(c.values, d.values, func(a, b said) bool {
		return a.encoded == b.encoded && a.path.inSegment(b.path) == b.path
	})
}

// number numbers segments by what they say, so that comparing each with each costs the same
// however long they are.
func number(sides ...[]content) {
	texts, seed := make(map[string]int32), maphash.MakeSeed()
	known := make(map[uint64][]*content) // by a hash of all that they say
	numbers := int32(0)
	var place []byte
	for _, side := range sides {
		for i := range side {
			c := &side[i]
			var h maphash.Hash
			h.SetSeed(seed)
			h.WriteString(c.path.segment.name.String())
			for n, v := range c.values {
				place = place[:0]
				for _, n := range [...]int{v.path.field, v.path.repetition, v.path.component, v.path.subcomponent, len(v.encoded)} {
					place = binary.AppendUvarint(place, uint64(n))
				}
				h.Write(place)
				h.WriteString(v.encoded)
				if n >= len(c.begins) {
					continue
				}
				if texts[v.encoded] == 0 {
					texts[v.encoded] = int32(len(texts) + 1)
				}
				c.begins[n] = texts[v.encoded]
			}
			sum := h.Sum64()
			for _, k := range known[sum] {
				if c.same(k) {
					c.number = k.number
				}
			}
			if c.number == 0 {
				numbers++
				c.number = numbers
				known[sum] = append(known[sum], c)
			}
		}
	}
}

// maxAligned bounds the pairs of segments that are compared with each other.
const maxAligned = 1_000_000

// align lays segments beside each other: pairs of places, -1 for none.
func align(a, b []content) [][2]int {
	var head, tail [][2]int
	i, j, k := 0, len(a), len(b)
	for i < min(j, k) && a[i].number == b[i].number {
		head = append(head, [2]int{i, i})
		i++
	}
	for j > i && k > i && a[j-1].number == b[k-1].number {
		j, k = j-1, k-1
		tail = append(tail, [2]int{j, k})
	}
	slices.Reverse(tail)
	return slices.Concat(head, alignMiddle(a[i:j], b[i:k], i), tail)
}

// alignMiddle finds the pairing with the most in common, or, for very many segments, pairs
// the nth of a name with the nth.
func alignMiddle(a, b []content, offset int) (pairs [][2]int) {
	if len(a)*len(b) > maxAligned {
		return alignByNumber(a, b, offset)
	}
	width := len(b) + 1
	best := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			score := max(best[(i+1)*width+j], best[i*width+j+1])
			if s := a[i].likeness(&b[j]); s > 0 {
				score = max(score, s+best[(i+1)*width+j+1])
			}
			best[i*width+j] = score
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i].likeness(&b[j]) > 0 && best[i*width+j] == a[i].likeness(&b[j])+best[(i+1)*width+j+1]:
			pairs = append(pairs, [2]int{offset + i, offset + j})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || best[i*width+j] == best[(i+1)*width+j]):
			pairs = append(pairs, [2]int{offset + i, -1})
			i++
		default:
			pairs = append(pairs, [2]int{-1, offset + j})
			j++
		}
	}
	return pairs
}

// likeness says how much two segments look like one that was changed.
func (c *content) likeness(d *content) int32 {
	if c.path.segment.name != d.path.segment.name {
		return 0
	}
	// The set id and the next field mostly tell one segment from another.
	score := int32(2)
	for i := range min(len(c.values), len(d.values), len(c.begins)) {
		if c.begins[i] == d.begins[i] {
			score++
		}
	}
	if c.number == d.number {
		score += 4
	}
	return score
}

func alignByNumber(a, b []content, offset int) (pairs [][2]int) {
	places := make(map[place]int, len(b))
	var count counter
	for j, s := range b {
		places[countedAs(&count, s)] = j
	}
	count = counter{}
	next := 0
	for i, s := range a {
		j, ok := places[countedAs(&count, s)]
		if !ok || j < next {
			pairs = append(pairs, [2]int{offset + i, -1})
			continue
		}
		for ; next < j; next++ {
			pairs = append(pairs, [2]int{-1, offset + next})
		}
		pairs = append(pairs, [2]int{offset + i, offset + j})
		next = j + 1
	}
	for ; next < len(b); next++ {
		pairs = append(pairs, [2]int{-1, offset + next})
	}
	return pairs
}

func countedAs(c *counter, s content) place { return c.next(s.path.segment.name) }

// diffValues yields the differences of two segments.
func diffValues(a, b []said, pathA, pathB Path, ignore []Path, yield func(Difference) bool) bool {
	emit := func(p, q Path, was, is string) bool {
		return ignored(p, ignore) || ignored(q, ignore) || yield(Difference{p, q, was, is})
	}
	for len(a) > 0 || len(b) > 0 {
		order := 0
		switch {
		case len(a) == 0:
			order = 1
		case len(b) == 0:
			order = -1
		default:
			order = a[0].path.compare(b[0].path)
		}
		switch {
		case order < 0:
			if !emit(a[0].path, a[0].path.inSegment(pathB), a[0].text, "") {
				return false
			}
			a = a[1:]
		case order > 0:
			if !emit(b[0].path.inSegment(pathA), b[0].path, "", b[0].text) {
				return false
			}
			b = b[1:]
		default:
			if a[0].encoded != b[0].encoded && !emit(a[0].path, b[0].path, a[0].text, b[0].text) {
				return false
			}
			a, b = a[1:], b[1:]
		}
	}
	return true
}

// compare orders places of one segment. The whole of something is its first part.
func (p Path) compare(q Path) int {
	for _, d := range [...]int{p.field - q.field, max(p.repetition, 1) - max(q.repetition, 1), max(p.component, 1) - max(q.component, 1), max(p.subcomponent, 1) - max(q.subcomponent, 1)} {
		if d != 0 {
			return d
		}
	}
	return 0
}

// ignored reports whether p lies in one of the paths.
func ignored(p Path, paths []Path) bool {
	return slices.ContainsFunc(paths, func(q Path) bool {
		within := func(q, p int) bool { return q <= 0 || q == max(p, 1) }
		return q.segment.name == p.segment.name && within(q.segment.n, p.segment.n) && (q.field == 0 || q.field == p.field) &&
			within(q.repetition, p.repetition) && within(q.component, p.component) && within(q.subcomponent, p.subcomponent)
	})
}
