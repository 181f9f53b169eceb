package standard

// A Gap is something that the dictionaries don't know, although the standard has it.
type Gap struct {
	Versions string // the versions that it concerns, such as "2.7 and 2.7.1"
	Text     string // what is missing, and what stands in its place
}

// Gaps returns what is missing or uncertain in the dictionaries, so that a program can show it
// where it shows findings. The slice is the caller's.
func Gaps() []Gap {
	return []Gap{
		{"2.8, 2.8.1, 2.8.2 and 2.9", "Not described: no source with a fitting licence has them. Version gives 2.7.1 for them, and what that doesn't know may well be right."},
		{"2.7.1", "Described exactly as 2.7: the source has no difference between the two."},
		{"2.7 and 2.7.1", "The structure CCM_I21 is left out, because the source has lost the names of its segments."},
		{"2.7 and 2.7.1", "Most lengths are missing: 2.7 gives a field a normative length only where its type is a code or a number."},
		{"2.1 to 2.6", "A conditional field (C) and one kept for older systems (B) are recorded as optional; in components both are told apart from 2.5 on."},
		{"2.1 to 2.4", "Components have no lengths and are all optional."},
		{"2.6", "Five structures and some groups of the source were damaged and are put right as data/comparison.txt lists."},
		{"2.7 and 2.7.1", "What is withdrawn is recognised by what the source has left of it, and may not be complete."},
		{"2.3.1", "The segments QPD, RCP and QRI stand in structures but aren't described."},
		{"all", "One set of tables serves all versions, so a code that came later or was withdrawn isn't noticed."},
		{"all", "The tables that the standard leaves to the site, and some that it took from elsewhere, have no codes."},
		{"all", "Queries are described by their general structures, not by their conformance statements (chapter 5)."},
		{"all", "When a conditional field must be there isn't described."},
	}
}
