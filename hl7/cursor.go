package hl7

import "iter"

// nameless stands for the name of a segment that has none, such as a text that a line
// end has torn off.
var nameless = segmentName{'?', '?', '?'}

// Values yields every value of the message that isn't empty and has no parts, with its
// path, in order: MSH-1, MSH-2, MSH-3 or MSH-3.1 and so on. See [Cursor.Path]. The message
// must not be edited meanwhile.
func (m *Message) Values() iter.Seq2[Path, Value] {
	return func(yield func(Path, Value) bool) {
		for c := m.Walk(); c.Next(); {
			if !yield(c.Path(), c.Value()) {
				return
			}
		}
	}
}

// A Cursor goes through all values of a message in one pass, as [Message.Values] does,
// and makes a path or a value only of what it is asked for. It is the fastest way to see
// a whole message. Make one with [Message.Walk]; the message must not be edited while it
// is in use.
type Cursor struct {
	m       *Message
	delims  Delimiters
	kinds   [256]uint8
	divides [256]uint8 // 1 where kinds has anything
	ends    [256]uint8 // of the values in the block
	count   counter
	next    int // segment
	segment place
	text    text
	at      int  // what was looked at of text
	state   leaf // of the value that begins next
	leaves  [blockSize + 1]leaf
	i, n    int // of leaves
}

// A leaf is where a value is in its segment, and its numbers: the field's and the
// repetition's in the upper and lower half of one word, the component's and the
// subcomponent's in another.
type leaf struct {
	begin, end       uint32
	field, component uint64
	ended            uint8
}

// blockSize is how many bytes are looked through at a time. Without a branch on what a
// byte is, which no processor can guess, this takes a third of the time of a plain loop.
const blockSize = 128

// Walk returns a cursor before the first value.
func (m *Message) Walk() *Cursor {
	m.index()
	rare := m.makeRare()
	c := rare.resting
	if c == nil {
		c = new(Cursor)
	}
	rare.resting = nil
	if c.m == nil || c.delims != m.header.delims {
		c.delims, c.kinds = m.header.delims, m.header.delims.kinds()
		for i, kind := range c.kinds {
			c.divides[i] = min(kind, 1)
		}
	}
	c.m, c.count, c.next, c.i, c.n = m, counter{}, 0, 0, 0
	return c
}

// Next goes to the next value that isn't empty and has no parts. It reports false when
// there is none; the cursor must not be used any more then.
func (c *Cursor) Next() bool {
	c.i++
	for c.i >= c.n {
		if c.at > len(c.text.cut) || c.next == 0 {
			if c.next >= c.m.Len() {
				c.m.makeRare().resting = c
				return false
			}
			c.begin()
			continue
		}
		c.fill()
	}
	return true
}

// begin begins the next segment.
func (c *Cursor) begin() {
	c.text = c.m.segment(c.next)
	c.next++
	cut := c.text.cut
	c.segment = c.count.next(Segment{c.m, c.text}.named())
	c.state = leaf{begin: 4, field: 1<<32 | 1, component: 1<<32 | 1}
	c.at, c.i, c.n = 4, 0, 0
	switch {
	case c.segment.name == nameless:
		c.leaves[0] = leaf{end: uint32(len(cut))}
		c.at, c.n = len(cut)+1, 1
	case len(cut) < 4:
		c.at = len(cut) + 1
	case c.segment.name.isHeader():
		end := 4 + len(first(cut[4:], c.m.header.delims.Field))
		c.leaves[0] = leaf{begin: 3, end: 4, field: 1<<32 | 1, component: 1<<32 | 1}
		if c.n = 1; end > 4 {
			c.leaves[1] = leaf{begin: 4, end: uint32(end), field: 2<<32 | 1, component: 1<<32 | 1}
			c.n = 2
		}
		c.at = end + 1
		c.state.begin, c.state.field = uint32(c.at), 3<<32|1
	}
}

// A step says what the delimiter that ended a value keeps of its numbers, and what it adds.
type step struct{ keepField, addField, keepComponent, addComponent uint64 }

var steps = [8]step{
	endsSubcomponent: {1<<64 - 1, 0, 1<<64 - 1, 1},
	endsComponent:    {1<<64 - 1, 0, 0xffffffff << 32, 1<<32 | 1},
	endsRepetition:   {1<<64 - 1, 1, 0, 1<<32 | 1},
	endsField:        {0xffffffff << 32, 1<<32 | 1, 0, 1<<32 | 1},
}

