package mllp

import "bytes"

const (
	// recentIDs is how many control ids a connection remembers, and recentID the longest one in bytes.
	recentIDs = 16
	recentID  = 256
)

// recent holds the control ids of the last messages of a connection, so that a second acknowledgement of one of them,
// which enhanced mode allows, is told from one of nobody's.
type recent struct {
	ids  [recentIDs][]byte
	next int
}

// add remembers the control id of a message, if it has one.
func (r *recent) add(msg []byte) {
	id, _ := field(msg, "MSH", 9)
	if len(id) == 0 || len(id) > recentID {
		return
	}
	r.ids[r.next] = append(r.ids[r.next][:0], id...)
	r.next = (r.next + 1) % recentIDs
}

// has reports whether reply acknowledges a message that is remembered.
func (r *recent) has(reply []byte) bool {
	id, _ := field(reply, "MSA", 2)
	for _, have := range r.ids {
		if len(id) > 0 && bytes.Equal(have, id) {
			return true
		}
	}
	return false
}
