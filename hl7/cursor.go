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
	at       int // what was looked at of text
	resume   int // where a segment begins that needs a closer look; -1 for none
	segment  int // that is being looked at
	begin    int // of the value that begins next

	masks  masks
	masked int // where the first of masks belongs in text
	word   int // of masks that is being looked at
	ready  int // of masks
	tail   [blockSize]byte

	leaves [2 * blockSize]leaf
	i, n   int // of leaves
	seats  [32]seat
	oldest int // the number of the first of seats
	seat   int // of the leaf that was asked for last
	seated int // of seats

	numbered numbered
}

// A leaf is where a value begins, and in the upper half where it ends.
type leaf uint64

func (l leaf) begin() uint32 { return uint32(l) }
func (l leaf) end() uint32   { return uint32(l >> 32) }

func leafOf(begin, end int) leaf { return leaf(end)<<32 | leaf(uint32(begin)) }

// A seat is where a segment begins that has leaves.
type seat struct {
	place place
	begin int
}

// A numbered place is one whose numbers are known: the field's and the repetition's in the
// upper and lower half of one word, the component's and the subcomponent's in another.
// Others are numbered from there on when they are asked for: most are not.
type numbered struct {
	segment          int
	at               int // in text
	field, component uint64
}

// masks have a bit for each byte of some blocks: whether it is a delimiter or a line end,
// and whether it is a line end. The first byte has the lowest bit.
type masks struct{ all, lines [maskedBlocks]uint64 }