// fill finds the values in the next block.
func (c *Cursor) fill() {
	cut := c.text.cut
	block := cut[c.at:min(c.at+blockSize, len(cut))]
	ends, divides, n := &c.ends, &c.divides, uint8(0)
	i := 0
	for ; i+4 <= len(block); i += 4 {
		four := block[i : i+4 : i+4]
		ends[n] = uint8(i)
		n += divides[four[0]]
		ends[n] = uint8(i + 1)
		n += divides[four[1]]
		ends[n] = uint8(i + 2)
		n += divides[four[2]]
		ends[n] = uint8(i + 3)
		n += divides[four[3]]
	}
	for ; i < len(block); i++ {
		ends[n] = uint8(i)
		n += divides[block[i]]
	}
	// Local variables stay in registers.
	begin, field, component, found := c.state.begin, c.state.field, c.state.component, 0
	for _, at := range ends[:n] {
		kind, end := c.kinds[block[at]]&7, uint32(c.at)+uint32(at)
		l := &c.leaves[found]
		l.begin, l.end, l.field, l.component, l.ended = begin, end, field, component, kind
		found += int((uint64(begin) - uint64(end)) >> 63) // one more, but where it is empty
		begin = end + 1
		s := &steps[kind]
		field = field&s.keepField + s.addField
		component = component&s.keepComponent + s.addComponent
	}
	c.at += len(block)
	if c.at == len(cut) {
		c.at++
		if end := uint32(len(cut)); end > begin {
			c.leaves[found] = leaf{begin, end, field, component, endsField}
			found++
		}
	}
	c.state.begin, c.state.field, c.state.component = begin, field, component
	c.i, c.n = 0, found
}

// Segment returns the place of the segment that the cursor is in, from 0.
func (c *Cursor) Segment() int { return c.next - 1 }

// Path returns the path of the value. It says no more than is needed: the first segment
// of a name and the first repetition have no number, and a repetition without components
// or a component without subcomponents is named itself. A segment that doesn't begin with
// a name comes as a whole, with the path ???.
func (c *Cursor) Path() Path {
	l := &c.leaves[c.i]
	p := Path{segment: c.segment, field: int(l.field >> 32)}
	if repetition := int(uint32(l.field)); repetition > 1 {
		p.repetition = repetition
	}
	component, subcomponent := int(l.component>>32), int(uint32(l.component))
	if subcomponent > 1 || l.ended == endsSubcomponent {
		p.component, p.subcomponent = component, subcomponent
	} else if component > 1 || l.ended == endsComponent {
		p.component = component
	}
	return p
}

// Value returns the value.
func (c *Cursor) Value() Value {
	l := &c.leaves[c.i]
	return Value{c.m, c.text.slice(int(l.begin), int(l.end)), l.field>>32 <= 2 && c.segment.name.isHeader()}
}

// Raw returns the bytes of the value as they stand. See [Value.Raw].
func (c *Cursor) Raw() []byte {
	l := &c.leaves[c.i]
	return c.text.raw[l.begin:l.end]
}

// A counter numbers segments by their names. A message has few names, so that most find
// a slot.
type counter struct {
	slots [32]place
	more  map[segmentName]int // of names that have found no slot
}

// next returns the place of the next segment of that name. The first has no number.
func (c *counter) next(name segmentName) place {
	at := name[0]*7 + name[1]*3 + name[2]
	for range 4 {
		s := &c.slots[at&31]
		if s.name == name {
			s.n++
			return *s
		}
		if s.name == none {
			*s = place{name, 1}
			return place{name: name}
		}
		at++
	}
	if c.more == nil {
		c.more = make(map[segmentName]int)
	}
	n := c.more[name] + 1
	c.more[name] = n
	if n == 1 {
		n = 0
	}
	return place{name, n}
}

// The kinds of a byte by what it ends.
const (
	noDelimiter = iota
	endsSubcomponent
	endsComponent
	endsRepetition
	endsField
)

// kinds returns what each byte ends.
func (d Delimiters) kinds() (kinds [256]uint8) {
	kinds[d.Subcomponent] = endsSubcomponent
	kinds[d.Component] = endsComponent
	kinds[d.Repetition] = endsRepetition
	kinds[0] = noDelimiter
	kinds[d.Field] = endsField
	return kinds
}
