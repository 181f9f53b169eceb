package hl7

import (
	"iter"
	"math/bits"
)

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
	m        *Message
	delims   Delimiters
	kinds    [256]uint8
	patterns [6][16]byte
	count    counter
	whole    bool // text is the whole message, and not one segment
	next     int  // segment, where it isn't
	text     text
	at       int  // what was looked at of text
	resume   int  // where a segment begins that needs a closer look; -1 for none
	segment  int  // that is being looked at
	state    leaf // of the value that begins next
	leaves   [blockSize + 1]leaf
	i, n     int                    // of leaves
	places   [blockSize/4 + 2]place // of the segments in the block
	oldest   int                    // the number of the first of places
}

// A leaf is where a value is, and its numbers: the field's and the repetition's in the
// upper and lower half of one word, the component's and the subcomponent's in another.
type leaf struct {
	span             uint64 // where it begins, and in the upper half where it ends
	field, component uint64
	from             uint64 // what ended it, and above the lowest byte its segment
}

func (l *leaf) begin() uint32 { return uint32(l.span) }
func (l *leaf) end() uint32   { return uint32(l.span >> 32) }
func (l *leaf) ended() uint8  { return uint8(l.from) }
func (l *leaf) segment() int  { return int(l.from >> 8) }

func span64(begin, end int) uint64 { return uint64(end)<<32 | uint64(uint32(begin)) }

const (
	// blockSize is how many bytes are looked through at a time: two words of bits, which say
	// where the delimiters are. A branch on each byte takes several times as long, because no
	// processor can guess what it is.
	blockSize = 128

	firsts = 1<<32 | 1 // the first of each of two numbers
)

// Walk returns a cursor before the first value.
func (m *Message) Walk() *Cursor {
	rare := m.makeRare()
	c := rare.resting
	if c == nil {
		c = new(Cursor)
	}
	rare.resting = nil
	if c.m == nil || c.delims != m.header.delims {
		c.delims, c.kinds, c.patterns = m.header.delims, m.header.delims.kinds(), m.header.delims.patterns()
	}
	c.m, c.count, c.next, c.segment, c.i, c.n, c.resume = m, counter{}, 0, -1, 0, 0, -1
	c.whole, c.text, c.at = !m.isEdited(), text{}, 1
	if c.whole {
		c.text = plain(m.raw)
		if m.charset().masks() {
			m.index()
			c.text.cut = rare.cut
		}
		c.resume = int(m.start)
	}
	return c
}

// Next goes to the next value that isn't empty and has no parts. It reports false when
// there is none; the cursor must not be used any more then.
func (c *Cursor) Next() bool {
	c.i++
	return c.i < c.n || c.more()
}

// more goes to the first value of the next block.
func (c *Cursor) more() bool {
	for c.i >= c.n {
		switch {
		case c.resume >= 0:
			c.begin(c.resume)
		case c.at <= len(c.text.cut):
			c.fill()
		case c.whole || c.next >= c.m.Len():
			c.m.makeRare().resting = c
			return false
		default:
			c.text = c.m.segment(c.next)
			c.next++
			c.begin(0)
		}
	}
	return true
}

// nameAt returns the name of the segment that begins at a place of the text.
func (c *Cursor) nameAt(at int) segmentName {
	cut := c.text.cut[at:]
	if len(cut) < 3 || len(cut) > 3 && cut[3] != c.delims.Field && !isLineEnd(cut[3]) || !isSegmentName(cut[:3]) {
		return nameless
	}
	return segmentName(cut)
}

// begin begins the segment at a place of the text or behind the line ends there.
func (c *Cursor) begin(at int) {
	cut := c.text.cut
	for at < len(cut) && isLineEnd(cut[at]) {
		at++
	}
	c.resume, c.i, c.n = -1, 0, 0
	if at == len(cut) {
		c.at = at + 1
		return
	}
	c.segment++
	p := c.count.next(c.nameAt(at))
	c.places[0], c.oldest = p, c.segment
	from := uint64(c.segment)<<8 | endsField
	c.state = leaf{span: uint64(at + 4), field: 1, component: firsts, from: from}
	c.at = at + 3
	if p.name != nameless && !p.name.isHeader() {
		return
	}
	line := cut[at:]
	if end := segmentEnd(line); end >= 0 {
		line = line[:end]
	}
	switch {
	case p.name == nameless:
		c.leaves[0], c.n = leaf{span: span64(at, at+len(line)), from: from}, 1
		c.resume = at + len(line)
	case len(line) >= 4:
		end := at + 4 + len(first(line[4:], c.delims.Field))
		c.leaves[0], c.n = leaf{span64(at+3, at+4), firsts, firsts, from}, 1
		if end > at+4 {
			c.leaves[1], c.n = leaf{span64(at+4, end), 2<<32 | 1, firsts, from}, 2
		}
		c.state.span, c.state.field, c.at = uint64(end+1), 2<<32|1, end
	}
}