const (
	// blockSize is how many bytes have one word of bits, which says where the delimiters are.
	// A branch on each byte takes several times as long, because no processor can guess what
	// it is.
	blockSize = 64

	// maskedBlocks is how many blocks are looked through at a time.
	maskedBlocks = 16

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
	c.numbered.segment = -1
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
			c.start(c.resume)
		case c.at <= len(c.text.cut):
			c.fill()
		case c.whole || c.next >= c.m.Len():
			c.m.makeRare().resting = c
			return false
		default:
			c.text = c.m.segment(c.next)
			c.next++
			c.start(0)
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

// start begins the segment at a place of the text or behind the line ends there.
func (c *Cursor) start(at int) {
	cut := c.text.cut
	for at < len(cut) && isLineEnd(cut[at]) {
		at++
	}
	c.resume, c.i, c.n, c.word, c.ready = -1, 0, 0, 0, 0
	if at == len(cut) {
		c.at = at + 1
		return
	}
	c.segment++
	p := c.count.next(c.nameAt(at))
	c.seats[0], c.oldest, c.seat, c.seated = seat{p, at}, c.segment, 0, 1
	c.at, c.begin = at+3, at+4
	if p.name != nameless && !p.name.isHeader() {
		return
	}
	line := cut[at:]
	if end := segmentEnd(line); end >= 0 {
		line = line[:end]
	}
	switch {
	case p.name == nameless:
		c.leaves[0], c.n = leafOf(at, at+len(line)), 1
		c.resume = at + len(line)
	case len(line) >= 4:
		end := at + 4 + len(first(line[4:], c.delims.Field))
		c.leaves[0], c.n = leafOf(at+3, at+4), 1
		if end > at+4 {
			c.leaves[1], c.n = leafOf(at+4, end), 2
		}
		c.begin, c.at = end+1, end
	}
}

// refill finds the delimiters of the next blocks, and reports whether there are any.
func (c *Cursor) refill() bool {
	rest := c.text.cut[c.at:]
	if len(rest) == 0 {
		return false
	}
	c.masked, c.word, c.ready = c.at, 0, min(len(rest)/blockSize, maskedBlocks)
	if size := c.ready * blockSize; size > 0 {
		findDelimiters(rest[:size], &c.patterns, &c.masks)
		c.at += size
		return true
	}
	c.tail = [blockSize]byte{}
	copy(c.tail[:], rest)
	findDelimiters(c.tail[:], &c.patterns, &c.masks)
	c.at += len(rest)
	c.ready = 1
	return true
}

// fill finds the next values.
func (c *Cursor) fill() {
	cut := c.text.cut
	c.seats[0], c.oldest, c.seat, c.seated = c.seats[c.seated-1], c.segment, 0, 1
	// Local variables stay in registers.
	begin, found := uint64(c.begin), uint(0)
	for found <= blockSize {
		if c.word == c.ready && !c.refill() {
			c.at++
			if end := uint64(len(cut)); end > begin {
				c.leaves[found] = leaf(end<<32 | begin)
				found++
			}
			break
		}
		base, mask, lines := uint64(c.masked+c.word*blockSize), c.masks.all[c.word], c.masks.lines[c.word]
		// What is up to the next line end, which is the lowest bit of lines.
		segment := mask & (lines ^ (lines - 1))
		c.masks.all[c.word], c.masks.lines[c.word] = mask&^segment, lines&(lines-1)
		if mask == segment {
			c.word++
		}
		for segment != 0 {
			end := base + uint64(bits.TrailingZeros64(segment))
			segment &= segment - 1
			c.leaves[found%uint(len(c.leaves))] = leaf(end<<32 | begin)
			found += uint((begin - end) >> 63) // one more, but where it is empty
			begin = end + 1
		}
		next := int(begin)
		if lines == 0 || next < len(cut) && isLineEnd(cut[next]) {
			continue // goes on, or is a blank line or the second half of an end
		}
		name := nameless
		if next < len(cut) {
			name = c.nameAt(next)
		}
		if name == nameless || name.isHeader() {
			c.resume = next
			break
		}
		c.segment++
		c.seats[c.seated] = seat{c.count.next(name), next}
		begin += 4 // the name is no value
		if c.seated++; c.seated == len(c.seats) {
			break
		}
	}
	c.begin, c.i, c.n = int(begin), 0, int(found)
}

// here returns where the segment of the leaf begins.
func (c *Cursor) here() *seat {
	begin := int(c.leaves[c.i].begin())
	for c.seat+1 < c.seated && c.seats[c.seat+1].begin <= begin {
		c.seat++
	}
	return &c.seats[c.seat]
}

// A step says what a delimiter keeps of the numbers before it, and what it adds.
type step struct{ keepField, addField, keepComponent, addComponent uint64 }

var steps = [8]step{
	noDelimiter:      {1<<64 - 1, 0, 1<<64 - 1, 0},
	endsSubcomponent: {1<<64 - 1, 0, 1<<64 - 1, 1},
	endsComponent:    {1<<64 - 1, 0, 0xffffffff << 32, firsts},
	endsRepetition:   {1<<64 - 1, 1, 0, firsts},
	endsField:        {0xffffffff << 32, firsts, 0, firsts},
}

// number finds the numbers of the value that begins and ends at places of a segment.
func (c *Cursor) number(s *seat, segment, begin, end int) {
	n, cut := &c.numbered, c.text.cut
	if n.segment != segment {
		*n = numbered{segment, s.begin + 3, 1, firsts}
		if s.place.name.isHeader() {
			n.field = firsts
		}
	}
	for begin-n.at >= blockSize {
		var found masks
		blocks := min((begin-n.at)/blockSize, maskedBlocks)
		findDelimiters(cut[n.at:][:blocks*blockSize], &c.patterns, &found)
		for _, mask := range found.all[:blocks] {
			for ; mask != 0; mask &= mask - 1 {
				n.step(c.kinds[cut[n.at+bits.TrailingZeros64(mask)]])
			}
			n.at += blockSize
		}
	}
	for at := n.at; at < begin; at++ {
		n.step(c.kinds[cut[at]])
	}
	n.at = max(n.at, begin)
	if end-begin > 1 {
		n.at = end // nothing in a value is numbered; but MSH-1 is a delimiter itself
	}
}

func (n *numbered) step(kind uint8) {
	t := &steps[kind&7]
	n.field, n.component = n.field&t.keepField+t.addField, n.component&t.keepComponent+t.addComponent
}

// Segment returns the place of the segment that the cursor is in, from 0.
func (c *Cursor) Segment() int {
	c.here()
	return c.oldest + c.seat
}

// Path returns the path of the value. It says no more than is needed: the first segment
// of a name and the first repetition have no number, and a repetition without components
// or a component without subcomponents is named itself. A segment that doesn't begin with
// a name comes as a whole, with the path ???.
func (c *Cursor) Path() (p Path) {
	l, s := c.leaves[c.i], c.here()
	p.segment = s.place
	if s.place.name == nameless {
		return p
	}
	c.number(s, c.oldest+c.seat, int(l.begin()), int(l.end()))
	n := &c.numbered
	p.field = int(n.field >> 32)
	if repetition := int(uint32(n.field)); repetition > 1 {
		p.repetition = repetition
	}
	if p.field <= 2 && s.place.name.isHeader() {
		return p // a delimiter ends MSH-1, too, but it is the first of MSH-2
	}
	ended := uint8(endsField)
	if end := int(l.end()); end < len(c.text.cut) {
		ended = c.kinds[c.text.cut[end]]
	}
	component, subcomponent := int(n.component>>32), int(uint32(n.component))
	if subcomponent > 1 || ended == endsSubcomponent {
		p.component, p.subcomponent = component, subcomponent
	} else if component > 1 || ended == endsComponent {
		p.component = component
	}
	return p
}

// Value returns the value.
func (c *Cursor) Value() Value {
	l, s := c.leaves[c.i], c.here()
	begin, end := int(l.begin()), int(l.end())
	return Value{c.m, c.text.slice(begin, end), begin <= s.begin+4 && s.place.name.isHeader()}
}

// Raw returns the bytes of the value as they stand. See [Value.Raw].
func (c *Cursor) Raw() []byte {
	l := c.leaves[c.i]
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
