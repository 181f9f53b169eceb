package main

import (
	"math/bits"
	"time"
)

// A histogram counts times, each within 1 % of itself, in a memory that doesn't grow. The zero
// value is empty.
type histogram struct {
	n        int64
	min, max time.Duration
	counts   [64 * perDoubling]int64
}

// perDoubling is how many counts there are from a time to its double.
const perDoubling = 64

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	if h.n == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.n++
	h.counts[bucket(d)]++
}

// bucket is where a time is counted: each to itself up to 127 ns, and then by its upper
// seven bits.
func bucket(d time.Duration) int {
	shift := max(bits.Len64(uint64(d))-7, 0)
	return shift*perDoubling + int(uint64(d)>>shift)
}

// middle is the time that bucket i stands for.
func middle(i int) time.Duration {
	if i < 2*perDoubling {
		return time.Duration(i)
	}
	shift := i/perDoubling - 1
	return time.Duration((uint64(i%perDoubling+perDoubling)<<shift + (1<<shift)/2))
}

// percentile returns the time that so many percent of the times don't exceed, and 0 when
// there are none.
func (h *histogram) percentile(percent float64) time.Duration {
	switch {
	case percent <= 0 || h.n == 0:
		return h.min
	case percent >= 100:
		return h.max
	}
	left := int64(percent / 100 * float64(h.n))
	for i, n := range h.counts {
		if left -= n; left < 0 {
			return min(max(middle(i), h.min), h.max)
		}
	}
	return h.max
}