// A step says what the delimiter that ended a value keeps of its numbers, and what it adds.
type step struct{ keepField, addField, keepComponent, addComponent uint64 }

var steps = [8]step{
	endsSubcomponent: {1<<64 - 1, 0, 1<<64 - 1, 1},
	endsComponent:    {1<<64 - 1, 0, 0xffffffff << 32, firsts},
	endsRepetition:   {1<<64 - 1, 1, 0, firsts},
	endsField:        {0xffffffff << 32, firsts, 0, firsts},
}

// fill finds the values in the next block.
func (c *Cursor) fill() {
	cut := c.text.cut
	var masks [2]uint64
	from := c.at
	if rest := cut[from:]; len(rest) >= blockSize {
		findDelimiters((*[blockSize]byte)(rest), &c.patterns, &masks)
		c.at += blockSize
	} else {
		var last [blockSize]byte
		copy(last[:], rest)
		findDelimiters(&last, &c.patterns, &masks)
		c.at = len(cut)
	}
	// Local variables stay in registers.
	begin, field, component, segment, found := uint64(c.state.begin()), c.state.field, c.state.component, uint64(c.segment)<<8, 0
	if c.oldest != c.segment {
		c.places[0], c.oldest = c.places[c.segment-c.oldest], c.segment
	}
	for word := 0; word < 2; {
		if masks[word] == 0 {
			word++
			continue
		}
		end := uint64(from + 64*word + bits.TrailingZeros64(masks[word]))
		masks[word] &= masks[word] - 1
		kind := c.kinds[cut[end]] & 7
		l := &c.leaves[found]
		l.span, l.field, l.component, l.from = end<<32|begin, field, component, segment|uint64(kind)
		found += int((begin - end) >> 63) // one more, but where it is empty
		begin = end + 1
		if kind != endsSegment {
			t := &steps[kind]
			field = field&t.keepField + t.addField
			component = component&t.keepComponent + t.addComponent
			continue
		}
		next := int(begin)
		if next < len(cut) && isLineEnd(cut[next]) {
			continue // a blank line, or the second half of an end
		}
		name := nameless
		if next < len(cut) {
			name = c.nameAt(next)
		}
		if name == nameless || name.isHeader() {
			c.resume = next
			c.i, c.n = 0, found
			return
		}
		c.segment++
		segment = uint64(c.segment) << 8
		c.places[c.segment-c.oldest] = c.count.next(name)
		begin, field, component = begin+4, 1, firsts // the name is no value
	}
	if c.at == len(cut) {
		c.at++
		if end := uint64(len(cut)); end > begin {
			c.leaves[found] = leaf{end<<32 | begin, field, component, segment | endsField}
			found++
		}
	}
	c.state.span, c.state.field, c.state.component = begin, field, component
	c.i, c.n = 0, found
}

// Segment returns the place of the segment that the cursor is in, from 0.
func (c *Cursor) Segment() int { return c.leaves[c.i].segment() }

// Path returns the path of the value. It says no more than is needed: the first segment
// of a name and the first repetition have no number, and a repetition without components
// or a component without subcomponents is named itself. A segment that doesn't begin with
// a name comes as a whole, with the path ???.
func (c *Cursor) Path() Path {
	l := &c.leaves[c.i]
	p := Path{segment: c.places[l.segment()-c.oldest], field: int(l.field >> 32)}
	if repetition := int(uint32(l.field)); repetition > 1 {
		p.repetition = repetition
	}
	component, subcomponent := int(l.component>>32), int(uint32(l.component))
	if subcomponent > 1 || l.ended() == endsSubcomponent {
		p.component, p.subcomponent = component, subcomponent
	} else if component > 1 || l.ended() == endsComponent {
		p.component = component
	}
	return p
}

// Value returns the value.
func (c *Cursor) Value() Value {
	l := &c.leaves[c.i]
	return Value{c.m, c.text.slice(int(l.begin()), int(l.end())), l.field>>32 <= 2 && c.places[l.segment()-c.oldest].name.isHeader()}
}

// Raw returns the bytes of the value as they stand. See [Value.Raw].
func (c *Cursor) Raw() []byte {
	l := &c.leaves[c.i]
	return c.text.raw[l.begin():l.end()]
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
	endsSegment
)

// kinds returns what each byte ends.
func (d Delimiters) kinds() (kinds [256]uint8) {
	kinds[d.Subcomponent] = endsSubcomponent
	kinds[d.Component] = endsComponent
	kinds[d.Repetition] = endsRepetition
	kinds[0] = noDelimiter
	kinds[d.Field] = endsField
	kinds['\r'], kinds['\n'] = endsSegment, endsSegment
	return kinds
}
