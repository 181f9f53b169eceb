package standard

import "iter"

// A Structure is the definition of a message: which segments, in which order and groups. It
// never changes. The zero value has no name and no nodes.
type Structure struct{ s *structure }

// Name returns the structure's name as in MSH-9.3, such as "ADT_A01".
func (s Structure) Name() string {
	if s.s == nil {
		return ""
	}
	return s.s.name
}

// Description returns what the message is called, such as "Admit/visit notification".
func (s Structure) Description() string {
	if s.s == nil {
		return ""
	}
	return s.s.text
}

// Nodes returns the segments and groups of the message in their order.
func (s Structure) Nodes() iter.Seq[Node] {
	if s.s == nil {
		return func(func(Node) bool) {}
	}
	return nodes(s.s.nodes)
}

func nodes(list []node) iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for i := range list {
			if !yield(Node{&list[i]}) {
				return
			}
		}
	}
}

// A NodeKind tells what a [Node] is.
type NodeKind uint8

// The kinds of nodes.
const (
	SegmentNode NodeKind = iota // one segment
	GroupNode                   // a group of nodes, in order
	ChoiceNode                  // one of its nodes
)

// String returns "segment", "group" or "choice".
func (k NodeKind) String() string {
	switch k {
	case SegmentNode:
		return "segment"
	case GroupNode:
		return "group"
	case ChoiceNode:
		return "choice"
	}
	return "?"
}

// A Node is a place in a message's structure: a segment, a group or a choice. The zero value is a
// segment without a name.
type Node struct{ n *node }

// Name returns the name of the segment ("PID") or group ("INSURANCE"). The segment "*" is any
// segment. A choice has no name.
func (n Node) Name() string {
	if n.n == nil {
		return ""
	}
	return n.n.name
}

// Kind returns what the node is.
func (n Node) Kind() NodeKind {
	if n.n == nil {
		return SegmentNode
	}
	return n.n.kind
}

// Min returns how often it must stand, 0 for an optional one.
func (n Node) Min() int {
	if n.n == nil {
		return 0
	}
	return n.n.min
}

// Max returns how often it may stand, 0 for any number of times.
func (n Node) Max() int {
	if n.n == nil {
		return 0
	}
	return n.n.max
}

// Nodes returns what is in a group or choice, and nothing for a segment.
func (n Node) Nodes() iter.Seq[Node] {
	if n.n == nil {
		return func(func(Node) bool) {}
	}
	return nodes(n.n.nodes)
}
