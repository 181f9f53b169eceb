package standard

import (
	"slices"
	"strings"
)

// A plan is a structure made ready for matching: each node with the names that it can hold.
type plan struct {
	node  *node
	steps []plan              // of a group
	first map[string]struct{} // the names that can begin it when nothing required is left out
	names map[string]struct{} // all names in it
}

// matchPlan makes the plan of a structure on first use.
func (s *structure) matchPlan() *plan {
	s.once.Do(func() {
		p := planOf(&node{name: s.name, kind: GroupNode, min: 1, max: 1, nodes: s.nodes})
		s.plan = &p
	})
	return s.plan
}

func planOf(n *node) plan {
	p := plan{node: n, first: map[string]struct{}{}, names: map[string]struct{}{}}
	switch n.kind {
	case SegmentNode:
		p.first[n.name], p.names[n.name] = struct{}{}, struct{}{}
	case ChoiceNode:
		for i := range n.nodes {
			p.first[n.nodes[i].name], p.names[n.nodes[i].name] = struct{}{}, struct{}{}
		}
	case GroupNode:
		p.steps = make([]plan, len(n.nodes))
		open := true // nothing required came yet
		for i := range n.nodes {
			step := planOf(&n.nodes[i])
			for name := range step.names {
				p.names[name] = struct{}{}
			}
			if open {
				for name := range step.first {
					p.first[name] = struct{}{}
				}
				open = step.skippable()
			}
			p.steps[i] = step
		}
	}
	return p
}

// skippable tells whether a message may go on without it: it is optional, or a group of optional
// things only.
func (p *plan) skippable() bool {
	if p.node.min == 0 {
		return true
	}
	if p.node.kind != GroupNode {
		return false
	}
	for i := range p.steps {
		if !p.steps[i].skippable() {
			return false
		}
	}
	return true
}

func has(set map[string]struct{}, name string) bool {
	_, ok := set[name]
	return ok
}

// takes tells whether the leaf can be the segment. The wildcard takes what the whole structure
// has no place for.
func (m *matcher) takes(p *plan, name string) bool {
	return has(p.names, name) || has(p.names, wildcard) && !has(m.root.plan.names, name)
}

const wildcard = "*"

// A part is a group as it stands in the message.
type part struct {
	plan   *plan
	parent *part
	group  *Group
	step   int     // its place in the parent
	at     int     // the step that the last segment went to
	began  string  // the name of its first segment
	counts []int   // how often each step stands
	last   []*part // the last part of each step that is a group
	where  int     // the segment that it began with
}

// A misfit is a segment, or the lack of one, that the structure doesn't foresee.
type misfit struct {
	rule    Rule
	segment int    // the segment that it is about, or the one after which one is missing
	name    string // the segment's name
	group   string // the group that it is missing from, "" for the message itself
	max     int
}

// A matcher lays the segments of a message into a structure, in one pass, without going back. It
// looks ahead only to tell apart groups that begin with the same segment, and not far. For each
// segment it looks at most at every node of the structure, so the time grows with the number of
// segments only.
type matcher struct {
	structure  *structure
	segments   []string
	remaining  map[string]int // how often each name is still to come
	root       *part
	current    *part
	parts      []*part
	misfits    []misfit
	candidates []candidate
}

func match(s *structure, names []string) (*Group, []misfit) {
	m := &matcher{structure: s, segments: names, remaining: map[string]int{}}
	m.root = m.newPart(s.matchPlan(), nil, 0, "", 0)
	m.current = m.root
	for _, name := range names {
		m.remaining[name]++
	}
	for i, name := range names {
		m.remaining[name]--
		m.place(i, name)
	}
	for _, p := range m.parts {
		m.missing(p)
	}
	return m.root.group, m.misfits
}

func (m *matcher) newPart(p *plan, parent *part, step int, began string, where int) *part {
	part := &part{plan: p, parent: parent, group: &Group{Name: p.node.name}, step: step, at: -1, began: began, counts: make([]int, len(p.steps)), last: make([]*part, len(p.steps)), where: where}
	m.parts = append(m.parts, part)
	if parent != nil {
		parent.at = step
		parent.counts[step]++
		parent.last[step] = part
		parent.group.Items = append(parent.group.Items, Item{Group: part.group})
	}
	return part
}

