package engine

import (
	"maps"
	"slices"
	"strings"
)

// suggest returns `: did you mean "x"?` for the name in known that is nearest to
// the misspelt one, or "" when none is near.
func suggest[V any](misspelt string, known map[string]V) string {
	best, distance := "", len(misspelt)
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if name == "" {
			continue
		}
		if d := editDistance(strings.ToLower(misspelt), strings.ToLower(name)); d < distance && d <= (max(len(misspelt), len(name))+1)/3 {
			best, distance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return `: did you mean "` + best + `"?`
}

// editDistance counts the letters to insert, delete, replace or swap with their
// neighbour to make b of a.
func editDistance(a, b string) int {
	prev2 := make([]int, len(b)+1)
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
