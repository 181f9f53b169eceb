package standard

// The formats of the primitive data types that have one (HL7 v2.9 chapter 2A). A value is judged
// as it is encoded, without what is around it; an empty one is never judged.

// formatOf returns the check of a primitive data type, the description of what is right, and
// whether the type has one.
func formatOf(typ string) (func(string) bool, string, bool) {
	switch typ {
	case "NM":
		return isNumber, "a number such as 12 or -3.5", true
	case "SI":
		return isSequence, "a whole number of 0 or more", true
	case "DT":
		return isDate, "a date as YYYY, YYYYMM or YYYYMMDD", true
	case "TM":
		return isTime, "a time as HH[MM[SS[.S[S[S[S]]]]]] with an optional zone +/-ZZZZ", true
	case "TS", "DTM":
		return isDateTime, "a date and time as YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]] with an optional zone +/-ZZZZ", true
	}
	return nil, "", false
}

func isNumber(s string) bool {
	if s[0] == '+' || s[0] == '-' {
		s = s[1:]
	}
	digits, points := 0, 0
	for i := range len(s) {
		switch {
		case s[i] >= '0' && s[i] <= '9':
			digits++
		case s[i] == '.' && points == 0:
			points++
		default:
			return false
		}
	}
	return digits > 0
}

func isSequence(s string) bool {
	return digitsOf(s) == len(s)
}

func digitsOf(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// number reads two or four digits that are known to be digits.
func number(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func isDate(s string) bool {
	return digitsOf(s) == len(s) && len(s) <= 8 && datePart(s)
}

func datePart(digits string) bool {
	switch len(digits) {
	case 4:
		return true
	case 6:
		return within(digits[4:6], 1, 12)
	case 8:
		return within(digits[4:6], 1, 12) && within(digits[6:8], 1, daysIn(number(digits[:4]), number(digits[4:6])))
	}
	return false
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func within(digits string, low, high int) bool {
	n := number(digits)
	return n >= low && n <= high
}

func isTime(s string) bool {
	n := digitsOf(s)
	return timePart(s[:n]) && rest(s[n:], n == 6)
}

// timePart takes a second of 60: a leap second, which ISO 8601 allows.
func timePart(digits string) bool {
	switch len(digits) {
	case 2:
		return within(digits, 0, 23)
	case 4:
		return within(digits[:2], 0, 23) && within(digits[2:], 0, 59)
	case 6:
		return within(digits[:2], 0, 23) && within(digits[2:4], 0, 59) && within(digits[4:], 0, 60)
	}
	return false
}

func isDateTime(s string) bool {
	n := digitsOf(s)
	if n <= 8 {
		return datePart(s[:n]) && rest(s[n:], false)
	}
	return datePart(s[:8]) && timePart(s[8:n]) && rest(s[n:], n == 14)
}

// rest judges what follows the digits: a fraction, where seconds are given, and a zone.
func rest(s string, seconds bool) bool {
	if s == "" {
		return true
	}
	if seconds && s[0] == '.' {
		n := digitsOf(s[1:])
		if n < 1 || n > 4 {
			return false
		}
		s = s[1+n:]
	}
	if s == "" {
		return true
	}
	return len(s) == 5 && (s[0] == '+' || s[0] == '-') && digitsOf(s[1:]) == 4 && within(s[1:3], 0, 14) && within(s[3:], 0, 59)
}
