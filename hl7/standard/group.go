package standard

import "github.com/ladlehq/ladle/hl7"

// A Group is the part of a message that belongs together, as the message's structure has it: the
// whole message, or a group within it such as an order with its observations. The zero value is
// an empty group.
type Group struct {
	Name  string // the structure's name for the whole ("ORU_R01"), else the group's ("ORDER_OBSERVATION")
	Items []Item // in the order of the message
}

// An Item is a segment of a group or a group within it.
type Item struct {
	Group   *Group // nil for a segment
	Segment string // the segment's name, "" for a group
	Index   int    // the segment's place in the message, counted from 0
}

// Group lays segments, given by their names, into the structure. Each segment is in the result
// once, in the order of names. A segment that the structure has no place for stays in the group
// in which it stands, and so does one of the site's own (Z). Where the standard leaves two
// readings, the segments that follow decide, then the smaller group. It takes time and memory in
// proportion to the number of names.
func (s Structure) Group(names []string) *Group {
	if s.s == nil {
		s.s = &structure{}
	}
	g, _ := match(s.s, names)
	return g
}

// StructureFor returns the structure of a message: the one that MSH-9.3 states where there is
// one of that name, else the one of its message type and trigger event.
func (d *Dictionary) StructureFor(m *hl7.Message) (Structure, bool) {
	if name := m.Get(hl7.MustPath("MSH-9.3")); name != "" {
		if st, ok := d.Structure(name); ok {
			return st, true
		}
	}
	return d.StructureOf(m.Header().MessageCode(), m.Header().TriggerEvent())
}

// Group lays the segments of a message into its structure, as [Structure.Group] does. It returns
// nil and false when no structure is known for the message. The message isn't changed; an item's
// Index is the segment's place in [hl7.Message.Segments].
func (d *Dictionary) Group(m *hl7.Message) (*Group, bool) {
	s, ok := d.StructureFor(m)
	if !ok {
		return nil, false
	}
	var names []string
	for _, segment := range m.Segments() {
		names = append(names, segment.Name())
	}
	return s.Group(names), true
}
