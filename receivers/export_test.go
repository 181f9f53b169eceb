package receivers

var (
	ExplainListen    = explainListen
	PrivilegedRemedy = privilegedRemedy
)