// place finds the place of one segment.
func (m *matcher) place(i int, name string) {
	if has(m.structure.forbidden, name) {
		m.stray(i, name)
		m.misfits = append(m.misfits, misfit{rule: SegmentForbidden, segment: i, name: name})
		return
	}
	if !has(m.root.plan.names, name) && (!has(m.root.plan.names, wildcard) || local(name)) {
		m.stray(i, name)
		if !local(name) {
			m.misfits = append(m.misfits, misfit{rule: SegmentUnexpected, segment: i, name: name})
		}
		return
	}
	if m.owed(i, name) {
		return
	}
	if c, ok := m.choose(i, name, m.ahead(name, true)); ok {
		m.descend(c.part, c.step, i, name)
		return
	}
	if p := m.current; p.at >= 0 && p.plan.steps[p.at].node.kind != GroupNode && m.takes(&p.plan.steps[p.at], name) {
		m.misfits = append(m.misfits, misfit{rule: SegmentRepeats, segment: i, name: name, max: p.plan.steps[p.at].node.max})
		m.add(p, p.at, i, name)
		return
	}
	if candidates := m.ahead(name, false); len(candidates) > 0 {
		m.skip(candidates[0], i, name)
		return
	}
	for _, exceed := range []bool{false, true} {
		if m.backward(i, name, exceed) {
			return
		}
	}
	m.stray(i, name)
	m.misfits = append(m.misfits, misfit{rule: SegmentOrder, segment: i, name: name})
}

// local tells whether a segment is one that a site has defined itself.
func local(name string) bool { return strings.HasPrefix(name, "Z") }

// A candidate is a step of an open group that a segment could go to.
type candidate struct {
	part *part
	step int
}

func (c candidate) plan() *plan { return &c.part.plan.steps[c.step] }

// ahead lists where a segment could go from the current place on: in the open groups, from the
// inner to the outer, where the group that is left may begin again. If strict, nothing required
// may be left out on the way; otherwise a group that isn't there yet may begin with any of its
// segments, but one that is begins again only as it should.
func (m *matcher) ahead(name string, strict bool) []candidate {
	m.candidates = m.candidates[:0]
	for p := m.current; p != nil; p = p.parent {
		for s := max(p.at, 0); s < len(p.plan.steps); s++ {
			step := &p.plan.steps[s]
			switch {
			case step.node.max > 0 && p.counts[s] >= step.node.max:
			case step.node.kind != GroupNode:
				if m.takes(step, name) {
					return append(m.candidates, candidate{p, s})
				}
			case has(step.first, name) || !strict && p.counts[s] == 0 && has(step.names, name):
				m.candidates = append(m.candidates, candidate{p, s})
			}
			if strict && p.counts[s] == 0 && !step.skippable() {
				return m.candidates
			}
		}
	}
	return m.candidates
}

// horizon is how many segments are looked at to tell two groups apart that begin alike.
const horizon = 32

// choose picks one of several groups that a segment can begin: by the segments that follow it up
// to the next of its name, of which only one of the groups may have all; then one that is
// required; then one that began with the same segment before; then the innermost.
func (m *matcher) choose(i int, name string, candidates []candidate) (candidate, bool) {
	if len(candidates) == 0 {
		return candidate{}, false
	}
	if candidates[0].plan().node.kind != GroupNode {
		return candidates[0], true
	}
	for j := i + 1; len(candidates) > 1 && j < len(m.segments) && j <= i+horizon && m.segments[j] != name; j++ {
		able := 0
		for _, c := range candidates {
			if has(c.plan().names, m.segments[j]) {
				able++
			}
		}
		if able == 0 && has(m.root.plan.names, m.segments[j]) {
			break // what follows belongs to none of them
		}
		if able > 0 && able < len(candidates) {
			candidates = slices.DeleteFunc(candidates, func(c candidate) bool { return !has(c.plan().names, m.segments[j]) })
		}
	}
	for _, c := range candidates {
		if c.plan().node.min > 0 && c.part.counts[c.step] == 0 || c.plan().node.kind != GroupNode {
			return c, true
		}
	}
	for p := m.current; p.parent != nil; p = p.parent {
		if p.began == name && slices.Contains(candidates, candidate{p.parent, p.step}) {
			return candidate{p.parent, p.step}, true
		}
	}
	return candidates[0], true
}

// skip goes to a place before which something required is missing. Where that is still to come,
// a single segment stands too early, and the current place stays where it is; a group is begun all
// the same, since its other segments follow.
func (m *matcher) skip(c candidate, i int, name string) {
	if c.plan().node.kind == GroupNode || !m.requiredAhead(c.part, c.step) {
		m.descend(c.part, c.step, i, name)
		return
	}
	m.misfits = append(m.misfits, misfit{rule: SegmentOrder, segment: i, name: name})
	c.part.counts[c.step]++
	m.stray(i, name)
}

