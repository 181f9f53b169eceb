package standard

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
