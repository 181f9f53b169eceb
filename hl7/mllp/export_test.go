package mllp

// HeldBy returns how many bytes of buffer the reader holds.
func HeldBy(r *Reader) int { return len(r.buf) }