// requiredAhead tells whether a required segment between the current place and step s of p is
// still to come in the message.
func (m *matcher) requiredAhead(p *part, s int) bool {
	for q := m.current; q != nil; q = q.parent {
		end := len(q.plan.steps)
		if q == p {
			end = s
		}
		for k := max(q.at, 0); k < end; k++ {
			step := &q.plan.steps[k]
			if q.counts[k] > 0 || step.skippable() {
				continue
			}
			for name := range step.first {
				if m.remaining[name] > 0 {
					return true
				}
			}
		}
		if q == p {
			break
		}
	}
	return false
}

// descend opens the groups down to the segment's own place.
func (m *matcher) descend(p *part, s, i int, name string) {
	for p.plan.steps[s].node.kind == GroupNode {
		p = m.newPart(&p.plan.steps[s], p, s, name, i)
		s = -1
		for k := range p.plan.steps {
			step := &p.plan.steps[k]
			if step.node.kind != GroupNode && m.takes(step, name) || step.node.kind == GroupNode && has(step.first, name) {
				s = k
				break
			}
			if s < 0 && has(step.names, name) {
				s = k // as it is in the group, but not before something required
			}
		}
	}
	m.add(p, s, i, name)
}

// backward looks for a place that the message has already passed.
func (m *matcher) backward(i int, name string, exceed bool) bool {
	for p := m.current; p != nil; p = p.parent {
		for s := range p.plan.steps {
			step := &p.plan.steps[s]
			fits := m.takes(step, name)
			if step.node.kind == GroupNode {
				fits = has(step.first, name)
			}
			full := step.node.max > 0 && p.counts[s] >= step.node.max
			if !fits && p.last[s] != nil && m.revisit(p.last[s], name) {
				m.misfits = append(m.misfits, misfit{rule: SegmentOrder, segment: i, name: name})
				m.stray(i, name)
				return true
			}
			if !fits || full && !exceed {
				continue
			}
			broken := misfit{rule: SegmentOrder, segment: i, name: name}
			if full {
				broken.rule, broken.max = SegmentRepeats, step.node.max
			}
			m.misfits = append(m.misfits, broken)
			m.descend(p, s, i, name)
			return true
		}
	}
	return false
}

// owed puts a segment to an open group that should have had it before.
func (m *matcher) owed(i int, name string) bool {
	for p := m.current; p != nil; p = p.parent {
		for s := range max(p.at, 0) {
			step := &p.plan.steps[s]
			if step.node.kind != GroupNode && step.node.min > 0 && p.counts[s] == 0 && m.takes(step, name) {
				m.misfits = append(m.misfits, misfit{rule: SegmentOrder, segment: i, name: name})
				m.add(p, s, i, name)
				return true
			}
		}
	}
	return false
}

// revisit counts a late segment for a group that has ended. It stays where it stands.
func (m *matcher) revisit(p *part, name string) bool {
	for s := range p.plan.steps {
		step := &p.plan.steps[s]
		if step.node.kind == GroupNode {
			if p.last[s] != nil && m.revisit(p.last[s], name) {
				return true
			}
			continue
		}
		if m.takes(step, name) && (step.node.max == 0 || p.counts[s] < step.node.max) {
			p.counts[s]++
			return true
		}
	}
	return false
}

// add puts the segment to a step and makes it the current place.
func (m *matcher) add(p *part, s, i int, name string) {
	p.at = s
	p.counts[s]++
	p.group.Items = append(p.group.Items, Item{Segment: name, Index: i})
	m.current = p
}

// stray keeps a segment that has no place where it stands, in the innermost group.
func (m *matcher) stray(i int, name string) {
	m.current.group.Items = append(m.current.group.Items, Item{Segment: name, Index: i})
}

// missing reports what a group requires and doesn't have.
func (m *matcher) missing(p *part) {
	group := ""
	if p.parent != nil {
		group = p.plan.node.name
	}
	for s := range p.plan.steps {
		step := &p.plan.steps[s]
		if p.counts[s] >= step.node.min || step.node.kind == GroupNode && step.skippable() {
			continue
		}
		m.misfits = append(m.misfits, misfit{rule: SegmentMissing, segment: p.where, name: step.head(), group: group})
	}
}

// head names what a required step misses: its segment, the members of its choice, or the first
// required segment of its group.
func (p *plan) head() string {
	switch p.node.kind {
	case ChoiceNode:
		names := make([]string, len(p.node.nodes))
		for i := range p.node.nodes {
			names[i] = p.node.nodes[i].name
		}
		return strings.Join(names, " or ")
	case GroupNode:
		for i := range p.steps {
			if !p.steps[i].skippable() {
				return p.steps[i].head()
			}
		}
		return p.node.name
	}
	return p.node.name
}
